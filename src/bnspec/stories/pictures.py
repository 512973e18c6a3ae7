"""The pictures of the stories: lines over steps, bars of losses, marks by layer; a template makes them SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

WIDTH, HEIGHT = 560, 210
ROW = 17


@dataclass(frozen=True)
class Text:
    """Words in a picture; anchor: where they begin from their place (`start`, `middle`, `end`)."""

    x: float
    y: float
    words: str
    anchor: str = "start"


@dataclass(frozen=True)
class Shape:
    """A line, a bar or a dot; kind: how it looks; data: the path that is drawn."""

    kind: str
    data: str


@dataclass(frozen=True)
class Picture:
    """A picture: its title, what a reader who does not see it is told, its size, and what is in it."""

    title: str
    told: str
    width: float
    height: float
    shapes: tuple[Shape, ...]
    texts: tuple[Text, ...]
    key: tuple[tuple[str, str], ...]


class Scale:
    """Where a number lies along an axis, logarithmic or not."""

    def __init__(self, low: float, high: float, length: float, *, log: bool) -> None:
        self.log, self.length = log, length
        self.low, self.high = low, high
        if log:
            self.low = float(floor(log10(low)))
            self.high = max(float(ceil(log10(high))), self.low + 1)

    def __call__(self, value: float) -> float:
        """Return the place of a number."""
        place = log10(max(value, 10.0**self.low)) if self.log else value
        return round(self.length * (place - self.low) / (self.high - self.low), 1)

    def ticks(self) -> list[tuple[float, str]]:
        """Return places and their words."""
        if self.log:
            return [(self(10.0**power), f"{10.0**power:g}") for power in range(int(self.low), int(self.high) + 1)]
        step = nice((self.high - self.low) / 6, (1, 2, 5, 10))
        count = int((self.high - self.low) / step + 1e-9)
        return [(self(self.low + n * step), f"{self.low + n * step:g}") for n in range(count + 1)]


def lines(
    title: str, steps: Sequence[float], series: Mapping[str, tuple[str, Sequence[float]]], *, log: bool
) -> Picture:
    """Return a picture of numbers over steps; the steps are logarithmic.

    series: by name their kind (`line`, `closed`, `dots`) and their numbers; log: whether the numbers' axis is.
    """
    every = [value for _, values in series.values() for value in values if value > 0]
    across = Scale(min(steps), max(steps), WIDTH, log=True)
    up = Scale(min(every), max(every), HEIGHT, log=True) if log else Scale(0, nice(max(every)), HEIGHT, log=False)
    shapes, texts = [], []
    for place, words in up.ticks():
        shapes.append(Shape("grid", f"M0 {HEIGHT - place}H{WIDTH}"))
        texts.append(Text(-6, HEIGHT - place + 4, words, "end"))
    for place, words in across.ticks():
        shapes.append(Shape("grid", f"M{place} 0V{HEIGHT}"))
        texts.append(Text(place, HEIGHT + 15, words, "middle"))
    texts.append(Text(WIDTH, HEIGHT + 30, "steps", "end"))
    for kind, values in series.values():
        points = [(across(step), round(HEIGHT - up(value), 1)) for step, value in zip(steps, values, strict=True)]
        if kind == "dots":
            shapes += [Shape("dots", f"M{x - 3} {y}a3 3 0 1 0 6 0a3 3 0 1 0 -6 0") for x, y in points]
        else:
            shapes.append(Shape(kind, "M" + "L".join(f"{x} {y}" for x, y in points)))
    last = ", ".join(f"{name} {values[0]:.3g} to {values[-1]:.3g}" for name, (_, values) in series.items())
    key = tuple((kind, name) for name, (kind, _) in series.items())
    return Picture(
        title, f"From step {steps[0]:g} to {steps[-1]:g}: {last}.", WIDTH, HEIGHT, tuple(shapes), tuple(texts), key
    )


def bars(title: str, rows: Sequence[tuple[str, float, float]], names: tuple[str, str]) -> Picture:
    """Return a picture of two numbers per row, one bar below the other; names: what each of the two is."""
    across = Scale(0, nice(max(max(a, b) for _, a, b in rows)), WIDTH - LABEL, log=False)
    shapes, texts = [], []
    height = len(rows) * 2 * ROW
    for place, words in across.ticks():
        shapes.append(Shape("grid", f"M{LABEL + place} 0V{height}"))
        texts.append(Text(LABEL + place, height + 15, words, "middle"))
    for number, (label, *pair) in enumerate(rows):
        top = number * 2 * ROW + 4
        texts.append(Text(LABEL - 8, top + ROW, label, "end"))
        for kind, at, value in zip(("first", "second"), (top, top + ROW - 4), pair, strict=True):
            width = max(across(value), 0.5)
            shapes.append(Shape(kind, f"M{LABEL} {at}h{width}v{ROW - 6}h-{width}z"))
            texts.append(Text(LABEL + width + 5, at + 9, f"{value:.3g}"))
    told = "; ".join(f"{label}: {names[0]} {a:.3g}, {names[1]} {b:.3g}" for label, a, b in rows) + "."
    key = (("first", names[0]), ("second", names[1]))
    return Picture(title, told, WIDTH, height, tuple(shapes), tuple(texts), key)


LABEL = 215
"""How much of the width the labels of rows have."""


def dots(title: str, along: str, rows: Sequence[str], series: Mapping[str, tuple[str, Sequence[float]]]) -> Picture:
    """Return a picture of several numbers per row on a logarithmic axis, a mark for each series.

    along: what the numbers are; series: by name their kind (`line`, `dots`, `first`, `closed`) and a number per row.
    """
    every = [value for _, values in series.values() for value in values if value > 0]
    across = Scale(min(every), max(every), WIDTH - LABEL, log=True)
    height = len(rows) * ROW
    shapes, texts = [], [Text(WIDTH, height + 30, along, "end")]
    for place, words in across.ticks():
        shapes.append(Shape("grid", f"M{LABEL + place} 0V{height}"))
        texts.append(Text(LABEL + place, height + 15, words, "middle"))
    for number, label in enumerate(rows):
        middle = number * ROW + ROW / 2
        texts.append(Text(LABEL - 8, middle + 4, label, "end"))
        for kind, values in series.values():
            x = LABEL + across(values[number])
            shapes.append(Shape(kind, MARKS[kind].format(x=x, y=middle, left=x - 4, top=middle - 4)))
    told = "; ".join(
        f"{label}: " + ", ".join(f"{name} {values[number]:.2g}" for name, (_, values) in series.items())
        for number, label in enumerate(rows)
    )
    key = tuple((kind, name) for name, (kind, _) in series.items())
    return Picture(title, f"{told}.", WIDTH, height, tuple(shapes), tuple(texts), key)


MARKS = {
    "line": "M{x} {top}v8",
    "closed": "M{x} {top}v8",
    "dots": "M{left} {y}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0",
    "first": "M{left} {top}h8v8h-8z",
}
"""What marks a number, by kind."""


def nice(value: float, factors: Sequence[float] = (1, 1.5, 2, 3, 5, 7, 10)) -> float:
    """Return a number at which an axis may end: the next of the factors times a power of ten."""
    power = 10.0 ** floor(log10(value))
    return next(power * factor for factor in factors if power * factor >= value * (1 - 1e-9))
