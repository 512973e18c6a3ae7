"""The rival answers of an axis case: what each expects, and how far apart they are."""

import itertools
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from bnspec.case import Array, Case
from bnspec.expectation import Expectation
from bnspec.reference.statistics import Floats
from bnspec.simulate import Memory, Recorder, simulate
from bnspec.spec import AXES, Dialect, SuiteError, UndecidedError

MARGIN = 10.0
"""A case that claims to tell rivals apart has at least this many allowances between them."""


LATER = ("precision.moments", "precision.accumulation", "precision.centring")
"""Axes that choose the allowance of float32; the first of the suite's cases are judged before they are asked."""


TOGETHER = 1 << 18
"""So many numbers are compared at once."""


@dataclass(frozen=True)
class Rivals:
    """The rival answers of an axis case, and what each expects.

    missing: the answers of which it is not known what they expect; undecided: why: it depends on an axis
    that was not decided; asked: the axes that the expectations depend on, the rivals' own among them;
    formulated: where the rivals are classes of accuracy, what an implementation of each shows, with its errors;
    memory: what was computed for all this.
    """

    answers: tuple[Mapping[str, str], ...]
    expected: tuple[tuple[Expectation, ...], ...]
    undecided: UndecidedError | None = None
    asked: frozenset[str] = frozenset()
    missing: tuple[Mapping[str, str], ...] = ()
    formulated: tuple[tuple[Expectation, ...], ...] = ()
    memory: Memory = field(default_factory=dict)

    @cached_property
    def apart(self) -> Array:
        """The largest distance between any two rivals, in allowances; infinite where a fact differs.

        Between classes of accuracy: what the worse one computes, in allowances of the better one.
        """
        apart = distances(self.expected)
        classes = [accuracy(answer) for answer in self.answers]
        for i, j in itertools.permutations(range(len(self.formulated)), 2):
            if classes[i] < classes[j]:
                apart[i, j] = apart[j, i] = error(self.expected[i], self.formulated[j])
        return apart

    @cached_property
    def pairs(self) -> dict[str, dict[tuple[str, str], float | None]]:
        """Per axis and pair of its variants: the smallest distance between two rivals that answer so.

        In allowances; None where a rival with one of the two answers is missing. Variants stand in the order of
        the axis; "" is that of the rivals that say nothing of it.
        """
        return {axis: self.pairs_of(axis) for axis in dict.fromkeys(axis for answer in self.answers for axis in answer)}

    def pairs_of(self, axis: str) -> dict[tuple[str, str], float | None]:
        """Return the smallest distance of every pair of answers to one axis."""
        given = np.array([answer.get(axis, "") for answer in self.answers])
        unknown = {answer.get(axis, "") for answer in self.missing}
        variants = [variant for variant in (*AXES[axis].variants, "") if variant in {*given.tolist(), *unknown}]
        smallest: dict[tuple[str, str], float | None] = {}
        for one, other in itertools.combinations(variants, 2):
            apart = self.apart[np.ix_(given == one, given == other)]
            smallest[one, other] = None if {one, other} & unknown else float(apart.min(initial=np.inf))
        return smallest

    @cached_property
    def margins(self) -> dict[str, float]:
        """Per axis: the smallest distance between two rivals that answer it differently, in allowances.

        Unknown where a rival is missing.
        """
        if self.undecided:
            return {}
        return {
            axis: min((distance for distance in pairs.values() if distance is not None), default=np.inf)
            for axis, pairs in self.pairs.items()
        }


def rivals(case: Case, dialect: Dialect, memory: Memory | None = None) -> Rivals:
    """Simulate every rival of an axis case, the rest of the dialect as it is."""
    memory = {} if memory is None else memory
    answers, expected, formulated, missing, why = [], [], [], [], None
    asked: set[str] = set()
    for rival in case.rivals:
        recorder = Recorder(dialect.answering(rival, case.situation))
        try:
            expected.append(simulate(case, recorder, memory))
            if accuracy(rival):
                formulated.append(simulate(case, recorder, memory, formulated=True))
            answers.append(rival)
        except UndecidedError as undecided:
            missing.append(rival)
            why = undecided
        asked.update(axis for axis, _ in recorder.asked)
    return Rivals(tuple(answers), tuple(expected), why, frozenset(asked), tuple(missing), tuple(formulated), memory)


def accuracy(answer: Mapping[str, str]) -> tuple[int, ...]:
    """Return the classes of accuracy of an answer that a formulation computes, 0 for the best."""
    named = ((AXES[axis], variant) for axis, variant in answer.items() if axis.startswith("precision."))
    return tuple(list(axis.variants).index(variant) for axis, variant in named if axis.accuracy)


def error(expected: Sequence[Expectation], shown: Sequence[Expectation]) -> float:
    """Return the largest error of what an implementation shows, in the allowances of what is expected."""
    worst = 0.0
    for step, other in zip(expected, shown, strict=True):
        for name, numbers in step.values.items():
            found = other.values[name]
            if found.dtype != numbers.dtype:
                return np.inf
            with np.errstate(invalid="ignore", divide="ignore"):
                ratio = np.asarray(np.abs(found.value - numbers.value) / numbers.allowance)  # a counter is 0-d
            ratio[(found.value == numbers.value) | (numbers.allowance == np.inf)] = 0.0
            ratio[np.isnan(ratio)] = np.inf
            if numbers.nonnegative:
                ratio[found.value < 0] = np.inf
            worst = max(worst, float(ratio.max(initial=0.0)))
    return worst


class Prepared:
    """The rivals of axis cases in the dialect in which nothing was decided yet, once for all targets of a run.

    They are simulated when they are asked for, or ahead of the traces, on which they do not depend.
    """

    def __init__(self, cases: Iterable[Case] = ()) -> None:
        self.cases = {case.key: case for case in cases if case.rivals}
        self.found: dict[str, Rivals] = {}

    def get(self, key: str) -> Rivals | None:
        """Return the rivals of a case, None for one that was not given. Raises SuiteError as `far_apart` does."""
        if key in self.cases and key not in self.found:
            self.found.setdefault(key, far_apart(self.cases[key]))
        return self.found.get(key)

    def ahead(self, enough: Callable[[], bool] = lambda: False) -> "Prepared":
        """Simulate case after case until it is enough, or all are. Raises SuiteError as `far_apart` does."""
        for key in self.cases:
            if enough():
                break
            self.get(key)
        return self


def far_apart(case: Case) -> Rivals:
    """Return the rivals of an axis case. Raises SuiteError where it cannot tell two of them apart."""
    candidates = rivals(case, Dialect())
    for axis, margin in candidates.margins.items():
        if margin < MARGIN:
            raise SuiteError(
                f"{case.key}: two answers to {axis} are only {margin:.2g} allowances apart; expected {MARGIN:g}"
            )
    return candidates


def in_dialect(case: Case, dialect: Dialect, prepared: Prepared) -> Rivals:
    """Return the rivals in a dialect: as simulated before, where it says the same of what they ask."""
    first = prepared.get(case.key)
    if first is None:
        return rivals(case, dialect)
    asked = first.asked - {*case.clauses}
    with suppress(UndecidedError):
        if asked <= {*LATER} and all(dialect.variant(axis, case.where) == AXES[axis].default for axis in asked):
            return first
    before: list[tuple[Hashable, Rivals]] = first.memory.setdefault("rivals", [])
    for said, known in before:
        if said == dialect.said(known.asked):
            return known
    found = rivals(case, dialect, first.memory)
    before.append((dialect.said(found.asked), found))
    return found


def distances(expected: Sequence[Sequence[Expectation]]) -> Array:
    """Return the largest distance between any two expectations, in allowances; infinite if a fact differs."""
    apart = np.zeros((len(expected), len(expected)))
    for steps in zip(*expected, strict=True):
        unique = list({id(step): step for step in steps}.values())
        number = {id(step): n for n, step in enumerate(unique)}
        where = np.array([number[id(step)] for step in steps])
        np.maximum(apart, step_distances(unique)[where[:, None], where], out=apart)
    return apart


def step_distances(steps: Sequence[Expectation]) -> Array:
    """Return the distances between expectations of one step; any values are no distance from certain ones."""
    apart = np.zeros((len(steps), len(steps)))
    members: dict[Hashable, list[int]] = {}
    for i, step in enumerate(steps):
        facts = step.kind, step.missing, tuple(sorted((name, v.facts) for name, v in step.values.items()))
        members.setdefault(facts, []).append(i)
    loose = {"free", "done", "any", "same"}
    for some, others in itertools.combinations(members.values(), 2):
        kinds = {steps[some[0]].kind, steps[others[0]].kind}
        if not (kinds <= {*loose, "values"} and kinds & loose):
            apart[np.ix_(some, others)] = apart[np.ix_(others, some)] = np.inf
    for alike in members.values():
        within = np.ix_(alike, alike)
        for name in steps[alike[0]].values:
            value = np.stack([steps[i].values[name].value.ravel() for i in alike])
            bound = np.stack([steps[i].values[name].allowance.ravel() for i in alike])
            if len(value) > value.shape[1]:  # NumPy goes along memory: of many rivals with few numbers each
                value, bound = np.asfortranarray(value), np.asfortranarray(bound)
            found = np.concatenate([value_distances(value, bound, own) for own in batches(*value.shape)])
            apart[within] = np.maximum(apart[within], found)
    return apart


def batches(rows: int, columns: int) -> list[slice]:
    """Return the slices of so many rows of numbers as can be compared with all rows at once."""
    size = max(1, TOGETHER // max(1, rows * columns))
    return [slice(start, start + size) for start in range(0, rows, size)]


def value_distances(value: Floats, bound: Floats, own: slice) -> Floats:
    """Return the largest distance, in allowances, of some rows of numbers from each row."""
    limit = np.maximum(bound, bound[own, None])
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.abs(value - value[own, None])
        ratio = gap / limit
    ratio[(gap == 0) | (limit == np.inf)] = 0.0
    ratio[np.isnan(ratio)] = np.inf
    ratio[np.isnan(value) & np.isnan(value[own, None])] = 0.0
    return np.asarray(ratio.max(axis=-1, initial=0.0))
