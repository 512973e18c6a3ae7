"""Which dialect: an axis case's trace is matched against the traces of the rival answers."""

import itertools
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from bnspec.case import Array, Case
from bnspec.difference import Comparison, Judged, Trace
from bnspec.expectation import Expectation
from bnspec.judge import blocked, declined, explanation, fault, not_judged, row
from bnspec.reference.statistics import Floats
from bnspec.results import Row
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


Prepared = Mapping[str, Rivals]
"""By key: the rivals of every axis case in the dialect in which nothing was decided yet."""


def prepare(cases: Sequence[Case]) -> Prepared:
    """Simulate ahead of the traces what does not depend on them, once for all targets of a run.

    Raises SuiteError for an axis case that cannot tell its rivals apart.
    """
    found = {}
    for case in cases:
        if not case.rivals:
            continue
        candidates = rivals(case, Dialect())
        for axis, margin in candidates.margins.items():
            if margin < MARGIN:
                raise SuiteError(
                    f"{case.key}: two answers to {axis} are only {margin:.2g} allowances apart; expected {MARGIN:g}"
                )
        found[case.key] = candidates
    return found


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


def identify(
    case: Case, trace: Trace, dialect: Dialect, prepared: Prepared | None = None, *, hints: bool = True
) -> tuple[list[Row], Dialect]:
    """Match an axis case's trace against its rivals: a row per axis, and the dialect with the answers.

    Where some rivals cannot be simulated, one that fits still counts, for every clause is then verified in
    its dialect; without one that fits the case is blocked.
    """
    if trace.status != "ran":
        rows = not_judged(case, trace)
        return rows, dialect if trace.status == "unsupported" else dialect.not_deciding(case.clauses, case.situation)
    if declined(case, trace):
        return [row(case, axis, "unsupported", message=declined(case, trace)) for axis in case.clauses], dialect
    candidates = in_dialect(case, dialect, prepared or {})
    judged = Judged(case, trace)
    best = [i for i, expected in enumerate(candidates.expected) if judged.fits(expected)]
    if not best and candidates.undecided:
        return blocked(case, candidates.undecided), dialect.not_deciding(case.clauses, case.situation)
    if not best:
        compared = [judged.compare(expected) for expected in candidates.expected]
        return unexplained(case, trace, candidates, compared, dialect, hints=hints)
    best = tightest(case, candidates, best)
    ratio = max(judged.compare(candidates.expected[i]).ratio for i in best)
    margins = candidates.margins if hints else {}
    rows, answers, left = [], {}, []
    for axis in case.clauses:
        variants = sorted({candidates.answers[i].get(axis, "") for i in best})
        if len(variants) > 1 and not any(judged.compare(candidates.expected[i]).judged for i in best):
            rows.append(row(case, axis, "unsupported", message="it shows nothing that could tell"))
        elif len(variants) > 1 and candidates.apart[np.ix_(best, best)].max() < MARGIN:
            alike = f"in the dialect of this layer {' and '.join(variants)} are too much alike to be told apart"
            rows.append(row(case, axis, "unsupported", message=alike))
            answers[axis] = next(variant for variant in AXES[axis].variants if variant in variants)  # any will do
        elif len(variants) > 1:
            left.append(axis)
            several = f"{' and '.join(variant or 'none' for variant in variants)} fit alike"
            rows.append(row(case, axis, "inconclusive", message=several, margin=margins.get(axis)))
        else:
            answers.update({axis: variants[0]} if variants[0] else {})
            said = raised(trace, candidates.expected[best[0]])
            if AXES[axis].accuracy and hints:
                said = no_worse(candidates, axis, variants[0])
            if variants[0] == "noise":
                said = f"up to {largest_error(trace, candidates.expected[best[0]]):.3g} from the offset"
            rows.append(decided(case, axis, variants[0], ratio, margins.get(axis), said))
    return rows, dialect.answering(answers, case.situation).not_deciding(left, case.situation)


def tightest(case: Case, candidates: Rivals, fitting: Sequence[int]) -> list[int]:
    """Return the rivals that fit with the tightest class of accuracy: a worse one allows what a better one does.

    Of an axis that has one, the variant that is only for what no other explains goes too.
    """
    left = list(fitting)
    for axis in case.clauses:
        left = [i for i in left if candidates.answers[i].get(axis) != AXES[axis].otherwise] or left
        if AXES[axis].accuracy:
            order = list(AXES[axis].variants)
            tight = min(order.index(candidates.answers[i][axis]) for i in left)
            left = [i for i in left if order.index(candidates.answers[i][axis]) == tight]
    return left


def no_worse(candidates: Rivals, axis: str, variant: str) -> str | None:
    """Say which worse classes of accuracy would show the same in the dialect of this layer."""
    order = list(AXES[axis].variants)
    close = [
        pair[1]
        for pair, apart in candidates.pairs.get(axis, {}).items()
        if pair[0] == variant and order.index(pair[1]) > order.index(variant) and apart is not None and apart < MARGIN
    ]
    return f"in the dialect of this layer {' and '.join(close)} would show the same" if close else None


def largest_error(trace: Trace, expected: Sequence[Expectation]) -> float:
    """Return the largest distance of any number that a trace shows from what is expected."""
    return max(
        float(np.abs(shown.arrays[name] - numbers.value).max())
        for shown, expectation in zip(trace.steps, expected, strict=True)
        for name, numbers in expectation.values.items()
    )


def raised(trace: Trace, expected: Sequence[Expectation]) -> str | None:
    """Return the error that a trace shows where its dialect expects one: an answer in the framework's words."""
    for shown, expectation in zip(trace.steps, expected, strict=False):
        if expectation.kind == "raises" and shown.error:
            return f"raised {': '.join(part for part in shown.error if part)}"
    return None


def decided(case: Case, axis: str, variant: str, ratio: float, margin: float | None, message: str | None = None) -> Row:
    """Return the row of an axis that one variant answers."""
    if not variant:
        return row(case, axis, "unsupported", message=case.without, margin=margin)
    return row(case, axis, "conforms", variant=variant, ratio=ratio, margin=margin, message=message)


def unexplained(
    case: Case, trace: Trace, candidates: Rivals, compared: Sequence[Comparison], dialect: Dialect, *, hints: bool
) -> tuple[list[Row], Dialect]:
    """Return the rows of a case that no rival fits: at least one axis is violated, the others are decided.

    The nearest answer to a violated axis still counts for the other cases where every rival that answers
    otherwise is MARGIN times as far away: a fault in the numbers does not hide which variant it was.
    """
    best = closest(compared)
    nearest = min(best, key=lambda i: max(compared[i].errors.values(), default=0.0))
    faulty = blamed(case, candidates, best, nearest, compared[nearest])
    margins = candidates.margins if hints else {}
    rows, answers, left = [], {}, []
    for axis in case.clauses:
        variant = candidates.answers[nearest].get(axis, "")
        others = [i for i in best if candidates.answers[i].get(axis, "") != variant]
        if variant and all(compared[i].farther(compared[nearest], MARGIN) for i in others):
            answers[axis] = variant
        else:
            left.append(axis)
        if axis not in faulty:
            rows.append(decided(case, axis, variant, compared[nearest].ratio, margins.get(axis)))
    found = dialect.answering(answers, case.situation)
    nearby = found.answering(candidates.answers[nearest], case.situation)
    hint = explanation(case, trace, nearby) if hints else ""
    faults = [
        fault(case, axis, trace, compared[nearest], hint, candidates.answers[nearest], margins.get(axis))
        for axis in faulty
    ]
    rows = sorted(faults + rows, key=lambda row: case.clauses.index(row.clause))
    return rows, found.not_deciding(left, case.situation)


def closest(compared: Sequence[Comparison]) -> list[int]:
    """Return the comparisons that explain most.

    An error where a value was due, or none where one was due, outweighs every number. Among the rest no
    other one fails in strictly fewer places.
    """
    fewest = min(comparison.surprises for comparison in compared)
    failing = {i: c.failing for i, c in enumerate(compared) if c.surprises == fewest}
    return [i for i, own in failing.items() if not any(other < own for other in failing.values())]


def blamed(case: Case, candidates: Rivals, best: Sequence[int], nearest: int, comparison: Comparison) -> list[str]:
    """Return the axes that are violated where no rival fits.

    Those in which the closest rivals disagree; else those whose answer has a say in what differs; else all.
    """
    answers = candidates.answers
    disputed = [axis for axis in case.clauses if len({answers[i].get(axis) for i in best}) > 1]
    if disputed:
        return disputed

    def has_a_say(axis: str) -> bool:
        def others(rival: Mapping[str, str]) -> dict[str, str]:
            return {name: variant for name, variant in rival.items() if name != axis}

        own = candidates.expected[nearest]
        for rival, expected in zip(answers, candidates.expected, strict=True):
            if others(rival) == others(answers[nearest]):
                for d in comparison.differences:
                    mine, theirs = own[d.step].values.get(d.name), expected[d.step].values.get(d.name)
                    if (mine is None) != (theirs is None):
                        return True
                    if mine and theirs and not np.array_equal(mine.value, theirs.value, equal_nan=True):
                        return True
        return False

    return [axis for axis in case.clauses if has_a_say(axis)] or list(case.clauses)
