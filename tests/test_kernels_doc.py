"""docs/kernels.md is what the committed results say, and the script for GPU machines does what it says."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def tool():
    """tools/kernels.py."""
    spec = importlib.util.spec_from_file_location("kernels_tool", ROOT / "tools" / "kernels.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def committed(tool):
    """The committed results: of executions, of every version, of the layers of real networks."""
    return tool.columns_in(tool.RESULTS), tool.columns_in(tool.MATRIX), tool.columns_in(tool.LARGE)


def test_the_document_is_made_from_the_committed_results(tool, committed):
    assert tool.PAGE.read_text("utf-8") == tool.page(*committed), "run: uv run python tools/kernels.py"


def test_every_cause_explains_something(tool, committed):
    assert tool.idle(*committed) == []


def gpu(tmp_path, *arguments, **environ):
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / "gpu.py"), str(tmp_path / "out"), *arguments],
        env={**os.environ, **environ}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_without_frameworks_the_script_for_gpu_machines_says_what_it_did_not_run(tmp_path):
    done = gpu(tmp_path, "--device", "cpu", "--minutes", "1")
    assert done.returncode == 0, done.stderr
    assert "not run: bnspec run --here --adapter torch.nn --execution all: this Python has no torch" in done.stdout
    told = json.loads((tmp_path / "out" / "kernels.json").read_text("utf-8"))
    assert [one["not run"] for one in told] == ["it is not installed"] * 2


def test_without_a_gpu_the_script_says_so(tmp_path):
    done = gpu(tmp_path, PATH="/nowhere")
    assert done.returncode == 1
    assert "there is no NVIDIA GPU here; --device cpu tries the script without one" in done.stderr
