"""What changes: the comparisons of a diff, as the page begins with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from bnspec.compare.diff import Diff, Weighed
from bnspec.compare.model import Change, Weight
from bnspec.compare.words import CAUSE, Line, answers, lines, reasons, summary
from bnspec.results import cut


@dataclass(frozen=True)
class Heaviness:
    """The changes of one weight."""

    weight: Weight
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Untold:
    """What could not be compared for one reason, and how many answers."""

    reason: str
    answers: int
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Changes:
    """One comparison: who, in sum, what by weight, what is allowed, what could not be compared."""

    title: str
    names: str
    changed: bool
    summary: str
    beside: str
    weights: tuple[Heaviness, ...]
    allowed: tuple[Line, ...]
    untold: tuple[Untold, ...]


def changes_of(diff: Diff) -> tuple[Changes, ...]:
    """Return the comparisons of a diff."""
    return tuple(comparison(one) for one in diff.comparisons)


def comparison(one: Weighed) -> Changes:
    """Return one comparison as it is shown."""
    base, candidate = one.comparison.base, one.comparison.candidate
    return Changes(
        f"{base.title} → {candidate.title}",
        f"{base.name} → {candidate.name}",
        bool(one.behaviour),
        summary(one),
        one.beside,
        tuple(Heaviness(weight, tuple(some)) for weight, some in groupby(lines(one.changes), lambda line: line.weight)),
        lines(one.allowed),
        tuple(Untold(cut(reason, CAUSE), answers(some), some) for reason, some in reasons(one.comparison).items()),
    )


def said(shown: Sequence[Changes]) -> str:
    """Return the comparisons in one sentence, which the page is called by."""
    only = shown[0]
    if len(shown) > 1:
        changed = sum(one.changed for one in shown)
        return (
            f"Behaviour changed in {changed} of {len(shown)} comparisons." if changed else "Behaviour did not change."
        )
    return f"{only.title}: {'behaviour changed' if only.changed else 'behaviour is the same'}."
