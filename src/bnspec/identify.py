"""Which dialect: an axis case's trace is matched against the traces of the rival answers."""

from collections.abc import Mapping, Sequence

import numpy as np

from bnspec.case import Case
from bnspec.difference import Comparison, Judged, Trace
from bnspec.expectation import Expectation
from bnspec.judge import blocked, declined, explanation, fault, not_judged, row
from bnspec.results import Row
from bnspec.rivals import MARGIN, Prepared, Rivals, in_dialect
from bnspec.spec import AXES, Dialect


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
    candidates = in_dialect(case, dialect, prepared or Prepared())
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
