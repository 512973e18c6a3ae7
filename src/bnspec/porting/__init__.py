"""What to write when a layer moves from one framework to another, and what cannot be matched.

Everything comes from the two fingerprints and the facts beside them; no framework is known here by name.
"""

from bnspec.columns import Column
from bnspec.compare import Kind
from bnspec.compare.sizes import Typical
from bnspec.porting.differing import CUMULATIVE, cumulative, differences, heaviest_first, layout, reasons, unmatched
from bnspec.porting.model import Absent, Argument, Name, Porting, UnknownNumber, Unmatched
from bnspec.porting.numbers import fact, number, short, weighs
from bnspec.porting.writing import SWITCHES, arguments, code, names, untold

__all__ = [
    "SWITCHES", "Absent", "Argument", "Name", "Porting", "UnknownNumber", "Unmatched", "fact", "layout", "porting",
]  # fmt: skip

TYPICAL = 256
"""The values per channel for which the formulas are worked out, where nobody gives them."""


def porting(
    source: Column,
    target: Column,
    *,
    momentum: float | None = None,
    epsilon: float | None = None,
    n: int = TYPICAL,
    rank: int | None = None,
) -> Porting:
    """Return what a port takes.

    momentum: the source's own number, epsilon likewise; without them the source's defaults. n: values per
    channel in a batch; rank: of the input, where only one matters. Raises UnknownNumber where a number was not
    given and is not known, or what it means is not known.
    """
    given = number(source, "momentum", momentum)
    small = number(source, "epsilon", epsilon)
    keep = given if weighs(source) == "old" else short(1 - given)
    here = keep if weighs(target) == "old" else short(1 - keep)
    sizes = Typical(keep, small, n)
    found = differences(source, target, rank, sizes)
    gone = [change for change in found.changes if change.kind is Kind.GONE]
    return Porting(
        source,
        target,
        n,
        keep,
        here,
        small,
        tuple(arguments(source, target, {"momentum": (given, here), "epsilon": (small, small)})),
        names(source, target),
        heaviest_first([*cumulative(gone, target, sizes), *unmatched(found.changes, small)]),
        reasons(change for change in gone if CUMULATIVE not in change.situations),
        (*untold(source), *untold(target), *reasons(change for change in found.incomparable if change.situations)),
        code(target, {"momentum": here, "epsilon": small}, rank or 4),
    )
