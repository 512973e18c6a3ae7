"""Cases as their pages show them: the layer and the program in words, small inputs in full."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bnspec.case import Array, Case, Step
from bnspec.report.margins import PairTable, pair_tables

FULL = 64
"""Arrays of up to this many numbers are given in full."""

FULL_PER_CASE = 512
"""A case gives this many numbers in full, its further arrays are described."""

FULL_PER_PAGE = 100_000
"""All cases together give this many numbers in full: about 1 MB."""


@dataclass
class Pool:
    """Values that occur many times, kept once and named by their number."""

    values: list[Any] = field(default_factory=list)
    numbers: dict[Hashable, int] = field(default_factory=dict)

    def number(self, key: Hashable, value: Any) -> int:
        """Return the number of a value, known by its key."""
        if key not in self.numbers:
            self.numbers[key] = len(self.values)
            self.values.append(value)
        return self.numbers[key]


@dataclass
class CasePool:
    """The cases of a page, each once under its key, and what they share: layers, arrays, texts, margins."""

    cases: Pool = field(default_factory=Pool)
    arrays: Pool = field(default_factory=Pool)
    layers: Pool = field(default_factory=Pool)
    texts: Pool = field(default_factory=Pool)
    margins: Pool = field(default_factory=Pool)
    left: int = FULL_PER_PAGE

    def number(self, case: Case) -> int:
        """Return the number of a case."""
        if case.key in self.cases.numbers:
            return self.cases.numbers[case.key]
        layer = [*layer_words(case.layer.as_json()), ("structure", case.structure), *replica_words(case)]
        made = [
            self.texts.number(case.why, case.why),
            self.layers.number(str(layer), layer),
            self.steps(case),
            len(case.rivals),
            [self.margins.number(pairs, pairs_data(pairs)) for pairs in pair_tables(case)],
        ]
        return self.cases.number(case.key, made)

    def steps(self, case: Case) -> list[Any]:
        """Return what each step does, the numbers of its arrays, and its options."""
        own = FULL_PER_CASE
        made = []
        for step in case.program:
            inputs = {}
            for name, array in step.arrays.items():
                full = array.size <= min(FULL, own)
                own -= array.size if full else 0
                inputs[name] = self.array(array, full=full)
            made.append([step.do, inputs, step_words(step)])
        return made

    def array(self, array: Array, *, full: bool) -> int:
        """Return the number of an array, in full if the page has room for it."""
        key = (array.dtype.str, array.shape, array.tobytes(), full)
        if key in self.arrays.numbers:
            return self.arrays.numbers[key]
        full = full and array.size <= self.left
        self.left -= array.size if full else 0
        return self.arrays.number(key, array_data(array, full=full))


def layer_words(layer: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Yield name and value of each property of a layer, in words."""
    for name, value in layer.items():
        if isinstance(value, bool):
            yield name, "yes" if value else "no"
        elif isinstance(value, Mapping):
            yield name, ", ".join(f"{key} {item}" for key, item in value.items())
        else:
            yield name, "the framework's default" if value is None else str(value)


def replica_words(case: Case) -> Iterable[tuple[str, str]]:
    """Yield in how many replicas a layer is trained, where it is in more than one, and whether these synchronise."""
    if case.replicas > 1:
        yield "replicas", f"{case.replicas}, {'synchronised' if case.synchronised else 'not synchronised'}"


def step_words(step: Step) -> dict[str, str]:
    """Return the options of a step, and what of it is judged where that is not all."""
    words = {name: str(value) for name, value in step.options.items()}
    if step.asked is not None:
        words["judged"] = ", ".join(step.asked) or "nothing"
    if step.like is not None:
        words["must equal"] = f"step {step.like + 1}"
    return words


def pairs_data(pairs: PairTable) -> list[Any]:
    """Return a table of variants in lists, an infinite distance as a word."""
    distances = [list(map(rounded, row)) for row in pairs.distances]
    return [pairs.axis, pairs.variants, distances, [[seen.place, seen.shown] for seen in pairs.seen]]


def rounded(number: Any) -> Any:
    """Return a number with the two digits that a reader of ratios wants; infinities are words."""
    if not isinstance(number, (int, float)):
        return number
    if not np.isfinite(number):
        return str(number)
    short = float(f"{number:.2g}")
    return int(short) if short.is_integer() and abs(short) < 1e6 else short


def array_data(array: Array, *, full: bool) -> dict[str, Any]:
    """Return shape and dtype, and either the numbers in full or a summary of them."""
    about: dict[str, Any] = {"shape": array.shape, "dtype": str(array.dtype)}
    if full:
        return {**about, "values": exact(array)}
    if array.dtype == bool:
        return {**about, "summary": f"{int(array.sum())} of {array.size} are true"}
    numbers = array.astype(np.float64)
    if not np.isfinite(numbers).all():
        return {**about, "summary": f"{int((~np.isfinite(numbers)).sum())} of {array.size} are not finite"}
    low, high, mean, sd = numbers.min(), numbers.max(), numbers.mean(), numbers.std()
    return {**about, "summary": f"{low:.6g} … {high:.6g}, mean {mean:.6g}, standard deviation {sd:.6g}"}


def exact(array: Array) -> Any:
    """Return nested lists of the shortest numbers that read back as the same values of the array's dtype."""
    if array.ndim:
        return [exact(part) for part in array]
    value = array[()]
    if array.dtype == bool:
        return bool(value)
    return float(str(value)) if np.isfinite(value) else str(value)
