"""What two targets say of themselves: their facts, and the numbers that follow from them."""

from collections.abc import Mapping
from typing import Any

from bnspec.columns import Column, mapping
from bnspec.porting.model import UnknownNumber

MATCHED = "stats.momentum-weight"
"""The axis that an argument makes equal."""

OPTIONS = {"momentum": "momentum", "epsilon": "eps"}
"""The options of the command that give the numbers."""


def fact(column: Column, name: str) -> Mapping[str, Any]:
    """Return a fact that has parts; none where the target does not tell it so."""
    return mapping(column.facts.get(name))


def axis(column: Column) -> int | None:
    """Return the channel axis when nobody says it; None where the target does not tell."""
    told = column.facts.get("axis")
    return told if isinstance(told, int) else None


def number(column: Column, name: str, given: float | None) -> float:
    """Return the number that was given, else the framework's default. Raises UnknownNumber where there is none."""
    default = column.facts.get(name)
    if given is not None:
        return given
    if isinstance(default, (int, float)) and not isinstance(default, bool):
        return float(default)
    raise UnknownNumber(f"{column.title} has no default for {name} that is known; give yours with --{OPTIONS[name]}")


def weighs(column: Column) -> str:
    """Return what the momentum number weighs. Raises UnknownNumber where its results do not say, or two things."""
    rows = [row for id, row in column.rows.items() if id.startswith(f"{MATCHED}[")]
    said = column.variants(MATCHED)
    if rows and all(row["verdict"] == "unsupported" for row in rows):
        raise UnknownNumber(f"{column.title} has no momentum to port: {rows[0].get('message')}")
    if len(said) != 1:
        raise UnknownNumber(
            f"{column.title}: what its momentum weighs was not decided ({MATCHED}); run it anew: "
            f"bnspec run {column.name}"
        )
    return next(iter(said))


def short(value: float) -> float:
    """Return a number without the last bits of noise: 1 − 0.1 is 0.9."""
    return float(f"{value:.12g}")
