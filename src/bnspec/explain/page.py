"""An explanation as one HTML file, in the look of the report: no network, no script."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from bnspec.explain.explanation import Explanation, short
from bnspec.explain.judged import GOAL, MATTERS, Judged
from bnspec.explain.text import UPDATES, steps
from bnspec.report import asset as report_asset
from bnspec.report import digest

WIDTH, HEIGHT = 720.0, 180.0
"""Of the picture's plane, in its own units."""

DECADES = (-3, 1)
"""The powers of ten from which and to which the picture's distances go; what lies outside stands at the edge."""


@dataclass(frozen=True)
class Mark:
    """One layer in the picture: its place, the tops of its bar and of its point, and what it is called."""

    x: float
    width: float
    bar: float
    point: float
    found: bool
    title: str


@dataclass(frozen=True)
class Picture:
    """The distances of the layers, in the order of their calls. ticks: heights and their texts."""

    marks: tuple[Mark, ...]
    ticks: tuple[tuple[float, str], ...]
    limit: float

    @property
    def line(self) -> str:
        """The path through the points."""
        return "M" + "L".join(f"{mark.x + mark.width / 2:.1f} {mark.point:.1f}" for mark in self.marks)


def page(found: Explanation) -> str:
    """Return the page. Every string of the model is shown as text."""
    # Not needed by an explanation without a page.
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    style = "\n".join([report_asset("style/page.css"), asset("page.css"), report_asset("style/media.css")])
    environment = Environment(
        loader=FunctionLoader(asset), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(short=short, steps=steps)
    finding = {name for cause in found.findings for name in cause.layers}
    return environment.get_template("page.html.j2").render(
        found=found,
        finding=finding,
        updates=UPDATES,
        picture=picture(found.called, finding),
        agreeing=[layer for layer in found.called if layer not in found.standing],
        uncalled=[layer for layer in found.layers if not layer.called],
        goal=GOAL,
        matters=MATTERS,
        style=Markup(style),
        style_hash=digest(style),
    )


def picture(layers: Sequence[Judged], finding: set[str]) -> Picture:
    """Return the picture of the distances."""
    step = WIDTH / max(len(layers), 1)
    width = min(step * 0.7, 40.0)
    marks = tuple(
        Mark(
            x=number * step + (step - width) / 2,
            width=width,
            bar=height(layer.gap),
            point=height(layer.difference),
            found=layer.name in finding,
            title=f"{layer.name}: statistics {short(layer.gap)} sd off, output differs by {short(layer.difference)} sd",
        )
        for number, layer in enumerate(layers)
    )
    ticks = tuple((height(10.0**power), f"{10.0**power:g}") for power in range(DECADES[0], DECADES[1] + 1))
    return Picture(marks, ticks, height(MATTERS))


def height(distance: float) -> float:
    """Return where a distance stands in the picture, on a logarithmic scale; 0 is the top."""
    low, high = DECADES
    power = math.log10(distance) if distance > 0 else -math.inf
    return HEIGHT * (high - min(max(power, low), high)) / (high - low)


def asset(name: str) -> str:
    """Return a text file of this package."""
    return resources.files(__name__.rpartition(".")[0]).joinpath(name).read_text("utf-8")
