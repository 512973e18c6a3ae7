"""The timeline: every lineage of versions as a strip, what changed between two of them, and the answers over time."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from bnspec.columns import Column
from bnspec.compare import Weight
from bnspec.compare.words import Line as News
from bnspec.history import Event, Lineage, Stop
from bnspec.references import Reference, matched, references
from bnspec.report.model import CLAUSE_ORDER, Answer, Cell, Line, cell

STEP, WIDE_STEP, HEIGHT, LEFT, GAP = 60, 92, 76, 30, 60
"""Of the picture: the distance of two versions, and of two with long names; the height of a row, its margin, and
the distance of two lineages in it."""

TITLE_LETTER = 8
"""How wide a letter of a title is at most."""

AT_ONCE = (Weight.OUTPUT, Weight.STATISTICS, Weight.ERRORS)
"""What is told at once; lighter changes are folded."""


@dataclass(frozen=True)
class Mark:
    """What changed between two versions, as the picture shows it: where, how heavy, how many things."""

    x: int
    weight: Weight
    number: int
    label: str
    anchor: str


@dataclass(frozen=True)
class Point:
    """A version in the picture."""

    x: int
    version: str
    note: str


@dataclass(frozen=True)
class Strip:
    """A lineage of versions in the picture."""

    title: str
    points: tuple[Point, ...]
    marks: tuple[Mark, ...]
    x: int = 0
    y: int = 0

    @property
    def width(self) -> int:
        """How wide it is."""
        return max(self.points[-1].x, len(self.title) * TITLE_LETTER) + LEFT


@dataclass(frozen=True)
class Era:
    """One answer, and how many versions in succession give it."""

    cell: Cell
    versions: int


@dataclass(frozen=True)
class EraRow:
    """One question that the versions of a lineage answer differently."""

    line: Line
    eras: tuple[Era, ...]


@dataclass(frozen=True)
class Step:
    """Two neighbours between which something changed: what is told at once, what is folded, what explains it."""

    anchor: str
    event: Event
    explained: tuple[Reference, ...]

    @property
    def heavy(self) -> tuple[News, ...]:
        """The heavy changes."""
        return tuple(one for one in self.event.news if one.weight in AT_ONCE)

    @property
    def light(self) -> tuple[News, ...]:
        """The light ones."""
        return tuple(one for one in self.event.news if one.weight not in AT_ONCE)

    @property
    def light_title(self) -> str:
        """How many light changes there are, by their weight."""
        return ", ".join(f"{number} of {weight}" for weight, number in weights(self.light).items())


@dataclass(frozen=True)
class Chapter:
    """One lineage: what changed where, between which neighbours nothing did, and the questions by version."""

    lineage: Lineage
    steps: tuple[Step, ...]
    quiet: tuple[str, ...]
    eras: tuple[EraRow, ...]

    @property
    def summary(self) -> str:
        """How much changed, by weight."""
        return told(weights(line for step in self.steps for line in step.event.news))


@dataclass(frozen=True)
class Timeline:
    """All lineages of several versions."""

    chapters: tuple[Chapter, ...]
    unchanged: tuple[Lineage, ...]
    strips: tuple[Strip, ...]
    counts: Mapping[Weight, int]

    @property
    def width(self) -> int:
        """How wide the picture is."""
        return max(strip.x + strip.width for strip in self.strips)

    @property
    def height(self) -> int:
        """How high the picture is."""
        return max(strip.y for strip in self.strips) + HEIGHT

    @property
    def summary(self) -> str:
        """What was found, by weight, in words."""
        return told(self.counts)

    @property
    def pairs(self) -> int:
        """How many neighbours were compared."""
        return sum(len(one.events) for one in (*(c.lineage for c in self.chapters), *self.unchanged))


def timeline(lineages: Sequence[Lineage]) -> Timeline | None:
    """Return the timeline of some lineages; None where none has several versions."""
    several = [lineage for lineage in lineages if len(lineage.stops) > 1]
    if not several:
        return None
    changed = [lineage for lineage in several if any(event.news for event in lineage.events)]
    chapters = tuple(chapter(lineage, number) for number, lineage in enumerate(changed))
    return Timeline(
        chapters,
        tuple(lineage for lineage in several if lineage not in changed),
        arranged([strip(found) for found in chapters]),
        weights(one for found in chapters for step in found.steps for one in step.event.news),
    )


def weights(found: Iterable[News]) -> Mapping[Weight, int]:
    """Return how many things of each weight happened, the heaviest first."""
    counts = Counter(one.weight for one in found)
    return {weight: counts[weight] for weight in Weight if counts[weight]}


def told(counts: Mapping[Weight, int]) -> str:
    """Return how many things of each weight happened, in words."""
    return ", ".join(f"{number} × {weight}" for weight, number in counts.items())


def chapter(lineage: Lineage, number: int) -> Chapter:
    """Return what a lineage has to tell."""
    every = references()
    steps = tuple(
        Step(f"step-{number}-{n}", event, matched(event, lineage, every))
        for n, event in enumerate(lineage.events)
        if event.news
    )
    quiet = tuple(event.between for event in lineage.events if not event.news)
    return Chapter(lineage, steps, quiet, eras([stop.column for stop in lineage.stops]))


def strip(found: Chapter) -> Strip:
    """Return the picture of a lineage: a mark between two versions where something changed."""
    stops = found.lineage.stops
    step = WIDE_STEP if any(stop.beside for stop in stops) else STEP
    points = tuple(Point(LEFT + n * step, stop.version, note(stops, n)) for n, stop in enumerate(stops))
    marks = []
    for one in found.steps:
        event = one.event
        at = next(n for n, stop in enumerate(stops) if stop is event.before)
        things = f"{len(event.news)} changes" if len(event.news) > 1 else "1 change"
        weight = event.news[0].weight
        label = f"{found.lineage.title} {event.between}: {things}, the heaviest: {weight}"
        marks.append(Mark(LEFT + at * step + step // 2, weight, len(event.news), label, one.anchor))
    return Strip(found.lineage.title, points, tuple(marks))


def arranged(strips: Sequence[Strip]) -> tuple[Strip, ...]:
    """Return strips in rows as wide as the widest: short ones beside each other."""
    widest = max((strip.width for strip in strips), default=0)
    placed: list[Strip] = []
    x = y = 0
    for strip in strips:
        if x and x + strip.width > widest:
            x, y = 0, y + HEIGHT
        placed.append(replace(strip, x=x, y=y))
        x += strip.width + GAP
    return tuple(placed)


def note(stops: Sequence[Stop], number: int) -> str:
    """Return what stands below a version: what tells it from its twin, or its name where that begins."""
    stop = stops[number]
    begins = number == 0 or stops[number - 1].called != stop.called
    return stop.beside or (stop.called if begins else "")


def eras(columns: Sequence[Column]) -> tuple[EraRow, ...]:
    """Return the questions that some versions answer differently, and which gave which answer how long."""
    rows = []
    for id in sorted(dict.fromkeys(id for column in columns for id in column.rows), key=spec_order):
        found = [cell(column.rows.get(id)) for column in columns]
        if len({one.answer for one in found}) > 1:
            rows.append(EraRow(Line(id, tuple(found)), tuple(succession(found))))
    return tuple(rows)


def spec_order(id: str) -> int:
    """Return where the specification has the clause of an id; what it does not know comes last."""
    return CLAUSE_ORDER.get(id.partition("[")[0], len(CLAUSE_ORDER))


def succession(cells: Iterable[Cell]) -> Iterable[Era]:
    """Yield each answer with the number of versions that give it one after the other."""

    def answer(one: Cell) -> Answer:
        return one.answer

    for _, group in groupby(cells, key=answer):
        alike = list(group)
        yield Era(alike[-1], len(alike))
