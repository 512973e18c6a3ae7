"""The picture of accuracy: the worst error in allowances against mean/sd and against N, a line per target."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log10

from bnspec.columns import Column

OFFSET = re.compile(r"precision\.bound\[offset(\d+(?:e\d+)?)-(?:(float64|float16-mixed|bfloat16-mixed)-)?rank\d.*\]")
SIZE = re.compile(r"precision\.bound\[(?:size|rows)(\d+)-rank2\]")
WIDTH, HEIGHT = 250, 150
TALLEST = 8.0
"""The picture ends at 10⁸ allowances, and begins at 1/100."""
LOWEST = -2.0


@dataclass(frozen=True)
class Line:
    """A curve that one or several targets share: by mean/sd or N the worst error, in allowances."""

    who: tuple[str, ...]
    points: tuple[tuple[float, float], ...]
    path: str
    number: int


@dataclass(frozen=True)
class Chart:
    """One picture: its title, what runs along it, its lines, the numbers at its axis with their places."""

    title: str
    along: str
    lines: tuple[Line, ...]
    ticks: tuple[tuple[float, str], ...]
    heights: tuple[tuple[float, str], ...]
    limit: float


def charts(columns: Sequence[Column]) -> tuple[Chart, ...]:
    """Return a chart per type against mean/sd, and one against N; those in which something was measured."""
    found = []
    for kind in ("float32", "float64", "float16-mixed", "bfloat16-mixed"):
        curves = [(column, worst(column, kind)) for column in columns]
        found.append(chart(f"{kind}: error against mean/sd", "mean/sd", curves, (1.0, 1e6)))
    sizes = [(column, by_size(column)) for column in columns]
    found.append(chart("float32: error against N", "N", sizes, (1e3, 1e6)))
    return tuple(one for one in found if one.lines)


def worst(column: Column, kind: str) -> Mapping[float, float]:
    """Return the worst error of a target for every mean/sd, of layers of one type."""
    return largest(
        (float(match[1]), row) for id, row in column.rows.items()
        if (match := OFFSET.fullmatch(id)) and (match[2] or "float32") == kind and float(match[1])
    )  # fmt: skip


def by_size(column: Column) -> Mapping[float, float]:
    """Return the worst error of a target for every number of values per channel."""
    return largest((float(match[1]), row) for id, row in column.rows.items() if (match := SIZE.fullmatch(id)))


def largest(found: Iterable[tuple[float, Mapping[str, object]]]) -> Mapping[float, float]:
    """Return the largest error in allowances of the best class, for every place along the axis, in order."""
    errors: dict[float, float] = {}
    for place, row in found:
        ratio = row.get("best", row.get("ratio"))
        if isinstance(ratio, (int, float)):
            errors[place] = max(errors.get(place, 0.0), float(ratio))
    return dict(sorted(errors.items()))


def chart(
    title: str, along: str, curves: Sequence[tuple[Column, Mapping[float, float]]], ends: tuple[float, float]
) -> Chart:
    """Return a picture of some curves; those that look alike are one line."""
    low, high = (log10(end) for end in ends)

    def x(value: float) -> float:
        return round(WIDTH * (log10(value) - low) / (high - low), 1)

    def y(value: float) -> float:
        height = min(max(log10(max(value, 1e-9)), LOWEST), TALLEST)
        return round(HEIGHT * (TALLEST - height) / (TALLEST - LOWEST), 1)

    alike: dict[tuple[tuple[float, float], ...], list[tuple[Column, Mapping[float, float]]]] = {}
    for column, curve in curves:
        if len(curve) > 1:
            alike.setdefault(tuple((x(place), round(y(ratio))) for place, ratio in curve.items()), []).append(
                (column, curve)
            )
    lines = tuple(
        Line(
            tuple(column.title for column, _ in members),
            tuple(members[0][1].items()),
            "M" + "L".join(f"{a} {b}" for a, b in points),
            number,
        )
        for number, (points, members) in enumerate(alike.items())
    )
    ticks = tuple((x(10.0**power), f"10{superscript(power)}") for power in range(int(low), int(high) + 1))
    heights = tuple((y(10.0**power), f"10{superscript(power)}") for power in range(int(LOWEST), int(TALLEST) + 1, 2))
    return Chart(title, along, lines, ticks, heights, y(1.0))


def superscript(power: int) -> str:
    """Return a power as it stands above a 10."""
    return str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
