"""Every case × the target under test: one test per id."""

import pytest

from bnspec.spec import sentence
from bnspec.suite import load_cases

IDS = [identifier for case in load_cases() for identifier in case.ids]


@pytest.mark.parametrize("identifier", IDS, ids=IDS)
def test_case(identifier, verdicts, reproducer):
    """The verdict is `conforms`; what the framework has no words for is skipped with the reason."""
    row = verdicts.of(identifier)
    if row.verdict in ("unsupported", "not-run"):
        pytest.skip(f"{row.verdict}: {row.message}")
    if row.verdict != "conforms":
        ratio = "" if row.ratio is None else f"\nerror / allowance: {row.ratio:.3g} (limit 1), index {row.index}"
        pytest.fail(
            f"{row.verdict}: {row.message}{ratio}\nclause: {sentence(row.clause)}\nagain: {reproducer(identifier)}",
            pytrace=False,
        )
