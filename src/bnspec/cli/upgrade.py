"""`bnspec upgrade`: two versions run side by side, and what changed."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnspec.cli.diff import answer, compared, narrowed
from bnspec.cli.run import start_early
from bnspec.cli.shared import FILE, CannotDo, check_writable, cores, default_output, write_report

if TYPE_CHECKING:
    from bnspec.results import Results
    from bnspec.upgrade import Side

PAGE = Path("upgrade.html")


@click.command("upgrade")
@click.argument("versions", nargs=-1, metavar="[BASE] CANDIDATE")
@click.option("--here", is_flag=True, help="The base is this very Python and what is installed in it.")
@click.option("--base-python", metavar="P", help="The base's Python: a version, or a path to use as it is.")
@click.option("--candidate-python", metavar="P", help="The candidate's Python, likewise.")
@click.option("--adapter", metavar="A", help="A built-in adapter, FILE.py:Class or package.module:Class, for both.")
@click.option("--execution", metavar="E", help="One of the adapter's executions.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@narrowed
@click.option("-o", "--output", type=FILE, metavar="FOLDER", help="Keep the results of both here.")
@click.option("--report", type=FILE, metavar="FILE", default=PAGE, show_default=True, help="The page to write.")
@click.option("--jobs", type=click.IntRange(min=1), help="Workers at the same time; default: the cores.")
@click.option(
    "--timeout", type=click.FloatRange(0.1, 86_400), default=60.0, show_default=True, help="Seconds per case."
)
def upgrade_command(
    versions: tuple[str, ...],
    here: bool,
    base_python: str | None,
    candidate_python: str | None,
    output: Path | None,
    report: Path,
    jobs: int | None,
    timeout: float,
    **options: Any,
) -> None:
    """Run two versions side by side and say what changes: the check before an upgrade.

    BASE and CANDIDATE are requirements ("torch==2.9.1", "keras==3.15.1 + tensorflow-cpu==2.21.0"), names that
    `bnspec environments` lists, results (a file or a folder of a run before), or `here`. Exit status as of diff.
    """
    from bnspec.upgrade import How, NoSide, Wish, beside_each_other, sides

    base, candidate = named(versions, here, base_python, candidate_python)
    how = How(options.pop("adapter"), options.pop("device"), options.pop("execution"))
    try:
        pair = sides(Wish("base", base, base_python), Wish("candidate", candidate, candidate_python), how)
    except NoSide as problem:
        raise CannotDo(str(problem)) from None
    folder = own_folder(output)
    check_writable(report)
    ran = both(pair, folder, jobs or cores(), timeout)
    try:
        found = compared(ran.base, ran.candidate, **options)
    except CannotDo as problem:
        reason = "; ".join(ran.failed) or str(problem)
        kept = [one for one in (*ran.base, *ran.candidate) if any(target.rows for target in one.targets.values())]
        if kept:
            write_report(kept, report)
            names = ", ".join(one.source for one in kept)
            reason = f"{reason.removesuffix('.')}. What the other side gave is kept: {names}, and as a page in {report}"
        raise CannotDo(reason) from None
    for what in ran.failed:
        print(f"bnspec: {what}", file=sys.stderr)
    answer(found, options["form"], None)
    write_report(beside_each_other(ran.base, ran.candidate), report, found)
    where = sys.stdout if options["form"] == "text" else sys.stderr
    print(f"Page: {report}", file=where)
    for side, results in zip(pair, (ran.base, ran.candidate), strict=True):
        if side.target:
            print(f"Results: {results[0].source}", file=where)
    sys.exit(2 if ran.failed else 1 if found.changed else 0)


def named(
    versions: tuple[str, ...], here: bool, base_python: str | None, candidate_python: str | None
) -> tuple[str | None, str | None]:
    """Return what the arguments say of base and candidate. Raises CannotDo for more than two sides."""
    given = [*(["here"] if here else []), *versions]
    if len(given) > 2:
        what = "--here is the base: give one more side" if here else "give two sides"
        raise CannotDo(f"{what}; further packages of one side are joined by +: {' + '.join(versions[-2:])!r}")
    if len(given) == 1 and base_python and not (candidate_python or here):
        return None, given[0]
    return (*given, None, None)[0], (*given, None, None)[1]


def own_folder(asked: Path | None) -> Path:
    """Return the folder for the results of both sides, made where it is not there."""
    folder = asked or default_output().with_name("upgrade")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotDo(f"{folder} cannot be made: {error.strerror}; name another folder with -o") from None
    return folder


@dataclass(frozen=True)
class Ran:
    """The results of both sides, none of one that gave nothing, and what failed, in one line each."""

    base: "tuple[Results, ...]"
    candidate: "tuple[Results, ...]"
    failed: tuple[str, ...]


def both(pair: "tuple[Side, Side]", folder: Path, jobs: int, timeout: float) -> Ran:
    """Run the sides that are not results yet, each into a file of its own in a folder.

    Raises CannotDo after an interruption.
    """
    targets = [side.target for side in pair if side.target]
    early = start_early(targets[:jobs])
    from bnspec.driver import Timeouts
    from bnspec.report.clean import cleaned
    from bnspec.results import one_line, read
    from bnspec.runs import Run, carry_out
    from bnspec.targets import files_of

    files = files_of(folder, targets)
    for file in files.values():
        check_writable(file)
    run = Run(targets, Timeouts(case=timeout, first=max(180.0, timeout)), early)
    try:
        carry_out(run, folder, jobs=jobs, expression=None)
    except KeyboardInterrupt:
        left = f"what finished is in {folder}, partial runs" if run.written else "there was no verdict yet"
        raise CannotDo(f"interrupted: {left}") from None
    results = {name: (cleaned(read(file)),) for name, file in files.items() if file in run.written}
    base, candidate = (results.get(side.target.name, ()) if side.target else side.results for side in pair)
    return Ran(base, candidate, tuple(f"{one_line(name)} {what}" for name, what in run.failed.items()))
