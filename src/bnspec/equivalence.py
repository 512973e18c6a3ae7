"""One execution beside the default one of its target: the same answers, or which differ."""

from collections.abc import Iterable, Mapping

from bnspec.case import Case
from bnspec.results import ABSENT, Row
from bnspec.spec import AXES, family

CLAUSE = "execution.equivalence"

SHOWN = 6
"""So many axes are named; of more, their number."""

Answers = Mapping[str, str]
"""By id: what a target answers to its axes, a variant or the verdict where there is none."""


def answer(row: Mapping[str, object]) -> str | None:
    """Return the variant of a results row, or its verdict; None where the target gave no answer.

    What a framework documents makes no difference.
    """
    return None if row["verdict"] in ABSENT else str(row.get("variant") or row["verdict"])


def answers(rows: Iterable[Mapping[str, object]]) -> Answers:
    """Return what some results rows answer to axes; classes of accuracy are no part of it."""
    found = {}
    for row in rows:
        axis, said = AXES.get(str(row["id"]).partition("[")[0]), answer(row)
        if axis and not axis.accuracy and said:
            found[str(row["id"])] = said
    return found


def equivalence(case: Case, own: Answers, base: Answers | None, *, default: bool) -> Row:
    """Return whether an execution answers a family of axes as the default one does.

    case: its situation is the family; base: the answers of the default execution, None where that was not run;
    default: whether this is that execution itself.
    """
    if default:
        return row(case, "unsupported", "this is the execution that the others are held to")
    if base is None:
        return row(case, "not-run", "the default execution was not run beside it; name it with --execution too")
    asked = [id for id in own if id in base and family(id) == case.situation]
    if not asked:
        return row(case, "unsupported", "no axis of this family has an answer in both executions")
    differing: dict[tuple[str, str, str], list[str]] = {}
    for id in asked:
        if own[id] != base[id]:
            axis, _, situation = id.removesuffix("]").partition("[")
            differing.setdefault((axis, base[id], own[id]), []).append(situation)
    if not differing:
        return row(case, "conforms", f"{len(asked)} answers are those of the default execution")
    told = [f"{axis} ({', '.join(where)}): {there} → {here}" for (axis, there, here), where in differing.items()]
    more = f"; and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    number = sum(map(len, differing.values()))
    return row(
        case, "violates", f"{number} of {len(asked)} answers differ, default → here: {'; '.join(told[:SHOWN])}{more}"
    )


def row(case: Case, verdict: str, message: str) -> Row:
    """Return the row of the clause."""
    return Row(id=case.key, verdict=verdict, message=message)
