"""What a cause is, and the words that causes are told in."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bnspec.explain.judged import Judged

NAMED = 3
"""How many layers a sentence names before it counts the others."""


class Weight(StrEnum):
    """How much a cause matters."""

    FINDING = "finding"
    NOTE = "note"


@dataclass(frozen=True)
class Cause:
    """Something that makes training and inference differ, or that stops the statistics, in one or more layers.

    id: stable; layers: their names; what: in one or two sentences; todo: what to do.
    """

    id: str
    weight: Weight
    layers: tuple[str, ...]
    what: str
    todo: str


Rule = Callable[[Mapping[str, Any], Sequence[Judged]], Iterator[Cause]]


def some(layers: Sequence[Judged]) -> str:
    """Return layers as a subject: those that come first by name, the others counted."""
    names = [layer.name for layer in layers]
    if len(names) == 1:
        return f"The layer {names[0]}"
    if len(names) <= NAMED:
        return f"The layers {', '.join(names[:-1])} and {names[-1]}"
    return f"{len(names)} layers ({', '.join(names[: NAMED - 1])}, …, {names[-1]})"


def verb(layers: Sequence[Judged], one: str, many: str) -> str:
    """Return the form of a verb that goes with the number of layers."""
    return one if len(layers) == 1 else many


def place(layers: Sequence[Judged]) -> str:
    """Return the line of the reader's own code from which the first of some layers is called; nothing without one."""
    site = layers[0].call.site if layers[0].training else None
    if not site:
        return ""
    owner = f"{site['class']}.{site['function']}" if site["class"] else site["function"]
    return f"{owner}, {site['file']} line {site['line']}"


def cause(id: str, layers: Sequence[Judged], what: str, todo: str, weight: Weight = Weight.FINDING) -> Cause:
    """Return a cause; what begins with the layers' name where it starts in lower case."""
    return Cause(id, weight, tuple(layer.name for layer in layers), f"{some(layers)} {what}", todo)


def telling_distance(layers: Sequence[Judged]) -> str:
    """Return how far the statistics of the first of some layers are from the batch's: later ones follow it."""
    first = layers[0]
    off = f"{shown(first.distance)} sd from the batch's mean, {shown(first.ratio)} times its variance"
    return off + (f" in {first.name}" if len(layers) > 1 else "")


def worst_gap(layers: Sequence[Judged]) -> str:
    """Return the largest `gap` of some layers."""
    return shown(max(layer.gap for layer in layers))


def shown(number: float | None) -> str:
    """Return a number in three digits; None, torch's cumulative average, as it is written."""
    return "None" if number is None else f"{number:,.0f}" if 1000 <= abs(number) < 1e7 else f"{number:.3g}"


def counted(number: float, what: str) -> str:
    """Return a whole number with a word, its plural where there are several."""
    return f"{number:,.0f} {what}{'' if number == 1 else 's'}"
