"""The environments of a run: never more than needed, shared by their targets, discarded after the last."""

import threading
import time
from dataclasses import dataclass, field

import pytest

import bnspec.supply
from bnspec.environments import Environment, EnvironmentProblem
from bnspec.supply import Supply
from bnspec.targets import Target


@dataclass
class Maker:
    """In the place of uv: what is there, what was made and removed, and how many there were at most."""

    there: set[str] = field(default_factory=set)
    marked: set[str] = field(default_factory=set)
    made: list[str] = field(default_factory=list)
    kept: list[bool] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    swept: int = 0
    most: int = 0

    def make(self, environment, stopped, *, keep):
        if environment.name in self.there:
            return
        if environment.name == "broken":
            raise EnvironmentProblem("does not resolve")
        if environment.name == "odd":
            raise ZeroDivisionError("ours")
        self.there.add(environment.name)
        self.made.append(environment.name)
        self.kept.append(keep)
        if not keep:
            self.marked.add(environment.name)
        self.most = max(self.most, len(self.there))

    def discard(self, environment):
        if environment.name in self.marked:
            self.there.discard(environment.name)
            self.removed.append(environment.name)

    def sweep(self):
        self.swept += 1


@pytest.fixture
def maker(monkeypatch):
    maker = Maker()
    monkeypatch.setattr(bnspec.supply, "make", maker.make)
    monkeypatch.setattr(bnspec.supply, "discard", maker.discard)
    monkeypatch.setattr(bnspec.supply, "discard_left_over", maker.sweep)
    monkeypatch.setattr(Environment, "made", property(lambda self: self.name in maker.there))
    return maker


def targets(*names: str) -> list[Target]:
    """Return targets named ENVIRONMENT/ADAPTER."""
    parts = (name.split("/") for name in names)
    return [Target(Environment(name, "3.11", ("x",)), adapter, "x:X") for name, adapter in parts]


def supply(chosen: list[Target], *, jobs: int = 1, discard: bool = True, stopped=lambda: False) -> Supply:
    return Supply(chosen, jobs=jobs, discard=discard, stopped=stopped)


def run(given: Supply) -> list[tuple[str, str]]:
    """Run each target as it comes; return their names with what was wrong."""
    order = []
    for group, problem in given.ready(lambda target: None):
        for target in group:
            order.append((target.name, problem))
            given.done(target)
    return order


def test_targets_of_one_environment_come_together_and_those_that_are_there_first(maker):
    maker.there.add("c")
    order = run(supply(targets("a/x", "b/x", "a/y", "c/x")))
    assert [name for name, _ in order] == ["c/x", "a/x", "a/y", "b/x"]


def test_what_is_made_is_removed_after_its_last_target_and_what_was_there_stays(maker):
    maker.there.add("c")
    given = supply(targets("a/x", "a/y", "c/x"))
    coming = given.ready(lambda target: None)
    [there] = next(coming)[0]
    given.done(there)
    first, second = next(coming)[0]
    given.done(first)
    assert maker.removed == []
    given.done(second)
    assert maker.removed == ["a"]
    assert maker.there == {"c"}
    assert (maker.kept, maker.swept) == ([False], 1)
    given.close()
    assert maker.swept == 2, "what a killed run's last processes still held at the beginning"


def test_what_a_killed_run_made_not_to_be_kept_is_removed_after_its_last_target(maker):
    maker.there.update(("a", "b"))
    maker.marked.add("a")
    run(supply(targets("a/x", "b/x", "c/x")))
    assert maker.there == {"b"}
    assert maker.made == ["c"]


def test_without_discarding_all_stays(maker):
    given = supply(targets("a/x", "b/x"), discard=False)
    run(given)
    given.close()
    assert maker.there == {"a", "b"}
    assert (maker.removed, maker.kept, maker.swept) == ([], [True, True], 0)


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_no_more_are_made_than_run_and_one(maker, jobs):
    chosen = targets(*(f"e{number}/{adapter}" for number in range(12) for adapter in "xy"))
    given = supply(chosen, jobs=jobs)
    waiting, running, order = [], [], []

    def hand_out() -> None:
        for group, _ in given.ready(lambda target: None):
            waiting.extend(group)

    thread = threading.Thread(target=hand_out)
    thread.start()
    until = time.monotonic() + 60
    while len(order) < len(chosen):
        assert time.monotonic() < until, "it waits for itself"
        while waiting and len(running) < jobs:
            running.append(waiting.pop(0))
        if running and (len(running) == jobs or not thread.is_alive() or len(maker.there) > jobs):
            order.append(running[0])
            given.done(running.pop(0))
        time.sleep(0.001)
    thread.join(10)
    assert not thread.is_alive()
    assert maker.most <= jobs + 1
    assert maker.most >= 2, "the next is made while one runs"
    assert maker.there == set()


def test_an_environment_that_cannot_be_made_costs_its_targets_alone(maker):
    order = run(supply(targets("broken/x", "broken/y", "a/x", "odd/x", "b/x"), jobs=1))
    problems = dict(order)
    assert problems.pop("odd/x").startswith("a fault of bnspec at test_supply.py:")
    assert problems == {"broken/x": "does not resolve", "broken/y": "does not resolve", "a/x": "", "b/x": ""}
    assert maker.there == set()


def test_a_run_that_is_stopped_gets_no_more_and_leaves_nothing(maker):
    stopped = threading.Event()
    given = supply(targets("a/x", "b/x", "c/x", "d/x"), stopped=stopped.is_set)
    coming = given.ready(lambda target: None)
    next(coming)
    next(coming)
    threading.Timer(0.2, stopped.set).start()
    assert list(coming) == [], "there is no room for a third, and nobody waits for it for ever"
    given.close()
    assert (maker.made, maker.there) == (["a", "b"], set())


def test_who_asks_is_told_what_is_being_made(maker):
    told = []
    maker.there.add("b")
    list(supply(targets("a/x", "a/y", "b/x")).ready(lambda target: told.append(target.name)))
    assert told == ["a/x"]
