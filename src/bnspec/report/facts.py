"""What the adapters read from the frameworks themselves: defaults, names, types, beside each other."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bnspec.columns import Column

FOLDED_CHARACTERS = 80
"""A fact of more characters is folded."""

SHOWN = 12
"""So many facts are told at once, those that differ first; the others are folded."""


@dataclass(frozen=True)
class Fact:
    """What one target says: one text, or several parts of it."""

    parts: tuple[str, ...]

    @property
    def folded(self) -> bool:
        """Whether it is too long to stand in a table."""
        return sum(map(len, self.parts)) > FOLDED_CHARACTERS


@dataclass(frozen=True)
class FactLine:
    """One name, and per target its fact; None where the target has none of this name."""

    name: str
    given: tuple[Fact | None, ...]

    @property
    def differs(self) -> bool:
        """Whether two targets say different things."""
        return len({fact for fact in self.given if fact}) > 1

    @property
    def shared(self) -> int:
        """How many targets have the fact."""
        return sum(fact is not None for fact in self.given)


@dataclass(frozen=True)
class FactGroup:
    """Facts below each other, folded under a title where they have one."""

    title: str
    lines: tuple[FactLine, ...]


def fact_groups(shown: Sequence[Column]) -> tuple[FactGroup, ...]:
    """Return the facts of all targets in groups: the first that differ, the others that do, those that are alike."""
    lines = facts(shown)
    differing = tuple(line for line in lines if line.differs)
    wanted = differing or lines
    alike = tuple(line for line in lines if line not in wanted)
    rest = f"{len(wanted) - SHOWN} more" + (" that differ" if differing else "")
    groups = (
        FactGroup("", wanted[:SHOWN]),
        FactGroup(rest, wanted[SHOWN:]),
        FactGroup(f"{len(alike)} more, alike wherever they exist", alike),
    )
    return tuple(group for group in groups if group.lines)


def facts(shown: Sequence[Column]) -> tuple[FactLine, ...]:
    """Return the facts of all targets by name: those that differ first, the others by how many targets have them."""
    own = [column.facts for column in shown]
    lines = [
        FactLine(name, tuple(fact(some[name]) if name in some else None for some in own))
        for name in dict.fromkeys(name for some in own for name in some)
    ]
    return tuple(sorted(lines, key=lambda line: (not line.differs, -line.shared)))


def fact(value: Any) -> Fact:
    """Return any JSON value as text: a list or an object of plain values by its parts."""
    if isinstance(value, Mapping) and value:
        return Fact(tuple(f"{name}: {plain(item)}" for name, item in value.items()))
    if isinstance(value, list) and value:
        return Fact(tuple(map(plain, value)))
    return Fact((plain(value),))


def plain(value: Any) -> str:
    """Return a JSON value as one text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    return "none" if value in (None, [], {}) else json.dumps(value, ensure_ascii=False)
