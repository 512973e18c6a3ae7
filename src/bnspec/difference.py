"""A trace beside an expectation: what differs, and by how many allowances."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bnspec.case import Array, Case, Step
from bnspec.expectation import Expectation, Expected
from bnspec.reference.statistics import PIECE, Floats
from bnspec.results import cut

LIMIT = 1.0
"""A number is right up to this many allowances."""

ERROR_TEXT = 300
"""So many characters of a framework's error are shown, in one line."""


@dataclass(frozen=True)
class Shown:
    """What one step showed: named arrays, or an error (class and text).

    dtypes: the types in which the arrays were shown; a bfloat16 is held as the float32 of the same value.
    """

    arrays: Mapping[str, Array] = field(default_factory=dict)
    error: tuple[str, str] | None = None
    dtypes: Mapping[str, str] = field(default_factory=dict)

    def dtype(self, name: str) -> str:
        """Return the type in which an array was shown."""
        return self.dtypes.get(name, self.arrays[name].dtype.name)


@dataclass(frozen=True)
class Trace:
    """What running a program showed.

    status: `ran`, or why there is nothing to judge: `unsupported`, `crash`, `timeout`, `error`, with the
    reason. seconds: inside the adapter.
    """

    status: str
    steps: tuple[Shown, ...] = ()
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Difference:
    """The worst disagreement of one named array of one step, in allowances; `text` says it in words.

    error: the largest |observed − expected| of its numbers; infinite for a fact.
    kind: `number`; `dtype`; `shape` (or no such array); `refused` (an error where a value was due);
    `accepted` (no error where one was due, or a state where there should be none).
    """

    step: int
    name: str
    kind: str
    ratio: float
    error: float
    text: str
    index: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Comparison:
    """A trace beside an expectation: how much was judged, the worst ratio of what is right, what is wrong."""

    judged: int
    ratio: float
    differences: tuple[Difference, ...]

    @property
    def fits(self) -> bool:
        """Whether nothing is over the limit."""
        return not self.differences

    @property
    def refused(self) -> bool:
        """Whether the first thing that is wrong is that the framework raised; what follows, follows from it."""
        first = min((d.step for d in self.differences), default=-1)
        return first >= 0 and all(d.kind == "refused" for d in self.differences if d.step == first)

    @property
    def worst(self) -> Difference:
        """The largest difference. Raises ValueError where everything fits."""
        return max(self.differences, key=lambda d: d.ratio)

    @property
    def surprises(self) -> int:
        """How many steps raised, or had a state, where the expectation is the other way round."""
        return sum(d.kind in ("refused", "accepted") for d in self.differences)

    @property
    def failing(self) -> frozenset[tuple[int, str, str]]:
        """Which arrays of which steps differ, and in what."""
        return frozenset((d.step, d.name, d.kind) for d in self.differences)

    @property
    def errors(self) -> dict[tuple[int, str], float]:
        """The errors of the numbers that differ, by step and name."""
        return {(d.step, d.name): d.error for d in self.differences if d.kind == "number"}

    def farther(self, nearest: "Comparison", factor: float) -> bool:
        """Whether every number of `nearest` on which the two disagree is that many times as far off here."""
        pairs = [(self.errors.get(number, 0.0), error) for number, error in nearest.errors.items()]
        disputed = [(own, error) for own, error in pairs if own != error]
        return bool(disputed) and all(own > factor * error for own, error in disputed)


class Judged:
    """A trace, compared step by step; what rivals share is compared once.

    Expectations are known by identity, and kept, so that no other can take the place of one.
    """

    def __init__(self, case: Case, trace: Trace) -> None:
        self.case, self.trace = case, trace
        self.seen: dict[tuple[int, int], tuple[Expectation, tuple[Difference, ...]]] = {}

    def step(self, number: int, expected: Expectation) -> tuple[Difference, ...]:
        """Return what was judged in one step, right (ratio ≤ 1) or wrong."""
        key = (number, id(expected))
        if key not in self.seen:
            found = step_differences(number, self.case.program[number], self.trace, expected)
            self.seen[key] = expected, tuple(found)
        return self.seen[key][1]

    def fits(self, expected: Iterable[Expectation]) -> bool:
        """Whether nothing is over the limit; looks no further than the first step where something is."""
        return all(d.ratio <= LIMIT for number, step in enumerate(expected) for d in self.step(number, step))

    def compare(self, expected: Sequence[Expectation]) -> Comparison:
        """Put the whole trace beside what a dialect expects."""
        judged = [d for number, step in enumerate(expected) for d in self.step(number, step)]
        ratio = max((d.ratio for d in judged if d.ratio <= LIMIT), default=0.0)
        return Comparison(len(judged), ratio, tuple(d for d in judged if d.ratio > LIMIT))


def compare(case: Case, trace: Trace, expected: Sequence[Expectation]) -> Comparison:
    """Put a trace beside what a dialect expects."""
    return Judged(case, trace).compare(expected)


def step_differences(number: int, step: Step, trace: Trace, expected: Expectation) -> Iterator[Difference]:
    """Yield one difference per thing that was judged in a step, right (ratio ≤ 1) or wrong."""
    shown = trace.steps[number] if number < len(trace.steps) else Shown(error=("NotShown", "no such step"))
    where = f"step {number + 1} ({step.do})"
    if expected.kind == "any":
        return
    if expected.kind in ("raises", "absent"):
        if expected.kind == "raises":
            right, text = shown.error is not None, "expected an error, none was raised"
        else:
            statistics = [shown.arrays[name] for name in ("mean", "variance") if name in shown.arrays]
            right = not any(np.isfinite(array).any() for array in statistics)
            text = "expected no moving statistics yet"
        yield Difference(number, "error", "accepted", 0.0 if right else np.inf, np.inf, f"{where}: {text}")
    elif shown.error is not None:
        name, text = shown.error
        said = cut(text, ERROR_TEXT)
        yield Difference(number, "error", "refused", np.inf, np.inf, f"{where}: raised {name}: {said}")
    elif expected.kind == "same":
        for found in bit_differences(shown, trace.steps[expected.like], step.asked):
            yield replace(found, step=number, text=f"{where}: {found.text} step {expected.like + 1}")
    elif expected.kind == "other":
        kinds = {d.kind for d in bit_differences(shown, trace.steps[expected.like], step.asked) if d.ratio}
        text = f"{where}: expected the arrays of step {expected.like + 1} with other bits"
        yield Difference(number, "bits", "number", 0.0 if kinds == {"number"} else np.inf, 0.0, text)
    else:
        for name in sorted(expected.missing & shown.arrays.keys()):
            yield Difference(number, name, "shape", np.inf, np.inf, f"{where}: gave {name}, where there is none")
        for name, numbers in expected.values.items():
            for found in array_differences(name, shown, numbers):
                yield replace(found, step=number, text=f"{where}: {found.text}")


def bit_differences(shown: Shown, before: Shown, asked: Sequence[str] | None) -> Iterator[Difference]:
    """Yield one difference per array that an earlier step showed, of those asked: equal, bit for bit, or not."""
    for name, old in before.arrays.items():
        if asked is not None and name not in asked:
            continue
        new = shown.arrays.get(name)
        if new is None or new.shape != old.shape or shown.dtype(name) != before.dtype(name):
            yield Difference(0, name, "shape", np.inf, np.inf, f"{name} is missing, or not of the shape and type of")
            continue
        same = np.equal(new, old) | ((new != new) & (old != old))
        text = f"{name} equals"
        if not same.all():
            index = tuple(int(i) for i in np.argwhere(~same)[0])
            text = f"{name}{list(index)} = {new[index]:.9g}; expected {old[index]:.9g}, bit for bit that of"
            yield Difference(0, name, "number", np.inf, float(abs(float(new[index]) - float(old[index]))), text, index)
        else:
            yield Difference(0, name, "number", 0.0, 0.0, text)


def array_differences(name: str, shown: Shown, expected: Expected) -> Iterator[Difference]:
    """Yield what was judged in one array: shape, dtype, the worst number.

    A number whose allowance is infinite is not judged. NaN agrees with NaN, an infinity with itself, and
    either with nothing else.
    """
    arrays = shown.arrays
    if name not in arrays:
        if not expected.counter:
            given = ", ".join(arrays) or "nothing"
            yield Difference(0, name, "shape", np.inf, np.inf, f"no {name}; it gave {given}")
        return
    observed = arrays[name]
    if observed.shape != expected.value.shape:
        text = f"{name} has shape {observed.shape}; expected {expected.value.shape}"
        yield Difference(0, name, "shape", np.inf, np.inf, text)
        return
    if expected.dtype is not None and shown.dtype(name) != expected.dtype:
        text = f"{name} has dtype {shown.dtype(name)}; expected {expected.dtype}"
        yield Difference(0, name, "dtype", np.inf, np.inf, text)
    found, closest = nearest(observed, expected)
    if found is None:
        return
    place, ratio, error, largest = found
    index = tuple(int(i) for i in np.unravel_index(place, observed.shape))
    text = f"{name}{list(index)} = {float(observed[index]):.9g}; expected {closest.value[index]:.9g}"
    if np.isfinite(error):
        text += f" ± {closest.allowance[index]:.2g} (error {error:.3g})"
    yield Difference(0, name, "number", ratio, largest, text, index)


Worst = tuple[int, float, float, float]
"""Place, ratio and error of the number that is most allowances off, and the largest error of any."""


def nearest(observed: Array, expected: Expected) -> tuple[Worst | None, Expected]:
    """Return the worst number beside what it should be, or beside that of the others which is nearest to it."""
    found = [(worst_number(observed, one), one) for one in (expected, *expected.others)]
    return min(found, key=lambda pair: pair[0][1] if pair[0] else 0.0)


def worst_number(observed: Array, expected: Expected) -> Worst | None:
    """Return the worst number. Places count along the flattened array. None where no number is judged."""
    shown, value, allowance = (array.reshape(-1) for array in (observed, expected.value, expected.allowance))
    worst, judged, exact = (0, -1.0, 0.0, 0.0), False, expected.inexact and shown.size > 0
    for start in range(0, shown.size, PIECE):
        piece = slice(start, start + PIECE)
        ratio, error, same = errors(shown[piece].astype(np.float64), value[piece], allowance[piece])
        if expected.nonnegative:
            error[shown[piece] < 0] = ratio[shown[piece] < 0] = np.inf
        decided = allowance[piece] < np.inf
        exact = exact and bool(same.all())
        if decided.any():
            judged = True
            ratio[~decided] = -1.0
            place, largest = int(ratio.argmax()), max(worst[3], float(error[decided].max()))
            if ratio[place] > worst[1]:
                worst = (start + place, float(ratio[place]), float(error[place]), largest)
            else:
                worst = (*worst[:3], largest)
    if exact:
        return 0, np.inf, np.inf, np.inf
    return worst if judged else None


def errors(found: Floats, value: Floats, allowance: Floats) -> tuple[Floats, Floats, Array]:
    """Return the errors of some numbers in allowances, the errors, and which numbers are as expected."""
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.abs(found - value)
        ratio = error / allowance
    error[np.isnan(error)] = ratio[np.isnan(ratio)] = np.inf
    same = (found == value) | (np.isnan(found) & np.isnan(value))
    error[same] = ratio[same] = 0.0
    return ratio, error, same
