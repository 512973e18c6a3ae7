"""History: the versions of one interface in order, and what changed between two neighbours.

Which targets belong together is told once, in `conformance/lineages.toml`.
"""

import functools
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from bnspec.columns import Column, version_key
from bnspec.compare import Comparison, Weight, compare
from bnspec.compare.words import Line, lines
from bnspec.paths import suite_folder

UNKNOWN = Version("0")
"""The version of a package that is not there."""


@dataclass(frozen=True)
class Stop:
    """One version of a lineage.

    version: of its framework; called: what stands before it where the lineage has several names; beside: what
    tells it from another of the same version.
    """

    column: Column
    version: str
    called: str = ""
    beside: str = ""

    @property
    def name(self) -> str:
        """How the lineage calls it."""
        return " ".join(filter(None, (self.called, self.version, self.beside and f"({self.beside})")))


@dataclass(frozen=True)
class Event:
    """What changed between two neighbours of a lineage.

    beside: another version of what stands beside the framework, where that changed too.
    """

    before: Stop
    after: Stop
    comparison: Comparison
    beside: str = ""

    @property
    def between(self) -> str:
        """The two versions."""
        return f"{self.before.name} → {self.after.name}"

    @cached_property
    def news(self) -> tuple[Line, ...]:
        """What happened, in behaviour and in facts, the heaviest first; what has one reason is one line."""
        order = list(Weight)
        found = lines((*self.comparison.changes, *self.comparison.facts))
        return tuple(sorted(found, key=lambda line: order.index(line.weight)))

    @property
    def heaviest(self) -> Weight | None:
        """The greatest weight of what happened; None where nothing did."""
        return self.news[0].weight if self.news else None


@dataclass(frozen=True)
class Lineage:
    """The versions of one interface, in order.

    id: how it is named in references and addresses; title: how it is called; port: whether porting tables
    hold its newest version; companion: the packages beside the framework.
    """

    id: str
    title: str
    port: bool
    stops: tuple[Stop, ...]
    companion: tuple[str, ...] = ()

    @property
    def newest(self) -> Stop:
        """Its last version."""
        return self.stops[-1]

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """What changed, between every two neighbours."""
        pairs = zip(self.stops, self.stops[1:], strict=False)
        return tuple(
            Event(old, new, compare(old.column, new.column), self.moved(old.column, new.column)) for old, new in pairs
        )

    def moved(self, old: Column, new: Column) -> str:
        """Return the two versions of what stands beside the framework, where they differ."""
        (name, before), (_, after) = (companion(column, self.companion) for column in (old, new))
        return f"{name} {before} → {after}" if name and before != after and after != UNKNOWN else ""

    @property
    def prefix(self) -> str:
        """What stands before the names of its versions in a sentence: its title, unless they say it."""
        return "" if self.stops[0].called else self.title

    @property
    def span(self) -> str:
        """Its first and its last version."""
        first, last = self.stops[0].name, self.newest.name
        return first if len(self.stops) == 1 else f"{first} … {last}"


@dataclass(frozen=True)
class Member:
    """A part of a lineage: the targets of one adapter, of some versions of its framework, and how they are called."""

    adapter: str
    versions: SpecifierSet = field(default_factory=SpecifierSet)
    called: str = ""

    def holds(self, column: Column) -> bool:
        """Return whether a target is one of these."""
        if column.info.get("adapter") != self.adapter:
            return False
        version = version_of(column)
        return not self.versions if version is None else self.versions.contains(version, prereleases=True)


@dataclass(frozen=True)
class Declared:
    """A lineage as it is declared: its members, and the packages whose version tells two alike apart."""

    id: str
    title: str
    members: tuple[Member, ...]
    companion: tuple[str, ...] = ()
    port: bool = False

    def place(self, column: Column) -> int | None:
        """Return the number of the member that holds a target; None where none does."""
        return next((number for number, member in enumerate(self.members) if member.holds(column)), None)


@functools.cache
def declared() -> tuple[Declared, ...]:
    """Return the lineages of `conformance/lineages.toml`."""
    table = tomllib.loads((suite_folder() / "lineages.toml").read_text("utf-8"))
    return tuple(
        Declared(
            lineage["id"],
            lineage["title"],
            tuple(
                Member(one["adapter"], SpecifierSet(one.get("versions", "")), one.get("called", ""))
                for one in lineage["members"]
            ),
            tuple(lineage.get("companion", ())),
            lineage.get("port", False),
        )
        for lineage in table["lineage"]
    )


def lineages(shown: Iterable[Column]) -> tuple[Lineage, ...]:
    """Return every target in its lineage: the declared ones in their order, then any others.

    Targets on another device, or in an execution that was asked for, make a lineage of their own.
    """
    listed = declared()
    found: dict[tuple[int, str, str], list[tuple[int, Column]]] = {}
    for column in shown:
        number, place = next(
            ((n, p) for n, lineage in enumerate(listed) if (p := lineage.place(column)) is not None),
            (len(listed), 0),
        )
        own = other(column).id if number == len(listed) else ""
        found.setdefault((number, own, column.asked), []).append((place, column))
    return tuple(
        made(listed[key[0]] if key[0] < len(listed) else other(members[0][1]), key[2], members)
        for key, members in sorted(found.items(), key=lambda item: item[0][0])
    )


def other(column: Column) -> Declared:
    """Return a lineage for targets that no declared one holds."""
    framework, adapter = (str(column.info.get(name, "")) for name in ("framework", "adapter"))
    name = framework if adapter in ("", framework) else f"{framework} ({adapter})"
    return Declared(name or column.name, name or column.name, ())


def made(lineage: Declared, suffix: str, members: Sequence[tuple[int, Column]]) -> Lineage:
    """Return a lineage of some targets, in order."""

    def order(one: tuple[int, Column]) -> tuple[Any, ...]:
        place, column = one
        return place, version_key(column.info), companion(column, lineage.companion)[1], column.name

    ordered = sorted(members, key=order)
    alike = Counter((place, number(column)) for place, column in ordered)
    twins = Counter((place, number(column), companion(column, lineage.companion)) for place, column in ordered)
    stops = []
    for place, column in ordered:
        version, there = number(column), companion(column, lineage.companion)
        told = ""
        if alike[place, version] > 1:
            apart_by = there[0] and twins[place, version, there] == 1
            told = " ".join(map(str, there)) if apart_by else str(column.info.get("environment"))
        called = lineage.members[place].called if lineage.members else ""
        stops.append(Stop(column, version, called, told))
    id, title = (f"{lineage.id}@{suffix}", f"{lineage.title}, {suffix}") if suffix else (lineage.id, lineage.title)
    return Lineage(id, title, lineage.port and not suffix, tuple(stops), lineage.companion)


def number(column: Column) -> str:
    """Return the version of a target's framework, without what is local to one build of it."""
    version = version_of(column)
    return str(column.info.get("version") or column.label) if version is None else version.public


def version_of(column: Column) -> Version | None:
    """Return the version of a target's framework; None where it has none."""
    try:
        return Version(str(column.info.get("version", "")))
    except InvalidVersion:
        return None


def companion(column: Column, names: Sequence[str]) -> tuple[str, Version]:
    """Return the package beside a target's framework, and its version; nothing and UNKNOWN where there is none."""
    for name in names:
        try:
            return names[0], Version(column.packages[name])
        except (KeyError, InvalidVersion):
            continue
    return "", UNKNOWN
