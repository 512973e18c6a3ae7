"""What no argument makes equal, from two fingerprints side by side."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from bnspec.columns import Column
from bnspec.compare import Change, Comparison, Kind, Weight, compare
from bnspec.compare.effects import STATISTICS
from bnspec.compare.sizes import Typical
from bnspec.compare.words import lines
from bnspec.porting.model import Absent, Unmatched
from bnspec.porting.numbers import MATCHED, axis
from bnspec.results import DECIDED
from bnspec.simulate.asking import FLOOR
from bnspec.spec import AXES

RANK = re.compile(r"rank(\d)")

PLACE = re.compile(r"-(first|last|axis\d)]$")
"""How the id of a question ends that is asked of one position of the channel axis."""

CUMULATIVE = "cumulative"
"""The situation in which a layer with a cumulative average is asked."""

BOUND = "precision.bound"
"""The clause that says again, with every size of number, what the axes of accuracy say."""


def differences(source: Column, target: Column, rank: int | None, sizes: Typical) -> Comparison:
    """Return what differs, each side in the layout that it has by default.

    What only the target does is left out, and a layout that it does not have where it has another.
    """
    rows = laid_out(source, target)
    own = f"-{layout(target)}]"
    asked = {
        id
        for id, row in rows.items()
        if row["verdict"] != "unsupported"
        and (rank is None or of_rank(id, rank))
        and (not silent(target.rows.get(id)) or silent(target.rows.get(PLACE.sub(own, id))))
    }
    return compare(replace(source, rows=rows), target, asked.__contains__, sizes)


def of_rank(situation: str, rank: int) -> bool:
    """Whether a situation is one of this rank, or of none."""
    found = RANK.search(situation)
    return found is None or int(found[1]) == rank


def laid_out(source: Column, target: Column) -> Mapping[str, Mapping[str, Any]]:
    """Return the source's rows under the ids of the target's layout.

    Where the source has its channels first by default and the target last, what the one does with channels first
    stands beside what the other does with channels last. The target's other layout is compared with the same
    layout of the source, or with the only one that it has.
    """
    there, here = layout(source), layout(target)
    rows = dict(source.rows)
    for id in target.rows:
        own = id.replace(f"-{here}]", f"-{there}]")
        if id.endswith(f"-{here}]") and own in source.rows:
            rows[id] = source.rows[own]
        elif silent(source.rows.get(id)) and not silent(source.rows.get(relaid(id))):
            rows[id] = source.rows[relaid(id)]
    return rows


def relaid(id: str) -> str:
    """Return the id of the same question in the other layout."""
    other = {"-first]": "-last]", "-last]": "-first]"}
    return next((id.removesuffix(end) + other[end] for end in other if id.endswith(end)), id)


def silent(row: Mapping[str, Any] | None) -> bool:
    """Whether a target has not answered a question, or has no words for it."""
    return row is None or row["verdict"] not in DECIDED


def layout(column: Column) -> str:
    """Return where a target has its channels when nobody says where: `first` or `last`."""
    told = axis(column)
    if told is not None:
        return "first" if told == 1 else "last"
    answered = (id for id, row in column.rows.items() if not silent(row))
    return "last" if any(id.endswith("-last]") for id in answered) else "first"


def cumulative(gone: Iterable[Change], target: Column, sizes: Typical) -> Iterator[Unmatched]:
    """Yield that the source takes a cumulative average, if it does and the target takes none."""
    asked = "stats.averaging"
    own = target.variants(asked)
    if len(own) == 1 and any(CUMULATIVE in change.situations for change in gone):
        (here,) = own
        what = f"A cumulative average, in which {AXES[asked].variants['cumulative']}: {target.title} takes none"
        formula = STATISTICS[asked]("cumulative", here, sizes)
        yield Unmatched(what, "", formula, Weight.STATISTICS, asked, f"cumulative → {here}", "")


def unmatched(changes: Iterable[Change], epsilon: float) -> Iterator[Unmatched]:
    """Yield what no argument makes equal."""
    told = [
        change
        for change in changes
        if change.kind is not Kind.GONE
        and change.weight is not Weight.INTERFACE
        and change.subject not in (MATCHED, BOUND)
        and concerns(change, epsilon)
    ]
    for line in lines(told):
        several = len(line.changes) > 1
        what, subject = (line.kind, line.sentence) if several else (line.sentence, line.title)
        yield Unmatched(what, line.where, line.size, line.weight, subject, line.became, line.reason)


def heaviest_first(rows: Iterable[Unmatched]) -> tuple[Unmatched, ...]:
    """Return what cannot be matched by weight, otherwise in its order."""
    order = list(Weight)
    return tuple(sorted(rows, key=lambda row: order.index(row.weight)))


def concerns(change: Change, epsilon: float) -> bool:
    """Whether a difference is one for this ε; all are but those in the ε that takes effect."""
    answers = {change.before, change.after}
    if change.subject != "degenerate.epsilon":
        return True
    if "floored" in answers:
        return epsilon < FLOOR
    if "rejected" in answers:
        return epsilon == 0 and any(situation.startswith("0-") for situation in change.situations)
    return True


def reasons(changes: Iterable[Change]) -> tuple[Absent, ...]:
    """Return the reasons of changes, each with its questions."""
    found: dict[str, list[str]] = {}
    for change in changes:
        found.setdefault(change.reason, []).append(change.subject)
    return tuple(Absent(reason, tuple(dict.fromkeys(subjects))) for reason, subjects in found.items())
