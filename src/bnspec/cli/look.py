"""`bnspec report`, `show` and `environments`: results and names, looked at."""

from pathlib import Path

import click

from bnspec.cli.shared import FILE, CannotDo, check_writable, results_files, write_report


@click.command("report")
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


@click.command("show")
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


@click.command("environments")
def environments_command() -> None:
    """List the environments that can be run by name."""
    from bnspec.environments import frameworks, listed
    from bnspec.summary import print_environments

    print_environments(listed(), frameworks())
