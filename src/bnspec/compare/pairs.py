"""Which target is compared with which."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from bnspec.columns import Column


class NoPair(Exception):  # noqa: N818 - it is shown as it is, one clear line
    """A pair that was asked for and is not there; the message says what is."""


@dataclass(frozen=True)
class Pairing:
    """The targets that are compared, and those of either side that have no partner."""

    pairs: tuple[tuple[Column, Column], ...]
    base_alone: tuple[Column, ...]
    candidate_alone: tuple[Column, ...]


def paired(base: Sequence[Column], candidate: Sequence[Column], asked: Sequence[str] = ()) -> Pairing:
    """Return the partners among the targets of two sides.

    asked: `BASE=CANDIDATE`, names of targets or parts of them, which come first and alone. Otherwise those of
    one name are partners, then those of one adapter, device and execution where each side has one, then the
    last target of each side. Raises NoPair for a name that is not there or fits several.
    """
    if asked:
        chosen = tuple(chosen_pair(text, base, candidate) for text in asked)
        taken = {id(column) for pair in chosen for column in pair}
        return Pairing(chosen, *(tuple(c for c in side if id(c) not in taken) for side in (base, candidate)))
    pairs: list[tuple[Column, Column]] = []
    left, right = list(base), list(candidate)
    for key in (name, kind, adapter, nothing):
        for found in partners(left, right, key):
            pairs.append(found)
            left.remove(found[0])
            right.remove(found[1])
    order = [id(column) for column in base]
    return Pairing(tuple(sorted(pairs, key=lambda pair: order.index(id(pair[0])))), tuple(left), tuple(right))


def partners(
    left: Sequence[Column], right: Sequence[Column], key: Callable[[Column], Hashable]
) -> list[tuple[Column, Column]]:
    """Return the pairs of one key, where each side has one target of it."""
    counts = [Counter(map(key, side)) for side in (left, right)]
    return [(a, b) for a in left for b in right if key(a) == key(b) and all(count[key(a)] == 1 for count in counts)]


def name(column: Column) -> Hashable:
    """Return the target's name."""
    return column.name


def kind(column: Column) -> Hashable:
    """Return adapter, device and execution: what is left of a target when its versions change."""
    return tuple(column.info.get(part) for part in ("adapter", "device", "execution"))


def adapter(column: Column) -> Hashable:
    """Return the adapter alone: an execution may be called otherwise in another version."""
    return column.info.get("adapter")


def nothing(column: Column) -> Hashable:
    """Return what all targets have: a single one on each side is a pair."""
    return None


def chosen_pair(text: str, base: Sequence[Column], candidate: Sequence[Column]) -> tuple[Column, Column]:
    """Return the pair that `BASE=CANDIDATE` names; as a version has `==`, every single `=` is tried."""
    cuts = [number for number, character in enumerate(text) if character == "="]
    for cut in cuts:
        sides = [fitting(text[:cut], base), fitting(text[cut + 1 :], candidate)]
        if all(len(side) == 1 for side in sides):
            return sides[0][0], sides[1][0]
    names = " and ".join(", ".join(column.name for column in side) or "nothing" for side in (base, candidate))
    raise NoPair(f"--pair {text!r} fits no target on each side; expected BASE=CANDIDATE of {names}")


def fitting(part: str, columns: Sequence[Column]) -> list[Column]:
    """Return the target of a name, or those with it in their name."""
    exact = [column for column in columns if column.name == part]
    return exact or [column for column in columns if part and part in column.name]
