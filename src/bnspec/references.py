"""What is known elsewhere of the history of batch normalization, and where the matrix shows it.

The data are in `conformance/references.toml`; a spot of it is found from behaviour alone.
"""

import functools
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from bnspec.compare import Change
from bnspec.history import Event, Lineage, Stop, version_of
from bnspec.paths import suite_folder
from bnspec.results import DECIDED


@dataclass(frozen=True)
class Spot:
    """A place in the results: what changed at a version of a lineage, or what every version of it shows.

    subject: an axis, a clause or the name of a fact; since: the first version with the change; shows: the answer
    of every version, of some `versions` and in situations that begin with `situation` where those are given.
    """

    lineage: str
    subject: str
    since: str = ""
    shows: str = ""
    versions: str = ""
    situation: str = ""

    def __str__(self) -> str:
        """The spot in words, for an error."""
        at = f"a change at {self.since}" if self.since else f"{self.shows!r} in every version {self.versions}".strip()
        return f"{self.lineage}: {self.subject}{f'[{self.situation}…]' if self.situation else ''}, {at}"


@dataclass(frozen=True)
class Found:
    """Where a spot was found: the versions, and the ids that show it (none for a fact)."""

    lineage: Lineage
    versions: str
    ids: tuple[str, ...]
    event: Event | None

    def __str__(self) -> str:
        """The versions, with the name of the lineage where they do not tell it."""
        return f"{self.lineage.prefix} {self.versions}".strip()


@dataclass(frozen=True)
class Known:
    """Something that was known before it was measured: where, what, and the spots that must show it."""

    where: str
    what: str
    spots: tuple[Spot, ...]


@dataclass(frozen=True)
class Reference:
    """An issue, a pull request or a release note that explains a spot, and what it says."""

    spot: Spot
    title: str
    address: str
    says: str


@functools.cache
def table() -> Mapping[str, Any]:
    """Return `conformance/references.toml`."""
    return tomllib.loads((suite_folder() / "references.toml").read_text("utf-8"))


def known() -> tuple[Known, ...]:
    """Return what was known before anything was measured."""
    return tuple(
        Known(one["where"], one["what"], tuple(Spot(**spot) for spot in one["spots"])) for one in table()["known"]
    )


def references() -> tuple[Reference, ...]:
    """Return every reference."""
    return tuple(
        Reference(Spot(**one["spot"]), one["title"], one["address"], one["says"]) for one in table()["reference"]
    )


def find(spot: Spot, lineages: Iterable[Lineage]) -> Found | None:
    """Return where a spot is; None where the results do not show it."""
    lineage = next((lineage for lineage in lineages if lineage.id == spot.lineage), None)
    if lineage is None:
        return None
    return changed(spot, lineage) if spot.since else constant(spot, lineage)


def changed(spot: Spot, lineage: Lineage) -> Found | None:
    """Return the step across a version, where what the spot names changed in it."""
    since = Version(spot.since)
    for event in lineage.events:
        before, after = version_of(event.before.column), version_of(event.after.column)
        if before is None or after is None or not before < since <= after:
            continue
        changes = of_subject(event, spot)
        if changes:
            return Found(lineage, event.between, tuple(id for change in changes for id in change.ids), event)
    return None


def of_subject(event: Event, spot: Spot) -> list[Change]:
    """Return the changes of an event that a spot names."""
    changes = (*event.comparison.changes, *event.comparison.facts)
    return [change for change in changes if change.subject == spot.subject]


def constant(spot: Spot, lineage: Lineage) -> Found | None:
    """Return the versions of a lineage that were asked, where all of them show an answer somewhere."""
    wanted = SpecifierSet(spot.versions)
    asked: list[tuple[Stop, list[str]]] = []
    for stop in lineage.stops:
        version = version_of(stop.column)
        if spot.versions and (version is None or not wanted.contains(version, prereleases=True)):
            continue
        start = f"{spot.subject}[{spot.situation}"
        rows = {id: row for id, row in stop.column.rows.items() if id.startswith(start) and row["verdict"] in DECIDED}
        if rows:
            ids = [id for id, row in rows.items() if (row.get("variant") or row["verdict"]) == spot.shows]
            asked.append((stop, ids))
    if not asked or not all(ids for _, ids in asked):
        return None
    first, last = asked[0][0].name, asked[-1][0].name
    return Found(lineage, first if len(asked) == 1 else f"{first} … {last}", tuple(asked[-1][1]), None)


def matched(event: Event, lineage: Lineage, every: Sequence[Reference]) -> tuple[Reference, ...]:
    """Return the references that explain an event."""
    found = [one for one in every if one.spot.since and one.spot.lineage == lineage.id]
    here = [one for one in found if (place := changed(one.spot, lineage)) and place.event is event]
    return tuple(here)
