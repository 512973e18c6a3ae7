"""How large a difference is: typical sizes, and how numbers are written."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from bnspec.columns import Column

DENSE, CONVOLUTION = 32, 32 * 14 * 14
"""Values per channel: a dense layer with a batch of 32, a convolution with 14×14 positions."""

STEPS = 100
"""Training steps after which the effect of a moving average is told."""


@dataclass(frozen=True)
class Typical:
    """What layers of a framework ordinarily have: the weight of the old statistic, and ε.

    n: the values per channel of one layer, where they are known; otherwise two sizes are told.
    """

    keep: float = 0.99
    epsilon: float = 1e-3
    n: int | None = None

    @property
    def largest(self) -> int:
        """The values per channel of the layer, or those of a convolution."""
        return self.n or CONVOLUTION


def typical(column: Column) -> Typical:
    """Return keep and ε of a target's own defaults, as far as its facts tell them."""
    keep, epsilon = kept(column, column.facts.get("momentum")), column.facts.get("epsilon")
    return Typical(
        keep if keep is not None and 0 < keep < 1 else Typical.keep,
        epsilon if isinstance(epsilon, float) and 0 < epsilon < 1 else Typical.epsilon,
    )


def kept(column: Column, momentum: object) -> float | None:
    """Return the weight of the old statistic that a momentum number of a target means, where that is known."""
    if isinstance(momentum, bool) or not isinstance(momentum, int | float):
        return None
    meant = column.variants("stats.momentum-weight")
    kinds = {frozenset({"old"}): momentum, frozenset({"new"}): 1 - momentum}
    return kinds.get(meant)


def at_sizes(amount: str, told: Callable[[int], str], typical: Typical) -> str:
    """Return a formula with its number at the size that is known, or at the two typical ones."""
    if typical.n is not None:
        return f"{amount}: {told(typical.n)} at N = {number(typical.n)}"
    dense, convolution = told(DENSE), told(CONVOLUTION)
    return f"{amount}: {dense} at N = {DENSE}, {convolution} at N = {number(CONVOLUTION)} (32×14×14)"


def number(value: float) -> str:
    """Return a number in two digits, from 100 on a whole one in full."""
    if math.isinf(value):
        return "∞"
    return f"{value:,.0f}" if 100 <= value < 1e7 or value == int(value) < 1e7 else plain(value)


def percent(share: float) -> str:
    """Return a share in percent, in two digits; just below 100 in those that tell it from 100."""
    value = float(f"{100 * share:.10g}")
    if 99 < value < 100:
        return f"{value:.{max(0, math.ceil(-math.log10(100 - value)))}f} %"
    return f"{plain(value)} %"


def signed(share: float) -> str:
    """Return a relative difference in percent, with its sign."""
    return f"{'−' if share < 0 else '+'}{percent(abs(share))}"


def plain(value: float) -> str:
    """Return a number in two digits without an exponent, unless it is very small or large."""
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if exponent < -4 or exponent > 5:
        return f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e")
    return f"{value * (1 + 1e-9):.{max(0, 1 - exponent)}f}"  # a half is rounded up
