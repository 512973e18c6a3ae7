"""Accepted changes: axes, clauses, situations and facts that may change."""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bnspec.columns import Column
from bnspec.compare.model import Change
from bnspec.spec import AXES, CLAUSES


class UnknownAllowance(Exception):  # noqa: N818 - it is shown as it is, one clear line
    """An allowance that names nothing; the message says what is near."""


@dataclass(frozen=True)
class Allowance:
    """One accepted change: `frozen.update`, `frozen.update[rank4*]`, `precision.*`, or the name of a fact.

    `*` stands for any characters. An axis or clause by itself is all its situations.
    """

    text: str

    def names(self, subject: str, name: str = "") -> bool:
        """Return whether it names a subject (axis, clause, fact), or one of its ids."""
        pattern = re.escape(self.text).replace(r"\*", ".*")
        return bool(re.fullmatch(pattern, subject) or re.fullmatch(pattern, name))


def allowances(texts: Sequence[str], columns: Iterable[Column]) -> tuple[Allowance, ...]:
    """Return the allowances that an option gives. Raises UnknownAllowance where one names nothing at all."""
    known: dict[str, None] = dict.fromkeys((*AXES, *CLAUSES))
    for column in columns:
        known.update(dict.fromkeys([*column.rows, *column.facts]))
    found = []
    for text in dict.fromkeys(texts):
        allowance = Allowance(text)
        if not any(allowance.names(name.partition("[")[0], name) for name in known):
            near = difflib.get_close_matches(text, known, n=3, cutoff=0.5)
            hint = f"nearest: {', '.join(near)}" if near else "an axis, a clause, AXIS[SITUATION] or the name of a fact"
            raise UnknownAllowance(f"--allow {text!r} names nothing that was asked; {hint}")
        found.append(allowance)
    return tuple(found)


def divided(change: Change, given: Sequence[Allowance]) -> tuple[Change | None, Change | None]:
    """Return the part of a change that is not allowed and the part that is."""
    if not change.situations:
        allowed = any(one.names(change.subject) for one in given)
        return (None, change) if allowed else (change, None)
    inside = tuple(
        situation
        for situation, name in zip(change.situations, change.ids, strict=True)
        if any(one.names(change.subject, name) for one in given)
    )
    outside = tuple(situation for situation in change.situations if situation not in inside)
    return part(change, outside), part(change, inside)


def part(change: Change, situations: tuple[str, ...]) -> Change | None:
    """Return a change in some of its situations; None in none of them."""
    if not situations:
        return None
    rest = tuple(situation for situation in change.situations if situation not in situations)
    return replace(change, situations=situations, elsewhere=(*rest, *change.elsewhere)) if rest else change


def unused(given: Sequence[Allowance], changes: Iterable[Change]) -> tuple[str, ...]:
    """Return the allowances that no change needed."""
    names = [(change.subject, name) for change in changes for name in change.names]
    return tuple(one.text for one in given if not any(one.names(*name) for name in names))
