"""How far apart the rival answers of a case are, and by what they differ: a table per axis."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnspec.case import Case
from bnspec.expectation import Expectation, Expected
from bnspec.rivals import MARGIN, Rivals, rivals, step_distances
from bnspec.spec import AXES, Dialect

KINDS: Mapping[str, str] = {
    "raises": "an error",
    "absent": "no statistics",
    "any": "anything",
    "free": "any values",
    "done": "no error",
}
"""What a step shows that shows no certain numbers."""


PLACES_SHOWN = 3
"""What the answers show is told at so many places, fewer where those tell all of them apart."""

Pairs = set[tuple[int, int]]


@dataclass(frozen=True)
class Seen:
    """One place of a program (a step, a number that it shows), and what each variant shows there."""

    place: str
    shown: tuple[str, ...]


@dataclass(frozen=True)
class PairTable:
    """The variants of one axis beside each other, everything else as in the reference's dialect.

    variants: "" is an answer that says nothing of the axis; distances: per variant but the first, its
    distance to each variant before it, in allowances: infinite where a fact differs, None where one of the
    two was not decided. seen: the places that tell them apart; none for classes of accuracy, which expect the
    same numbers.
    """

    axis: str
    variants: tuple[str, ...]
    distances: tuple[tuple[float | None, ...], ...]
    seen: tuple[Seen, ...] = ()


def pair_tables(case: Case) -> tuple[PairTable, ...]:
    """Return a table per axis of a case; none for a case that tells no answers apart."""
    if not case.rivals:
        return ()
    found = rivals(case, Dialect())
    return tuple(table(case, found, axis) for axis in case.clauses if found.pairs.get(axis))


def table(case: Case, found: Rivals, axis: str) -> PairTable:
    """Return the table of one axis."""
    pairs = found.pairs[axis]
    variants = tuple(dict.fromkeys(variant for pair in pairs for variant in pair))
    rows = tuple(tuple(pairs[before, variant] for before in variants[:n]) for n, variant in enumerate(variants))
    nearest = {} if AXES[axis].accuracy else nearest_rivals(found.answers, axis)
    members = [nearest[variant] for variant in variants if variant in nearest]
    seen = []
    for place, texts in telling_places(case, [found.expected[i] for i in members]):
        shown = dict(zip(members, texts, strict=True))
        seen.append(Seen(place, tuple(shown.get(nearest.get(variant, -1), "") for variant in variants)))
    return PairTable(axis, variants, rows[1:], tuple(seen))


def nearest_rivals(answers: Sequence[Mapping[str, str]], axis: str) -> dict[str, int]:
    """Return, per variant of an axis, the rival that otherwise answers most as the first rival does."""

    def strange(number: int) -> int:
        return sum(answers[number].get(name) != variant for name, variant in answers[0].items() if name != axis)

    found: dict[str, int] = {}
    for number in sorted(range(len(answers)), key=strange):
        found.setdefault(answers[number].get(axis, ""), number)
    return found


def telling_places(case: Case, expected: Sequence[Sequence[Expectation]]) -> Iterator[tuple[str, list[str]]]:
    """Yield the places of a program that tell rivals apart, and what each shows there, until all are told apart."""
    steps = list(zip(*expected, strict=True))
    apart = [step_distances(step) >= MARGIN for step in steps]
    untold: Pairs = set(itertools.combinations(range(len(expected)), 2))
    for _ in range(PLACES_SHOWN):
        counts = [sum(bool(told[pair]) for pair in untold) for told in apart]
        if not any(counts):
            return
        number = counts.index(max(counts))
        place = telling_number(steps[number], untold)
        texts = [expected_there(step, place) for step in steps[number]]
        told = {(i, j) for i, j in untold if texts[i] != texts[j]}
        if not told:
            return
        untold -= told
        name = f"step {number + 1} ({case.program[number].do.replace('_', ' ')})"
        index = list(place[1]) if place and place[1] else ""
        yield f"{name}, {place[0]}{index}" if place else name, texts


def telling_number(steps: Sequence[Expectation], untold: Pairs) -> tuple[str, tuple[int, ...]] | None:
    """Return name and index of the number of a step that tells most of some pairs of rivals apart, if there is one."""
    shown = [step.values if step.kind == "values" else {} for step in steps]
    most, place = 0, None
    for name in dict.fromkeys(name for values in shown for name in values):
        pairs = [(shown[i][name], shown[j][name]) for i, j in untold if name in shown[i] and name in shown[j]]
        alike = [(one, other) for one, other in pairs if one.value.shape == other.value.shape]
        apart = sum((far_apart(one, other).astype(int) for one, other in alike), np.zeros((), dtype=int))
        if apart.max(initial=0) > most:
            most, place = int(apart.max()), (name, tuple(map(int, np.argwhere(apart == apart.max())[0])))
    return place


def far_apart(one: Expected, other: Expected) -> NDArray[np.bool_]:
    """Return where two expectations are so far apart that one can tell."""
    with np.errstate(invalid="ignore"):
        gap = np.abs(one.value - other.value)
        far = (gap > 0) & (gap >= MARGIN * np.maximum(one.allowance, other.allowance))
    return np.asarray(far | (np.isnan(one.value) != np.isnan(other.value)))


def expected_there(step: Expectation, place: tuple[str, tuple[int, ...]] | None) -> str:
    """Return what a rival expects at a place of a step."""
    if step.kind == "same":
        return f"what step {step.like + 1} showed"
    if step.kind == "other":
        return f"other bits than step {step.like + 1}"
    if step.kind != "values":
        return KINDS[step.kind]
    found = step.values.get(place[0]) if place else None
    if place is None or found is None:
        named = (f"{name} {own.dtype or ''}".strip() for name, own in step.values.items())
        return f"gives {', '.join(named) or 'nothing'}"
    return f"{found.value[place[1]]:.9g}" if found.allowance[place[1]] < np.inf else "any value"
