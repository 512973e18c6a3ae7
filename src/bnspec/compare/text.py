"""A diff as text for people."""

import os
import textwrap
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from bnspec.compare.diff import Diff, Weighed
from bnspec.compare.model import Kind, Weight
from bnspec.compare.words import CAUSE, Line, answers, lines, reasons, summary
from bnspec.results import cut

WIDTH = 110
"""Columns of text where nobody looks at a screen: a file, a pipe."""

NARROWEST = 40
SHOWN_REASONS = 6
"""So many reasons why answers cannot be compared are told, the others counted."""

STYLES = {
    Weight.OUTPUT: "bold red",
    Weight.STATISTICS: "bold yellow",
    Weight.ERRORS: "bold magenta",
    Weight.ROUNDING: "bold cyan",
    Weight.INTERFACE: "bold blue",
}

Told = tuple[str, int, str]
"""A style, how far it is indented, and the text of a paragraph."""


def print_diff(diff: Diff) -> None:
    """Print a diff; in colours on a terminal."""
    console = Console(highlight=False, soft_wrap=True)
    width = console.width if console.is_terminal or "COLUMNS" in os.environ else WIDTH
    for style, text in paragraphs(diff, width):
        console.print(Text(text, style=style))


def as_text(diff: Diff) -> str:
    """Return a diff as plain text."""
    return "".join(f"{text}\n" for _, text in paragraphs(diff, WIDTH))


def paragraphs(diff: Diff, width: int) -> Iterator[tuple[str, str]]:
    """Yield the paragraphs of a diff, folded, each with its style."""
    for style, indent, text in told(diff):
        begin = " " * indent
        yield style, textwrap.fill(text, max(width, NARROWEST), initial_indent=begin, subsequent_indent=begin + "  ")


def told(diff: Diff) -> Iterator[Told]:
    """Yield what a diff says, in order."""
    for warning in diff.warnings:
        yield "yellow", 0, f"Mind: {warning}"
    if diff.narrowing:
        yield "yellow", 0, f"Only what concerns layers that are: {diff.narrowing}."
    if diff.warnings or diff.narrowing:
        yield "", 0, ""
    several = len(diff.comparisons) > 1
    for one in diff.comparisons:
        if one.changes or one.allowed or not several:
            yield from told_comparison(one)
            yield "", 0, ""
    for one in diff.comparisons:
        if several and not (one.changes or one.allowed):
            yield "", 0, f"{one.comparison.candidate.name}: {summary(one)}"
    if diff.alone:
        names = ", ".join(column.name for column in diff.alone)
        yield "yellow", 0, f"No partner: {names}; --pair BASE=CANDIDATE names one."


def told_comparison(one: Weighed) -> Iterator[Told]:
    """Yield what changed from one target to another, the heaviest first."""
    base, candidate = one.comparison.base, one.comparison.candidate
    yield "bold", 0, f"{base.title} → {candidate.title}"
    yield "dim", 0, f"{base.name} → {candidate.name}"
    yield "", 0, summary(one)
    if one.beside:
        yield "yellow", 0, f"These differ between the environments as well, and a change may be theirs: {one.beside}."
    weight = None
    for line in lines(one.changes):
        if line.weight is not weight:
            weight = line.weight
            yield "", 0, ""
            yield STYLES[weight], 0, f"{weight.capitalize()}: {weight.meaning}"
        yield from told_line(line)
    if one.allowed:
        yield "", 0, ""
        yield "bold", 0, "Allowed"
        yield from (("dim", 2, headline(line)) for line in lines(one.allowed))
    untold = reasons(one.comparison)
    if untold:
        yield "", 0, ""
        yield "bold", 0, "Not comparable"
    for reason, changes in list(untold.items())[:SHOWN_REASONS]:
        yield "dim", 2, f"{answers(changes)} × {cut(reason, CAUSE)}"
    if len(untold) > SHOWN_REASONS:
        yield "dim", 2, f"and {len(untold) - SHOWN_REASONS} more reasons"


def told_line(line: Line) -> Iterator[Told]:
    """Yield one change: what it is, in plain words, how much, and why."""
    yield "", 2, headline(line)
    if line.sentence not in headline(line):
        yield "", 6, line.sentence
    if line.size:
        yield "cyan", 6, line.size
    if line.reason:
        yield "dim", 6, line.cause


def headline(line: Line) -> str:
    """Return a change in one line: its kind unless it is a plain one, what, where, from and to."""
    begin = "" if line.kind is Kind.CHANGED else f"{line.kind}: "
    if not line.became:
        return begin + (line.sentence if line.single else line.title)
    return f"{begin}{line.title}{f' ({line.where})' if line.where else ''}: {line.became}"
