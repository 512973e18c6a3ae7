"""The suite: the cases that `conformance/` holds, and the choice of some."""

import functools
import importlib.util
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from bnspec.case import STRUCTURES, Case
from bnspec.paths import suite_folder
from bnspec.simulate import SHARES, STEPS, Memory, questions
from bnspec.spec import AXES, CLAUSES, Dialect, SuiteError, family
from bnspec.worker.frames import TRAVELLING

FIRST = (
    *("stats.momentum-weight", "state.complete", "forward.statistics"),
    *("precision.accumulation", "precision.moments", "precision.centring"),
    *("stats.stored-variance", "precision."),
)
"""The axes that come first: accuracy, which chooses the allowance of all others, and what shows it.

Of float32 before the other types, whose stored variance is asked anew.
"""

Needs = dict[str, frozenset[tuple[str, str]]]
"""By the key of a case: the axes, with their situations, that its expectation asks."""


def load_cases(*, large: bool = False) -> tuple[Case, ...]:
    """Return every case: axis cases first, in the order of the axes, then the clauses.

    large: those of whole layers of real networks among them.
    Raises SuiteError, naming the case, where one breaks a rule (`check`) or a clause has no case.
    """
    return loaded(large)


@functools.cache
def loaded(large: bool) -> tuple[Case, ...]:
    """Return every case, loaded once however `load_cases` is called: a cache tells a default from the same value."""
    loaded: list[Case] = []
    folder = suite_folder() / "cases"
    for path in (*sorted(folder.glob("*.py")), *(sorted(folder.glob("large/*.py")) if large else ())):
        spec = importlib.util.spec_from_file_location(f"bnspec_cases_{path.stem}", path)
        if spec is None or spec.loader is None:
            raise SuiteError(f"{path} cannot be loaded")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        loaded.extend(module.CASES)
    check(loaded)
    check_complete(loaded)
    first = [name for prefix in FIRST for name in AXES if name.startswith(prefix)]
    ranks = {name: number for number, name in enumerate(dict.fromkeys([*first, *AXES, *CLAUSES]))}
    return tuple(sorted(loaded, key=lambda case: (not case.rivals, ranks[case.clauses[0]])))


def check(cases: Iterable[Case]) -> None:
    """Raise SuiteError where a case breaks a rule of the suite.

    Two cases of one id; an unknown clause or variant; an axis without rivals, or asked elsewhere than where
    its layer stands; a program that no adapter can run. That rivals are far enough apart is checked where
    they are simulated (rivals.far_apart).
    """
    seen: set[str] = set()
    for case in cases:
        for identifier, clause in zip(case.ids, case.clauses, strict=True):
            if identifier in seen:
                raise SuiteError(f"two cases are called {identifier}")
            seen.add(identifier)
            if clause not in AXES and clause not in CLAUSES:
                raise SuiteError(f"{identifier}: spec.py has no clause or axis {clause!r}")
            check_rivals(case, identifier, clause)
        placed = any(AXES[clause].by_place for clause in case.clauses if clause in AXES)
        if placed and case.situation not in (case.where, case.typed):
            raise SuiteError(f"{case.key}: this axis is asked at its layer's place, here {case.typed}")
        check_program(case)


def check_rivals(case: Case, identifier: str, clause: str) -> None:
    """Raise SuiteError where an axis has not two rivals, or a clause has any, or a variant is unknown."""
    answers = {rival[clause] for rival in case.rivals if clause in rival}
    if clause in CLAUSES and case.rivals:
        raise SuiteError(f"{identifier}: {clause} is a clause, and a clause has no rivals")
    if clause in AXES and len(answers) < 2:
        raise SuiteError(f"{identifier}: the axis has {len(answers)} rivals; expected 2 or more of its variants")
    unknown = answers - AXES[clause].variants.keys() if clause in AXES else set()
    if unknown:
        raise SuiteError(f"{identifier}: {', '.join(sorted(unknown))} is no variant of {clause}")


def check_program(case: Case) -> None:
    """Raise SuiteError where no adapter can run a case: an unknown step or structure, an array that cannot travel."""
    if case.structure not in STRUCTURES:
        raise SuiteError(f"{case.key}: no adapter builds {case.structure!r}; expected one of {', '.join(STRUCTURES)}")
    for number, step in enumerate(case.program, start=1):
        if step.do not in (STEPS if case.replicas == 1 else SHARES):
            raise SuiteError(f"{case.key}: no adapter can do step {number}, {step.do!r}")
        for name, array in step.arrays.items():
            if array.dtype.name not in TRAVELLING:
                raise SuiteError(
                    f"{case.key}: step {number}: {name} of type {array.dtype} cannot be sent to an adapter"
                )


def check_complete(cases: Iterable[Case]) -> None:
    """Raise SuiteError where a clause or an axis of the specification has no case."""
    asked = {clause for case in cases for clause in case.clauses}
    missing = [clause for clause in (*AXES, *CLAUSES) if clause not in asked]
    if missing:
        raise SuiteError(f"no case asks {', '.join(missing)}")


def select(cases: Sequence[Case], expression: str | None) -> tuple[list[Case], set[str]]:
    """Return the cases to run for a selection, and the ids to report; no ids where it selects nothing.

    The expression is tried on every id: parts of an id, joined by `and`, `or`, `not`.
    """
    chosen = matcher(expression) if expression else lambda identifier: True
    reported = {identifier for case in cases for identifier in case.ids if chosen(identifier)}
    return with_axes(cases, reported), reported


def with_axes(cases: Sequence[Case], reported: set[str], known: Needs | None = None) -> list[Case]:
    """Return the cases of some ids, and the axis cases that their expectations ask, in the suite's order.

    known: what cases need, by key, kept for the next selection of the same cases.

    Where an axis is not asked in the very situation, all its cases are needed: their common answer counts.
    """
    known = {} if known is None else known
    selected = [case for case in cases if reported & set(case.ids)]
    needed = {case.key for case in selected}
    waiting = selected if len(selected) < len(cases) else []
    while waiting:
        case = waiting.pop()
        if case.key not in known:
            known[case.key] = needs(case)
        for axis, situation in known[case.key]:
            asking = [case for case in cases if case.rivals and axis in case.clauses]
            exact = [case for case in asking if case.situation == situation]
            found = [case for case in exact or asking if case.key not in needed]
            needed.update(case.key for case in found)
            waiting += found
    return [case for case in cases if case.key in needed]


def needs(case: Case) -> frozenset[tuple[str, str]]:
    """Return the axes and situations that a case's expectation asks, its own rivals' included.

    One answer may lead to another question: every variant of what is asked by default is tried.
    """
    if not case.program:  # judged from the answers to a family of axes, wherever they are asked
        return frozenset((axis, EVERYWHERE) for axis in AXES if family(axis) == case.situation)
    memory: Memory = {}
    case = shortened(case)
    if case.rivals:
        dialects = [Dialect().answering(rival, case.situation) for rival in case.rivals]
    else:
        dialects = [
            Dialect().answering({axis: variant}, situation)
            for axis, situation in questions(case, Dialect(), memory)
            for variant in AXES[axis].variants
        ]
    return frozenset().union(*(questions(case, dialect, memory) for dialect in dialects))


def shortened(case: Case) -> Case:
    """Return a case with large batches cut to few samples, positions and channels: it asks the same axes, at once."""
    if all(array.size <= LARGE for step in case.program for array in step.arrays.values()):
        return case
    rank, few = case.layer.rank, min(case.layer.features, 3)
    cut = [slice(8)] * rank
    cut[case.layer.axis % rank] = slice(few)
    whole, vector = tuple(cut), (slice(few),)
    program = [
        replace(step, arrays={n: array[whole if array.ndim == rank else vector] for n, array in step.arrays.items()})
        for step in case.program
    ]
    return replace(case, layer=replace(case.layer, features=few), program=tuple(program))


LARGE = 10_000
EVERYWHERE = ""


def matcher(expression: str) -> Callable[[str], bool]:
    """Return a test of ids for an expression of parts joined by `and`, `or`, `not`."""
    alternatives = [alternative.split(" and ") for alternative in f" {expression} ".split(" or ")]

    def one(part: str, identifier: str) -> bool:
        part = part.strip()
        if part.startswith("not "):
            return not one(part[4:], identifier)
        return part in identifier

    return lambda identifier: any(all(one(part, identifier) for part in parts) for parts in alternatives)
