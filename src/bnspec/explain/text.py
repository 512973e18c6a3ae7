"""An explanation as text for people, readable in 80 columns."""

import os
import textwrap
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from bnspec.compare.text import NARROWEST
from bnspec.explain.explanation import Explanation, short
from bnspec.explain.judged import Judged
from bnspec.explain.wording import counted

WIDTH = 80
"""Columns of text where nobody looks at a screen: a file, a pipe."""

SHOWN = 12
"""So many layers stand in the table; the others are counted."""

HEADS = ("layer", "training", "inference", "moves", "mean/sd", "var. ×", "1 % in", "differs")
"""The columns of the table; docs/explain.md says what each one means."""

WIDTHS = (8, 9, 6, 7, 7, 6, 7)
"""Of the columns behind the first."""

UPDATES = {"as told": "yes", "none": "no", "twice": "twice", "otherwise": "oddly", "no statistics": "–"}
"""What a training step does to the statistics, in a word."""


def print_explanation(found: Explanation) -> None:
    """Print an explanation; in colours on a terminal."""
    console = Console(highlight=False, soft_wrap=True)
    width = console.width if console.is_terminal or "COLUMNS" in os.environ else WIDTH
    for style, text in lines(found, width):
        console.print(Text(text, style=style))


def as_text(found: Explanation) -> str:
    """Return an explanation as plain text."""
    return "".join(f"{text}\n" for _, text in lines(found, WIDTH))


def lines(found: Explanation, width: int) -> Iterator[tuple[str, str]]:
    """Yield what there is to say, in order, each paragraph with its style."""
    yield "dim", folded(found.about, width)
    yield "", ""
    if not found.findings:
        yield "bold green", folded(found.headline, width)
    for number, cause in enumerate(found.findings):
        yield "bold red", folded(f"{'The cause' if number == 0 else 'And'}: {cause.what}", width)
        yield "", folded(f"What to do: {cause.todo}", width, 2)
    for note in found.notes:
        yield "yellow", folded(f"Mind: {note.what} {note.todo}", width)
    for text in found.measured["notes"]:
        yield "yellow", folded(f"Mind: {text}.", width)
    yield "", ""
    yield "", folded(found.differing, width)
    if found.frozen:
        yield "", folded(found.frozen, width)
    yield "", ""
    yield from table(found, width)
    yield "", ""
    yield "dim", folded(found.unchanged, width)


def folded(text: str, width: int, indent: int = 0) -> str:
    """Return a paragraph in lines of a width."""
    begin = " " * indent
    return textwrap.fill(
        text, max(width, NARROWEST), initial_indent=begin, subsequent_indent=begin + "  ", break_on_hyphens=False
    )


def table(found: Explanation, width: int) -> Iterator[tuple[str, str]]:
    """Yield the layers in the order of their calls; of many, those that are not folded, and how many others."""
    layers = found.called if len(found.called) <= SHOWN else found.standing[:SHOWN]
    room = max(width - sum(WIDTHS) - len(WIDTHS), 10)
    names = min(max((len(layer.name) for layer in layers), default=0) + 2, room)
    finding = {name for cause in found.findings for name in cause.layers}
    if layers:
        yield "bold", row(HEADS, max(names, len(HEADS[0])))
    for layer in layers:
        yield "red" if layer.name in finding else "", row(cells(layer), max(names, len(HEADS[0])))
    rest = len(found.called) - len(layers)
    if rest:
        where = "--report FILE.html and --format json have all"
        yield (
            "dim",
            folded(f"{'and ' if layers else ''}{counted(rest, 'more layer' if layers else 'layer')}; {where}", width),
        )


def cells(layer: Judged) -> tuple[str, ...]:
    """Return what stands in a layer's line."""
    trained = f"{layer.normalises}{'*' if layer.frozen else ''}"
    if layer.stored is None:
        return layer.name, trained, layer.infers, "–", "–", "–", "–", short(layer.difference)
    return (
        layer.name, trained, layer.infers, UPDATES[layer.updates], short(layer.distance), short(layer.ratio),
        steps(layer), short(layer.difference),
    )  # fmt: skip


def steps(layer: Judged) -> str:
    """Return after how many more steps the statistics are within 1 %."""
    left = layer.steps_left
    return "–" if left is None else "never" if left == float("inf") else f"{left:,.0f}"


def row(texts: tuple[str, ...], name: int) -> str:
    """Return a line of the table; a name that is too long loses its beginning, which tells least."""
    first = texts[0] if len(texts[0]) <= name else f"…{texts[0][1 - name :]}"
    rest = [text.rjust(width) for text, width in zip(texts[1:], WIDTHS, strict=True)]
    return " ".join([first.ljust(name), *rest])
