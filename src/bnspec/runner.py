"""Judging what comes back of a driven worker, the axes first."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from bnspec.case import Case
from bnspec.difference import Trace
from bnspec.driver import Driver, TargetFailed
from bnspec.equivalence import CLAUSE, Answers, answers, equivalence
from bnspec.identify import identify
from bnspec.judge import ahead, not_judged, verify
from bnspec.memo import Memo
from bnspec.results import Row
from bnspec.rivals import Prepared
from bnspec.simulate import Memory
from bnspec.spec import Dialect

SMALL = 1 << 18
"""Values per array up to which a case is simulated ahead: all that is remembered then fits into memory."""


def judge(
    case: Case,
    trace: Trace,
    dialect: Dialect,
    prepared: Prepared | None = None,
    memories: dict[str, Memory] | None = None,
    *,
    hints: bool = True,
) -> tuple[list[Row], Dialect]:
    """Judge one case: its rows, and the dialect with what an axis case adds to it.

    memories: per case, of what was simulated of it before.
    """
    if case.rivals:
        return identify(case, trace, dialect, prepared, hints=hints)
    memory = None if memories is None else memories.setdefault(case.key, {})
    return verify(case, trace, dialect, memory, hints=hints), dialect


def small(case: Case) -> bool:
    """Return whether what is simulated of a case may be kept beside that of all others."""
    return all(array.size <= SMALL for step in case.program for array in step.arrays.values())


def judged(
    driver: Driver,
    cases: Sequence[Case],
    prepared: Prepared | None = None,
    memo: Memo | None = None,
    base: Callable[[], Answers | None] = lambda: None,
) -> Iterator[Row]:
    """Run and judge the cases of a connected target: the axes first, then everything in the dialect found.

    What the framework documents changes a verdict, never the dialect: what follows is judged as observed.

    base: returns the answers of the default execution, where this is another one, as soon as they are known.
    memo: judges in the place of `judge`, and remembers. The worker is killed at the end: there is nothing that
    it should still do.
    """
    memories: dict[str, Memory] = {}
    judging = memo or partial(judge, prepared=prepared, memories=memories)
    dialect = Dialect()
    traces: dict[str, Trace] = {}
    told: list[Row] = []
    clauses = iter(() if memo else [case for case in cases if not case.rivals and small(case)])

    def meanwhile() -> bool:
        """Simulate a clause ahead while replicas are started: seconds, and what is known by then is nearly all."""
        later = next(clauses, None) if case.replicas > 1 else None
        if later:
            ahead(later, dialect, memories.setdefault(later.key, {}))
        return later is not None

    coming = driver.traces([case for case in cases if case.program], meanwhile)
    for case in cases:
        if case.clauses == (CLAUSE,):
            driver.answers = own = answers(row.as_json() for row in told)
            yield equivalence(case, own, None if driver.default else base(), default=driver.default)
            continue
        while case.key not in traces:
            try:
                key, trace = next(coming)
            except TargetFailed as failure:
                driver.failure = str(failure)
            except StopIteration:
                traces[case.key] = Trace("not-run", reason=driver.failure or "the worker was stopped")
            else:
                traces[key] = trace
        trace = traces.pop(case.key)
        try:
            rows, dialect = judging(case, trace, dialect)
        except Exception as error:
            # A fault of ours in one case must not lose the others; the row says so.
            reason = f"bnspec failed to judge it: {type(error).__name__}: {error}"
            rows = not_judged(case, Trace("error", reason=reason, seconds=trace.seconds))
            dialect = dialect.not_deciding(case.clauses if case.rivals else (), case.situation)
        memories.pop(case.key, None)
        told += rows
        for row in rows:
            yield driver.held_to_claims(replace(row, seconds=trace.seconds if row is rows[0] else 0.0))
    driver.answers = answers(row.as_json() for row in told)
    coming.close()
