"""What the frameworks document beside what they do: per question the claims and who makes them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bnspec import claims
from bnspec.claims import Claim
from bnspec.columns import Column
from bnspec.history import Lineage
from bnspec.report.choice import called
from bnspec.results import TargetResults
from bnspec.spec import AXES


@dataclass(frozen=True)
class Said:
    """What is documented on one question: the numbers of the claims, and the targets that answered without one."""

    claims: tuple[int, ...]
    silent: str


@dataclass(frozen=True)
class Documentation:
    """The claims about some targets, each with the targets that it is about, and what is said by question.

    agreeing, differing: how many answers are the documented one, and how many another; unused: the claims that
    nothing was held to.
    """

    claims: tuple[tuple[Claim, str], ...] = ()
    by_id: dict[str, Said] = field(default_factory=dict)
    agreeing: int = 0
    differing: int = 0
    unused: tuple[Claim, ...] = ()


def documentation(columns: Sequence[Column], lineages: Sequence[Lineage]) -> Documentation:
    """Return what the frameworks of some targets document on the axes that these were asked."""
    about: dict[Claim, set[str]] = {}
    by_id: dict[str, tuple[set[Claim], set[str]]] = {}
    same = other = 0
    for column in columns:
        for id, row in column.rows.items():
            if id.partition("[")[0] not in AXES:
                continue
            found, silent = by_id.setdefault(id, (set(), set()))
            claim = claims.documented(*claims.named(column.info), id)
            if claim is None:
                silent.update([column.name] if row.get("variant") else [])
                continue
            found.add(claim)
            about.setdefault(claim, set()).add(column.name)
            same += row.get("variant") == claim.variant
            other += row.get("variant") not in (None, claim.variant)
    numbers = {claim: number for number, claim in enumerate(claim for claim in claims.claims() if claim in about)}
    targets = [TargetResults(column.info, column.rows, column.complete) for column in columns]
    return Documentation(
        tuple((claim, called(about[claim], lineages)) for claim in numbers),
        {id: Said(tuple(sorted(map(numbers.__getitem__, f))), called(s, lineages)) for id, (f, s) in by_id.items()},
        same,
        other,
        claims.unused(targets),
    )
