"""Implementations that really differ, run and compared: one change for one difference, and nothing else."""

from collections.abc import Mapping

import pytest

from bnspec.columns import Column
from bnspec.compare import Kind, Weight, compare
from bnspec.results import Row

SELECTION = (
    "stats.momentum-weight[rank2] or stats.stored-variance[rank2] or stats.averaging[rank2] or stats.initial[rank2] or "
    "stats.stored-variance[rank4-first] or frozen. and [rank2] or gradient.statistics[rank2] or "
    "forward.statistics[rank2] or stats.closed-form[k3]"
)

DIFFERENCES = {
    "dialects:SampleVariance": {"stats.momentum-weight", "stats.stored-variance"},
    "dialects:Debiased": {"stats.averaging"},
    "dialects:ZeroZero": {"stats.initial"},
    "dialects:Running": {"forward.statistics"},
    "dialects:FrozenMoves": {"frozen.update"},
    "gradients:DetachedInTraining": {"gradient.statistics"},
}


@pytest.fixture(scope="module")
def target(verdicts, implementation):
    """Return the results of an implementation."""

    def run(path: str) -> Column:
        rows: Mapping[str, Row] = verdicts(implementation(path), SELECTION)
        plain = {name: row.as_json() for name, row in rows.items()}
        about = {"framework": "numpy", "version": "", "adapter": path}
        return Column(path, path.partition(":")[2], "", "", about, {"suite": "1", "revision": "a"}, plain, True)

    return run


@pytest.fixture(scope="module")
def correct(target):
    """Return the results of the correct layer in its own dialect."""
    return target("correct:Correct")


def test_the_same_implementation_does_not_differ(correct, target):
    found = compare(correct, target("correct:Correct"))
    assert (found.changes, found.facts, found.same) == ((), (), len(correct.rows))


@pytest.mark.parametrize("path", DIFFERENCES)
def test_another_dialect_is_told_by_its_own_axes(correct, target, path):
    found = compare(correct, target(path))
    assert {change.subject for change in found.changes} == DIFFERENCES[path]
    assert {change.kind for change in found.changes} == {Kind.CHANGED}
    back = compare(target(path), correct)
    assert {(c.subject, c.after, c.before) for c in back.changes} == {
        (c.subject, c.before, c.after) for c in found.changes
    }


def test_a_difference_by_rank_is_told_with_its_rank(correct, target):
    [change] = compare(correct, target("dialects:SampleInRank4")).changes
    assert (change.situations, change.elsewhere) == (("rank4-first",), ("rank2",))
    assert change.formula.startswith("variance × N²/((N−1)(N−1−ε)): +6.")


def test_a_fault_is_newly_violated_and_no_longer_the_other_way_round(correct, target):
    faulty = target("moving:OneValueTooFewDivided")
    found = {change.subject: change for change in compare(correct, faulty).changes}
    assert found["stats.stored-variance"].kind is Kind.VIOLATES
    assert found["stats.stored-variance"].weight is Weight.STATISTICS
    assert "variance" in found["stats.stored-variance"].reason
    back = {change.subject: change.kind for change in compare(faulty, correct).changes}
    assert back["stats.stored-variance"] is Kind.MENDED
    blocked = compare(correct, faulty).incomparable
    assert {change.reason.partition(", ")[0] for change in blocked} == {"OneValueTooFewDivided: blocked"}
