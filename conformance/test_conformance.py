"""Every case × the target under test: one test per id."""

import pytest

from bnspec.compare import Weight
from bnspec.compare.weights import CHANCE, WEIGHTS
from bnspec.results import FINDINGS
from bnspec.spec import sentence
from bnspec.suite import load_cases

IDS = [identifier for case in load_cases() for identifier in case.ids]


def may_differ(axis, before, now):
    """Whether two answers may be those of one implementation: the same, rounding, or the end of a race."""
    return before == now or WEIGHTS[axis] is Weight.ROUNDING or {before, now} <= CHANCE.get(axis, frozenset())


@pytest.mark.parametrize("identifier", IDS, ids=IDS)
def test_case(identifier, verdicts, known, reproducer):
    """The verdict is `conforms`; what the framework has no words for is skipped with the reason.

    A finding that is known (`--known`) is an expected failure, and it must be there; a known answer to an axis must
    be given again. Which kernels are `imprecise`, and what is rounding alone, depends on the processor, and what is
    known may come from another: beside it, it is expected.
    """
    row = verdicts.of(identifier)
    before = (known or {}).get(identifier, {})
    if before.get("variant") and row.variant and not may_differ(row.clause, before["variant"], row.variant):
        pytest.fail(
            f"answers {row.variant}: known as {before['variant']}; again: {reproducer(identifier)}", pytrace=False
        )
    if row.verdict == "imprecise" and known is not None:
        pytest.xfail(f"imprecise: {row.message}")
    if before.get("verdict") in FINDINGS - {"imprecise"}:
        if row.verdict != before["verdict"]:
            pytest.fail(f"{row.verdict}: known as {before['verdict']}; again: {reproducer(identifier)}", pytrace=False)
        pytest.xfail(f"known: {row.verdict}: {row.message}")
    if row.verdict in FINDINGS:
        ratio = "" if row.ratio is None else f"\nerror / allowance: {row.ratio:.3g} (limit 1), index {row.index}"
        pytest.fail(
            f"{row.verdict}: {row.message}{ratio}\nclause: {sentence(row.clause)}\nagain: {reproducer(identifier)}",
            pytrace=False,
        )
    if row.verdict != "conforms":
        pytest.skip(f"{row.verdict}: {row.message}")
