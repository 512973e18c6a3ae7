"""A comparison: its changes, each with a kind and a weight in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bnspec.columns import Column


class Weight(StrEnum):
    """What a change means for whoever calls the layer, the heaviest first."""

    OUTPUT = "output changes"
    STATISTICS = "only moving statistics"
    ERRORS = "error handling"
    ROUNDING = "rounding"
    INTERFACE = "interface"

    @property
    def meaning(self) -> str:
        """The weight in a sentence."""
        return MEANINGS[self]


MEANINGS: Mapping[Weight, str] = {
    Weight.OUTPUT: "the same call on the same state gives other numbers: output, gradient or loss",
    Weight.STATISTICS: "the call gives the same; what it stores, and so a later inference, differs",
    Weight.ERRORS: "a call raises that did not, or no longer raises, or leaves something else when it does",
    Weight.ROUNDING: "the same, but for what the arithmetic loses",
    Weight.INTERFACE: "what the caller writes and reads: names, arguments, order, what there is at all",
}
"""The legend of every output: what each weight says."""


class Kind(StrEnum):
    """What became of an answer."""

    CHANGED = "changed"
    RAISES = "newly raises"
    WORKS = "newly works"
    GONE = "no longer possible"
    VIOLATES = "newly violates"
    MENDED = "no longer violates"
    TIGHTENED = "accuracy tightened"
    LOOSENED = "accuracy loosened"
    INCOMPARABLE = "not comparable"


@dataclass(frozen=True)
class Change:
    """One difference between two targets, in all the situations where it is the same.

    subject: an axis, a clause, or the name of a fact; situations: where, empty for a fact; before, after: a
    variant, or the verdict in its place, or a fact's text; formula: the difference, and a number at a typical
    size; reason: the error or what was measured, or why there is nothing to compare; elsewhere: the situations
    of this subject that were compared and are not among these.
    """

    kind: Kind
    subject: str
    situations: tuple[str, ...]
    before: str
    after: str
    weight: Weight
    formula: str = ""
    reason: str = ""
    elsewhere: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the cases that show it; none for a fact."""
        return tuple(f"{self.subject}[{situation}]" for situation in self.situations)

    @property
    def names(self) -> tuple[str, ...]:
        """What it can be allowed by: its ids, or the name of the fact."""
        return self.ids or (self.subject,)


@dataclass(frozen=True)
class Comparison:
    """Two targets: changes of behaviour, changes of facts, what could not be compared, and how much is the same.

    Changes are sorted, the heaviest first, then as the specification has them. same: answers of behaviour.
    """

    base: Column
    candidate: Column
    changes: tuple[Change, ...]
    facts: tuple[Change, ...]
    incomparable: tuple[Change, ...]
    same: int
