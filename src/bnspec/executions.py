"""The executions of a target beside each other: what each answers otherwise than the default one, and why.

The causes are told once, in `conformance/causes.toml`; a disagreement that none of them explains stands as it is.
"""

import functools
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from bnspec.columns import Column
from bnspec.compare import merged
from bnspec.equivalence import CLAUSE, answer
from bnspec.paths import suite_folder
from bnspec.results import FINDINGS, VERDICTS


@dataclass(frozen=True)
class Cause:
    """Why an execution answers otherwise.

    adapters, executions, ids: patterns of where it explains something (`fnmatch`); answers: the variants and verdicts
    that it explains there, and no others; text: in a sentence or two, with the number that was measured and where it
    stands in the source.
    """

    adapters: tuple[str, ...]
    executions: tuple[str, ...]
    ids: tuple[str, ...]
    answers: tuple[str, ...]
    text: str

    def explains(self, adapter: str, execution: str, id: str, answer: str) -> bool:
        """Whether it is about this answer."""
        asked = ((adapter, self.adapters), (execution, self.executions), (id, self.ids))
        return answer in self.answers and all(any(fits(name, p) for p in known) for name, known in asked)


def fits(name: str, pattern: str) -> bool:
    """Whether a name is as a pattern says, in which brackets are brackets."""
    return fnmatchcase(name.replace("[", "("), pattern.replace("[", "("))


@dataclass(frozen=True)
class Disagreement:
    """One clause that an execution answers otherwise than the default one, in some situations.

    there, here: the variant or the verdict of the default execution, and of this one; message: of the gravest row;
    cause: None where it is not explained.
    """

    clause: str
    there: str
    here: str
    ids: tuple[str, ...]
    where: tuple[str, ...]
    message: str
    cause: str | None


@dataclass(frozen=True)
class Execution:
    """One execution of a target. failed: why it did not run; disagreements: None for the default one."""

    name: str
    column: Column
    disagreements: tuple[Disagreement, ...] = ()

    @property
    def failed(self) -> str | None:
        """Why it did not run."""
        return self.column.failed

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each verdict occurs, in the order of the legend."""
        counts = Counter(str(row["verdict"]) for row in self.column.rows.values())
        return {verdict: counts[verdict] for verdict in VERDICTS if counts[verdict]}

    @property
    def seconds(self) -> float | None:
        """How long its run took, import and judging among it."""
        found = self.column.info.get("wall_seconds")
        return float(found) if isinstance(found, (int, float)) else None

    @property
    def compilations(self) -> int | None:
        """How many times it compiled, traced or captured; None where it does not."""
        found = self.column.info.get("compilations")
        return found if isinstance(found, int) else None


@dataclass(frozen=True)
class Group:
    """A target in all its executions that were run, the default one first."""

    title: str
    name: str
    executions: tuple[Execution, ...]

    @property
    def ran(self) -> tuple[Execution, ...]:
        """Those that have answers."""
        return tuple(execution for execution in self.executions if execution.column.rows)

    @property
    def failed(self) -> tuple[Execution, ...]:
        """Those that this build or device cannot run."""
        return tuple(execution for execution in self.executions if execution.failed is not None)


def groups(columns: Sequence[Column]) -> tuple[Group, ...]:
    """Return the targets that were run in several executions."""
    default = {column.name: column for column in columns if base_name(column) == column.name}
    others: dict[str, list[Column]] = {}
    for column in columns:
        if base_name(column) != column.name and base_name(column) in default:
            others.setdefault(base_name(column), []).append(column)
    found = []
    for name, members in others.items():
        base = default[name]
        device = str(base.info.get("device", "cpu"))
        beside = " · ".join(filter(None, (str(base.info.get("adapter", "")), "" if device == "cpu" else device)))
        ran = [Execution(execution_of(column), column, disagreements(base, column)) for column in members]
        found.append(Group(f"{base.label} ({beside})", name, (Execution(execution_of(base), base), *ran)))
    return tuple(found)


def base_name(column: Column) -> str:
    """Return the name of a target in its default execution."""
    asked = execution_of(column)
    return column.name.removesuffix(f"@{asked}") if asked else column.name


def execution_of(column: Column) -> str:
    """Return the execution of a target."""
    return str(column.info.get("execution", ""))


def disagreements(base: Column, column: Column) -> tuple[Disagreement, ...]:
    """Return what an execution answers otherwise than the default one, findings first."""
    found: dict[tuple[str, str, str, str | None], list[str]] = {}
    for id, row in column.rows.items():
        there, here = answer(base.rows.get(id, {"verdict": "not-run"})), answer(row)
        if there and here and there != here and not id.startswith(CLAUSE):  # which repeats what the others say
            why = cause(str(column.info.get("adapter")), execution_of(column), id, here)
            found.setdefault((id.partition("[")[0], there, here, why), []).append(id)
    listed = [
        Disagreement(clause, there, here, tuple(ids), places(ids, column), message(ids, column), why)
        for (clause, there, here, why), ids in found.items()
    ]
    return tuple(sorted(listed, key=lambda one: (one.here not in FINDINGS, one.clause)))


def places(ids: Iterable[str], column: Column) -> tuple[str, ...]:
    """Return the situations of some ids of one clause, merged where they can be."""
    ids = list(ids)
    clause = ids[0].partition("[")[0]
    every = [situation(id) for id in column.rows if id.startswith(f"{clause}[")]
    return tuple(merged([situation(id) for id in ids], every))


def situation(id: str) -> str:
    """Return the situation of an id."""
    return id.partition("[")[2].removesuffix("]")


def message(ids: Iterable[str], column: Column) -> str:
    """Return what is said of the first of some ids, of the one farthest off where there are ratios."""
    rows = [column.rows[id] for id in ids]
    worst = max(rows, key=lambda row: float(row.get("ratio") or 0.0))
    return str(worst.get("message") or "")


def cause(adapter: str, execution: str, id: str, said: str) -> str | None:
    """Return the first cause that explains what an execution answers to one question."""
    return next((one.text for one in causes() if one.explains(adapter, execution, id, said)), None)


PATTERNS = ("adapters", "executions", "ids", "answers")


@functools.cache
def causes() -> tuple[Cause, ...]:
    """Return the causes that are known. Raises KeyError or TypeError where one is not whole."""
    with (suite_folder() / "causes.toml").open("rb") as file:
        table = tomllib.load(file)
    return tuple(
        Cause(**{name: tuple(one[name]) for name in PATTERNS}, text=" ".join(one["text"].split()))
        for one in table.get("cause", ())
    )
