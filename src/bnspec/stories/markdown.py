"""The pages of the stories as Markdown, and their pictures as SVG files."""

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from bnspec.stories.page import Page, Table
from bnspec.stories.pictures import Picture

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def environment() -> "Environment":
    """Return where the templates are."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    loader = FunctionLoader(lambda name: resources.files(__package__).joinpath(name).read_text("utf-8"))
    found = Environment(
        loader=loader,
        autoescape=lambda name: name is not None and ".md." not in name,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["rows"] = rows
    return found


def rows(table: Table) -> str:
    """Return a table as Markdown."""
    lines = [table.head, ("---",) * len(table.head), *table.rows]
    return "\n".join(f"| {' | '.join(text.replace('|', chr(92) + '|') for text in line)} |" for line in lines)


def markdown(page: Page) -> str:
    """Return the page of a story as Markdown; its pictures are files beside it."""
    return environment().get_template("page.md.j2").render(page=page)


def index(pages: Sequence[Page]) -> str:
    """Return the list of the stories as Markdown."""
    return environment().get_template("index.md.j2").render(pages=pages)


def svg(picture: Picture) -> str:
    """Return a picture as a file of its own, light and dark."""
    return environment().get_template("picture.svg.j2").render(picture=picture)
