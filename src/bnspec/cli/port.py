"""`bnspec port`: what a layer takes that moves to another framework, and the state that moves with it."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bnspec.cli.shared import FILE, CannotDo, check_writable, cores, default_output, results_files

if TYPE_CHECKING:
    from bnspec.columns import Column
    from bnspec.porting import Porting
    from bnspec.targets import Target


@click.command("port")
@click.argument("source", metavar="SOURCE")
@click.argument("target", metavar="TARGET")
@click.option("--momentum", type=float, metavar="M", help="SOURCE's own number; default: its default.")
@click.option("--eps", type=float, metavar="E", help="SOURCE's ε; default: its default.")
@click.option("--n", type=click.IntRange(min=1), default=256, show_default=True, help="Values per channel in a batch.")
@click.option("--rank", type=click.IntRange(2, 5), help="Of the input, batch included; default: all.")
@click.option("--format", "form", type=click.Choice(["text", "md", "json"]), default="text", show_default=True)
@click.option("--results", multiple=True, type=FILE, metavar="PATH", help="A results file or a folder of them.")
@click.option("--state", type=FILE, metavar="FILE", help="Convert the batch normalization saved in this file.")
@click.option("-o", "--output", type=FILE, metavar="OUT", help="Where the converted state goes.")
def port_command(
    source: str,
    target: str,
    momentum: float | None,
    eps: float | None,
    n: int,
    rank: int | None,
    form: str,
    results: tuple[Path, ...],
    state: Path | None,
    output: Path | None,
) -> None:
    """Show what to write in TARGET for a layer of SOURCE, and what cannot be matched.

    Both are named as for `bnspec run`: torch, keras, flax/flax.nnx, "torch==2.9.1". Where neither --results nor
    the latest results hold one of them, it is run. With --state a saved state is converted and checked by running
    both: exit status 1 where they disagree more than their fingerprints explain.
    """
    check_numbers(momentum, eps)
    if (state is None) != (output is None):
        raise CannotDo("--state FILE and -o OUT go together: the file to convert, and where the converted state goes")
    if state is not None and output is not None:
        check_files(state, output)
    from bnspec.porting import UnknownNumber, porting
    from bnspec.targets import parse

    ends = parse(source), parse(target)
    if ends[0].name == ends[1].name:
        raise CannotDo(f"{source} and {target} are both {ends[0].name}: there is nothing to port")
    there, here = fingerprints(ends, results)
    try:
        found = porting(there, here, momentum=momentum, epsilon=eps, n=n, rank=rank)
    except UnknownNumber as unknown:
        raise CannotDo(str(unknown)) from None
    if state is None or output is None:
        show(found, form)
        return
    sys.exit(0 if converted(found, ends, state, output, rank or 4, form) else 1)


def check_numbers(momentum: float | None, eps: float | None) -> None:
    """Raise CannotDo for a momentum or an ε that no layer has."""
    if momentum is not None and not 0 <= momentum <= 1:
        raise CannotDo(f"--momentum {momentum:g}: expected a number from 0 to 1, as SOURCE's constructor takes it")
    if eps is not None and not (eps >= 0 and math.isfinite(eps)):
        raise CannotDo(f"--eps {eps:g}: expected a number such as 1e-5, not below 0")


def check_files(state: Path, output: Path) -> None:
    """Raise CannotDo, before any work, for files that cannot be converted from and to."""
    if not state.is_file():
        raise CannotDo(f"--state {state}: {'is no file' if state.exists() else 'there is no such file'}")
    if output.resolve() == state.resolve():
        raise CannotDo(f"--state and -o both name {state}; give the converted state a file of its own")
    check_writable(output)


def fingerprints(ends: tuple["Target", "Target"], paths: tuple[Path, ...]) -> tuple["Column", "Column"]:
    """Return the results of both sides; a side that has none is run."""
    from bnspec.columns import columns
    from bnspec.report.clean import cleaned
    from bnspec.results import read
    from bnspec.show import default_results

    files = results_files(paths) if paths else default_results()
    known = {column.name: column for column in columns(cleaned(read(path)) for path in files) if column.rows}
    missing = [end for end in ends if end.name not in known]
    if missing:
        known |= {column.name: column for column in columns([cleaned(read(ran(missing)))])}
    for end in ends:
        column = known[end.name]
        if not column.rows:
            raise CannotDo(f"{end.name} did not run: {column.failed or 'it gave no verdict'}")
    there, here = (known[end.name] for end in ends)
    if there.label != here.label:  # what told them apart from others, not from each other
        there, here = replace(there, apart=""), replace(here, apart="")
    return there, here


def ran(targets: list["Target"]) -> Path:
    """Run the suite on some targets, as `bnspec run` does; return the results file."""
    from bnspec.runs import Run, carry_out

    stream = default_output()
    run = Run(targets)
    carry_out(run, stream, jobs=cores(), expression=None)
    return stream


def show(found: "Porting", form: str) -> None:
    """Print what a port takes."""
    from bnspec.porting.telling import as_json, markdown, print_port

    if form == "text":
        print_port(found)
    else:
        print(json.dumps(as_json(found), indent=2, ensure_ascii=False) if form == "json" else markdown(found))


def converted(
    found: "Porting", ends: tuple["Target", "Target"], state: Path, output: Path, rank: int, form: str
) -> bool:
    """Convert a state and print what became of it; return whether both sides agree."""
    from bnspec.convert import BadState, convert
    from bnspec.convert.telling import as_json, markdown, text
    from bnspec.driver import TargetFailed

    try:
        conversion = convert(found, *ends, state, output, rank=rank, tell=lambda doing: click.echo(doing, err=True))
    except (BadState, TargetFailed) as fault:
        raise CannotDo(str(fault)) from None
    if form == "json":
        print(json.dumps(as_json(conversion), indent=2, ensure_ascii=False))
    else:
        told = markdown if form == "md" else text
        print(told(conversion, found, (str(state), str(output))))
    return conversion.agrees
