"""What the page shows: lines (clause and situation) in families, a cell per target, where they disagree."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from bnspec.columns import Column
from bnspec.results import ABSENT, FINDINGS, VERDICTS
from bnspec.spec import AXES, CLAUSES, family

Answer = tuple[str, str | None]
"""A verdict, and the variant where there is one."""

CLAUSE_ORDER: Mapping[str, int] = {clause: number for number, clause in enumerate((*AXES, *CLAUSES))}
FAMILY_ORDER: Mapping[str, int] = {
    name: number for number, name in enumerate(dict.fromkeys(family(clause) for clause in CLAUSE_ORDER))
}
"""The order of the specification; what it does not know comes last."""


@dataclass(frozen=True)
class Cell:
    """One verdict of one target. odd: it is not what most targets of its line answer."""

    verdict: str
    variant: str | None = None
    ratio: float | None = None
    odd: bool = False

    @property
    def answer(self) -> Answer:
        """Verdict and variant as they are compared: two targets that answer alike may document differently."""
        return ("conforms" if self.verdict == "drifts" else self.verdict), self.variant

    @property
    def absent(self) -> bool:
        """Whether the target gave no answer."""
        return self.verdict in ABSENT


@dataclass(frozen=True)
class Line:
    """One question, a clause in a situation, and a cell per column."""

    id: str
    cells: tuple[Cell, ...]

    @property
    def clause(self) -> str:
        """The clause or axis of the id."""
        return self.id.partition("[")[0]

    @property
    def short(self) -> str:
        """The clause without its family."""
        return self.clause.partition(".")[2]

    @property
    def situation(self) -> str:
        """The situation of the id."""
        return self.id.partition("[")[2].removesuffix("]")

    @property
    def disagrees(self) -> bool:
        """Whether two targets that answered gave different answers."""
        return len({cell.answer for cell in self.cells if not cell.absent}) > 1

    @property
    def folded(self) -> bool:
        """Whether the line can be told in one cell: several targets, one answer, nothing to look at."""
        return len(self.cells) > 1 and not self.disagrees and not any(c.verdict in FINDINGS for c in self.cells)

    @property
    def common(self) -> Cell:
        """The answer of a folded line, with the worst ratio of its cells."""
        answered = [cell for cell in self.cells if not cell.absent]
        ratios = [cell.ratio for cell in answered if cell.ratio is not None]
        first = (answered or self.cells)[0]
        return Cell(first.verdict, first.variant, max(ratios, default=None))


@dataclass(frozen=True)
class Family:
    """The lines of one family: those to read, then those where all targets agree."""

    name: str
    shown: tuple[Line, ...]
    folded: tuple[Line, ...]

    @property
    def disagreeing(self) -> int:
        """How many lines the targets answer differently."""
        return sum(line.disagrees for line in self.shown)


@dataclass(frozen=True)
class Matrix:
    """Every verdict: columns, and lines by family."""

    columns: tuple[Column, ...]
    families: tuple[Family, ...]

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines, in the order of the page."""
        return tuple(line for group in self.families for line in (*group.shown, *group.folded))

    @property
    def disagreeing(self) -> int:
        """How many lines the targets answer differently."""
        return sum(group.disagreeing for group in self.families)

    @property
    def counts(self) -> tuple[Mapping[str, int], ...]:
        """Per column: how often each verdict occurs; what has no row counts as not run."""
        return tuple(Counter(line.cells[number].verdict for line in self.lines) for number in range(len(self.columns)))

    @property
    def totals(self) -> Mapping[str, int]:
        """How often each verdict occurs, for the verdicts that occur."""
        total = sum((Counter(counts) for counts in self.counts), Counter[str]())
        return {verdict: total[verdict] for verdict in VERDICTS if total[verdict]}


def matrix(shown: Sequence[Column]) -> Matrix:
    """Return the matrix of some columns: per family, lines where targets disagree first, agreement folded."""
    ids = dict.fromkeys(id for column in shown for id in column.rows)
    lines = sorted((line(id, shown) for id in ids), key=reading_order)
    families = []
    for name, group in groupby(lines, key=lambda found: family(found.clause)):
        listed = tuple(group)
        families.append(Family(name, tuple(x for x in listed if not x.folded), tuple(x for x in listed if x.folded)))
    return Matrix(tuple(shown), tuple(families))


def reading_order(found: Line) -> tuple[int, str, bool, int, str]:
    """Return what sorts lines: by family, disagreement first, then as in the specification."""
    name = family(found.clause)
    place = FAMILY_ORDER.get(name, len(FAMILY_ORDER))
    return place, name, not found.disagrees, CLAUSE_ORDER.get(found.clause, len(CLAUSE_ORDER)), found.clause


def line(id: str, shown: Sequence[Column]) -> Line:
    """Return the cells of one id, those marked odd that most targets do not share."""
    cells = [cell(column.rows.get(id)) for column in shown]
    answers = Counter(c.answer for c in cells if not c.absent)
    usual = max(answers.values(), default=0)
    most = {answer for answer, count in answers.items() if count == usual}
    return Line(
        id,
        tuple(
            Cell(c.verdict, c.variant, c.ratio, odd=not c.absent and len(most) == 1 and c.answer not in most)
            for c in cells
        ),
    )


def cell(row: Mapping[str, Any] | None) -> Cell:
    """Return the cell of a results row; a target without one was not run."""
    if row is None:
        return Cell("not-run")
    ratio = row.get("ratio")
    return Cell(row["verdict"], row.get("variant"), None if ratio is None else float(ratio))
