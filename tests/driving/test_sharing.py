"""Two workers of one target: who takes what, and what becomes of it where one of them is lost."""

import threading
import time
from collections import deque
from functools import partial
from typing import Any

import pytest
from scripted import NAMES, TARGET, Scripted, case, slowly, statuses

import bnspec.sharing
from bnspec.answers import FACTS
from bnspec.driver import Driver, TargetFailed, Timeouts
from bnspec.environments import find
from bnspec.results import read
from bnspec.runs import Run, carry_out
from bnspec.sharing import FromTheEnd, Helper, Seats, SharingDriver
from bnspec.targets import choose


@pytest.fixture(autouse=True)
def worth(slow: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a helper for worth its start."""
    monkeypatch.setattr(bnspec.sharing, "WORTH_STARTS", 0.0)


@pytest.fixture
def nothing_starts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no driver start a second worker of its own."""
    start = Driver.start

    def once(driver: Driver, *given: Any) -> None:
        if hasattr(driver, "session"):
            raise TargetFailed("it does not start again")
        start(driver, *given)

    monkeypatch.setattr(Driver, "start", once)


def connected(seats: Seats) -> SharingDriver:
    driver = SharingDriver(TARGET, Timeouts(), seats)
    driver.connect()
    return driver


def but(name: str, status: str = "crash") -> dict[str, str]:
    """Return the statuses where one case is lost."""
    return {other: status if other == name else "unsupported" for other in NAMES}


def in_a_helper() -> bool:
    return threading.current_thread() is not threading.main_thread()


def test_slow_cases_are_shared_with_a_helper_that_takes_the_last_ones(scripted):
    workers = scripted(slowly)
    driver = connected(Seats(1))
    assert set(statuses(driver, NAMES)) == set(NAMES)
    first, helper = (worker.names for worker in workers.started)
    assert first + helper[::-1] == NAMES, "each runs once"
    assert len(helper) >= 2
    assert driver.compilations == len(NAMES) + 1, "of both, the facts with them"
    assert driver.seats.free == 1
    assert all(worker.killed for worker in workers.started)


@pytest.mark.parametrize("seats", [Seats(0), Seats(1, targets=1)])
def test_there_is_no_helper_without_a_seat_that_nobody_else_wants(scripted, seats):
    workers = scripted(slowly)
    driver = connected(seats)
    assert set(statuses(driver, NAMES)) == set(NAMES)
    assert (len(workers.started), driver.workers) == (1, 1)


def test_there_is_no_helper_where_cases_are_fast(scripted):
    workers = scripted(lambda worker, key: worker.answer(key))
    assert set(statuses(connected(Seats(1)), NAMES)) == set(NAMES)
    assert len(workers.started) == 1


def test_there_is_no_helper_where_starting_it_takes_longer_than_what_is_left(scripted, monkeypatch):
    monkeypatch.setattr(bnspec.sharing, "WORTH_STARTS", 1.0)
    workers = scripted(slowly)
    driver = connected(Seats(1))
    driver.starting_seconds = 0.02 * len(NAMES)
    assert set(statuses(driver, NAMES)) == set(NAMES)
    assert len(workers.started) == 1


def test_a_helper_that_dies_costs_the_case_that_it_was_at(scripted):
    workers = scripted(partial(slowly, deadly="k", victim=1))
    driver = connected(Seats(1))
    assert statuses(driver, NAMES) == but("k")
    assert len(workers.started) == 3
    assert driver.compilations == len(NAMES), "those of the dead one with them"


@pytest.mark.usefixtures("nothing_starts_again")
def test_a_helper_goes_on_where_the_first_does_not_start_again(scripted):
    workers = scripted(partial(slowly, deadly="e", victim=0))
    assert statuses(connected(Seats(1)), NAMES) == but("e")
    assert len(workers.started) == 2


@pytest.mark.parametrize("late", [False, True])
def test_a_helper_that_does_not_start_leaves_everything_to_the_first(scripted, monkeypatch, late):
    workers = scripted(slowly)
    connect = Driver.connect

    def refused(driver: Driver) -> None:
        if in_a_helper():
            time.sleep(0.5 if late else 0)
            raise TargetFailed("it does not start")
        connect(driver)

    monkeypatch.setattr(Driver, "connect", refused)
    driver = connected(Seats(1))
    assert set(statuses(driver, NAMES)) == set(NAMES)
    assert workers.started[0].names == NAMES
    assert driver.seats.free == 1


@pytest.mark.usefixtures("nothing_starts_again")
def test_what_a_helper_had_when_it_died_for_good_waits_again(scripted):
    workers = scripted(partial(slowly, deadly="i", victim=1))
    assert statuses(connected(Seats(1)), NAMES) == but("i")
    assert len(workers.started) == 2


def test_what_is_taken_from_the_end_and_given_back_stands_where_it_stood(scripted):
    scripted(slowly)
    driver, waiting = FromTheEnd(TARGET, Timeouts()), deque(NAMES)
    driver.give_back([str(driver.take_one(waiting)) for _ in range(3)], waiting)
    assert "".join(waiting) == NAMES


def test_what_a_helper_finds_out_beside_the_cases_is_known_to_the_one_that_is_helped(scripted):
    scripted(lambda worker, key: worker.answer(key, facts={"momentum": 0.1}))
    driver = connected(Seats(1))
    assert list(Helper(driver, deque([FACTS]), {FACTS: None}).found()) == []
    assert driver.facts == {"momentum": 0.1}


def test_a_fault_of_bnspec_in_a_helper_does_not_vanish(scripted, monkeypatch):
    scripted(slowly)
    monkeypatch.setattr(FromTheEnd, "work", lambda *given: 1 / 0)
    driver = connected(Seats(1))
    with pytest.raises(ZeroDivisionError):
        statuses(driver, NAMES)
    assert driver.seats.free == 1


def test_a_helper_that_begins_while_the_run_is_given_up_does_nothing(scripted, monkeypatch):
    start = Driver.start

    def late(driver: Driver, *given: Any) -> None:
        if in_a_helper():
            time.sleep(0.3)
        start(driver, *given)

    monkeypatch.setattr(Driver, "start", late)
    workers = scripted(slowly)
    driver = connected(Seats(1))
    coming = driver.traces([case(name) for name in NAMES])
    while driver.helper is None:
        next(coming)
    coming.close()
    assert workers.started[1].names == ""


def test_a_run_that_is_given_up_ends_its_helper_too(scripted):
    workers = scripted(slowly)
    driver = connected(Seats(1))
    coming = driver.traces([case(name) for name in NAMES])
    while driver.helper is None or driver.helper.driver is None:
        next(coming)
    coming.close()
    assert not driver.helper.thread.is_alive()
    assert all(worker.killed for worker in workers.started)


def test_a_helper_that_begins_while_the_run_is_stopped_is_stopped_too(scripted):
    class Stopping(Seats):
        def take_spare(self) -> bool:
            driver.stop()
            return True

    def script(worker: Scripted, key: str) -> None:
        if worker.number == 0:
            slowly(worker, key)

    workers = scripted(script)
    driver = connected(Stopping(1))
    started = time.monotonic()
    list(driver.traces([case(name) for name in NAMES]))
    assert driver.helper is not None
    assert time.monotonic() - started < 10
    assert all(worker.killed for worker in workers.started)


def test_a_shared_run_of_real_workers_has_the_same_verdicts_and_says_that_there_were_two(tmp_path, monkeypatch):
    monkeypatch.setattr(bnspec.driver, "SLOW_SECONDS", 0.0)
    told = []
    for jobs in (1, 2):
        run = Run([choose(find("numpy"), None, "cpu")])
        carry_out(run, tmp_path / f"{jobs}.jsonl", jobs=jobs, expression="stats. or degenerate.")
        [target] = read(tmp_path / f"{jobs}.jsonl").targets.values()
        assert (run.failed, run.seats.free, run.seats.targets) == ({}, jobs, 0)
        verdicts = {row["id"]: (row["verdict"], row.get("variant"), row.get("ratio")) for row in target.rows.values()}
        told.append((verdicts, target.info.get("workers", 1)))
    (alone, one), (shared, two) = told
    assert shared == alone
    assert (one, two) == (1, 2)
