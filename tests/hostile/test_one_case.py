"""A case that crashes, hangs or babbles costs one case: its own."""

import contextlib
import os
import signal

import numpy as np
import pytest

from bnspec.case import Case, Layer, infer, write

CLEARLY_LESS_THAN_FOR_EVER = 30


@pytest.mark.parametrize(
    ("adapter", "verdict", "words"),
    [
        ("Segfaults", "crash", "SIGSEGV"),
        ("SysExits", "crash", "exited with status 3"),
        ("OsExits", "crash", "exited with status 3"),
        ("DiesTalking", "crash", "no more memory"),
        ("ForksAndDies", "crash", "exited with status 3"),
        ("ClosesThePipe", "crash", "exited with status 1"),
        ("Hangs", "timeout", "not finished after 2.5 s"),
        ("HangsIgnoringSignals", "timeout", "not finished after 2.5 s"),
        ("ClaimsGigabytes", "timeout", "not finished after 2.5 s"),
        ("WritesGarbage", "error", "no frame"),
        ("WritesGarbageWithoutEnd", "error", "no frame"),
        ("WritesAnEndlessLine", "error", "no frame"),
        ("AnswersNothing", "error", "an answer to nothing"),
        ("AnswersTwice", "error", "no readable trace"),
        ("GivesEndlessSeconds", "error", "made up"),
        ("GivesAnotherShape", "violates", "shape (1, 3); expected (4, 3)"),
        ("GivesAnotherType", "violates", "dtype float64; expected float32"),
        ("GivesAList", "violates", "dtype float64; expected float32"),
        ("GivesNothing", "violates", "no y; it gave nothing"),
        ("GivesText", "error", "expected an array"),
        ("GivesObjects", "error", "expected an array"),
        ("GivesARaggedList", "error", ""),
        ("GivesComplexNumbers", "error", "expected an array"),
        ("GivesLongDoubles", "error", "expected an array"),
        ("Raises", "refuses", "raised RuntimeError: no kernel"),
        ("RaisesAtConstruction", "refuses", "raised ValueError: epsilon is too small"),
        ("RaisesInItsOwnLines", "error", "KeyError at adapters.py"),
        ("HasNoMemory", "not-run", "memory was out: "),
        ("HasNoMemoryOnTheDevice", "not-run", "memory was out: RuntimeError: CUDA out of memory. Tried"),
        ("TakesNoMode", "error", "takes 1 positional argument but 2 were given"),
    ],
)
def test_what_an_adapter_does_in_one_case_costs_that_case(run_on, adapter, verdict, words):
    outcome = run_on(adapter)
    assert outcome.rows["victim"].verdict == verdict, outcome.rows["victim"]
    assert words in outcome.rows["victim"].message
    assert outcome.others == {"conforms"}, outcome.rows
    assert len(outcome.workers) <= 2
    assert outcome.seconds < CLEARLY_LESS_THAN_FOR_EVER


@pytest.mark.parametrize("adapter", ["ForksAwayAndDies", "ForksAwayWritingAndDies"])
def test_a_child_that_escapes_with_the_pipe_does_not_hold_up_the_run(run_on, mark, wait_for, adapter):
    try:
        outcome = run_on(adapter)
    finally:
        escaped = int(wait_for(mark))
        with contextlib.suppress(ProcessLookupError):
            os.kill(escaped, signal.SIGKILL)
    assert outcome.rows["victim"].verdict == "crash"
    assert "exited with status 3" in outcome.rows["victim"].message
    assert outcome.others == {"conforms"}
    assert outcome.seconds < CLEARLY_LESS_THAN_FOR_EVER


def test_printing_costs_nothing(run_on):
    outcome = run_on("Prints")
    assert {row.verdict for row in outcome.rows.values()} == {"conforms"}
    assert len(outcome.workers) == 1


def test_a_message_holds_nothing_that_acts_on_a_terminal(run_on):
    assert "\x1b" not in run_on("DiesTalking").rows["victim"].message


def test_the_adapter_of_these_tests_is_right_where_it_does_not_mean_to_be_wrong(run_on):
    outcome = run_on("Innocent")
    assert {row.verdict for row in outcome.rows.values()} == {"conforms"}
    assert outcome.driver.facts["momentum"] == 0.99


@pytest.mark.parametrize(
    ("adapter", "words"),
    [
        ("FactsCrash", "crash: exited with status 3"),
        ("FactsHang", "timeout: not finished after 2.5 s"),
        ("FactsRaise", "RuntimeError: no facts today"),
        ("FactsAreEndless", "error: the worker sent something that is no frame"),
    ],
)
def test_facts_that_fail_cost_no_case_and_say_so(run_on, adapter, words):
    outcome = run_on(adapter)
    assert {row.verdict for row in outcome.rows.values()} == {"conforms"}
    assert words in outcome.driver.facts["not known"]


def test_facts_that_are_no_json_arrive_as_text(run_on):
    outcome = run_on("FactsAreNoJson")
    assert outcome.driver.facts["momentum"] == "0.5"
    assert outcome.driver.facts["type"] == "float32"
    assert len(outcome.workers) == 1


def test_large_frames_in_both_directions_do_not_deadlock(run_on):
    x = np.ones((1 << 18, 3), dtype=np.float32)
    state = write(mean=np.zeros(3), variance=np.ones(3))
    asked = [Case(("forward.inference",), name, Layer(), (state, infer(x)), "3 MB") for name in "abcdefgh"]
    outcome = run_on("Innocent", asked=asked)
    assert [row.verdict for row in outcome.rows.values()] == ["conforms"] * 8
    assert len(outcome.workers) == 1


def test_hundreds_of_long_errors_fit_in_one_answer(run_on):
    x = np.ones((4, 3), dtype=np.float32)
    asked = [Case(("forward.inference",), "victim", Layer(epsilon=1e-5), (infer(x),) * 210, "many steps")]
    assert run_on("RaisesLongTexts", asked=asked).rows["victim"].verdict == "refuses"
