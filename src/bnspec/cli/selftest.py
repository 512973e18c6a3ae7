"""`bnspec selftest`: the suite's test of itself."""

import sys
from pathlib import Path

import click

from bnspec.cli.shared import FILE, CannotDo, check_writable, cores


@click.command("selftest")
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
