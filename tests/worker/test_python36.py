"""The worker's side runs on Python 3.6 and NumPy 1.16: the syntax is checked anywhere, the rest on a real 3.6."""

import ast
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import bnspec.worker
from bnspec.case import Case, Layer, infer, train, write
from bnspec.driver import Driver, Timeouts
from bnspec.environments import Environment, make
from bnspec.paths import pyenv_pythons, suite_folder
from bnspec.runner import judged
from bnspec.targets import Target

FOLDER = Path(bnspec.worker.__file__).parent
FILES = [*sorted(FOLDER.rglob("*.py")), *sorted((suite_folder() / "stories").glob("*.py"))]
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def python36() -> str:
    """A Python 3.6. Without one these tests fail: that the worker runs on it is a promise."""
    path = os.pathsep.join([*pyenv_pythons(), os.environ.get("PATH", "")])
    for folder in path.split(os.pathsep):
        found = shutil.which("python3.6", path=folder)
        if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            return found
    pytest.fail("no Python 3.6 found; install one with `pyenv install 3.6.15` or put python3.6 on PATH")


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_every_file_of_the_worker_has_the_grammar_of_3_6(file):
    ast.parse(file.read_text("utf-8"), str(file), feature_version=(3, 6))


def test_every_file_of_the_worker_compiles_on_3_6(python36):
    compiling = "import sys\nfor name in sys.argv[1:]:\n    compile(open(name, 'rb').read(), name, 'exec')"
    done = subprocess.run(
        [python36, "-I", "-c", compiling, *map(str, FILES)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_worker_on_3_6_with_an_old_numpy_answers(python36, tmp_path, monkeypatch):
    monkeypatch.setenv("BNSPEC_CACHE", str(tmp_path))
    environment = Environment("py36-numpy-1.16.4", "3.6", ("numpy==1.16.4",), ("numpy",))
    make(environment)
    target = Target(environment, "plain", f"{HERE / 'plain.py'}:Plain")
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    state = write(mean=np.float32([0.5, 1, 2]), variance=np.float32([1, 2, 4]))
    layer = Layer(scale=False, offset=False)
    cases = [
        Case(("forward.inference",), "rank2", layer, (state, infer(x)), "small"),
        Case(("forward.training",), "rank2", layer, (state, train(x)), "small"),
    ]
    driver = Driver(target, Timeouts(start=60, first=30, case=30))
    driver.connect()
    rows = list(judged(driver, cases))
    assert [row.verdict for row in rows] == ["conforms", "unsupported"]
    assert driver.ready["python"].startswith("3.6.")
    assert driver.ready["packages"]["numpy"] == "1.16.4"
    assert driver.facts == {"numpy": "1.16.4"}
