"""Results into one HTML file that needs nothing else: no network, no server, no script for the numbers."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources

from bnspec.case import Case
from bnspec.columns import columns
from bnspec.report.clean import cleaned
from bnspec.report.facts import fact_groups
from bnspec.report.inline import page_data
from bnspec.report.model import matrix
from bnspec.report.score import SHOWN_IDS, score
from bnspec.report.unsupported import SHOWN, gaps
from bnspec.report.variants import table_of
from bnspec.report.words import agreement, findings, headline, suite, warnings
from bnspec.results import VERDICTS, Results
from bnspec.spec import AXES, CLAUSES, sentence

FITTING_COLUMNS = 7
"""So many targets fit beside each other on a screen; with more the matrix scrolls in its own frame."""


def build(results: Sequence[Results], cases: Mapping[str, Case]) -> str:
    """Return the page of some results files; `cases` by id, for the case pages.

    Every string of a results file is shown as text, with control characters replaced. A later file wins
    where two have the same target.
    """
    # Not needed by a run without a page.
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    files = [cleaned(one) for one in results]
    every = columns(files)
    shown = matrix([column for column in every if column.rows])
    style, script = asset("style.css"), asset("script.js")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, auto_reload=False
    )
    environment.filters["ratio"] = ratio
    template = environment.from_string(asset("template.html.j2"))
    differences = len(shown.columns) > 1
    return template.render(
        headline=headline(shown, files),
        warnings=warnings(every, files),
        runs=[one.run for one in files],
        columns=every,
        matrix=shown,
        fits=len(shown.columns) <= FITTING_COLUMNS,
        differences=differences,
        table=table_of(shown.columns, only_differences=differences),
        counts=dict(zip((column.name for column in shown.columns), shown.counts, strict=True)),
        facts=fact_groups(shown.columns),
        findings=findings(shown),
        gaps=gaps(shown.columns),
        gaps_shown=SHOWN,
        score=score(files),
        ids_shown=SHOWN_IDS,
        agreement=agreement,
        verdicts=VERDICTS,
        sentences={clause: sentence(clause) for clause in (*AXES, *CLAUSES)},
        suite=suite,
        style=Markup(style),
        script=Markup(script),
        style_hash=digest(style),
        script_hash=digest(script),
        data=Markup(page_data(shown, cases)),
    )


def asset(name: str) -> str:
    """Return a text file of this package."""
    return resources.files(__name__).joinpath(name).read_text("utf-8")


def digest(text: str) -> str:
    """Return the hash by which a content security policy lets one inline script or style pass."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def ratio(number: float) -> str:
    """Return a ratio in two digits."""
    if number != number or number in (float("inf"), float("-inf")):
        return str(number).replace("inf", "∞")
    return f"{number:.2g}" if number < 1000 else f"{number:.1e}".replace("e+0", "e").replace("e+", "e")
