"""A port: what to write, what stands for what, what cannot be matched."""

from dataclasses import dataclass

from bnspec.columns import Column
from bnspec.compare import Weight


class UnknownNumber(Exception):  # noqa: N818 - it is shown as it is, one clear line
    """A number of the source that can be neither taken over nor found out; says which, and what to type."""


@dataclass(frozen=True)
class Argument:
    """One thing to say to the layer: what it is, how it is written there and here.

    source, target: code, or nothing where that side has no words for it; note: why, where it is not obvious.
    """

    what: str
    source: str
    target: str
    note: str = ""


@dataclass(frozen=True)
class Name:
    """One part of the state: its names there and here, None where that side has none, and its place here.

    place: in the target's order, from 1; 0 for what has no counterpart.
    """

    part: str
    source: str | None
    target: str | None
    place: int


@dataclass(frozen=True)
class Unmatched:
    """What no argument makes equal.

    what: in a sentence, or what becomes of several at once that have one reason; where: the situations in which
    it is so, nothing for all; formula: of the difference, with a number for the user's N, or nothing; subject: the
    axis or clause, or all of them; became: the answers there and here; reason: an error or a measurement.
    """

    what: str
    where: str
    formula: str
    weight: Weight
    subject: str
    became: str
    reason: str


@dataclass(frozen=True)
class Absent:
    """What the source can do and the target has no words for: the reason in words, and the questions."""

    reason: str
    subjects: tuple[str, ...]


@dataclass(frozen=True)
class Porting:
    """All that a port from one target to another takes.

    n: values per channel; keep: the weight of the old statistic; momentum, epsilon: the numbers to write here;
    arguments, state: what stands for what, the state in the target's order; unmatched: the heaviest first;
    unknown: what was not compared, and why; code: what builds the layer here.
    """

    source: Column
    target: Column
    n: int
    keep: float
    momentum: float
    epsilon: float
    arguments: tuple[Argument, ...]
    state: tuple[Name, ...]
    unmatched: tuple[Unmatched, ...]
    absent: tuple[Absent, ...]
    unknown: tuple[Absent, ...]
    code: str
