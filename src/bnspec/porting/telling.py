"""A port as text for people, as Markdown and as JSON."""

import os
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from bnspec.compare import Weight
from bnspec.porting.model import Absent, Argument, Name, Porting, Unmatched

WIDTH = 110
"""Columns of text where nobody looks at a screen: a file, a pipe."""

NARROWEST = 60

REASON = 240
"""So many characters of an error are told; the results have all of it."""

STYLES = {Weight.OUTPUT: "bold red", Weight.STATISTICS: "bold yellow"}


def print_port(porting: Porting) -> None:
    """Print a port, on a screen in colours."""
    console = Console(highlight=False, soft_wrap=True)
    width = max(console.width if console.is_terminal or "COLUMNS" in os.environ else WIDTH, NARROWEST)
    for style, indent, text in told(porting):
        prefix = " " * indent
        folded = textwrap.wrap(text, width, initial_indent=prefix, subsequent_indent=f"{prefix}  ")
        console.print(Text("\n".join(folded), style=style))


def told(porting: Porting) -> Iterator[tuple[str, int, str]]:
    """Yield the lines of a port: style, indent, text."""
    source, target = porting.source.title, porting.target.title
    yield "bold", 0, f"{source} → {target}"
    if porting.code:
        yield "", 0, ""
        yield "bold", 0, "What to write"
        yield "", 2, porting.code
    yield "", 0, ""
    yield "bold", 0, "Arguments"
    for row in aligned(
        [("", source, target), *((a.what, a.source or "–", a.target or "–") for a in porting.arguments)]
    ):
        yield "", 2, row
    for argument in porting.arguments:
        if argument.note:
            yield "dim", 2, f"{argument.what}: {argument.note}"
    yield "", 0, ""
    yield "bold", 0, "State, in this order"
    for row in aligned([("", source, target), *map(state_row, porting.state)]):
        yield "", 2, row
    yield "", 0, ""
    yield "bold", 0, f"What cannot be matched, at N = {porting.n} values per channel, keep = {porting.keep:g}"
    yield from told_unmatched(porting.unmatched)
    for title, rows in ((f"{target} has no words for", porting.absent), ("Not compared", porting.unknown)):
        if rows:
            yield "", 0, ""
            yield "bold", 0, title
            yield from (("", 2, line) for line in map(told_absent, rows))


def told_unmatched(rows: Sequence[Unmatched]) -> Iterator[tuple[str, int, str]]:
    """Yield the lines of what cannot be matched, under its weights."""
    if not rows:
        yield "", 2, "nothing: all that was asked has the same answer"
    for weight in Weight:
        some = [row for row in rows if row.weight is weight]
        if some:
            yield STYLES.get(weight, "bold"), 2, f"{weight}: {weight.meaning}"
        for row in some:
            where = f" ({row.where})" if row.where else ""
            yield "", 4, f"{row.subject}: {row.what}{where}"
            for more in (row.formula, row.reason[:REASON]):
                if more:
                    yield "dim", 6, more


def told_absent(row: Absent) -> str:
    """Return a reason and its questions in one line."""
    return f"{row.reason[:REASON]} ({', '.join(row.subjects)})"


def state_row(name: Name) -> tuple[str, str, str]:
    """Return the cells of a part of the state."""
    return (str(name.place) if name.place else "–"), name.source or "–", name.target or "– no counterpart"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of cells as lines, their columns below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def markdown(porting: Porting) -> str:
    """Return a port as Markdown."""
    source, target = porting.source.title, porting.target.title
    parts = [f"## {escaped(source)} → {escaped(target)}"]
    if porting.code:
        parts.append(f"```\n{porting.code}\n```")
    arguments = ((a.what, code(a.source), code(a.target), escaped(a.note)) for a in porting.arguments)
    parts.append(table(("", source, target, ""), arguments))
    state = ((row[0], code(name.source), code(name.target)) for name in porting.state for row in [state_row(name)])
    parts.append(f"State, in this order:\n\n{table(('', source, target), state)}")
    parts.append(f"### What cannot be matched, at N = {porting.n}, keep = {porting.keep:g}")
    rows = ((u.weight, escaped(told_what(u)), escaped(u.formula)) for u in porting.unmatched)
    parts.append(table(("", "", "by how much"), rows) if porting.unmatched else "Nothing.")
    for title, absent in ((f"{target} has no words for", porting.absent), ("Not compared", porting.unknown)):
        if absent:
            parts.append(f"### {escaped(title)}\n\n" + "\n".join(f"- {escaped(told_absent(row))}" for row in absent))
    return "\n\n".join(parts)


def told_what(row: Unmatched) -> str:
    """Return what cannot be matched, and where."""
    return f"{row.subject}: {row.what}" + (f" ({row.where})" if row.where else "")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [[escaped(cell) for cell in head], ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(text: str | None) -> str:
    """Return text as code, or a dash where there is none."""
    return f"`{text.replace('|', chr(92) + '|')}`" if text else "–"


def escaped(text: str) -> str:
    """Return text that Markdown takes for text."""
    plain = " ".join(text.split()).replace("\\", "\\\\")
    for character in "|<>*_`[]":
        plain = plain.replace(character, f"\\{character}")
    return plain


def as_json(porting: Porting) -> dict[str, Any]:
    """Return a port as JSON values."""
    return {
        "source": porting.source.name,
        "target": porting.target.name,
        "n": porting.n,
        "keep": porting.keep,
        "momentum": porting.momentum,
        "epsilon": porting.epsilon,
        "code": porting.code,
        **{
            name: [plain_row(row) for row in getattr(porting, name)]
            for name in ("arguments", "state", "unmatched", "absent", "unknown")
        },
    }


def plain_row(row: Argument | Name | Unmatched | Absent) -> dict[str, Any]:
    """Return the fields of a row as JSON values."""
    return {name: list(v) if isinstance(v, tuple) else v for name, v in vars(row).items()}
