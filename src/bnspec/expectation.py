"""What a step should show: numbers with their allowances, or a discrete fact."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from bnspec.reference.allowance import half_ulp
from bnspec.reference.statistics import Floats


@dataclass(frozen=True)
class Expected:
    """An array of numbers and the allowance of each; an infinite allowance decides nothing."""

    value: Floats
    allowance: Floats


@dataclass(frozen=True)
class Expectation:
    """What one step should show.

    kind: `values` (the named arrays), `raises` (an error of any class), `absent` (no moving statistics: an
    error, missing arrays or NaN), `free` (any values), `done` (success; what it shows is not asked).
    """

    kind: str
    values: Mapping[str, Expected] = field(default_factory=dict)


RAISES, ABSENT, FREE, DONE = (Expectation(kind) for kind in ("raises", "absent", "free", "done"))


def values(**named: Expected) -> Expectation:
    """A step that shows numbers."""
    return Expectation("values", named)


def returned(value: Floats, bound: Floats) -> Expected:
    """A number as it is returned: rounded to float32. What has no bound, or is not finite, is not rounded."""
    rounding = np.where(np.isfinite(value), half_ulp(value, np.float32), 0.0)
    return Expected(value, bound + rounding)
