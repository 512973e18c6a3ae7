"""The command. Progress goes to stderr, data to stdout.

Exit status: 0 all right, 1 a finding, 2 could not do it (with the reason, and what to type). What is not
needed to start the workers is imported after they have started.
"""

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from bnspec.environments import Environment
    from bnspec.process import WorkerProcess
    from bnspec.results import Results
    from bnspec.targets import Target

LONGEST_TIMEOUT = 86_400
FILE = click.Path(path_type=Path)


class CannotDo(Exception):  # noqa: N818 - it is shown as it is, one clear line, exit status 2
    """The command cannot be carried out; the message says what was given, expected, and what to type."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="bnspec")
def app() -> None:
    """How any batch normalization behaves, with numbers, and whether that is right."""


@app.command("run")
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


@app.command("report")
@click.argument("results", nargs=-1, required=True, type=FILE, metavar="RESULTS...")
@click.option("-o", "--output", type=FILE, required=True, metavar="FILE", help="The HTML file to write.")
def report_command(results: tuple[Path, ...], output: Path) -> None:
    """Make one HTML page of results files, or of folders of them."""
    from bnspec.results import read

    files = results_files(results)
    if output.resolve() in [file.resolve() for file in files]:
        raise CannotDo(f"-o {output} is one of the results files; name another file for the page")
    check_writable(output)
    write_report([read(file) for file in files], output)
    print(f"Report: {output}")


@app.command("show")
@click.argument("name", metavar="CLAUSE|AXIS|CASE|ENVIRONMENT")
@click.option("--results", multiple=True, type=FILE, metavar="PATH", help="A results file or a folder of them.")
def show_command(name: str, results: tuple[Path, ...]) -> None:
    """Show what stands behind a name: sentence, variants, data, margins, latest results, reproducer.

    A part of a name is enough where it fits one alone. Without --results the latest are those of the
    checkout, else those of the last run.
    """
    from bnspec.show import UnknownName, default_results, show

    try:
        show(name, results_files(results) if results else default_results())
    except UnknownName as unknown:
        raise CannotDo(str(unknown)) from None


@app.command("environments")
def environments_command() -> None:
    """List the environments that can be run by name."""
    from bnspec.environments import frameworks, listed
    from bnspec.summary import print_environments

    print_environments(listed(), frameworks())


@app.command("selftest")
@click.option("-o", "--output", type=FILE, metavar="FILE", help="Write the results stream here.")
@click.option("--jobs", type=click.IntRange(min=1), help="Implementations at the same time; default: the cores.")
@click.option("-k", "part", metavar="NAME", help="Only implementations with this in their name.")
def selftest_command(output: Path | None, jobs: int | None, part: str | None) -> None:
    """Run the suite on implementations that are wrong on purpose, and on correct ones."""
    from bnspec.selftest import NothingSelected, carry_out, implementations

    if output:
        check_writable(output)
    try:
        chosen = implementations(part)
    except NothingSelected as nothing:
        raise CannotDo(str(nothing)) from None
    sys.exit(0 if carry_out(chosen, output, jobs=jobs or cores(), part=part) else 1)


def choose_targets(
    names: Sequence[str], here: bool, python: str | None, adapter: str | None, execution: str | None, device: str
) -> list["Target"]:
    """Return the targets that the arguments name. Raises EnvironmentProblem or CannotDo."""
    from bnspec.targets import choose, parse

    if sum((bool(names), here, python is not None)) > 1:
        raise CannotDo("give environments, or --here, or --python PATH: one of them")
    existing = own_environment(here, python)
    if existing:
        return [choose(existing, adapter, device, execution)]
    if not names:
        if adapter is None:
            raise CannotDo("name a target: bnspec run torch keras flax (or --here, or --python PATH)")
        names = ["numpy"]
    found = [parse(name, adapter=adapter, device=device, execution=execution) for name in names]
    doubled = {target.name for target in found if [t.name for t in found].count(target.name) > 1}
    if doubled:
        raise CannotDo(f"{', '.join(sorted(doubled))} is named twice")
    return found


def own_environment(here: bool, python: str | None) -> "Environment | None":
    """Return the environment of an interpreter that exists, if one was asked for."""
    from bnspec.environments import Environment, at_python

    if here:
        return Environment("here", sys.executable)
    return at_python(python) if python is not None else None


def default_output() -> Path:
    """Return where a results stream goes that nobody named."""
    from bnspec.paths import cache_folder

    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotDo(f"{folder} cannot be made: {error.strerror}; set BNSPEC_CACHE to another folder") from None
    return folder / "last-run.jsonl"


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_writable(path: Path) -> None:
    """Raise CannotDo, before any work, where a file cannot be written; leaves what is there as it is."""
    try:
        existed = path.exists()
        if existed and not (path.is_file() or path.is_dir()):
            raise CannotDo(f"{path} is no regular file; name another file")
        with path.open("ab"):
            pass
    except OSError as error:
        raise CannotDo(f"{path} cannot be written: {error.strerror}; name another file") from None
    if not existed:
        path.unlink()


def results_files(paths: Sequence[Path]) -> list[Path]:
    """Return results files, those of folders among them. Raises CannotDo for a folder without any."""
    files = [file for path in paths for file in (sorted(path.glob("*.jsonl")) if path.is_dir() else [path])]
    if not files:
        raise CannotDo(f"{', '.join(map(str, paths))}: no *.jsonl there; make one with bnspec run torch -o FILE.jsonl")
    return files


def write_report(results: list["Results"], path: Path) -> None:
    """Write the page of some results."""
    from bnspec.report import build
    from bnspec.suite import load_cases

    cases = {identifier: case for case in load_cases() for identifier in case.ids}
    path.write_text(build(results, cases), "utf-8")


def main() -> None:
    """Run the command; what cannot be done is one clear line and exit status 2."""
    from bnspec.environments import EnvironmentProblem
    from bnspec.results import ResultsError
    from bnspec.spec import SuiteError

    try:
        # Not app(), which has an exit status 1 of its own for an interruption and for a closed pipe.
        with app.make_context("bnspec", sys.argv[1:]) as context:
            app.invoke(context)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.exceptions.NoArgsIsHelpError as help_wanted:
        help_wanted.show()
        sys.exit(2)
    except click.UsageError as problem:
        command = problem.ctx.command_path if problem.ctx else "bnspec"
        cannot_do(f"{problem.format_message()} See {command} --help.")
    except (CannotDo, EnvironmentProblem, ResultsError, SuiteError) as problem:
        cannot_do(str(problem))
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python must not complain when it closes stdout.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(2)
    except OSError as error:
        cannot_do(f"{error.filename or 'a file'}: {error.strerror or error}")
    except KeyboardInterrupt:
        cannot_do("interrupted")
    except Exception as fault:
        # Python's own exit status for it is 1, which means a finding.
        traceback.print_exc()
        cannot_do(f"the lines above are a fault of bnspec ({type(fault).__name__}); please report them")


def cannot_do(problem: str) -> NoReturn:
    """Say in one line, safe for a terminal, why it cannot be done, and exit."""
    from bnspec.results import one_line

    print(f"bnspec: {one_line(problem)}", file=sys.stderr)
    sys.exit(2)
