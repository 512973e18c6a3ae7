"""The sentences of the page: the verdict in one sentence, what is missing, and what needs a look."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bnspec.columns import Column
from bnspec.history import Lineage
from bnspec.report.choice import called
from bnspec.report.model import Line, Matrix
from bnspec.report.score import score
from bnspec.results import FINDINGS, Results

NAMED = 3
"""How many targets a sentence names before it counts the others."""


@dataclass(frozen=True)
class Finding:
    """One verdict of one target on one clause that a person should look at, in one or more situations."""

    column: Column
    verdict: str
    clause: str
    ids: tuple[str, ...]
    example: str
    message: str


GRAVEST = (
    "error", "crash", "timeout", "violates", "drifts", "refuses", "imprecise", "inconclusive", "blocked",
)  # fmt: skip
"""The findings, in the order in which a person should look at them."""


@dataclass(frozen=True)
class Gathered:
    """One verdict of the versions of a lineage on one clause: who, which ids, and what the newest of them said."""

    who: str
    verdict: str
    ids: tuple[str, ...]
    message: str


def headline(shown: Matrix, files: Sequence[Results]) -> str:
    """Return the verdict in one sentence; a partial run says so first."""
    partial = "Partial run. " if any(not results.complete for results in files) else ""
    if not shown.lines:
        tested = score(files)
        return f"{partial}{tested.sentence if tested else 'Nothing was judged.'}"
    found = findings_by_column(shown)
    total = len(shown.columns)
    if total == 1:
        column, counts = shown.columns[0], shown.counts[0]
        look = counted(found[0], "needs a look", "need a look") if found[0] else "nothing needs a look"
        good = f"conforms in {counts['conforms']} of {len(shown.lines)} questions"
        return f"{partial}{column.title} {good}; {look}."
    having = [(column.title, number) for column, number in zip(shown.columns, found, strict=True) if number]
    if not having:
        return f"{partial}None of {total} targets has a finding."
    having.sort(key=lambda pair: -pair[1])
    who = listed([f"{label} ({number})" for label, number in having])
    verb = "has" if len(having) == 1 else "have"
    return f"{partial}{len(having)} of {total} targets {verb} findings: {who}."


def findings_by_column(shown: Matrix) -> list[int]:
    """Return how many findings each column has."""
    return [sum(number for verdict, number in counts.items() if verdict in FINDINGS) for counts in shown.counts]


def counted(number: int, one: str, many: str) -> str:
    """Return a number and the word that goes with it."""
    return f"{number} {one if number == 1 else many}"


def listed(names: Sequence[str]) -> str:
    """Return names as a phrase that counts those beyond the first few."""
    rest = len(names) - NAMED
    shown = list(names) if rest <= 1 else [*names[:NAMED], f"{rest} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def warnings(shown: Sequence[Column], files: Sequence[Results]) -> tuple[str, ...]:
    """Return what to know before believing the numbers: what is missing, selected, mixed or failed."""
    said = [
        f"{results.source} has no end: the run was stopped, or is still going on. "
        "What is missing was not judged, and counts as not run."
        for results in files
        if not results.complete
    ]
    reasons: dict[str, list[str]] = {}
    for column in shown:
        if column.failed is not None:
            reasons.setdefault(column.failed, []).append(column.name)
        elif not column.complete:
            said.append(f"{column.title} ({column.name}) stopped after {counted(len(column.rows), 'row', 'rows')}.")
    said += [f"Not run: {', '.join(names)}: {reason}" for reason, names in reasons.items()]
    suites: dict[str, list[str]] = {}
    for column in shown:
        if column.failed is None:
            suites.setdefault(suite(column.run), []).append(column.title)
    if len(suites) > 1:
        mixed = "; ".join(f"{name}: {listed(labels)}" for name, labels in suites.items())
        said.append(f"Different versions of the suite judged the targets, which may explain differences: {mixed}.")
    for selection in dict.fromkeys(results.run.get("selection") for results in files):
        if selection:
            said.append(f"Only the cases that match “{selection}” were asked for.")
    return tuple(said)


def suite(run: Mapping[str, Any]) -> str:
    """Return the version and revision of the suite that made a run."""
    revision = run.get("revision")
    return f"suite {run['suite']}" + (f", revision {revision}" if revision else "")


def findings(shown: Matrix) -> tuple[Finding, ...]:
    """Return what needs a look, the situations of a clause and verdict together, the gravest first."""
    grouped: dict[tuple[int, str, str], list[str]] = {}
    for line in shown.lines:
        for number, cell in enumerate(line.cells):
            if cell.verdict in FINDINGS:
                grouped.setdefault((number, cell.verdict, line.clause), []).append(line.id)
    by_verdict = sorted(grouped, key=lambda key: (GRAVEST.index(key[1]), key[0]))
    return tuple(finding(shown.columns[key[0]], key[1], key[2], grouped[key]) for key in by_verdict)


def gathered(found: Sequence[Finding], lineages: Sequence[Lineage]) -> tuple[Gathered, ...]:
    """Return findings with those of neighbouring versions together, the newest version's message with them.

    What a newest version does comes first, then what only older ones did; of each the gravest first.
    """
    home = {stop.column.name: lineage for lineage in lineages for stop in lineage.stops}
    alike: dict[tuple[str, str, str], list[Finding]] = {}
    for one in found:
        alike.setdefault((home[one.column.name].id, one.verdict, one.clause), []).append(one)

    def urgency(same: Sequence[Finding]) -> tuple[bool, int]:
        names = {one.column.name for one in same}
        return home[same[0].column.name].newest.column.name not in names, GRAVEST.index(same[0].verdict)

    return tuple(
        Gathered(
            called([one.column.name for one in same], lineages),
            same[-1].verdict,
            tuple(dict.fromkeys(id for one in same for id in one.ids)),
            same[-1].message,
        )
        for same in sorted(alike.values(), key=urgency)
    )


def finding(column: Column, verdict: str, clause: str, ids: Sequence[str]) -> Finding:
    """Return a finding with the message of the situation that is farthest off; with that of the first, if none is."""

    def far(identifier: str) -> float:
        ratio = column.rows[identifier].get("ratio")
        return float(ratio) if ratio is not None else 0.0  # a results file spells infinity out

    example = max(ids, key=far)
    return Finding(column, verdict, clause, tuple(ids), example, str(column.rows[example].get("message", "")))


def agreement(line: Line, shown: Sequence[Column]) -> str:
    """Return how many targets gave the answer of a folded line, and which gave none."""
    silent: dict[str, list[str]] = {}
    for cell, column in zip(line.cells, shown, strict=True):
        if cell.absent:
            silent.setdefault(cell.verdict, []).append(column.title)
    if not silent:
        return f"all {len(shown)}"
    absent = "; ".join(f"{verdict}: {listed(labels)}" for verdict, labels in silent.items())
    return f"{len(shown) - sum(map(len, silent.values()))} of {len(shown)}; {absent}"
