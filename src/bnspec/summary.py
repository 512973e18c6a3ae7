"""What a run prints at its end: per target the counts and the findings, then how the targets differ."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bnspec.columns import Column, columns
from bnspec.environments import Environment
from bnspec.report.clean import cleaned
from bnspec.report.inline import command
from bnspec.report.model import matrix
from bnspec.report.variants import table_of
from bnspec.report.words import findings
from bnspec.results import VERDICTS, Results, cut

SHOWN_FINDINGS = 12
SHOWN_MESSAGE = 240
SIDE_BY_SIDE = 12  # targets; more are for the page


def print_summary(files: Sequence[Results]) -> int:
    """Print the results of a run to stdout; return how many findings there are."""
    shown = columns(map(cleaned, files))
    console = Console(highlight=False, soft_wrap=True)
    total = 0
    for column in shown:
        if column.failed is not None:
            console.print(Text(f"{column.label}: not run"))
            continue
        counts = Counter(row["verdict"] for row in column.rows.values())
        words = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
        part = "" if column.complete else " (partial)"
        console.print(Text(f"{column.label}{part}: {words}   [{column.name}]"))
        found = findings(matrix([column]))
        total += sum(len(finding.ids) for finding in found)
        for finding in found[:SHOWN_FINDINGS]:
            more = f" and {len(finding.ids) - 1} more" if len(finding.ids) > 1 else ""
            console.print(Text(f"  {finding.verdict} {finding.example}{more}: {cut(finding.message, SHOWN_MESSAGE)}"))
        if len(found) > SHOWN_FINDINGS:
            console.print(Text(f"  … and {len(found) - SHOWN_FINDINGS} more clauses with findings: see the report"))
        for reason, ids in not_run(column.rows).items():
            more = f" and {len(ids) - 1} more" if len(ids) > 1 else ""
            console.print(Text(f"  not-run {ids[0]}{more}: {cut(reason, SHOWN_MESSAGE)}"))
        if found:
            console.print(Text(f"  again: {command(column)} -k '{found[0].example}'"))
    ran = [column for column in shown if column.rows]
    if len(ran) <= SIDE_BY_SIDE:
        print_variants(ran)
    return total


def not_run(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the ids that were not run, by the reason."""
    reasons: dict[str, list[str]] = {}
    for id, row in rows.items():
        if row["verdict"] == "not-run":
            reasons.setdefault(str(row.get("message") or "no reason is given"), []).append(id)
    return reasons


def print_variants(shown: Sequence[Column]) -> None:
    """Print the axes and each target's answers; with several targets only those that differ."""
    several = len(shown) > 1
    answers = table_of(shown, only_differences=several)
    if not answers.rows:
        return
    title = "How they differ" if several else "Fingerprint"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for target in answers.targets:
        table.add_column(Text(target), overflow="fold")
    for line in answers.rows:
        cells = ["\n".join(map(str, parts)) or "—" for parts in line.answers]
        table.add_row(*(Text(cell) for cell in (line.axis, *cells)))
    print()
    wide_console().print(table)
    print()


def print_environments(environments: Sequence[Environment], frameworks: Mapping[str, Environment]) -> None:
    """Print the environments that have names."""
    short: dict[str, list[str]] = {}
    for framework, environment in frameworks.items():
        short.setdefault(environment.name, []).append(framework)
    table = Table(box=None, pad_edge=False)
    for column in ("name", "short", "Python", "state"):
        table.add_column(column, no_wrap=True)
    table.add_column("packages", overflow="fold")
    everything: list[Any] = [*environments, frameworks["numpy"]]
    for environment in everything:
        state = "this Python" if environment.exists else "made" if environment.made else "made when run"
        python = "" if environment.exists else environment.python
        packages = ", ".join(environment.requirements)
        row = (environment.name, ", ".join(short.get(environment.name, [])), python, state, packages)
        table.add_row(*(Text(cell) for cell in row))
    wide_console().print(table)


def wide_console() -> Console:
    """Return a console that does not fold tables where nobody looks at a screen: a file, a pipe."""
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 200
    return console
