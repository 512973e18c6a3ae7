"""Targets as their results say they are, made up: rows by id, facts, provenance."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bnspec.columns import Column
from bnspec.compare import Change, Comparison, compare
from bnspec.results import Results, TargetResults
from bnspec.suite import load_cases
from bnspec.worker.loop import load_adapter

RUN = {"suite": "0.1.0", "revision": "3f2a9c1", "cpu": "Xeon", "selection": None}
INFO = {"environment": "py312-torch-2.9.1", "adapter": "torch.nn", "device": "cpu", "execution": "eager"}


def row(verdict: str = "conforms", **fields: Any) -> dict[str, Any]:
    """Return one row."""
    return {"verdict": verdict, **fields}


def answers(given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return rows by id: of a variant, or of a row."""
    return {
        identifier: {"id": identifier, **(row(variant=one, ratio=0.1) if isinstance(one, str) else one)}
        for identifier, one in given.items()
    }


def column(rows: Mapping[str, Any] | None = None, *, name: str = "base", complete: bool = True, **info: Any) -> Column:
    """Return a target that has these rows; run: provenance that is other than usual."""
    run = {**RUN, **info.pop("run", {})}
    about = {**INFO, "framework": "torch", "version": "2.9.1", "python": "3.12.8", "facts": {}, **info}
    return Column(
        name, f"{about['framework']} {about['version']}", "", "cpu", about, run, answers(rows or {}), complete
    )


def results(rows: Mapping[str, Any], *, name: str = "base/torch.nn", complete: bool = True, **info: Any) -> Results:
    """Return the results of one target."""
    one = column(rows, **info)
    targets = {name: TargetResults(one.info, one.rows, complete)}
    return Results(f"{name}.jsonl", {**one.run, "command": ["bnspec"]}, targets, complete)


@pytest.fixture(scope="session")
def make() -> Callable[..., Column]:
    """Return a maker of targets."""
    return column


@pytest.fixture(scope="session")
def make_row() -> Callable[..., dict[str, Any]]:
    """Return a maker of rows."""
    return row


@pytest.fixture(scope="session")
def make_results() -> Callable[..., Results]:
    """Return a maker of results of one target."""
    return results


@pytest.fixture(scope="session")
def both() -> Callable[..., Comparison]:
    """Return what compares two targets that differ in their rows alone."""

    def compared(before: Mapping[str, Any], after: Mapping[str, Any], **info: Any) -> Comparison:
        return compare(column(before, **info), column(after, name="candidate", **{"version": "2.10.0", **info}))

    return compared


@pytest.fixture(scope="session")
def one(both: Callable[..., Comparison]) -> Callable[..., Change]:
    """Return what compares two answers to one question and gives the one change."""

    def changed(identifier: str, before: Any, after: Any, **info: Any) -> Change:
        found = both({identifier: before}, {identifier: after}, **info)
        [change] = (*found.changes, *found.incomparable)
        return change

    return changed


@pytest.fixture(scope="session")
def ids() -> list[str]:
    """Return the ids of the suite."""
    return [identifier for case in load_cases() for identifier in case.ids]


@pytest.fixture(scope="session")
def implementation() -> Callable[[str], Any]:
    """Return a class of tests/mutants by `file:Class`."""
    folder = Path(__file__).parent.parent / "mutants"

    def load(path: str) -> Any:
        module, _, name = path.partition(":")
        return load_adapter(f"{folder / module}.py:{name}")

    return load
