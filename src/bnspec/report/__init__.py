"""Results into one HTML file that needs nothing else: no network, no server, no script for the numbers."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING

from bnspec import history
from bnspec.case import Case
from bnspec.columns import columns
from bnspec.compare.diff import Diff
from bnspec.executions import groups
from bnspec.report.accuracy import charts
from bnspec.report.changes import changes_of, said
from bnspec.report.choice import choice_of, script_data
from bnspec.report.clean import cleaned
from bnspec.report.documented import documentation
from bnspec.report.facts import fact_groups
from bnspec.report.inline import page_data
from bnspec.report.model import matrix
from bnspec.report.ports import ports
from bnspec.report.provenance import runs_of
from bnspec.report.score import SHOWN_IDS, score
from bnspec.report.timeline import timeline
from bnspec.report.unsupported import SHOWN, gaps
from bnspec.report.variants import table_of
from bnspec.report.words import agreement, findings, gathered, headline, suite, warnings
from bnspec.results import VERDICTS, Results
from bnspec.stories.page import Page

if TYPE_CHECKING:
    from markupsafe import Markup

STYLES = ("page", "changes", "timeline", "kernels", "stories", "case", "media")
"""The parts of its style, in order: a later one wins."""

SCRIPTS = ("state", "targets", "matrix", "case", "page")
"""The parts of the page's script, in order: the last one starts it."""

FITTING_COLUMNS = 7
"""So many targets fit beside each other on a screen; with more the matrix scrolls in its own frame."""


def build(
    results: Sequence[Results], cases: Mapping[str, Case], diff: Diff | None = None, stories: Sequence[Page] = ()
) -> str:
    """Return the page of some results files.

    cases: by id, for the case pages; diff: what it begins with; stories: told on it as well.

    Every string of a results file is shown as text, with control characters replaced. A later file wins
    where two have the same target.
    """
    # Not needed by a run without a page.
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    files = [cleaned(one) for one in results]
    found = columns(files)
    lineages = history.lineages(column for column in found if column.rows)
    choice = choice_of(lineages)
    whole, shown = matrix(choice.columns), matrix(choice.first)
    style = "\n".join([*(asset(f"style/{name}.css") for name in STYLES), choice.style])
    script = "\n".join(asset(f"script/{name}.js") for name in SCRIPTS)
    environment = Environment(
        loader=FunctionLoader(asset),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["ratio"] = ratio
    environment.filters["spans"] = spans
    template = environment.get_template("template.html.j2")
    differences = len(whole.columns) > 1
    changes = changes_of(diff) if diff else ()
    documented = documentation(whole.columns, lineages)
    return template.render(
        headline=said(changes) if changes else headline(whole, files),
        changes=changes,
        narrowing=diff.narrowing if diff else "",
        warnings=warnings(found, files),
        runs=runs_of(files),
        columns=found,
        choice=choice,
        every=choice.columns,
        whole=whole,
        matrix=shown,
        fits=len(shown.columns) <= FITTING_COLUMNS,
        differences=differences,
        table=table_of(whole.columns, only_differences=differences),
        documented=documented,
        executions=groups(whole.columns),
        accuracy=charts([column for column in choice.first if column.rows]),
        timeline=None if diff else timeline(lineages),
        ports=None if diff else ports(lineages),
        stories=stories,
        counts=dict(zip((column.name for column in whole.columns), whole.counts, strict=True)),
        facts=fact_groups(whole.columns),
        findings=gathered(findings(whole), lineages),
        gaps=gaps(whole.columns, lineages),
        gaps_shown=SHOWN,
        score=score(files),
        ids_shown=SHOWN_IDS,
        agreement=agreement,
        verdicts=VERDICTS,
        suite=suite,
        style=Markup(style),
        script=Markup(script),
        style_hash=digest(style),
        script_hash=digest(script),
        data=Markup(page_data(whole, cases, script_data(choice), documented)),
    )


def asset(name: str) -> str:
    """Return a text file of this package."""
    return resources.files(__name__).joinpath(name).read_text("utf-8")


def digest(text: str) -> str:
    """Return the hash by which a content security policy lets one inline script or style pass."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def spans(text: str) -> "Markup":
    """Return text as markup: what stands between backticks is code, everything else as it is."""
    from markupsafe import Markup, escape

    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part) for number, part in enumerate(parts)
    )


def ratio(number: float) -> str:
    """Return a ratio in two digits."""
    if number != number or number in (float("inf"), float("-inf")):
        return str(number).replace("inf", "∞")
    return f"{number:.2g}" if number < 1000 else f"{number:.1e}".replace("e+0", "e").replace("e+", "e")
