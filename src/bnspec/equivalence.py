"""One execution beside the default one of its target: the same answers, or which differ."""

from collections.abc import Iterable, Mapping

from bnspec.case import Case
from bnspec.results import Row
from bnspec.spec import AXES, Dialect, family

CLAUSE = "execution.equivalence"

SHOWN = 6
"""So many axes are named; of more, their number."""


def answered(rows: Iterable[Mapping[str, object]]) -> Dialect:
    """Return the dialect that results rows tell."""
    answers = {}
    for row in rows:
        axis, _, situation = str(row["id"]).removesuffix("]").partition("[")
        if axis in AXES and row.get("variant"):
            answers[axis, situation] = str(row["variant"])
    return Dialect(answers)


def equivalence(case: Case, own: Dialect, base: Dialect | None, *, default: bool) -> Row:
    """Return whether an execution answers a family of axes as the default one does.

    case: its situation is the family; base: the dialect of the default execution, None where that was not run;
    default: whether this is that execution itself.
    """
    if default:
        return row(case, "unsupported", "this is the execution that the others are held to")
    if base is None:
        return row(case, "not-run", "the default execution was not run beside it; --execution all runs every one")
    asked = [key for key in own.answers if answers(key[0], case) and key in base.answers]
    if not asked:
        return row(case, "unsupported", "no axis of this family has an answer in both executions")
    differing: dict[tuple[str, str, str], list[str]] = {}
    for axis, situation in asked:
        there, here = base.answers[axis, situation], own.answers[axis, situation]
        if there != here:
            differing.setdefault((axis, there, here), []).append(situation)
    for axis, situation in sorted(own.undecided - base.undecided):
        if answers(axis, case) and (axis, situation) in base.answers:
            differing.setdefault((axis, base.answers[axis, situation], "not decided"), []).append(situation)
    if not differing:
        return row(case, "conforms", f"{len(asked)} answers are those of the default execution")
    told = [f"{axis} ({', '.join(where)}): {there} → {here}" for (axis, there, here), where in differing.items()]
    more = f"; and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    number = sum(map(len, differing.values()))
    return row(
        case, "violates", f"{number} of {len(asked)} answers differ, default → here: {'; '.join(told[:SHOWN])}{more}"
    )


def answers(axis: str, case: Case) -> bool:
    """Whether an axis belongs to the family that a case is about; classes of accuracy may differ."""
    return family(axis) == case.situation and not AXES[axis].accuracy


def row(case: Case, verdict: str, message: str) -> Row:
    """Return the row of the clause."""
    return Row(id=case.key, verdict=verdict, message=message)
