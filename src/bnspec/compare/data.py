"""A diff as JSON: the form of diff.schema.json beside this file."""

from typing import Any

from bnspec.columns import Column
from bnspec.compare.diff import Diff, Weighed
from bnspec.compare.model import Change, Weight

SCHEMA_VERSION = 1


def as_data(diff: Diff) -> dict[str, Any]:
    """Return a diff as plain values."""
    return {
        "schema": SCHEMA_VERSION,
        "changed": diff.changed,
        "comparisons": [of_pair(one) for one in diff.comparisons],
        "warnings": list(diff.warnings),
        "alone": [column.name for column in diff.alone],
        "unused_allowances": list(diff.unused),
        "narrowing": diff.narrowing,
        "weights": {str(weight): weight.meaning for weight in Weight},
    }


def of_pair(one: Weighed) -> dict[str, Any]:
    """Return one comparison."""
    return {
        "base": of_target(one.comparison.base),
        "candidate": of_target(one.comparison.candidate),
        "changed": bool(one.behaviour),
        "beside": one.beside,
        "same": one.comparison.same,
        "changes": [of_change(change) for change in one.changes],
        "allowed": [of_change(change) for change in one.allowed],
        "incomparable": [of_change(change) for change in one.comparison.incomparable],
    }


def of_target(column: Column) -> dict[str, Any]:
    """Return who was compared."""
    return {
        "target": column.name,
        "framework": str(column.info.get("framework", "")),
        "version": str(column.info.get("version", "")),
        "complete": column.complete,
        "suite": str(column.run.get("suite", "")),
        "revision": column.run.get("revision"),
    }


def of_change(change: Change) -> dict[str, Any]:
    """Return one change; a fact has no situations."""
    return {
        "kind": str(change.kind),
        "subject": change.subject,
        "fact": not change.situations,
        "situations": list(change.situations),
        "before": change.before,
        "after": change.after,
        "weight": str(change.weight),
        "formula": change.formula,
        "reason": change.reason,
    }
