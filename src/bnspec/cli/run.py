"""`bnspec run`: targets through the cases, judged."""

import contextlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bnspec.cli.shared import FILE, CannotDo, check_writable, choose_targets, cores, place, write_report

if TYPE_CHECKING:
    from bnspec.equivalence import Answers
    from bnspec.process import WorkerProcess
    from bnspec.targets import Target

LONGEST_TIMEOUT = 86_400


@click.command("run")
@click.argument("targets", nargs=-1, metavar="[ENVIRONMENT[/ADAPTER]]...")
@click.option("--all", "everything", is_flag=True, help="The whole matrix: every listed environment, every adapter.")
@click.option("--here", is_flag=True, help="Use this very Python and what is installed in it.")
@click.option("--python", metavar="PATH", help="Use the Python at this path.")
@click.option("--adapter", metavar="A", help="A built-in adapter, FILE.py:Class or package.module:Class.")
@click.option(
    "--execution", "executions", multiple=True, metavar="E",
    help="One of the adapter's executions, or all: each of them but the slow ones. May be given several times.",
)  # fmt: skip
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("-k", "expression", metavar="EXPR", help="Only ids with this part; join parts with and, or, not.")
@click.option("--large", is_flag=True, help="Also the layers of real networks at batch 32, up to 38 million values.")
@click.option("--jobs", type=click.IntRange(min=1), help="Workers at the same time; default: the cores.")
@click.option(
    "-o", "--output", type=click.Path(), metavar="FILE|FOLDER/",
    help="Write the results stream here; in a folder, one file for each target.",
)  # fmt: skip
@click.option("--resume", is_flag=True, help="Go on with the run that was killed: run only what it did not finish.")
@click.option("--discard", is_flag=True, help="Remove each environment that this run makes, once it is done with.")
@click.option("--report", type=FILE, metavar="FILE", help="Write the report here, one HTML file.")
@click.option("--timeout", type=click.FloatRange(min=0.1), default=60.0, show_default=True, help="Seconds per case.")
def run_command(
    targets: tuple[str, ...],
    everything: bool,
    here: bool,
    python: str | None,
    adapter: str | None,
    executions: tuple[str, ...],
    device: str,
    expression: str | None,
    large: bool,
    jobs: int | None,
    output: str | None,
    resume: bool,
    discard: bool,
    report: Path | None,
    timeout: float,
) -> None:
    """Run the cases on targets and judge them.

    ENVIRONMENT is a framework (torch, keras, flax, numpy), a name that `bnspec environments` lists or a
    part of one, or a requirement such as "torch==2.9.1". Requirements are joined by +, a Python among them
    where it matters: "torch==1.7.1 + python==3.8". --all takes the place of names.

    The whole matrix, on a machine with little disk, to be gone on with after an interruption:

        bnspec run --all -o results/ --discard --resume
    """
    if not timeout <= LONGEST_TIMEOUT:
        raise CannotDo(f"--timeout {timeout}: expected seconds, at most {LONGEST_TIMEOUT}")
    chosen = choose_targets(targets, everything, here, python, adapter, executions, device)
    stream = place(output)
    check_places(stream, report, chosen)
    left, counts = unfinished(chosen, stream, expression, large) if resume else (chosen, None)
    jobs = jobs or cores()
    early = start_early(left[:jobs])
    get_ready()
    from bnspec.driver import Timeouts
    from bnspec.results import one_line
    from bnspec.runs import EmptySelection, Run, carry_out
    from bnspec.targets import files_of

    run = Run(left, Timeouts(case=timeout, first=max(180.0, timeout)), early, discard, large)
    run.known = finished_answers(chosen, left, stream)
    interrupted = False
    try:
        if left:
            carry_out(run, stream, jobs=jobs, expression=expression, counts=counts)
    except EmptySelection as empty:
        raise CannotDo(str(empty)) from None
    except KeyboardInterrupt:
        interrupted = True
    kept = files_of(stream, [target for target in chosen if target not in left]).values()
    files = list(dict.fromkeys((*kept, *run.written)))
    findings = show(files, stream, report) if files else 0
    for name, what in run.failed.items():
        print(f"bnspec: {one_line(name)} {what}", file=sys.stderr)
    if interrupted:
        left_there = f"what finished is in {stream}, a partial run; with --resume it goes on"
        raise CannotDo(f"interrupted: {left_there if files else 'there was no verdict yet'}")
    failed = run.failed.keys() - (run.lacking if "all" in executions else frozenset())
    sys.exit(2 if failed else 1 if findings else 0)


def check_places(stream: Path, report: Path | None, targets: Sequence["Target"]) -> None:
    """Raise CannotDo, before any work, where results or page cannot be written or would lie on each other."""
    from bnspec.targets import files_of

    files = files_of(stream, targets)
    doubled = [path for path in files.values() if list(files.values()).count(path) > 1 and path != stream]
    if doubled:
        raise CannotDo(f"{len(doubled)} targets would be written to {doubled[0]}; run one at a time")
    for path in {*files.values(), *([report] if report else [])}:
        check_writable(path)
    if report and report.resolve() in {path.resolve() for path in files.values()}:
        raise CannotDo(f"-o and --report both name {report}; give the page a file of its own")


def unfinished(
    targets: Sequence["Target"], stream: Path, expression: str | None, large: bool
) -> tuple[Sequence["Target"], Mapping[str, int] | None]:
    """Return the targets that an earlier run did not finish, and what it counted in the file that is gone on with."""
    from bnspec.streams import CannotResume, earlier

    try:
        before = earlier(stream, targets, expression, large=large)
    except CannotResume as problem:
        raise CannotDo(str(problem)) from None
    left = [target for target in targets if target.name not in before.finished]
    if before.finished:
        print(f"{len(targets) - len(left)} of {len(targets)} targets are finished in {stream}", file=sys.stderr)
    return left, before.counts


def finished_answers(chosen: Sequence["Target"], left: Sequence["Target"], stream: Path) -> dict[str, "Answers"]:
    """Return the answers of the targets that an earlier run finished: other executions are held to them."""
    from bnspec.equivalence import answers
    from bnspec.results import read
    from bnspec.targets import files_of

    files = files_of(stream, [target for target in chosen if target not in left])
    return {name: answers(read(path).targets[name].rows.values()) for name, path in files.items()}


def start_early(targets: Sequence["Target"]) -> dict[str, "WorkerProcess"]:
    """Start the workers of environments that are made: they import frameworks while the host imports NumPy."""
    from bnspec.process import WorkerProcess

    started = {}
    for target in targets:
        # What cannot be started is tried again by its driver, which says why.
        with contextlib.suppress(OSError, ValueError):
            if target.environment.made:
                started[target.name] = WorkerProcess(target.environment.interpreter, target.environ)
    return started


def get_ready() -> None:
    """Import and compile what the end of a run needs while the workers import their frameworks: then nobody waits."""
    import bnspec.summary  # noqa: F401
    from bnspec.results import validators

    validators()


def show(files: Sequence[Path], stream: Path, report: Path | None) -> int:
    """Print what a run found and write its report; return how many findings there are."""
    from bnspec.results import read
    from bnspec.summary import print_summary

    results = [read(file) for file in files]
    findings = print_summary(results)
    if report:
        write_report(results, report)
        print(f"Report: {report}")
    print(f"Results: {stream}")
    return findings
