"""Five small cases, the third of which is the victim, run by a real worker on an adapter of this folder."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import bnspec.driver
from bnspec.case import Case, Layer, infer, write
from bnspec.driver import Driver, Timeouts
from bnspec.environments import reference
from bnspec.process import WorkerProcess
from bnspec.results import Row
from bnspec.runner import judged
from bnspec.targets import Target

FOLDER = Path(__file__).parent
SITUATIONS = ("first", "before", "victim", "behind", "last")
VICTIM_EPSILON = 1e-5

TIMEOUTS = Timeouts(start=60, first=2.5, case=2.5)
"""A case takes a millisecond: two and a half seconds are an eternity even for a busy machine."""


def case(situation: str) -> Case:
    """Return an inference case; only the epsilon tells the victim apart."""
    state = write(mean=np.float32([0.5, 1, 2]), variance=np.float32([1, 2, 4]))
    layer = Layer(epsilon=VICTIM_EPSILON if situation == "victim" else 1e-3)
    x = np.arange(12, dtype=np.float32).reshape(4, 3) / np.float32(8)
    return Case(("forward.inference",), situation, layer, (state, infer(x)), "small")


@dataclass(frozen=True)
class Outcome:
    """What came of a run: rows by situation, the driver, how many workers it took, and how long."""

    rows: Mapping[str, Row]
    driver: Driver
    workers: Sequence[WorkerProcess]
    seconds: float

    @property
    def others(self) -> set[str]:
        """The verdicts of all but the victim."""
        return {row.verdict for name, row in self.rows.items() if name != "victim"}


@pytest.fixture
def cases() -> list[Case]:
    return [case(situation) for situation in SITUATIONS]


@pytest.fixture
def target() -> Callable[[str], Target]:
    """Return the target of an adapter class of adapters.py, or of a file of this folder."""

    def of(adapter: str) -> Target:
        path = FOLDER / adapter if ".py:" in adapter else f"{FOLDER / 'adapters.py'}:{adapter}"
        return Target(reference(), adapter, str(path))

    return of


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[WorkerProcess]]:
    """Every worker that is started; at the end no process of any of their groups may be left."""
    started: list[WorkerProcess] = []

    class Watched(WorkerProcess):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            started.append(self)

    monkeypatch.setattr(bnspec.driver, "WorkerProcess", Watched)
    yield started
    left = [worker.process.pid for worker in started if not ends(worker.process.pid)]
    for group in left:
        os.killpg(group, signal.SIGKILL)
    assert not left, f"processes of the groups {left} outlived their run"


def ends(group: int, seconds: float = 10) -> bool:
    """Return whether no process of a group is left, or none soon."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not members(group):
            return True
        time.sleep(0.01)
    return False


def members(group: int) -> list[int]:
    """Return the processes of a group, but for dead ones that nobody has asked after yet."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


@pytest.fixture
def run_on(target: Callable[[str], Target], workers: list[WorkerProcess], cases: list[Case]) -> Callable[..., Outcome]:
    """Run and judge the five cases, or others, on an adapter."""

    def run(adapter: str, *, timeouts: Timeouts = TIMEOUTS, asked: Sequence[Case] = ()) -> Outcome:
        started = time.monotonic()
        driver = Driver(target(adapter), timeouts)
        driver.connect()
        rows = {row.situation: row for row in judged(driver, asked or cases)}
        return Outcome(rows, driver, workers, time.monotonic() - started)

    return run


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file by which an adapter says that the victim is being run."""
    path = tmp_path / "mark"
    monkeypatch.setenv("BNSPEC_TEST_MARK", str(path))
    return path


@pytest.fixture
def wait_for() -> Callable[[Path], str]:
    """Wait for a file and return what it says."""

    def wait(path: Path) -> str:
        until = time.monotonic() + 30
        while not path.exists():
            assert time.monotonic() < until, f"{path.name} did not come"
            time.sleep(0.01)
        return path.read_text("utf-8")

    return wait


@pytest.fixture
def program() -> str:
    """The command, as it is installed."""
    return str(Path(sys.executable).with_name("bnspec"))
