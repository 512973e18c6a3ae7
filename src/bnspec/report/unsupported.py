"""What could not be asked of which target, and why."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bnspec.columns import Column
from bnspec.history import Lineage
from bnspec.report.choice import called
from bnspec.report.model import CLAUSE_ORDER

SHOWN = 10
"""So many reasons are told at once, those of most questions first; the others are folded."""

NO_REASON = "no reason was given"


@dataclass(frozen=True)
class Places:
    """Questions that some targets could not be asked for one reason: per clause its situations, none if it is all."""

    targets: str
    clauses: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Gap:
    """One reason, and per target how many questions could not be asked for it."""

    reason: str
    counts: tuple[int, ...]
    places: tuple[Places, ...]


def gaps(shown: Sequence[Column], lineages: Sequence[Lineage]) -> tuple[Gap, ...]:
    """Return every reason why a question was not answered, that of the most questions first."""
    found: dict[str, list[list[str]]] = {}
    for number, column in enumerate(shown):
        for id, row in column.rows.items():
            if row["verdict"] == "unsupported":
                reason = str(row.get("message") or NO_REASON)
                found.setdefault(reason, [[] for _ in shown])[number].append(id)
    sizes = Counter(clause_of(id) for id in {id for column in shown for id in column.rows})
    made = [
        Gap(reason, tuple(map(len, ids)), tuple(places(ids, shown, lineages, sizes))) for reason, ids in found.items()
    ]
    return tuple(sorted(made, key=lambda gap: -sum(gap.counts)))


def places(
    ids: Sequence[Sequence[str]], shown: Sequence[Column], lineages: Sequence[Lineage], sizes: Mapping[str, int]
) -> list[Places]:
    """Return the clauses and situations of each target's ids, targets with the same ones together."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for own, column in zip(ids, shown, strict=True):
        if own:
            alike.setdefault(tuple(sorted(own)), []).append(column.name)
    return [Places(called(names, lineages), by_clause(own, sizes)) for own, names in alike.items()]


def by_clause(ids: Sequence[str], sizes: Mapping[str, int]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the situations of ids by clause, in the order of the specification; none where it is all of them."""
    found: dict[str, list[str]] = {}
    for id in sorted(ids, key=lambda id: CLAUSE_ORDER.get(clause_of(id), len(CLAUSE_ORDER))):
        found.setdefault(clause_of(id), []).append(id.partition("[")[2].removesuffix("]"))
    return tuple(
        (clause, () if len(situations) == sizes[clause] else tuple(situations)) for clause, situations in found.items()
    )


def clause_of(id: str) -> str:
    """Return the clause or axis of an id."""
    return id.partition("[")[0]
