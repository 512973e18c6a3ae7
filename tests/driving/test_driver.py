"""The driver, with workers that follow a script: what is sent, what is lost, what is sent again."""

import queue
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripted import NAMES, TARGET, Scripted, case, slowly, statuses

import bnspec.driver
from bnspec.answers import FACTS, parse_trace
from bnspec.driver import Driver, TargetFailed, Timeouts
from bnspec.process import WorkerProcess
from bnspec.runner import judged


def connected(**timeouts: float) -> Driver:
    driver = Driver(TARGET, Timeouts(**timeouts))
    driver.connect()
    return driver


def test_programs_behind_the_victim_are_sent_again_to_a_fresh_worker(scripted):
    def script(worker: Scripted, key: str) -> None:
        if "[b]" in key and len(worker.started) == 1:
            worker.begin(key)
            worker.die()
        else:
            worker.answer(key)

    workers = scripted(script)
    assert statuses(connected(), "abcd") == {"a": "unsupported", "b": "crash", "c": "unsupported", "d": "unsupported"}
    first, second = workers.started
    assert [key[-3:] for key in first.asked] == [FACTS[-3:], "[a]", "[b]"]
    assert [key[-3:] for key in second.asked] == ["[c]", "[d]"]


def test_several_programs_are_in_flight(scripted):
    workers = scripted(lambda worker, key: None)
    driver = connected(first=0.05, case=0.05)
    assert next(driver.traces([case("a"), case("b"), case("c")]))[1].status == "timeout"
    assert len(workers.started[0].asked) == 4


def test_other_work_is_done_while_the_worker_has_nothing_to_tell(scripted):
    workers = scripted(lambda worker, key: worker.answer(key) if FACTS in key else None)
    driver, done = connected(), []

    def meanwhile() -> bool:
        done.append(len(done))
        if len(done) == 3:
            workers.started[0].answer(case("a").key)
        return True

    assert [key for key, _ in driver.traces([case("a")], meanwhile)] == [case("a").key]
    assert done == [0, 1, 2]


def test_other_work_ends_where_the_time_of_a_case_does(scripted):
    scripted(lambda worker, key: worker.answer(key) if FACTS in key else None)
    [(_, trace)] = connected(first=0.05, case=0.05).traces([case("a")], lambda: True)
    assert trace.status == "timeout"


@pytest.mark.usefixtures("slow")
def test_a_worker_whose_cases_are_slow_is_sent_few_at_a_time(scripted):
    scripted(slowly)
    driver = connected()
    ahead = []
    for _ in driver.traces([case(name) for name in NAMES]):
        ahead.append(len(driver.session.asked))
    assert max(ahead[4:]) == bnspec.driver.SLOW_IN_FLIGHT - 1


def test_a_worker_that_dies_between_two_cases_costs_none(scripted):
    def script(worker: Scripted, key: str) -> None:
        worker.answer(key)
        if "[a]" in key and len(worker.started) == 1:
            worker.die()

    scripted(script)
    assert set(statuses(connected(), "abc").values()) == {"unsupported"}


def test_workers_that_die_three_times_without_a_case_cost_one_and_come_to_an_end(scripted):
    workers = scripted(lambda worker, key: worker.die())
    assert statuses(connected(), "abc") == {"a": "crash", "b": "crash", "c": "crash"}
    assert len(workers.started) == 6, "two free deaths, then one for the facts and one for every case"


def test_a_worker_that_babbles_between_two_cases_costs_none(scripted):
    def script(worker: Scripted, key: str) -> None:
        worker.answer(key)
        if "[a]" in key and len(worker.started) == 1:
            worker.put("frame", {"event": "trace", "id": key})

    scripted(script)
    assert set(statuses(connected(), "abc").values()) == {"unsupported"}


def test_time_that_the_host_spends_judging_is_not_counted_against_a_case(scripted, monkeypatch):
    monkeypatch.setattr(bnspec.driver, "IN_FLIGHT_BYTES", 0)
    scripted(lambda worker, key: threading.Timer(0.02, worker.answer, [key]).start())
    found = []
    for key, trace in connected(first=0.5, case=0.5).traces([case("a"), case("b"), case("c")]):
        found.append((key[-3:], trace.status))
        time.sleep(0.6)
    assert found == [("[a]", "unsupported"), ("[b]", "unsupported"), ("[c]", "unsupported")]


def test_stopping_from_another_thread_ends_the_run_at_once(scripted):
    scripted(lambda worker, key: None)
    driver = connected()
    threading.Timer(0.05, driver.stop).start()
    started = time.monotonic()
    rows = list(judged(driver, [case("a"), case("b")]))
    assert time.monotonic() - started < 10
    assert {row.verdict for row in rows} <= {"crash", "not-run"}


def test_a_worker_that_is_started_while_the_run_is_stopped_is_killed(scripted):
    workers = scripted(lambda worker, key: None)
    driver = connected()
    driver.stopped = True
    driver.start()
    assert workers.started[-1].killed


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"event": "failed", "class": "OSError", "text": "two\nlines\x1b[31m"}, "OSError: two lines"),
        ({"event": "ready"}, "it does not say how it can run"),
        ({"event": "ready", "executions": "eager"}, "it does not say how it can run"),
        ({"event": "trace"}, "it sent something else; it printed: last words"),
    ],
)
def test_a_worker_that_begins_with_something_odd_is_one_clear_line(scripted, header, words):
    workers = scripted(lambda worker, key: None)
    driver = Driver(TARGET, Timeouts())
    worker = workers.started[0]
    worker.events = queue.Queue()
    worker.put("frame", header)
    with pytest.raises(TargetFailed) as failed:
        driver.connect()
    assert words in str(failed.value)
    assert str(failed.value).isprintable()
    assert worker.killed


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"status": "fine"},
        {"status": "ran"},
        {"status": "ran", "steps": 3},
        {"status": "ran", "steps": [3]},
        {"status": "ran", "steps": [{}]},
        {"status": "ran", "steps": [{"arrays": {"y": 5}}]},
        {"status": "ran", "steps": [{"arrays": {"y": 10**30}}]},
        {"status": "ran", "steps": [{"arrays": {"y": None}}]},
        {"status": "ran", "steps": [{"error": "text"}]},
        {"status": "ran", "steps": [{"error": {}}]},
    ],
)
def test_an_answer_that_is_no_trace_is_an_error_of_that_case(header):
    trace = parse_trace(header, [np.zeros(3)])
    assert trace.status == "error"
    assert "no readable trace" in trace.reason


@pytest.mark.parametrize("seconds", [None, "1", -1, 10**400, float("nan"), float("inf"), [1]])
def test_seconds_that_cannot_be_are_none(seconds):
    assert parse_trace({"status": "unsupported", "seconds": seconds}, []).seconds == 0


def test_a_hostile_answer_is_taken_for_what_it_is(scripted):
    def script(worker: Scripted, key: str) -> None:
        worker.begin(key)
        worker.put("frame", {"event": "trace", "id": [key], "status": "ran"})

    scripted(script)
    assert statuses(connected(), "ab") == {"a": "error", "b": "error"}


def test_facts_that_are_too_long_are_not_kept(scripted):
    scripted(lambda worker, key: worker.answer(key, facts={"x": "y" * 100_000}))
    driver = connected()
    statuses(driver, "a")
    assert driver.facts == {"not known": "the adapter gave too many"}


def test_an_error_does_not_say_where_on_this_machine_things_lie():
    where = "/home/me/env/lib/python3.6/site-packages/tf.py"
    text = f'File "{where}", at /src/x/bnspec/worker/adapters/a.py:3 \x1b[1mbad a/b File "/home/me/en'
    step = {"error": {"class": "E", "text": text}}
    [shown] = parse_trace({"status": "ran", "arrays": [], "steps": [step]}, []).steps
    kept = 'File "lib/python3.6/site-packages/tf.py", at bnspec/worker/adapters/a.py:3 bad a/b File "'
    assert shown.error == ("E", kept)


def test_workers_keep_what_jax_compiled_in_our_cache_but_where_the_user_says_otherwise(monkeypatch, tmp_path):
    given = []

    def refused(command: Any, *, env: Any, **more: Any) -> None:
        given.append(env)
        raise OSError("no process")

    monkeypatch.setattr("subprocess.Popen", refused)
    monkeypatch.setenv("BNSPEC_CACHE", str(tmp_path))
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "1")
    with pytest.raises(OSError, match="no process"):
        WorkerProcess(Path("python"), {})
    assert given[0]["JAX_COMPILATION_CACHE_DIR"] == str(tmp_path / "jax")
    assert given[0]["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] == "1"
