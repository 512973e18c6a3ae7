"""The suite's test of itself: which wrong implementations it caught, and whether it accused a right one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bnspec.results import Results

SHOWN_IDS = 3
"""So many ids of those that caught a mutant are named, the others counted."""


@dataclass(frozen=True)
class Mutant:
    """A wrong implementation: its fault in words, the clauses that name it, and the ids that caught it.

    kills: how many questions caught it; named: whether one of these clauses is among them.
    """

    name: str
    fault: str
    clauses: tuple[str, ...]
    ids: tuple[str, ...]
    kills: int
    named: bool

    @property
    def killed(self) -> bool:
        """Whether anything caught it."""
        return self.kills > 0


@dataclass(frozen=True)
class Score:
    """Every mutant, and of the correct implementations those that were accused, with how many findings."""

    mutants: tuple[Mutant, ...]
    correct: int
    accused: tuple[tuple[str, int], ...]

    @property
    def survivors(self) -> tuple[Mutant, ...]:
        """The mutants that nothing caught."""
        return tuple(mutant for mutant in self.mutants if not mutant.killed)

    @property
    def unnamed(self) -> tuple[Mutant, ...]:
        """The mutants that were caught, but by no clause that names their fault."""
        return tuple(mutant for mutant in self.mutants if mutant.killed and not mutant.named)

    @property
    def sentence(self) -> str:
        """The score."""
        caught, total = len(self.mutants) - len(self.survivors), len(self.mutants)
        named = "" if not self.unnamed else f", {caught - len(self.unnamed)} of them by a clause that names the fault"
        found = sum(number for _, number in self.accused)
        findings = "no finding" if not found else f"{found} finding{'s' if found > 1 else ''}"
        return f"{caught} of {total} mutants killed{named}; {self.correct} correct implementations, {findings}."


def score(files: Iterable[Results]) -> Score | None:
    """Return the score of a self-test; None where no file has one. A later record of a name wins."""
    records = {str(record["name"]): record for results in files for record in results.implementations}
    if not records:
        return None
    mutants = tuple(mutant(record) for record in records.values() if record["kind"] == "mutant")
    correct = {name: int(record["findings"]) for name, record in records.items() if record["kind"] == "correct"}
    accused = tuple((name, number) for name, number in correct.items() if number)
    return Score(mutants, len(correct), accused)


def mutant(record: Mapping[str, Any]) -> Mutant:
    """Return the mutant of a record."""
    ids, clauses = tuple(record["killed"]), tuple(record["clause"])
    return Mutant(record["name"], record["fault"], clauses, ids, record["kills"], record["named"])
