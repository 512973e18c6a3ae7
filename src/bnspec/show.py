"""What `bnspec show` prints: all that is known under one name, of an axis, a clause, a case or an environment."""

import difflib
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bnspec.case import Case
from bnspec.claims import claims
from bnspec.columns import Column, columns
from bnspec.environments import REFERENCE, Environment, EnvironmentProblem, find, frameworks, listed
from bnspec.paths import cache_folder, suite_folder
from bnspec.report.clean import cleaned
from bnspec.report.facts import facts
from bnspec.report.inline import command
from bnspec.report.inputs import CasePool
from bnspec.report.margins import PairTable, pair_tables
from bnspec.report.variants import situations_of, table_of
from bnspec.report.words import suite
from bnspec.results import FINDINGS, VERDICTS, read
from bnspec.spec import AXES, CLAUSES, sentence
from bnspec.suite import load_cases
from bnspec.summary import wide_console
from bnspec.targets import adapters

NAMED = 6
"""So many names are told where one was expected and several fit."""

LISTED_RIVALS = 12
"""Up to so many joint answers are listed; more are told by their axes."""

COMMANDS = 3
"""So many targets with a finding are told with the command that shows it again."""


class UnknownName(Exception):  # noqa: N818 - it is shown as it is, one clear line
    """A name of nothing, or of several things; says what it could have been, and what to type."""


@dataclass(frozen=True)
class Latest:
    """The latest results: where they are from, and their targets."""

    source: str
    columns: tuple[Column, ...]


def show(name: str, files: Sequence[Path]) -> None:
    """Print what a name stands for; its latest results are those of the files.

    Raises UnknownName, and ResultsError for a file that is no results file.
    """
    subject = find_subject(name)
    found = [cleaned(read(path)) for path in files]
    dates = [str(results.run["date"])[:10] for results in found]
    source = f"{files[0].parent if len(files) > 1 else files[0]}, {max(dates)}" if files else ""
    latest = Latest(source, tuple(column for column in columns(found) if column.rows))
    page = Page(wide_console())
    if isinstance(subject, Environment):
        show_environment(page, subject, latest)
    elif subject in AXES:
        show_axis(page, subject, latest)
    elif subject in CLAUSES:
        show_clause(page, subject, latest)
    else:
        show_case(page, subject, latest)


def default_results() -> list[Path]:
    """Return the results files of the checkout, else that of the last run; none where there is neither."""
    committed = sorted((suite_folder().parent / "reports" / "results").glob("*.jsonl"))
    last = cache_folder() / "last-run.jsonl"
    return committed or [path for path in (last,) if path.exists()]


# What a name stands for


def find_subject(name: str) -> str | Environment:
    """Return the id of the axis, clause or case that a name, or a part of one, stands for, or an environment."""
    clauses, ids = [*AXES, *CLAUSES], [identifier for case in load_cases() for identifier in case.ids]
    environments = [*frameworks(), *(environment.name for environment in listed())]
    if name in clauses or name in ids:
        return name
    if name in environments:
        return find(name)
    for kind, known in (("axes and clauses", clauses), ("cases", ids), ("environments", environments)):
        fitting = [candidate for candidate in known if name in candidate] if name else []
        if len(fitting) == 1:
            return find(fitting[0]) if kind == "environments" else fitting[0]
        if fitting:
            some = ", ".join(fitting[:NAMED]) + (", …" if len(fitting) > NAMED else "")
            raise UnknownName(
                f"{name!r} is a part of {len(fitting)} {kind}: {some}. Type one of them: {example(fitting)}"
            )
    try:
        return find(name)
    except EnvironmentProblem:
        raise UnknownName(unknown(name, [*clauses, *ids, *environments])) from None


def unknown(name: str, known: Sequence[str]) -> str:
    """Return what is said of a name of nothing."""
    short = {candidate.partition(".")[2]: candidate for candidate in (*AXES, *CLAUSES)}
    near = difflib.get_close_matches(name, [*known, *short], n=3, cutoff=0.6)
    near = list(dict.fromkeys(short.get(candidate, candidate) for candidate in near))
    told = f"{name!r} is no axis, clause, case or environment."
    if near:
        return f"{told} Did you mean {' or '.join(near)}? Type: {example(near)}"
    return f"{told} Type a name such as stats.stored-variance, stats.stored-variance[rank2] or torch."


def example(names: Sequence[str]) -> str:
    """Return the command that shows the first of some names, as a shell takes it."""
    return f"bnspec show {shlex.quote(names[0])}"


# The pages


class Page:
    """A console on which headings, paragraphs and tables stand below each other; every string is text."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def title(self, name: str, kind: str) -> None:
        """Print what is shown."""
        self.console.print(Text.assemble((name, "bold"), f"   {kind}"), soft_wrap=True)

    def heading(self, text: str) -> None:
        """Begin a part."""
        self.console.print()
        self.console.print(Text(text, style="bold"), soft_wrap=True)

    def line(self, text: str, indent: int = 0) -> None:
        """Print a paragraph."""
        for part in text.splitlines() or [""]:
            self.console.print(Text(" " * indent + part), soft_wrap=True)

    def table(self, rows: Iterable[Sequence[str]], header: Sequence[str] = ()) -> None:
        """Print a table; the last column takes what room is left."""
        found = [tuple(row) for row in rows]
        width = max(map(len, [*found, header]))
        shown = Table(box=None, show_header=bool(header), pad_edge=False, padding=(0, 2, 0, 0))
        for number in range(width):
            name = header[number] if number < len(header) else ""
            shown.add_column(Text(name), overflow="fold", no_wrap=number == 0)
        for row in found:
            shown.add_row(*map(Text, row))
        self.console.print(shown)


def show_axis(page: Page, axis: str, latest: Latest) -> None:
    """Print an axis: its question, variants, cases with margins, and who answers what."""
    asked = AXES[axis]
    page.title(axis, "axis: classes of accuracy, the tightest first" if asked.accuracy else "axis")
    page.line(asked.question)
    show_variants(page, axis)
    cases = [case for case in load_cases() if axis in case.clauses]
    page.heading(f"Cases: {len(cases)}")
    rows = []
    for case in cases:
        tables = [table for table in pair_tables(case) if table.axis == axis]
        smallest, pair = closest(tables[0]) if tables else ("–", "")
        rows.append((identifier(case, axis), str(len(case.rivals)), smallest, pair))
    page.table(rows, ("case", "answers", "margin", "between"))
    page.line("Margin: the smallest distance between two variants, in allowances.")
    show_reasons(page, cases)
    show_claims(page, axis)
    heading_of_results(page, latest)
    answers = [row for row in table_of(latest.columns, only_differences=False).rows if row.axis == axis]
    for row in answers:
        given = ("; ".join(map(str, parts)) or "not asked" for parts in row.answers)
        page.table(zip((column.title for column in latest.columns), given, strict=True))
    show_findings(page, latest, [identifier(case, axis) for case in cases])


def show_clause(page: Page, clause: str, latest: Latest) -> None:
    """Print a clause: its sentence, its cases, and who meets it."""
    page.title(clause, "clause")
    page.line(sentence(clause))
    cases = [case for case in load_cases() if clause in case.clauses]
    page.heading(f"Cases: {len(cases)}")
    page.line(", ".join(identifier(case, clause) for case in cases))
    show_reasons(page, cases)
    heading_of_results(page, latest)
    page.table((column.title, counted(situations_of(column, clause).values())) for column in latest.columns)
    show_findings(page, latest, [identifier(case, clause) for case in cases])


def show_case(page: Page, id: str, latest: Latest) -> None:
    """Print a case: the question, the layer, the program, the data, the rivals, the margins, the results."""
    case = next(case for case in load_cases() if id in case.ids)
    clause = id.partition("[")[0]
    page.title(id, "case")
    page.line(sentence(clause))
    if len(case.clauses) > 1:
        page.line(f"One program asks jointly: {', '.join(case.clauses)}.")
    if clause in AXES:
        show_variants(page, clause)
    page.heading("Why these data")
    page.line(case.why)
    show_program(page, case)
    if case.rivals:
        show_rivals(page, case)
    if clause in AXES:
        show_claims(page, clause, case.situation)
    asked = Latest(latest.source, tuple(column for column in latest.columns if id in column.rows))
    heading_of_results(page, asked)
    if asked.columns:
        header = ("target", "verdict", "variant", "ratio", "margin", "")
        page.table((verdict_line(column, id) for column in asked.columns), header)
    page.heading("Run it")
    for line in commands(asked, id):
        page.line(line)


def show_environment(page: Page, environment: Environment, latest: Latest) -> None:
    """Print an environment: what is in it, what can run in it, what came out."""
    page.title(environment.name, "environment")
    state = f"made, in {environment.home}" if environment.made else "not made yet: the first run makes it"
    fitting = [built_in.name for built_in in adapters(environment)]
    page.table(
        [
            ("Python", environment.python),
            ("requirements", ", ".join(environment.requirements) or "none: this Python as it is"),
            ("state", "exists" if environment.exists else state),
            ("adapters", ", ".join(fitting) or "none built in"),
        ]
    )
    own = [column for column in latest.columns if column.info["environment"] == environment.name]
    heading_of_results(page, Latest(latest.source, tuple(own)))
    for column in own:
        part = "" if column.complete else ", partial"
        page.line(f"{column.title} ({suite(column.run)}{part}): {counted(column.rows.values())}   [{column.name}]")
    show_findings(page, Latest(latest.source, tuple(own)), None)
    for column in own:
        page.heading(f"Facts of {column.title}")
        page.table((line.name, "; ".join(fact.parts)) for line in facts([column]) for fact in line.given if fact)
    page.heading("Run it")
    for name in fitting:
        page.line(shlex.join(["bnspec", "run", f"{environment.name}/{name}"]))
    if not fitting:
        page.line(shlex.join(["bnspec", "run", environment.name, "--adapter", "FILE.py:Class"]))


# Their parts


def show_variants(page: Page, axis: str) -> None:
    """Print the variants of an axis with their formulas."""
    page.heading("Variants")
    page.table(AXES[axis].variants.items())


def show_reasons(page: Page, cases: Sequence[Case]) -> None:
    """Print why the data of some cases are as they are, cases of one reason together."""
    page.heading("Why these data")
    reasons: dict[str, list[str]] = {}
    for case in cases:
        reasons.setdefault(case.why, []).append(case.situation)
    for why, situations in reasons.items():
        page.line(f"{', '.join(dict.fromkeys(situations))}: {why}" if len(reasons) > 1 else why)


def show_program(page: Page, case: Case) -> None:
    """Print the layer and the program step by step; small inputs in full, larger ones described."""
    pool = CasePool()
    _, layer, steps, *_ = pool.cases.values[pool.number(case)]
    page.heading("Layer")
    page.line(", ".join(f"{name}: {value}" for name, value in pool.layers.values[layer]))
    page.heading("Program")
    for number, (do, inputs, options) in enumerate(steps, start=1):
        words = ", ".join(f"{name}: {value}" for name, value in options.items())
        page.line(f"{number:>2}  {do.replace('_', ' ')}" + (f"   ({words})" if words else ""))
        for name, array in inputs.items():
            about = pool.arrays.values[array]
            size = " × ".join(map(str, about["shape"])) or "scalar"
            page.line(f"{name}: {about['dtype']} {size}: {about.get('summary') or nested(about['values'])}", 6)


def show_rivals(page: Page, case: Case) -> None:
    """Print the answers that a case tells apart, and how far every pair of variants is apart."""
    page.heading(f"Answers that it tells apart: {len(case.rivals)}")
    if len(case.rivals) <= LISTED_RIVALS:
        for rival in case.rivals:
            page.line(", ".join(f"{axis} = {variant}" for axis, variant in rival.items()), 2)
    for axis in case.clauses if len(case.rivals) > LISTED_RIVALS else ():
        given = dict.fromkeys(rival.get(axis, "no answer") for rival in case.rivals)
        page.line(f"{axis} = {', '.join(given)}", 2)
    page.heading("How far they are apart")
    for table in pair_tables(case):
        names = [name or "no answer" for name in table.variants]
        rows = []
        for number, name in enumerate(names):
            before = map(distance, table.distances[number - 1]) if number else ()
            rows.append((name, *(seen.shown[number] or "–" for seen in table.seen), *before))
        page.table(rows, (table.axis, *(seen.place for seen in table.seen), *(f"to {name}" for name in names[:-1])))
        page.line("")
    page.line(
        "What each answer shows where it can be told, everything else as in the reference; and the smallest distances "
        "between two answers that differ so, in allowances. ∞ is a discrete difference, such as an error."
    )


def show_claims(page: Page, axis: str, situation: str | None = None) -> None:
    """Print what the frameworks document on an axis, in a situation or in any."""
    about = [claim for claim in claims() if claim.axis == axis and (situation is None or claim.covers(situation))]
    page.heading("What the frameworks document")
    if not about:
        page.line("nothing")
    for claim in about:
        where = f", {', '.join(claim.situations)}" if situation is None and claim.situations != ("*",) else ""
        page.line(f"{claim.variant}{where}   {claim.who}")
        page.line(claim.said, 4)


def heading_of_results(page: Page, latest: Latest) -> None:
    """Begin the results; say where they are from, or how to get some."""
    page.heading("Latest results")
    page.line(f"from {latest.source}" if latest.columns else "none; --results FILE names others")


def show_findings(page: Page, latest: Latest, ids: Sequence[str] | None) -> None:
    """Print what needs a look in some ids, or in all."""
    for column in latest.columns:
        rows = [column.rows[id] for id in (column.rows if ids is None else ids) if id in column.rows]
        for row in rows:
            if row["verdict"] in FINDINGS:
                page.line(f"{column.title} {row['verdict']} {row['id']}: {row.get('message', '')}", 2)


def commands(asked: Latest, id: str) -> list[str]:
    """Return what runs a case again: on targets with a finding, else on a framework, else on the reference."""
    wrong = [column for column in asked.columns if column.rows[id]["verdict"] in FINDINGS]
    answered = [column for column in asked.columns if column.rows[id]["verdict"] == "conforms"]
    right = [column for column in answered if column.info["environment"] != REFERENCE]
    starts = [command(column) for column in wrong[:COMMANDS] or right[:1]] or [f"bnspec run {REFERENCE}"]
    return [f"{start} -k {shlex.quote(id)}" for start in starts]


def verdict_line(column: Column, id: str) -> tuple[str, ...]:
    """Return what one target gave in a case."""
    row = column.rows[id]
    ratio, margin = (None if row.get(name) is None else float(row[name]) for name in ("ratio", "margin"))
    return (
        column.title,
        row["verdict"],
        row.get("variant") or "–",
        "–" if ratio is None else f"{ratio:.3g}",
        "–" if margin is None else distance(margin),
        row.get("message") or "",
    )


def identifier(case: Case, clause: str) -> str:
    """Return the id under which a case decides a clause."""
    return f"{clause}[{case.situation}]"


def counted(rows: Iterable[Any]) -> str:
    """Return how often each verdict occurs."""
    counts = Counter(row["verdict"] for row in rows)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict]) or "not asked"


def closest(table: PairTable) -> tuple[str, str]:
    """Return the smallest distance of a table, and the variants between which it is."""
    known = [
        (number, f"{before or 'no answer'} and {variant or 'no answer'}")
        for variant, row in zip(table.variants[1:], table.distances, strict=True)
        for before, number in zip(table.variants, row, strict=False)
        if number is not None
    ]
    if not known:
        return distance(None), ""
    number, pair = min(known)
    return distance(number), pair


def distance(number: float | None) -> str:
    """Return a distance in allowances."""
    if number is None:
        return "not decided"
    return "∞" if number == float("inf") else f"{number:,.0f}" if number >= 100 else f"{number:.2g}"


def nested(values: Any) -> str:
    """Return nested lists of numbers on one line."""
    return f"[{', '.join(map(nested, values))}]" if isinstance(values, list) else f"{values}"
