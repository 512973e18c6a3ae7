"""Which targets stand side by side: of many the newest of each lineage, as it runs by default; others on demand."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bnspec.columns import Column
from bnspec.history import Lineage

SIDE_BY_SIDE = 20
"""So many targets are shown beside each other; of more only the newest of each lineage."""


@dataclass(frozen=True)
class Choice:
    """The targets of a page in the order of their lineages, and those shown at once, by their numbers."""

    lineages: tuple[Lineage, ...]
    columns: tuple[Column, ...]
    shown: tuple[int, ...]

    @property
    def first(self) -> tuple[Column, ...]:
        """The targets shown at once."""
        return tuple(self.columns[number] for number in self.shown)

    @property
    def chosen(self) -> bool:
        """Whether some targets wait to be called up."""
        return len(self.shown) < len(self.columns)

    @property
    def style(self) -> str:
        """The style that hides the others in tables of all targets, until a box is ticked; empty if there are none."""
        others = ", ".join(f":nth-child({n + 2})" for n in range(len(self.columns)) if n not in self.shown)
        table = "main:not(:has(#every-target:checked)) .wide:not(.chosen) tr > "
        return f"{table}:is({others}) {{ display: none; }}\n" if others else ""


def choice_of(lineages: Sequence[Lineage]) -> Choice:
    """Return the targets of some lineages, and which of them are shown at once."""
    columns = tuple(stop.column for lineage in lineages for stop in lineage.stops)
    # Other executions stand beside the default one in a section of their own.
    newest = [lineage.newest.column for lineage in lineages]
    first = {column.name for column in newest if not column.asked} or {column.name for column in newest}
    few = len(columns) <= SIDE_BY_SIDE
    return Choice(tuple(lineages), columns, tuple(n for n, c in enumerate(columns) if few or c.name in first))


def called(names: Iterable[str], lineages: Sequence[Lineage]) -> str:
    """Return some targets by their names: versions that follow each other in a lineage as the first and the last."""
    wanted = set(names)
    told = []
    for lineage in lineages:
        held = [stop.column.name in wanted for stop in lineage.stops]
        if sum(held) == 1:
            told.append(lineage.stops[held.index(True)].column.title)
        elif any(held):
            versions = ", ".join(runs(held, [stop.name for stop in lineage.stops]))
            told.append(f"{lineage.prefix} {versions}".strip())
    return "; ".join(told)


def runs(held: Sequence[bool], names: Sequence[str]) -> list[str]:
    """Return the names that are held, of those that follow each other only the first and the last."""
    told: list[str] = []
    begin = 0
    for number, here in enumerate([*held, False]):
        if here and (number == 0 or not held[number - 1]):
            begin = number
        elif not here and number > 0 and held[number - 1]:
            told.append(names[begin] if begin == number - 1 else f"{names[begin]} … {names[number - 1]}")
    return told


def script_data(choice: Choice) -> Mapping[str, object]:
    """Return what the page's script must know of the lineages, and the numbers shown.

    Of each its id, its title, what stands before the names of its versions in a sentence, and these names.
    """
    return {
        "lineages": [[one.id, one.title, one.prefix, [stop.name for stop in one.stops]] for one in choice.lineages],
        "shown": choice.shown,
    }
