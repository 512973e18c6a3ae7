"""A run: a fault of bnspec in one target neither vanishes nor takes the others with it; stopping is prompt."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import bnspec.runs
from bnspec.driver import Driver, Timeouts
from bnspec.environments import reference
from bnspec.results import read
from bnspec.runner import judged
from bnspec.runs import Run, carry_out
from bnspec.targets import Target

ADAPTERS = Path(__file__).parent / "hostile" / "adapters.py"
SELECTED = "stats.momentum-weight or degenerate.epsilon[1e-5-infer-rank2] or forward.inference[rank"
"""The victim of hostile/adapters.py in the middle: verdicts before it, verdicts behind it."""


def target(adapter: str) -> Target:
    return Target(reference(), adapter, f"{ADAPTERS}:{adapter}")


@pytest.mark.parametrize("after", [0, 1])
def test_a_fault_of_bnspec_in_one_target_is_told_and_the_others_go_on(tmp_path, monkeypatch, after):
    def faulty(driver: Driver, cases: Any, prepared: Any, **more: Any) -> Iterator[Any]:
        for number, row in enumerate(judged(driver, cases, prepared, **more)):
            if driver.target.adapter == "Prints" and number == after:
                raise ZeroDivisionError("one\nover nothing")
            yield row

    monkeypatch.setattr(bnspec.runs, "judged", faulty)
    run = Run([target("Prints"), target("Innocent")])
    carry_out(run, tmp_path / "results.jsonl", jobs=2, expression=SELECTED)
    assert list(run.failed) == ["numpy/Prints"], run.failed
    said = run.failed["numpy/Prints"]
    assert said.startswith("did not come to its end: a fault of bnspec at test_runs.py:")
    assert said.endswith("ZeroDivisionError: one over nothing")
    results = read(tmp_path / "results.jsonl")
    assert results.targets["numpy/Innocent"].complete
    assert ("numpy/Prints" in results.targets) == (after > 0)
    assert all(driver.session.worker.gone or driver.stopped for driver in run.drivers)


def test_a_target_whose_worker_does_not_start_again_did_not_come_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setenv("BNSPEC_TEST_MARK", str(tmp_path / "mark"))
    once = Target(reference(), "once", f"{ADAPTERS.parent / 'starts_once.py'}:Adapter")
    run = Run([once])
    carry_out(run, tmp_path / "results.jsonl", jobs=1, expression=SELECTED)
    assert "did not come to its end: the worker does not start" in run.failed["numpy/once"]
    rows = read(tmp_path / "results.jsonl").targets["numpy/once"].rows.values()
    verdicts = [row["verdict"] for row in rows]
    assert verdicts.count("crash") == 1
    assert verdicts.count("not-run") == len(verdicts) - verdicts.index("not-run") > 0


def test_an_interruption_stops_every_target_and_begins_no_other(tmp_path, monkeypatch):
    mark = tmp_path / "mark"
    monkeypatch.setenv("BNSPEC_TEST_MARK", str(mark))
    run = Run([target("Hangs"), target("Innocent")], Timeouts(start=60, first=60, case=60))

    def interrupt() -> None:
        until = time.monotonic() + 30
        while not (mark.exists() and run.written) and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        carry_out(run, tmp_path / "results.jsonl", jobs=1, expression=SELECTED)
    assert run.written
    assert run.failed == {}
    assert [driver.target.adapter for driver in run.drivers] == ["Hangs"]
    assert list(read(tmp_path / "results.jsonl").targets) == ["numpy/Hangs"]


def test_a_target_does_not_begin_once_the_run_is_stopped():
    run = Run([target("Innocent")])
    run.stop()
    assert list(run.records(target("Innocent"), "")) == []
    assert run.drivers == []
