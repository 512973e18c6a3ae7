"""What a step should show: numbers with their allowances, or a discrete fact."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from bnspec.reference.allowance import half_ulp
from bnspec.reference.statistics import PIECE, Floats


@dataclass(frozen=True)
class Expected:
    """An array of numbers and the allowance of each; an infinite allowance decides nothing.

    dtype: of what is shown, or None where any will do. nonnegative: no number may be below 0. counter:
    judged only where the layer shows it. inexact: not every number may be exactly the value. others: what the
    whole array may be instead.
    """

    value: Floats
    allowance: Floats
    dtype: str | None = "float32"
    nonnegative: bool = False
    counter: bool = False
    inexact: bool = False
    others: tuple["Expected", ...] = ()

    @property
    def facts(self) -> tuple[str | None, bool, bool, bool]:
        """What is demanded of the numbers beside their values, and whether one value is."""
        return self.dtype, self.nonnegative, self.inexact, bool(self.others)


@dataclass(frozen=True)
class Expectation:
    """What one step should show.

    kind: `values` (the named arrays), `raises` (an error of any class), `absent` (no moving statistics: an
    error, missing arrays or NaN), `free` (any values), `done` (success; what it shows is not asked), `any`
    (anything, an error too), `same` (bit for bit what the step of number `like` showed), `other` (the same arrays
    as that step, not all of their bits).
    missing: arrays that must not be shown.
    """

    kind: str
    values: Mapping[str, Expected] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    like: int = 0


RAISES, ABSENT, FREE, DONE, ANY = (Expectation(kind) for kind in ("raises", "absent", "free", "done", "any"))


def same(step: int) -> Expectation:
    """A step that shows, bit for bit, what the step of that number (from 0) showed."""
    return Expectation("same", like=step)


def other(step: int) -> Expectation:
    """A step that shows the arrays of the step of that number (from 0), with other bits."""
    return Expectation("other", like=step)


def values(**named: Expected) -> Expectation:
    """A step that shows numbers."""
    return Expectation("values", named)


def returned(value: Floats, bound: Floats, dtype: str = "float32") -> Expected:
    """A number as it is returned: rounded to its type. What is not finite is not rounded. It keeps the bound."""
    flat, numbers = np.ascontiguousarray(bound).reshape(-1), value.reshape(-1)
    for start in range(0, flat.size, PIECE):
        piece = slice(start, start + PIECE)
        flat[piece] += np.where(np.isfinite(numbers[piece]), half_ulp(numbers[piece], dtype), 0.0)
    return Expected(value, flat.reshape(value.shape), dtype)
