"""What was judged before: many implementations of one suite show mostly the same, bit for bit."""

import hashlib
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass

from bnspec.case import Case
from bnspec.difference import Trace
from bnspec.results import Row
from bnspec.spec import Axis, Dialect

Judging = Callable[[Case, Trace, Dialect], tuple[list[Row], Dialect]]


class Listening(Dialect):
    """A dialect that notes which axes it was asked, itself or one made of it."""

    def __init__(self, dialect: Dialect, heard: set[str]) -> None:
        super().__init__(dialect.answers, dialect.undecided)
        object.__setattr__(self, "heard", heard)

    heard: set[str]

    def variant(self, axis: str, situation: str) -> str:
        """Return the answer, and note the axis."""
        self.heard.add(axis)
        return super().variant(axis, situation)

    def said(self, axes: Iterable[str]) -> Hashable:
        """Return all that is said of some axes, and note them."""
        self.heard.update(axes)
        return super().said(axes)

    def answering(self, answers: Mapping[str, str], situation: str) -> Dialect:
        """Return this dialect with other answers; it notes in the same place."""
        return Listening(super().answering(answers, situation), self.heard)

    def not_deciding(self, axes: Iterable[str], situation: str) -> Dialect:
        """Return this dialect with axes that are not decided; it notes in the same place."""
        return Listening(super().not_deciding(axes, situation), self.heard)

    def with_classes(self, choose: Callable[[Axis, str], str]) -> Dialect:
        """Return this dialect with other classes of accuracy; it notes in the same place."""
        return Listening(super().with_classes(choose), self.heard)


@dataclass(frozen=True)
class Judged:
    """One judging: the axes that had a say in it and what was said of them; the rows; what the dialect learned."""

    heard: frozenset[str]
    said: Hashable
    rows: tuple[Row, ...]
    learned: Mapping[tuple[str, str], str]
    undecided: frozenset[tuple[str, str]]


class Memo:
    """Judges by a function of case, trace and dialect, which it asks once for each that differ."""

    def __init__(self, judging: Judging) -> None:
        self.judging = judging
        self.seen: dict[tuple[str, bytes], list[Judged]] = {}

    def __call__(self, case: Case, trace: Trace, dialect: Dialect) -> tuple[list[Row], Dialect]:
        """Return the rows of a case and the dialect with what was learned from it."""
        known = self.seen.setdefault((case.key, digest(trace)), [])
        for judged in known:
            if judged.said == dialect.said(judged.heard):
                break
        else:
            judged = self.judge(case, trace, dialect)
            known.append(judged)
        if judged.learned or judged.undecided:
            undecided = (dialect.undecided - judged.learned.keys()) | judged.undecided
            dialect = Dialect({**dialect.answers, **judged.learned}, undecided)
        return list(judged.rows), dialect

    def judge(self, case: Case, trace: Trace, dialect: Dialect) -> Judged:
        """Judge, and note what it depended on."""
        listening = Listening(dialect, set())
        rows, after = self.judging(case, trace, listening)
        own = [(clause, case.situation) for clause in case.clauses]
        heard = frozenset(listening.heard)
        return Judged(
            heard,
            dialect.said(heard),
            tuple(rows),
            {key: after.answers[key] for key in own if key in after.answers},
            frozenset(key for key in own if key in after.undecided),
        )


def digest(trace: Trace) -> bytes:
    """Return what tells two traces apart, the time aside."""
    parts = [repr((trace.status, trace.reason)).encode()]
    for shown in trace.steps:
        parts.append(repr((shown.error, shown.dtypes)).encode())
        for name, array in shown.arrays.items():
            parts += repr((name, array.dtype.char, array.shape)).encode(), array.tobytes()
    return hashlib.blake2b(b"".join(parts), digest_size=16).digest()
