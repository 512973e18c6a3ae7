"""The porting tables: from the newest version of each main interface to that of every other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bnspec.compare import Weight
from bnspec.history import Lineage
from bnspec.porting import Porting, UnknownNumber, porting


@dataclass(frozen=True)
class Port:
    """One direction: what it takes, or why that is not known."""

    anchor: str
    title: str
    made: Porting | None
    reason: str = ""

    @property
    def counts(self) -> Mapping[Weight, int]:
        """How much cannot be matched, by its weight, the heaviest first."""
        weights = [row.weight for row in self.made.unmatched] if self.made else []
        return {weight: weights.count(weight) for weight in Weight if weight in weights}


@dataclass(frozen=True)
class Ports:
    """All directions: a row per source, in it a port per target, None for the source itself."""

    names: tuple[str, ...]
    rows: tuple[tuple[Port | None, ...], ...]


def ports(lineages: Sequence[Lineage]) -> Ports | None:
    """Return the ports between the main interfaces; None where there are fewer than two."""
    main = [lineage for lineage in lineages if lineage.port]
    if len(main) < 2:
        return None
    rows = tuple(
        tuple(None if source is target else port(source, target, f"port-{n}-{m}") for m, target in enumerate(main))
        for n, source in enumerate(main)
    )
    return Ports(tuple(lineage.newest.column.title for lineage in main), rows)


def port(source: Lineage, target: Lineage, anchor: str) -> Port:
    """Return what it takes to go from one interface to another."""
    there, here = source.newest.column, target.newest.column
    title = f"{there.title} → {here.title}"
    try:
        return Port(anchor, title, porting(there, here))
    except UnknownNumber as unknown:
        return Port(anchor, title, None, str(unknown))
