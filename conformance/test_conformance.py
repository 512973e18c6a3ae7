"""Every case × the target under test: one test per id."""

import pytest

from bnspec.results import FINDINGS
from bnspec.spec import sentence
from bnspec.suite import load_cases

IDS = [identifier for case in load_cases() for identifier in case.ids]


@pytest.mark.parametrize("identifier", IDS, ids=IDS)
def test_case(identifier, verdicts, known, reproducer):
    """The verdict is `conforms`; what the framework has no words for is skipped with the reason.

    A finding that is known (`--known`) is an expected failure, and it must be there. Which kernels are
    `imprecise` depends on the processor, and what is known may come from another: beside it, it is expected.
    """
    row = verdicts.of(identifier)
    if row.verdict == "imprecise" and known is not None:
        pytest.xfail(f"imprecise: {row.message}")
    if known and known.get(identifier, "imprecise") != "imprecise":
        if row.verdict != known[identifier]:
            pytest.fail(f"{row.verdict}: known as {known[identifier]}; again: {reproducer(identifier)}", pytrace=False)
        pytest.xfail(f"known: {row.verdict}: {row.message}")
    if row.verdict in FINDINGS:
        ratio = "" if row.ratio is None else f"\nerror / allowance: {row.ratio:.3g} (limit 1), index {row.index}"
        pytest.fail(
            f"{row.verdict}: {row.message}{ratio}\nclause: {sentence(row.clause)}\nagain: {reproducer(identifier)}",
            pytrace=False,
        )
    if row.verdict != "conforms":
        pytest.skip(f"{row.verdict}: {row.message}")
