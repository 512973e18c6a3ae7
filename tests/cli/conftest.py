"""The command, as a user starts it: what it cannot do is a line on stderr, exit status 2, nothing lost."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest

PROGRAM = str(Path(sys.executable).with_name("bnspec"))

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Environment variables with a cache of its own, and the mark by which an adapter says where it is."""
    return {**os.environ, "BNSPEC_CACHE": str(tmp_path / "cache"), "BNSPEC_TEST_MARK": str(tmp_path / "mark")}


@pytest.fixture
def tiny(index: Any, environ: dict[str, str]) -> Any:
    """An index with small packages that have no framework; made to run by the NumPy of this Python."""
    environ.update(index.environ)
    environ.pop("UV_EXTRA_INDEX_URL", None)
    here = Path(numpy.__file__).parent.parent
    environ["BNSPEC_AFTER_INSTALL"] = (
        f'echo "{here}" > "$(echo "$BNSPEC_ENVIRONMENT"/lib/python3*/site-packages)/x.pth"'
    )
    for version in ("1.0", "2.0", "3.0"):
        index.add("tiny", version)
    return index


@pytest.fixture
def bnspec(environ: dict[str, str], tmp_path: Path) -> Command:
    """Run the command to its end."""

    def run(*arguments: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, *map(str, arguments)],
            capture_output=True, text=True, env=environ, cwd=tmp_path, timeout=120, check=False, **more,
        )  # fmt: skip

    return run


@pytest.fixture
def begin(environ: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command; what is left of it at the end of the test is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str | Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [PROGRAM, *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ, cwd=tmp_path,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def cannot() -> Callable[..., None]:
    """Assert that a command could not do it, and said so as it should."""

    def check(done: subprocess.CompletedProcess[str], *words: str, progress: bool = False) -> None:
        told = [line for line in done.stderr.splitlines() if not progress or line.startswith("bnspec: ")]
        assert done.returncode == 2, done.stderr
        assert len(told) == 1, done.stderr
        assert told[0].startswith("bnspec: ")
        assert told[0].isprintable()
        assert len(told[0]) < 1000
        assert "Traceback" not in done.stderr
        for word in words:
            assert word in told[0], told[0]

    return check


@pytest.fixture(scope="session")
def eventually() -> Callable[..., bool]:
    """Return whether something is so, or soon will be."""

    def wait(condition: Callable[[], bool], seconds: float = 60) -> bool:
        until = time.monotonic() + seconds
        while not condition() and time.monotonic() < until:
            time.sleep(0.01)
        return condition()

    return wait
