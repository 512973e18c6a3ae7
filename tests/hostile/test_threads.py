"""Threads of a framework that cannot change their number: processes that are bound to one and to two processors."""

import os

import pytest

from bnspec.case import Case, set_threads, train
from bnspec.data import batch
from bnspec.driver import Timeouts
from bnspec.suite import load_cases
from bnspec.worker import spares
from bnspec.worker.adapter import Adapter, Unsupported

NAME = "threads-output-rank2"
FILES = {"WithThreads": "threaded.py"}
PATIENT = Timeouts(start=60, first=30, case=30)
"""Its spares are started, which takes a second, and more on a busy machine."""


@pytest.fixture
def outcome_of(run_on, asked):
    """Run the cases that are asked on an adapter, wherever it is."""

    def run(adapter):
        more = {"timeouts": PATIENT} if adapter in FILES else {}
        return run_on(f"{FILES.get(adapter, 'threads.py')}:{adapter}", asked=asked, **more)

    return run


@pytest.fixture
def asked(cases):
    """The question, twice, and an ordinary case before, between and behind."""
    (threads,) = (
        case for case in load_cases() if case.clauses == ("execution.determinism",) and case.situation == NAME
    )
    again = Case(threads.clauses, "again", threads.layer, threads.program, "", threads.rivals)
    return [cases[0], threads, cases[1], again, cases[3]]


@pytest.mark.parametrize(
    ("adapter", "verdicts", "words", "started"),
    [
        ("Same", ("conforms", "conforms"), "", 1),
        ("OneForEveryProcessor", ("conforms", "conforms"), "", 1),
        ("WithThreads", ("conforms", "conforms"), "", 1),
        ("DiesWhenBound", ("crash", "not-run"), "the process bound to 1 of the processors ended", 1),
        ("HangsWhenBound", ("timeout", "timeout"), "not finished after 2.5 s", 3),
        ("RaisesWhenBound", ("refuses", "refuses"), "no kernel for 1", 1),
        ("HasNoWordsWhenBound", ("unsupported", "unsupported"), "the adapter numpy has no call", 1),
        ("IsWrongItself", ("error", "error"), "KeyError at threads.py", 1),
    ],
)
def test_what_happens_in_a_bound_process_costs_the_cases_that_ask_for_it(outcome_of, adapter, verdicts, words, started):
    outcome = outcome_of(adapter)
    assert tuple(outcome.rows[name].verdict for name in (NAME, "again")) == verdicts, outcome.rows
    assert words in str(outcome.rows[NAME].message)
    assert {row.verdict for name, row in outcome.rows.items() if name not in (NAME, "again")} == {"conforms"}
    assert len(outcome.workers) == started


def test_bits_that_depend_on_the_processors_are_told_from_those_that_do_not(outcome_of):
    for adapter, variant in (
        ("Same", "same-bits"),
        ("OneForEveryProcessor", "thread-dependent"),
        ("WithThreads", "thread-dependent"),
    ):
        assert outcome_of(adapter).rows[NAME].variant == variant


def test_a_machine_with_one_processor_says_so(run_on, asked):
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, sorted(before)[:1])
        outcome = run_on("threads.py:Same", asked=asked)
    finally:
        os.sched_setaffinity(0, before)
    assert outcome.rows[NAME].verdict == "unsupported"
    assert outcome.rows[NAME].message == "2 threads need as many processors; this process may use 1"


def test_an_adapter_that_changes_its_threads_or_computes_on_a_gpu_needs_no_bound_process():
    class Changing(Adapter):
        def set_threads(self, count):
            pass

    assert spares.wanted(Adapter, "cpu")
    assert spares.wanted(object, "cpu")
    assert not spares.wanted(Adapter, "cuda")
    assert not spares.wanted(Changing, "cpu")


def test_a_program_is_cut_at_its_threads_and_begins_with_them():
    x = batch((4, 3), -1, seed=1)
    steps = [{"do": step.do, "options": step.options} for step in (set_threads(1), train(x), set_threads(2), train(x))]
    assert [(count, [step["do"] for step in part]) for count, part in spares.parts(steps)] == [
        (1, ["train"]),
        (2, ["train"]),
    ]
    with pytest.raises(spares.SpareFault, match="begins with"):
        list(spares.parts(steps[1:]))
    for case in load_cases():
        does = [step.do for step in case.program]
        assert "set_threads" not in does or does[0] == "set_threads", case.key


def test_more_numbers_of_threads_than_there_are_spares_are_refused():
    few = spares.Spares([], lambda: pytest.fail("another one was started"))
    few.bound = {2: None, 3: None}
    with pytest.raises(Unsupported, match="2 numbers of threads were asked for before"):
        few.ask(1, {}, [])
    assert sorted(few.bound) == [2, 3]
