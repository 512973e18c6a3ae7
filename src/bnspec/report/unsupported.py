"""What could not be asked of which target, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from bnspec.columns import Column
from bnspec.report.model import CLAUSE_ORDER

SHOWN = 10
"""So many reasons are told at once, those of most questions first; the others are folded."""

NO_REASON = "no reason was given"


@dataclass(frozen=True)
class Places:
    """Questions that some targets could not be asked for one reason: per clause its situations."""

    targets: tuple[str, ...]
    clauses: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Gap:
    """One reason, and per target how many questions could not be asked for it."""

    reason: str
    counts: tuple[int, ...]
    places: tuple[Places, ...]


def gaps(shown: Sequence[Column]) -> tuple[Gap, ...]:
    """Return every reason why a question was not answered, that of the most questions first."""
    found: dict[str, list[list[str]]] = {}
    for number, column in enumerate(shown):
        for id, row in column.rows.items():
            if row["verdict"] == "unsupported":
                reason = str(row.get("message") or NO_REASON)
                found.setdefault(reason, [[] for _ in shown])[number].append(id)
    made = [Gap(reason, tuple(map(len, ids)), places(ids, shown)) for reason, ids in found.items()]
    return tuple(sorted(made, key=lambda gap: -sum(gap.counts)))


def places(ids: Sequence[Sequence[str]], shown: Sequence[Column]) -> tuple[Places, ...]:
    """Return the clauses and situations of each target's ids, targets with the same ones together."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for own, column in zip(ids, shown, strict=True):
        if own:
            alike.setdefault(tuple(own), []).append(column.title)
    return tuple(Places(tuple(targets), by_clause(own)) for own, targets in alike.items())


def by_clause(ids: Sequence[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the situations of ids by clause, in the order of the specification."""
    found: dict[str, list[str]] = {}
    for id in sorted(ids, key=lambda id: CLAUSE_ORDER.get(id.partition("[")[0], len(CLAUSE_ORDER))):
        clause, _, situation = id.partition("[")
        found.setdefault(clause, []).append(situation.removesuffix("]"))
    return tuple((clause, tuple(situations)) for clause, situations in found.items())
