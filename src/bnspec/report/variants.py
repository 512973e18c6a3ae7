"""How targets differ: the axes that they answer differently, with the situations merged where they can be."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bnspec.columns import Column
from bnspec.compare import merged
from bnspec.results import ABSENT, DECIDED
from bnspec.spec import AXES


@dataclass(frozen=True)
class Part:
    """One answer to an axis: a variant, or a verdict's word where there is none, and where it is given.

    situations: empty where the target answers so in every situation, or in all that no other part names.
    """

    word: str
    is_variant: bool
    situations: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.word} ({'; '.join(self.situations)})" if self.situations else self.word


@dataclass(frozen=True)
class AxisAnswers:
    """An axis, and per target the parts of its answer, the most frequent first; empty if it was not asked."""

    axis: str
    question: str
    answers: tuple[tuple[Part, ...], ...]

    def odd(self, among: Collection[int]) -> frozenset[int]:
        """Return the numbers of the targets that do not answer what most of some do, where most of those agree."""
        decided = {n: parts for n, parts in enumerate(self.answers) if any(part.is_variant for part in parts)}
        given = Counter(decided[n] for n in among if n in decided)
        most = [parts for parts, count in given.items() if count == max(given.values())]
        if len(most) != 1:
            return frozenset()
        return frozenset(n for n, parts in decided.items() if parts != most[0])


@dataclass(frozen=True)
class VariantsTable:
    """The axes (rows) and targets (columns) of a set of results."""

    targets: tuple[str, ...]
    rows: tuple[AxisAnswers, ...]


def table_of(shown: Sequence[Column], *, only_differences: bool) -> VariantsTable:
    """Return the table of some columns."""
    rows = []
    answered = [by_clause(column) for column in shown]
    for axis in AXES.values():
        asked = [clauses.get(axis.id, {}) for clauses in answered]
        if any(asked) and (not only_differences or differ(asked)):
            rows.append(AxisAnswers(axis.id, axis.question, tuple(parts(answers) for answers in asked)))
    return VariantsTable(tuple(column.title for column in shown), tuple(rows))


def situations_of(column: Column, axis: str) -> Mapping[str, Mapping[str, Any]]:
    """Return a target's rows of one axis, by situation."""
    return by_clause(column).get(axis, {})


def by_clause(column: Column) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """Return a target's rows by clause, and by situation."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for id, row in column.rows.items():
        clause, _, situation = id.partition("[")
        found.setdefault(clause, {})[situation.removesuffix("]")] = row
    return found


def differ(asked: Sequence[Mapping[str, Mapping[str, Any]]]) -> bool:
    """Return whether two targets behave differently in one situation."""
    for situation in {situation for rows in asked for situation in rows}:
        given = [rows[situation] for rows in asked if situation in rows]
        if len({word(row) for row in given if row["verdict"] in DECIDED}) > 1:
            return True
    return False


def word(row: Mapping[str, Any]) -> str:
    """Return the variant of a row, or its verdict where it has none."""
    return str(row.get("variant") or row["verdict"])


def parts(rows: Mapping[str, Mapping[str, Any]]) -> tuple[Part, ...]:
    """Merge a target's answers to one axis: the most frequent without its situations, then the others.

    Situations that the target has no words for are left out, unless there is nothing else to say.
    """
    answered = {situation: row for situation, row in rows.items() if row["verdict"] not in ABSENT}
    rows = answered or rows
    by_word: dict[str, list[str]] = {}
    for situation, row in rows.items():
        by_word.setdefault(word(row), []).append(situation)
    variants = {word(row) for row in rows.values() if row.get("variant")}
    ordered = sorted(by_word, key=lambda found: (found not in variants, -len(by_word[found])))
    return tuple(
        Part(found, found in variants, () if number == 0 else merged(by_word[found], list(rows)))
        for number, found in enumerate(ordered)
    )
