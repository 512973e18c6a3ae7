"""The files of a run: one for all targets, or one for each in a folder; and what a killed run left in them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bnspec import __version__
from bnspec.provenance import revision
from bnspec.results import Results, ResultsError, Writer, read
from bnspec.targets import Target, files_of


class CannotResume(Exception):  # noqa: N818 - it is shown as it is, one clear line
    """A results file that this run cannot go on with."""


class Streams:
    """Writes each target's records to its file; a file whose targets all came to an end gets its footer at once."""

    def __init__(self, files: Mapping[str, Path], head: Mapping[str, Any], counts: Mapping[str, int] | None) -> None:
        """Touch nothing yet.

        files: per target; head: the fields of the run record; counts: of the verdicts in the one file, where that
        goes on with an earlier run.
        """
        self.files, self.head, self.counts = files, head, counts
        self.writers: dict[Path, Writer] = {}
        self.left = {path: [name for name in files if files[name] == path] for path in files.values()}

    def write(self, record: str, **fields: Any) -> None:
        """Append one record of a target. Raises OSError where its file cannot be written."""
        name = fields["target"]
        path = self.files[name]
        if path not in self.writers:
            self.begin(path)
        writer = self.writers[path]
        writer.write(record, **fields)
        if record == "target-end":
            self.left[path].remove(name)
            if not self.left[path]:
                writer.close(complete=True)

    def begin(self, path: Path) -> None:
        """Write how a file's targets come to be run."""
        writer = self.writers[path] = Writer(path, self.counts)
        if self.counts is None:
            writer.write("run", **{**self.head, "targets": list(self.left[path])})
        else:
            writer.write("resume", **{name: self.head[name] for name in ("date", "revision", "command")})

    @property
    def begun(self) -> list[Path]:
        """The files that hold something of this run."""
        return [path for path, writer in self.writers.items() if writer.begun]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for path, writer in self.writers.items():
            if self.left[path]:
                writer.close(complete=False)


@dataclass(frozen=True)
class Earlier:
    """What is there of a run that goes on.

    finished: the targets that need not run again; counts: of the verdicts on them, where the records to come are
    appended to theirs in one file.
    """

    finished: frozenset[str] = frozenset()
    counts: Mapping[str, int] | None = None


def earlier(output: Path, targets: Sequence[Target], expression: str | None, *, large: bool = False) -> Earlier:
    """Return what is there of a run that was killed.

    In a folder the files of other suites and selections count for nothing. Raises CannotResume for a single file of
    another suite, selection or set of targets, ResultsError for one that is no results file.
    """
    if output.is_dir():
        of_all = {name: contents(path) for name, path in files_of(output, targets).items()}
        done = {
            name: found.targets[name].finished and not refusal(found, [name], expression, large)
            for name, found in of_all.items()
            if found and found.complete and name in found.targets
        }
        return Earlier(frozenset(name for name in done if done[name]))
    if not output.exists() or not output.stat().st_size:
        return Earlier()
    results = read(output)
    if reason := refusal(results, [target.name for target in targets], expression, large):
        raise CannotResume(f"--resume: {output} {reason}; without --resume all is run anew")
    finished = {name: target for name, target in results.targets.items() if target.finished}
    counts = Counter(row["verdict"] for target in finished.values() for row in target.rows.values())
    return Earlier(frozenset(finished), counts)


def contents(path: Path) -> Results | None:
    """Return the results in a file, None where it holds none."""
    try:
        return read(path)
    except ResultsError:
        return None


def refusal(results: Results, targets: Sequence[str], expression: str | None, large: bool) -> str:
    """Say why a run cannot go on with some results; nothing where it can."""
    run = results.run
    there, here = (run["suite"], run.get("revision")), (__version__, revision())
    if there != here:
        was, now = (f"{suite} ({of or 'no revision'})" for suite, of in (there, here))
        return f"is of the suite {was}, this is {now}: verdicts of both cannot stand beside each other"
    if run.get("selection") != expression:
        was, now = (f"of -k {part!r}" if part else "of all cases" for part in (run.get("selection"), expression))
        return f"holds results {was}, this run is {now}"
    if bool(run.get("large")) != large:
        return (
            f"holds results with{'' if run.get('large') else 'out'} --large, this run is with{'' if large else 'out'}"
        )
    if set(run.get("targets", results.targets)) != set(targets):
        return "holds results of other targets than this run has"
    return ""
