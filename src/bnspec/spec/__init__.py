"""The specification: axes and their variants, clauses, and the dialect that answers the axes.

Ids are public and stable for ever: results, reports and claims use them.
"""

from bnspec.spec.axis import Axis
from bnspec.spec.clauses import CLAUSES, Clause
from bnspec.spec.dialect import AXES, Dialect, SuiteError, UndecidedError, UndefinedError
from bnspec.spec.executions import CAPTURE_STEPS

__all__ = [
    "AXES", "CAPTURE_STEPS", "CLAUSES", "Axis", "Clause", "Dialect", "SuiteError", "UndecidedError", "UndefinedError",
    "family", "sentence",
]  # fmt: skip


def family(clause: str) -> str:
    """Return the family of a clause or axis: `stats` of `stats.initial`."""
    return clause.partition(".")[0]


def sentence(clause: str) -> str:
    """Return the sentence of a clause, or the question of an axis. Raises KeyError for another id."""
    return CLAUSES[clause].sentence if clause in CLAUSES else AXES[clause].question
