"""Trace against reference, in the observed dialect: the verdict on a clause."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from bnspec.case import Case, types
from bnspec.difference import ERROR_TEXT, Comparison, Judged, Trace
from bnspec.measure import gradient, output, update
from bnspec.results import Row, cut
from bnspec.simulate import Memory, questions, simulate, simulated
from bnspec.spec import AXES, Dialect, UndecidedError, UndefinedError

BOUND = "precision.bound"

DECLINED = 120
"""So many characters of the error with which a type is refused are shown."""

EPSILONS = (0.0, 1e-5, 1e-3)
"""What layers use that do not use the ε they were given."""


def verify(
    case: Case, trace: Trace, dialect: Dialect, memory: Memory | None = None, *, hints: bool = True
) -> list[Row]:
    """Judge a clause case in the observed dialect.

    memory: of what was simulated of this case before. hints: say what change would have fitted; it takes time.
    """
    memory = {} if memory is None else memory
    if trace.status != "ran":
        return not_judged(case, trace)
    if declined(case, trace):
        return [row(case, c, "unsupported", message=declined(case, trace)) for c in case.clauses]
    if taken(case, trace):
        return [row(case, case.clauses[0], "unsupported", message="the call that should raise does not")]
    try:
        expected = simulate(case, dialect, memory)
    except UndecidedError as undecided:
        return blocked(case, undecided)
    except UndefinedError as undefined:
        means = [shown.arrays["mean"] for shown in trace.steps if "mean" in shown.arrays]
        became = f"; here the mean became {means[-1].flat[0]:g}" if means else ""
        return [row(case, case.clauses[0], "unsupported", message=f"{undefined}{became}")]
    judged = Judged(case, trace)
    comparison = judged.compare(expected)
    clause = case.clauses[0]
    if clause == BOUND and comparison.fits and comparison.judged:
        return [bounded(case, judged, dialect, comparison, memory)]
    if not comparison.fits and not comparison.refused and (clause == BOUND or case.typed != case.where):
        worse = dialect.least_accurate(questions(case, dialect, memory))
        loose = judged.compare(simulate(case, worse, memory))
        if loose.fits:
            worst = comparison.worst
            message = f"{worst.text}. Its class elsewhere does not hold here; a worse one does"
            return [row(case, clause, "imprecise", ratio=worst.ratio, index=worst.index, message=message)]
    if not comparison.fits:
        hint = "" if comparison.refused or not hints else explanation(case, trace, dialect, memory)
        return [fault(case, clause, trace, comparison, hint)]
    if not comparison.judged:
        nothing = "no number of this case decides anything within its allowance"
        return [row(case, clause, "inconclusive", message=nothing)]
    return [row(case, clause, "conforms", ratio=comparison.ratio)]


def ahead(case: Case, dialect: Dialect, memory: Memory) -> None:
    """Simulate a clause case in the dialects in which `verify` asks for it, before it is known what was shown."""
    bounds = (dialect.most_accurate, dialect.sound) if case.clauses[0] == BOUND else ()
    for one in (dialect, *bounds):
        with suppress(UndecidedError, UndefinedError):
            simulate(case, one, memory)


def declined(case: Case, trace: Trace) -> str:
    """Say that a framework does not take the types of a layer: every call of it raised. Empty where it takes them.

    Which types are taken is a fact, and to refuse one is no fault.
    """
    calls = [shown for step, shown in zip(case.program, trace.steps, strict=False) if step.do in ("train", "infer")]
    errors = [shown.error for shown in calls if shown.error]
    if case.typed == case.where or not calls or len(errors) < len(calls):
        return ""
    name, text = errors[0]
    return f"it does not take {types(case.layer.dtypes)}: {name}: {cut(text, DECLINED)}"


def taken(case: Case, trace: Trace) -> bool:
    """Return whether a framework took what a program attempts in order to see it refused."""
    steps = zip(case.program, trace.steps, strict=False)
    return any(step.do == "attempt" and shown.error is None for step, shown in steps)


def bounded(case: Case, judged: Judged, dialect: Dialect, own: Comparison, memory: Memory) -> Row:
    """Return whether what is right in its own class of accuracy is within a sound one too."""
    best = judged.compare(simulate(case, dialect.most_accurate, memory))
    if best.fits:
        return row(case, BOUND, "conforms", ratio=best.ratio)
    worst = best.worst
    classes = ", ".join(
        f"{axis} = {dialect.variant(axis, situation)}"
        for axis, situation in sorted(questions(case, dialect, memory))
        if AXES[axis].accuracy and dialect.variant(axis, situation) != AXES[axis].default
    )
    sound = judged.compare(simulate(case, dialect.sound, memory))
    if sound.fits:
        message = f"{classes}: {worst.ratio:.3g} of the allowance of the best class, within that of its own"
        return row(case, BOUND, "conforms", ratio=sound.ratio, best=worst.ratio, message=message)
    message = f"{worst.text}. Within its own class ({classes}): {own.ratio:.2g} of the allowance"
    return row(case, BOUND, "imprecise", ratio=worst.ratio, index=worst.index, message=message)


def fault(
    case: Case,
    clause: str,
    trace: Trace,
    comparison: Comparison,
    hint: str,
    nearest: Mapping[str, str] | None = None,
    margin: float | None = None,
) -> Row:
    """Return the row of a clause or axis that what was shown violates, with what was measured."""
    worst = comparison.worst
    if comparison.refused:
        return row(case, clause, "refuses", message=worst.text + raised_before(case, trace, worst.step), margin=margin)
    message = worst.text
    if nearest is not None:
        named = ", ".join(f"{axis} = {variant}" for axis, variant in nearest.items())
        message = f"no variant fits; the nearest ({named}): {message}"
    names = {d.name for d in comparison.differences}
    readers = {"mean": update, "variance": update, "y": output, "x": gradient}
    measured = [reader(case, trace) for reader in dict.fromkeys(readers[n] for n in readers if n in names)]
    more = [text for text in (hint, *measured) if text]
    return row(
        case,
        clause,
        "violates",
        ratio=worst.ratio,
        index=worst.index,
        margin=margin,
        message=". ".join([message, *more]),
        arrays=shown_arrays(trace),
    )


def raised_before(case: Case, trace: Trace, step: int) -> str:
    """Say which earlier step raised, as its dialect lets it: what follows may follow from it. Empty for none."""
    for number, shown in enumerate(trace.steps[:step]):
        if shown.error:
            name, text = shown.error
            said = cut(text, ERROR_TEXT)
            return f". Before it step {number + 1} ({case.program[number].do}) raised {name}: {said}"
    return ""


def explanation(case: Case, trace: Trace, dialect: Dialect, memory: Memory | None = None) -> str:
    """Say which single change would have fitted: the momentum reversed, another ε, another variant.

    memory: of what was simulated of this case before; a case with another layer has none.
    """
    for changed, other, text in changes(case, dialect, memory):
        try:
            known = memory if changed is case else None
            if Judged(changed, trace).fits(simulated(changed, other, known)):
                return f"It fits with {text}"
        except (UndecidedError, UndefinedError):
            continue
    return ""


def changes(case: Case, dialect: Dialect, memory: Memory | None = None) -> Iterator[tuple[Case, Dialect, str]]:
    """Yield the single changes of a case or dialect that are worth a try, with their words."""
    layer = case.layer
    if layer.momentum and "keep" in layer.momentum:
        keep = 1 - layer.momentum["keep"]
        changed = replace(case, layer=replace(layer, momentum={"keep": keep}))
        yield changed, dialect, f"keep = {keep:g}: the momentum is reversed"
    for epsilon in EPSILONS:
        changed = replace(case, layer=replace(layer, epsilon=epsilon))
        yield changed, dialect, f"ε = {epsilon:g} where {layer.epsilon:g} was given"
    try:
        asked = sorted(questions(case, dialect, memory))
    except UndecidedError:
        asked = []
    for axis, situation in asked:
        if axis not in case.clauses:
            for variant in AXES[axis].variants:
                yield case, dialect.answering({axis: variant}, situation), f"{axis} = {variant}"


def blocked(case: Case, undecided: UndecidedError) -> list[Row]:
    """Return the rows of a case whose expectation depends on an axis that was not decided."""
    return [row(case, c, "blocked", message=f"depends on {undecided}, which was not decided") for c in case.clauses]


def not_judged(case: Case, trace: Trace) -> list[Row]:
    """Return the rows of a case that gave nothing to judge."""
    return [row(case, clause, trace.status, message=trace.reason) for clause in case.clauses]


def shown_arrays(trace: Trace, limit: int = 64) -> dict[str, Any]:
    """Return what the steps showed, small arrays in full, for the page of a case that does not conform."""
    return {
        f"{number + 1}.{name}": array.tolist()
        for number, shown in enumerate(trace.steps)
        for name, array in shown.arrays.items()
        if array.size <= limit
    }


def row(case: Case, clause: str, verdict: str, **more: Any) -> Row:
    """Return a results row of a case."""
    return Row(id=f"{clause}[{case.situation}]", verdict=verdict, **more)
