"""The results stream: JSON Lines, written as cases finish, never rewritten.

Records, by their `record` field: `run` first (provenance of the command), then per target `target` (its
environment), `case` (one verdict) and `target-end` (counts), and `footer` last. A self-test has records
`implementation` in their place. Without a footer the run is partial. A record `resume` goes on with such a run:
the targets that were not finished before it count as not begun. The schema is `results.schema.json` beside this
file; reading validates every line against it.
"""

import functools
import json
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from bnspec.worker.frames import too_deep

SCHEMA_VERSION = 3  # 2 added the record `implementation`, 3 `resume` and what is claimed; all are read
SYNC_SECONDS = 0.2
RESUME = b'{"record": "resume",'

VERDICTS: Mapping[str, str] = {
    "conforms": "Right: within the allowance, or exactly one variant explains it.",
    "drifts": "The behaviour differs from what the framework documents.",
    "violates": "Wrong: no variant explains what was measured.",
    "imprecise": "Right in exact arithmetic, but less accurate than two passes and a wide sum.",
    "refuses": "The framework raised an error where a value was due.",
    "inconclusive": "Several variants explain it alike, or the numbers decide nothing.",
    "blocked": "Not judged: it depends on an axis that was not decided.",
    "unsupported": "The question does not apply, or the framework's interface has no words for it.",
    "error": "A fault of bnspec or of the adapter.",
    "crash": "The process died while running the case.",
    "timeout": "The case did not end in time and was killed.",
    "not-run": "It was not run.",
}
"""Every verdict, in words, the good ones first and those that could not be judged last."""

FINDINGS = frozenset(VERDICTS) - {"conforms", "unsupported", "not-run"}
"""The verdicts that a person should look at."""

ABSENT = frozenset({"unsupported", "not-run"})
"""Verdicts of a target that gave no answer: they neither agree nor disagree with anybody."""

DECIDED = frozenset({"conforms", "drifts", "violates", "imprecise", "refuses"})
"""Verdicts that say how a target behaves: only these make a difference between targets."""


OF_THE_END = ("adapter_seconds", "wall_seconds", "compilations", "workers")
"""What the record of a target's end adds to what is known of it."""


@dataclass(frozen=True)
class Row:
    """One verdict: an id `clause[situation]`, and what supports it.

    variant: the answer to an axis; claimed: the one that the framework documents; ratio: the worst |error| in
    allowances; best: the same in those of the best class of accuracy, where it was judged in another one; margin:
    the smallest distance between two rivals, in allowances; index: where the worst number stands; message: in
    words; seconds: inside the adapter; arrays: what was shown, where the case does not conform.
    """

    id: str
    verdict: str
    variant: str | None = None
    claimed: str | None = None
    ratio: float | None = None
    best: float | None = None
    margin: float | None = None
    index: tuple[int, ...] | None = None
    message: str | None = None
    seconds: float | None = None
    arrays: Mapping[str, Any] = field(default_factory=dict)

    @property
    def clause(self) -> str:
        """The clause or axis of the id."""
        return self.id.partition("[")[0]

    @property
    def situation(self) -> str:
        """The situation of the id."""
        return self.id.partition("[")[2].rstrip("]")

    def as_json(self) -> dict[str, Any]:
        """Return the fields that say something, with infinities spelled out."""
        return {name: plain(value) for name, value in self.__dict__.items() if value not in (None, {})}


def plain(value: Any) -> Any:
    """Return a value that strict JSON can hold: infinities and NaN become their names."""
    if isinstance(value, float) and not math.isfinite(value):
        return {math.inf: "inf", -math.inf: "-inf"}.get(value, "nan")
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


class ResultsError(Exception):
    """A results file that cannot be read: the message names file, line and fault."""


class Writer:
    """Writes records to a file, flushed at once, on disk within SYNC_SECONDS; a footer only on success.

    The file is opened with the first verdict: a run that comes to none leaves an older file as it is.
    """

    def __init__(self, path: Path, counts: Mapping[str, int] | None = None) -> None:
        """Touch nothing yet. counts: of the verdicts that are there, where the run of the file is to go on."""
        self.path = path
        self.file: TextIO | None = None
        self.held: list[str] = []
        self.synced = 0.0
        self.resumes = counts is not None
        self.counts = dict(counts or {})

    @property
    def begun(self) -> bool:
        """Whether the file holds this run, not what was there before."""
        return self.file is not None

    def write(self, record: str, **fields: Any) -> None:
        """Append one record; raises OSError where the file cannot be written."""
        line = json.dumps({"record": record, **plain(fields)}, ensure_ascii=True, allow_nan=False)
        self.held.append(line + "\n")
        if record == "case":
            self.counts[fields["verdict"]] = self.counts.get(fields["verdict"], 0) + 1
        if record in ("case", "implementation"):
            self.open()
        self.flush()

    def open(self) -> None:
        """Open the file, which from here on belongs to this run."""
        if self.file is None:
            whole = not self.resumes or self.path.read_bytes().endswith(b"\n")
            self.file = self.path.open("a" if self.resumes else "w", encoding="utf-8")
            self.held.insert(0, "" if whole else "\n")  # ends the line that was cut off

    def flush(self) -> None:
        """Bring what is held into the file, if it is open."""
        if self.file is None:
            return
        self.file.writelines(self.held)
        self.held.clear()
        self.file.flush()
        now = time.monotonic()
        if now - self.synced >= SYNC_SECONDS:
            os.fsync(self.file.fileno())
            self.synced = now

    def close(self, *, complete: bool) -> None:
        """Close the file, with a footer where the run came to its end; one without a verdict does not replace any."""
        if complete:
            if not self.path.exists() or not self.path.stat().st_size:
                self.open()
            self.write("footer", counts=self.counts)
        if self.file is not None:
            with self.file:
                self.file.flush()
                os.fsync(self.file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close(complete=kind is None)


@dataclass(frozen=True)
class TargetResults:
    """All that one run said about one target: its environment and its rows by id, in order."""

    info: Mapping[str, Any]
    rows: Mapping[str, Mapping[str, Any]]
    complete: bool

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to run: it started, every case was run, and it came to its end."""
        ran = all(row["verdict"] != "not-run" for row in self.rows.values())
        return self.complete and "failed" not in self.info and ran


@dataclass(frozen=True)
class Results:
    """One results file: provenance, targets by name, and whether the run came to its end.

    implementations: of a self-test, each wrong or correct one and what it met.
    """

    source: str
    run: Mapping[str, Any]
    targets: Mapping[str, TargetResults]
    complete: bool
    implementations: tuple[Mapping[str, Any], ...] = ()


@functools.cache
def validators() -> Mapping[str, Callable[[Any], Any]]:
    """Return the compiled schema of every kind of record: one by one they can say which field is wrong."""
    import fastjsonschema

    schema = json.loads(resources.files("bnspec").joinpath("results.schema.json").read_text("utf-8"))
    shared = {"$schema": schema["$schema"], "definitions": schema["definitions"]}
    return {
        kind["properties"]["record"]["const"]: fastjsonschema.compile({**shared, **kind}) for kind in schema["oneOf"]
    }


def read(path: Path) -> Results:
    """Read and validate one results file.

    A last line that was cut off is ignored (the run is partial then, or a later one resumed it). Raises
    ResultsError with file, line and fault for anything else that is not a results stream of this schema.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read: {error.strerror}") from None
    if not any(line.strip() for line in lines):
        raise ResultsError(f"{path}: is empty; expected a results stream, as `bnspec run -o FILE` writes it")
    stream = parse(path, lines)
    number, run = next(stream)
    if run["record"] != "run":
        raise ResultsError(f"{path}:{number}: starts with {run['record']!r}; expected the run record")
    infos: dict[str, Mapping[str, Any]] = {}
    rows: dict[str, dict[str, Mapping[str, Any]]] = {}
    ended: set[str] = set()
    implementations: list[Mapping[str, Any]] = []
    complete = False
    for number, record in stream:
        kind, name = record["record"], str(record.get("target"))
        if kind == "run" or (complete and kind != "resume"):
            raise ResultsError(f"{path}:{number}: a second stream in one file; give each a file of its own")
        if kind == "footer":
            complete = True
        elif kind == "resume":
            complete = False
            begun = [n for n in infos if not TargetResults(infos[n], rows[n], n in ended).finished]
            for name in begun:
                del infos[name], rows[name]
            ended.difference_update(begun)
        elif kind == "implementation":
            implementations.append(record)
        elif kind == "target":
            if name in infos:
                raise ResultsError(f"{path}:{number}: target {name!r} is announced twice")
            infos[name], rows[name] = record, {}
        elif name not in infos:
            raise ResultsError(f"{path}:{number}: target {name!r} was not announced")
        elif kind == "target-end":
            ended.add(name)
            infos[name] = {**infos[name], **{field: record[field] for field in OF_THE_END if field in record}}
        elif record["id"] in rows[name]:
            raise ResultsError(f"{path}:{number}: a second row for {record['id']}")
        else:
            rows[name][record["id"]] = record
    order = [*run.get("targets", ()), *infos]  # as they were asked for, not as they came to an end
    targets = {name: TargetResults(infos[name], rows[name], name in ended) for name in order if name in infos}
    return Results(str(path), run, targets, complete, tuple(implementations))


def parse(path: Path, lines: list[bytes]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the validated records of a file's lines, each with the number of its line."""
    import fastjsonschema

    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line, parse_constant=refuse)
        except (ValueError, RecursionError):
            behind = lines[number : number + 1]
            if number > 1 and (not behind or behind[0].startswith(RESUME)):
                continue
            raise ResultsError(f"{path}:{number}: is not JSON; expected one JSON object a line") from None
        if too_deep(record):
            raise ResultsError(f"{path}:{number}: is nested too deep for a results record")
        kind = record.get("record") if isinstance(record, dict) else None
        if not isinstance(kind, str) or kind not in validators():
            kinds = ", ".join(validators())
            raise ResultsError(f"{path}:{number}: is not a results record; expected one of {kinds}")
        newer = record.get("schema")
        if kind == "run" and isinstance(newer, int) and newer > SCHEMA_VERSION:
            raise ResultsError(
                f"{path}:{number}: has schema {newer}, this bnspec reads up to {SCHEMA_VERSION}; upgrade bnspec"
            )
        try:
            validators()[kind](record)
        except fastjsonschema.JsonSchemaValueException as error:
            fault = str(error.message).replace("data", "the record", 1)[:200]
            raise ResultsError(f"{path}:{number}: is not a {kind} record: {fault}") from None
        yield number, record


def refuse(constant: str) -> None:
    """Raise ValueError for NaN and Infinity, which are Python's and not JSON's."""
    raise ValueError(constant)


def one_line(text: str) -> str:
    """Return text as one line that is safe for a terminal, cut to what a message may hold."""
    return printable(" ".join(text.split()))[:2000]


def cut(text: str, most: int) -> str:
    """Return text as one line of at most so many characters, the last … where it was longer."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else f"{flat[: most - 1]}…"


def printable(text: str) -> str:
    """Return text with control characters replaced, safe for a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def merge(files: Iterable[Results]) -> Results:
    """Put several results files beside each other; a target's later file wins."""
    listed = list(files)
    targets = {name: target for results in listed for name, target in results.targets.items()}
    complete = all(results.complete for results in listed)
    implementations = tuple(record for results in listed for record in results.implementations)
    source = ", ".join(results.source for results in listed)
    return Results(source, listed[-1].run, targets, complete, implementations)
