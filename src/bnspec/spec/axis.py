"""An axis: a question where implementations legitimately differ."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """A question where implementations legitimately differ; the first variant is assumed until asked.

    by_place: the answer may depend on where the layer stands (rank, channel position, dtype) and is looked up
    there by every other case; otherwise a situation is a case of its own and decides nothing elsewhere.
    assumed: where a fault hid the answer, the first variant is assumed, for a clause beside the axis names the
    fault; otherwise what depends on it is blocked. So it is for every class of accuracy.
    accuracy: the variants are classes of accuracy, the tightest first: each allows what the one before does
    and more, so the first that fits is the answer. classes: how many of them are sound; a worse one is
    `imprecise`.
    otherwise: the variant that is the answer only where no other one fits: it may show what another one does.
    """

    id: str
    question: str
    variants: Mapping[str, str]
    by_place: bool = True
    accuracy: bool = False
    assumed: bool = False
    classes: int = 1
    otherwise: str = ""

    @property
    def sound(self) -> tuple[str, ...]:
        """The classes of accuracy that a correct implementation may have, the tightest first."""
        return tuple(self.variants)[: self.classes]

    @property
    def default(self) -> str:
        """The variant assumed where the axis was not asked."""
        return next(iter(self.variants))
