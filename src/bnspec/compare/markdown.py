"""A diff as Markdown, for the summary of a job of GitHub Actions and the like.

What comes from results files is text and nothing else: no link, no mention, no markup of its own.
"""

import re
from collections.abc import Iterator

from bnspec.compare.diff import Diff, Weighed
from bnspec.compare.model import Kind
from bnspec.compare.words import CAUSE, Line, answers, lines, reasons, summary
from bnspec.results import cut

ACTING = re.compile(r"[&<>@`*\[\]|~\\]|(?<!\w)_|_(?!\w)|#(?=\d)|(?<=[A-Za-z])://|(?<=\bwww)\.", re.IGNORECASE)
"""What would be markup, an entity, a mention, a reference or a link."""

PLAIN = re.compile(r"[\w.\-\[\]* ]+")
"""What can stand between backticks."""


def as_markdown(diff: Diff) -> str:
    """Return a diff as Markdown."""
    return "\n".join(paragraphs(diff)) + "\n"


def paragraphs(diff: Diff) -> Iterator[str]:
    """Yield the lines of the document."""
    notes = list(diff.warnings)
    notes += [f"Only what concerns layers that are: {diff.narrowing}."] if diff.narrowing else []
    notes += [f"{column.name} has no partner." for column in diff.alone]
    notes += [f"The allowance {text} is not needed any more." for text in diff.unused]
    yield from (f"> {escaped(note)}  " for note in notes)
    if notes:
        yield ""
    for one in diff.comparisons:
        yield from comparison(one)


def comparison(one: Weighed) -> Iterator[str]:
    """Yield the lines about one pair of targets."""
    base, candidate = one.comparison.base, one.comparison.candidate
    yield f"## {escaped(base.title)} → {escaped(candidate.title)}"
    yield ""
    verdict = "**Behaviour changed**" if one.behaviour else "Behaviour is the same"
    yield f"{verdict}: {escaped(summary(one))}"
    yield ""
    if one.beside:
        yield from (
            f"These differ between the environments as well, and a change may be theirs: {escaped(one.beside)}.",
            "",
        )
    weight = None
    for line in lines(one.changes):
        if line.weight is not weight:
            if weight is not None:
                yield ""
            weight = line.weight
            yield from (f"### {weight.capitalize()}", "", f"{weight.meaning[0].upper()}{weight.meaning[1:]}.", "")
            yield from ("| What | From → to | How much |", "| --- | --- | --- |")
        yield row(line)
    yield ""
    if one.allowed:
        yield from folded("Allowed", [row(line) for line in lines(one.allowed)], table=True)
    untold = reasons(one.comparison)
    if untold:
        said = [f"- {answers(some)} × {escaped(cut(reason, CAUSE))}" for reason, some in untold.items()]
        yield from folded(f"{answers(one.comparison.incomparable)} answers cannot be compared", said)


def row(line: Line) -> str:
    """Return one change as a row of a table."""
    what = code(line.title) if line.single else escaped(line.title)
    where = f" ({escaped(line.where)})" if line.where else ""
    begin = "" if line.kind is Kind.CHANGED else f"**{line.kind}** "
    became = f"{escaped(line.became)}<br>" if line.became else ""
    much = "<br>".join(escaped(part) for part in (line.size, line.cause) if part)
    return f"| {begin}{what}{where} | {became}{escaped(line.sentence)} | {much} |"


def folded(title: str, content: list[str], *, table: bool = False) -> Iterator[str]:
    """Yield lines that are folded away under a title."""
    yield from (f"<details><summary>{escaped(title)}</summary>", "")
    if table:
        yield from ("| What | From → to | How much |", "| --- | --- | --- |")
    yield from (*content, "", "</details>", "")


def code(text: str) -> str:
    """Return a name as code, or as text where it holds what code cannot."""
    return f"`{text}`" if PLAIN.fullmatch(text) else escaped(text)


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is, in one line."""
    return ACTING.sub(lambda found: "".join(f"&#{ord(c)};" for c in found[0]), " ".join(text.split()))
