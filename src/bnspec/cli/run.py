"""`bnspec run`: targets through the cases, judged."""

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bnspec.cli.shared import FILE, CannotDo, check_writable, choose_targets, cores, default_output, write_report

if TYPE_CHECKING:
    from bnspec.process import WorkerProcess
    from bnspec.targets import Target

LONGEST_TIMEOUT = 86_400


@click.command("run")
@click.argument("targets", nargs=-1, metavar="[ENVIRONMENT[/ADAPTER]]...")
@click.option("--here", is_flag=True, help="Use this very Python and what is installed in it.")
@click.option("--python", metavar="PATH", help="Use the Python at this path.")
@click.option("--adapter", metavar="A", help="A built-in adapter, FILE.py:Class or package.module:Class.")
@click.option("--execution", metavar="E", help="One of the adapter's executions.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("-k", "expression", metavar="EXPR", help="Only ids with this part; join parts with and, or, not.")
@click.option("--jobs", type=click.IntRange(min=1), help="Targets at the same time; default: the cores.")
@click.option("-o", "--output", type=FILE, metavar="FILE", help="Write the results stream here.")
@click.option("--report", type=FILE, metavar="FILE", help="Write the report here, one HTML file.")
@click.option("--timeout", type=click.FloatRange(min=0.1), default=60.0, show_default=True, help="Seconds per case.")
def run_command(
    targets: tuple[str, ...],
    here: bool,
    python: str | None,
    adapter: str | None,
    execution: str | None,
    device: str,
    expression: str | None,
    jobs: int | None,
    output: Path | None,
    report: Path | None,
    timeout: float,
) -> None:
    """Run the cases on targets and judge them.

    ENVIRONMENT is a framework (torch, keras, flax, numpy), a name that `bnspec environments` lists or a
    part of one, or a requirement such as "torch==2.9.1".
    """
    if not timeout <= LONGEST_TIMEOUT:
        raise CannotDo(f"--timeout {timeout}: expected seconds, at most {LONGEST_TIMEOUT}")
    chosen = choose_targets(targets, here, python, adapter, execution, device)
    stream = output or default_output()
    for path in (stream, report):
        if path:
            check_writable(path)
    if report and report.resolve() == stream.resolve():
        raise CannotDo(f"-o and --report both name {report}; give the page a file of its own")
    jobs = jobs or cores()
    early = start_early(chosen[:jobs])
    from bnspec.results import one_line
    from bnspec.runner import Timeouts
    from bnspec.runs import EmptySelection, Run, carry_out

    run = Run(chosen, Timeouts(case=timeout, first=max(180.0, timeout)), early)
    interrupted = False
    try:
        carry_out(run, stream, jobs=jobs, expression=expression)
    except EmptySelection as empty:
        raise CannotDo(str(empty)) from None
    except KeyboardInterrupt:
        interrupted = True
    findings = show(stream, report) if run.written else 0
    for name, what in run.failed.items():
        print(f"bnspec: {one_line(name)} {what}", file=sys.stderr)
    if interrupted:
        left = f"what finished is in {stream}, a partial run" if run.written else "there was no verdict yet"
        raise CannotDo(f"interrupted: {left}")
    sys.exit(2 if run.failed else 1 if findings else 0)


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


def show(stream: Path, report: Path | None) -> int:
    """Print what a run found and write its report; return how many findings there are."""
    from bnspec.results import read
    from bnspec.summary import print_summary

    results = read(stream)
    findings = print_summary(results)
    if report:
        write_report([results], report)
        print(f"Report: {report}")
    print(f"Results: {stream}")
    return findings
