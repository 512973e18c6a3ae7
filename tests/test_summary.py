"""What a run prints at its end: counts for every target, and side by side only what a terminal has room for."""

from typing import Any

import pytest

from bnspec.results import Results, TargetResults
from bnspec.summary import SIDE_BY_SIDE, print_summary

RUN = {"record": "run", "schema": 3, "suite": "0", "date": "2026-11-21", "command": ["x"], "os": "x", "cases": 1}


def results(number: int) -> Results:
    """Return the file of one target; every second answers otherwise."""
    name = f"e{number}/torch.nn"
    info: dict[str, Any] = {"target": name, "adapter": "torch.nn", "environment": f"e{number}", "device": "cpu"}
    info.update(framework="torch", version=f"2.{number}.0")
    variant = ("population", "sample")[number % 2]
    row = {"target": name, "id": "stats.stored-variance[rank2]", "verdict": "conforms", "variant": variant}
    return Results(f"{number}.jsonl", RUN, {name: TargetResults(info, {row["id"]: row}, True)}, True)


@pytest.mark.parametrize("count", [2, SIDE_BY_SIDE, SIDE_BY_SIDE + 1, 60])
def test_every_target_has_its_counts_and_few_are_shown_side_by_side(capsys, count):
    assert print_summary([results(number) for number in range(count)]) == 0
    output = capsys.readouterr().out
    assert output.count(": 1 conforms") == count
    assert ("How they differ" in output) == (count <= SIDE_BY_SIDE)


def test_what_was_not_run_says_why_once_for_each_reason(capsys):
    file = results(0)
    (target,) = file.targets.values()
    said = {"a[1]": "memory was out: x", "a[2]": "memory was out: x", "b[1]": "the worker was stopped"}
    rows = {id: {"target": "t", "id": id, "verdict": "not-run", "message": text} for id, text in said.items()}
    shown = Results(file.source, RUN, {"t": TargetResults(target.info, {**target.rows, **rows}, True)}, True)
    assert print_summary([shown]) == 0
    output = capsys.readouterr().out
    assert "1 conforms, 3 not-run" in output
    assert "  not-run a[1] and 1 more: memory was out: x\n  not-run b[1]: the worker was stopped\n" in output
