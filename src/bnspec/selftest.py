"""The suite's test of itself: correct implementations through every case, wrong ones through those that should tell.

A mutant is `correct.Correct` with one fault. A row kills it that is a finding, or whose variant is not that of
Correct; it is named by a row whose clause is among those that the mutant says should name it. It is run on the
cases of those clauses and on what they depend on. What is only blocked, or did not run, kills nothing. A correct
implementation must have no finding.
"""

import functools
import importlib
import inspect
import multiprocessing
import os
import signal
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from bnspec.case import Case
from bnspec.driver import Driver, TargetFailed, Timeouts
from bnspec.environments import find
from bnspec.equivalence import Answers, answers
from bnspec.memo import Memo
from bnspec.paths import mutants_folder
from bnspec.provenance import provenance
from bnspec.results import FINDINGS, Row, Writer
from bnspec.rivals import Prepared
from bnspec.runner import judge, judged
from bnspec.suite import Needs, load_cases, with_axes
from bnspec.summary import wide_console
from bnspec.targets import Target

BASE = "correct.Correct"
NUMERIC = "formulations."
LARGE_PLACE = "rank2"
LARGE_BYTES = 4 << 20
KILLING = FINDINGS - {"blocked", "error", "crash", "timeout"}
BROKEN = frozenset({"error", "crash", "timeout", "not-run"})
KEPT_IDS = 20


class NothingSelected(Exception):  # noqa: N818 - it is shown as it is, one clear line
    """A part of a name that selects no implementation."""


@dataclass(frozen=True)
class Implementation:
    """A class of `tests/mutants`, and what it says of itself.

    name: of its file and class; fault: short words, empty for a correct one; clause: which should name the
    fault; imprecise: a correct one that may be called so; execution: in which it is run.
    """

    name: str
    path: str
    fault: str = ""
    clause: tuple[str, ...] = ()
    imprecise: bool = False
    execution: str | None = None

    @property
    def kind(self) -> str:
        """`mutant` or `correct`."""
        return "mutant" if self.fault else "correct"

    def takes(self, case: Case) -> bool:
        """Whether it is run on a case: Correct on every one, the others on the large ones only where those ask.

        A million values in one layout tell as much of the arithmetic as in three; and those that compute as
        Correct does give its very numbers.
        """
        asked = bool(set(self.clause) & set(case.clauses)) or self.name.startswith(NUMERIC)
        return not is_large(case) or self.name == BASE or (asked and case.where == LARGE_PLACE)


def is_large(case: Case) -> bool:
    """Whether a case takes so long that only those run it whose question it is."""
    return sum(array.nbytes for step in case.program for array in step.arrays.values()) > LARGE_BYTES


@dataclass(frozen=True)
class Outcome:
    """What the suite said of one implementation: the ids that kill a mutant, or blame a correct one.

    broken: why it was not judged; named: whether a clause that should name the fault kills.
    """

    implementation: Implementation
    ids: tuple[str, ...]
    named: bool
    findings: int
    seconds: float
    broken: str = ""

    @property
    def right(self) -> bool:
        """Whether the suite did what it should: named a mutant, left a correct one alone."""
        return not self.broken and (self.named if self.implementation.fault else not self.findings)

    @property
    def naming(self) -> str:
        """The first id that kills it, if one names it then that."""
        return self.ids[0] if self.ids else ""

    def as_json(self) -> dict[str, Any]:
        """Return the fields of its record."""
        own = self.implementation
        return {
            "name": own.name,
            "kind": own.kind,
            "fault": own.fault,
            "clause": list(own.clause),
            "killed": list(self.ids[:KEPT_IDS]),
            "kills": len(self.ids),
            "named": self.named,
            "findings": self.findings,
            "seconds": self.seconds,
        }


def implementations(part: str | None = None) -> list[Implementation]:
    """Return what there is in `tests/mutants`, those whose name has this part; raises NothingSelected for none."""
    folder = mutants_folder()
    sys.path.append(str(folder))  # as in a worker: the files import each other
    try:
        modules = [importlib.import_module(path.stem) for path in sorted(folder.glob("*.py"))]
    finally:
        sys.path.remove(str(folder))
    base = vars(sys.modules["correct"])["Correct"]
    found = [
        Implementation(
            f"{module.__name__}.{name}",
            f"{folder / module.__name__}.py:{name}",
            getattr(own, "fault", ""),
            getattr(own, "clause", ()),
            getattr(own, "imprecise", False),
            getattr(own, "tested_as", None),
        )
        for module in modules
        for name, own in vars(module).items()
        if inspect.isclass(own) and issubclass(own, base) and own.__module__ == module.__name__
    ]
    chosen = [one for one in found if not part or part.lower() in one.name.lower()]
    if not chosen:
        raise NothingSelected(f"-k {part!r} selects no implementation; names look like {found[0].name}")
    return chosen


class FramedDriver(Driver):
    """A driver that keeps the frames of small cases for the next one."""

    def __init__(self, target: Target, frames: dict[str, bytes]) -> None:
        super().__init__(target, Timeouts())
        self.frames = frames

    def frame(self, case: Case | None) -> bytes:
        """Return the frame of a case, made once."""
        if case is None or is_large(case):
            return super().frame(case)
        if case.key not in self.frames:
            self.frames[case.key] = super().frame(case)
        return self.frames[case.key]


@dataclass
class SelfTest:
    """The suite, what was judged and sent before, and how Correct answers."""

    cases: Sequence[Case]
    memo: Memo
    variants: Mapping[str, str | None]
    frames: dict[str, bytes] = field(default_factory=dict)
    needs: Needs = field(default_factory=dict)
    base: Answers | None = None

    @classmethod
    def ready(cls) -> "SelfTest":
        """Load the suite and run Correct: what it answers is the dialect of every mutant."""
        cases = load_cases()
        self = cls(cases, Memo(partial(judge, prepared=Prepared(cases).ahead(), memories={}, hints=False)), {})
        base = next(one for one in implementations(BASE) if one.name == BASE)
        rows = self.rows(base)
        self.variants = {row.id: row.variant for row in rows}
        self.base = answers(row.as_json() for row in rows)
        return self

    def rows(self, implementation: Implementation) -> list[Row]:
        """Run an implementation through the suite, behind a worker."""
        taken = [case for case in self.asked(implementation) if implementation.takes(case)]
        target = Target(find("numpy"), implementation.name, implementation.path, execution=implementation.execution)
        driver = FramedDriver(target, self.frames)
        driver.connect()
        return list(judged(driver, taken, memo=self.memo, base=lambda: self.base))

    def asked(self, implementation: Implementation) -> Sequence[Case]:
        """Return the cases of an implementation: of a mutant, those that should name its fault, and what they need."""
        if not implementation.fault:
            return self.cases
        naming = {
            i for case in self.cases for i, c in zip(case.ids, case.clauses, strict=True) if c in implementation.clause
        }
        return with_axes(self.cases, naming, self.needs)

    def outcome(self, implementation: Implementation) -> Outcome:
        """Say what the suite says of an implementation."""
        started = time.monotonic()
        try:
            rows = self.rows(implementation)
        except TargetFailed as failure:
            return Outcome(implementation, (), False, 0, time.monotonic() - started, str(failure))
        seconds = time.monotonic() - started
        broken = next((f"{row.id}: {row.verdict}: {row.message}" for row in rows if row.verdict in BROKEN), "")
        if implementation.fault:
            kills = [row for row in rows if self.kills(row)]
        else:
            excused = {"imprecise"} if implementation.imprecise else set()
            kills = [row for row in rows if row.verdict in FINDINGS - excused]
        kills.sort(key=lambda row: row.clause not in implementation.clause)
        return Outcome(
            implementation,
            tuple(row.id for row in kills),
            any(row.clause in implementation.clause for row in kills),
            len([row for row in kills if row.verdict in FINDINGS]),
            seconds,
            broken,
        )

    def kills(self, row: Row) -> bool:
        """Whether a row tells a mutant from Correct."""
        other = row.variant is not None and row.variant != self.variants.get(row.id)
        return row.verdict in KILLING or other


@functools.cache
def of_this_process() -> SelfTest:
    """Return the self-test of a process of the pool."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for the workers: NumPy need not start threads that nobody uses
    return SelfTest.ready()


def outcome_of(implementation: Implementation) -> Outcome:
    """Say what the suite says of an implementation, in a process of the pool."""
    return of_this_process().outcome(implementation)


def be_quiet() -> None:
    """Leave an interruption to the process that was interrupted, and warnings to those who judge one target."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")


def outcomes(chosen: Sequence[Implementation], jobs: int) -> Iterator[Outcome]:
    """Yield what the suite says of every implementation, in their order.

    Judging is Python and holds its lock: several at a time need processes.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(chosen)), context, be_quiet) as executor:
        try:
            yield from executor.map(outcome_of, chosen)
        finally:
            executor.shutdown(wait=False, cancel_futures=True)


def carry_out(chosen: Sequence[Implementation], output: Path | None, *, jobs: int, part: str | None) -> bool:
    """Run the self-test, write its records, print its score; return whether all is as it should be."""
    found = []
    with nullcontext() if output is None else Writer(output) as writer:
        if writer:
            cases = sum(len(case.ids) for case in load_cases())
            writer.write("run", **provenance((), cases, part))
        for outcome in track(outcomes(chosen, jobs), "Self-test", len(chosen), console=Console(stderr=True)):
            found.append(outcome)
            if writer:
                writer.write("implementation", **outcome.as_json())
    print_outcomes(found)
    return all(outcome.right for outcome in found)


def print_outcomes(found: Sequence[Outcome]) -> None:
    """Print the score and a line per implementation, what went wrong first."""
    mutants = [outcome for outcome in found if outcome.implementation.fault]
    correct = [outcome for outcome in found if not outcome.implementation.fault]
    table = Table(box=None, pad_edge=False)
    for column in ("", "fault", "killed by", "and"):
        table.add_column(column, overflow="fold")
    for outcome in sorted([*mutants, *correct], key=lambda outcome: outcome.right):
        if outcome.implementation.fault or not outcome.right:
            table.add_row(*map(Text, line(outcome)))
    console = wide_console()
    console.print(table)
    clean = sum(outcome.right for outcome in correct)
    console.print(
        f"\n{sum(outcome.right for outcome in mutants)} of {len(mutants)} mutants killed, "
        f"{clean} of {len(correct)} correct implementations without a finding."
    )


def line(outcome: Outcome) -> tuple[str, str, str, str]:
    """Return an implementation's name, fault, what kills it, and how much more does."""
    own = outcome.implementation
    if outcome.broken:
        return own.name, own.fault, f"BROKEN: {outcome.broken}", ""
    if not own.fault:
        return own.name, "(correct)", f"BLAMED by {outcome.naming}", f"{outcome.findings} findings"
    if not outcome.ids:
        return own.name, own.fault, "SURVIVES", ""
    what = outcome.naming if outcome.named else f"NOT NAMED, only {outcome.naming}"
    return own.name, own.fault, what, f"{len(outcome.ids) - 1} more"
