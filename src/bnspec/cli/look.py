"""`bnspec report`, `show` and `environments`: results and names, looked at."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bnspec.cli.shared import FILE, CannotDo, check_writable, results_files, write_report

if TYPE_CHECKING:
    from bnspec.stories.page import Page


@click.command("report")
@click.argument("results", nargs=-1, required=True, type=FILE, metavar="RESULTS...")
@click.option("-o", "--output", type=FILE, required=True, metavar="FILE", help="The HTML file to write.")
@click.option("--stories", type=FILE, metavar="FOLDER", help="Tell the stories of which the results are there.")
def report_command(results: tuple[Path, ...], output: Path, stories: Path | None) -> None:
    """Make one HTML page of results files, or of folders of them."""
    from bnspec.results import read

    files = results_files(results)
    if output.resolve() in [file.resolve() for file in files]:
        raise CannotDo(f"-o {output} is one of the results files; name another file for the page")
    check_writable(output)
    write_report([read(file) for file in files], output, stories=story_pages(stories) if stories else ())
    print(f"Report: {output}")


def story_pages(folder: Path) -> "list[Page]":
    """Return the pages of the stories with results in a folder. Raises CannotDo where there are none."""
    from bnspec.report.clean import strings
    from bnspec.stories.page import page
    from bnspec.stories.results import in_folder
    from bnspec.stories.running import load_stories

    found = in_folder(folder)
    if not found:
        raise CannotDo(f"--stories {folder}: no results of a story there; those of the project are in reports/stories")
    try:
        return [page(story, strings(found[story.name])) for story in load_stories() if story.name in found]
    except (LookupError, TypeError, ValueError, AttributeError) as fault:
        raise CannotDo(f"--stories {folder}: {fault.args[0] if fault.args else fault}") from None


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
