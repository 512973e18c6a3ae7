"""An execution beside the default one."""

import pytest

from bnspec.case import Case, Layer
from bnspec.equivalence import CLAUSE, answers, equivalence

CASE = Case(clauses=(CLAUSE,), situation="stats", layer=Layer(), program=(), why="")
VARIANCE, TIMING = "stats.stored-variance[rank2]", "stats.timing[rank2]"
BASE = {VARIANCE: "population", TIMING: "forward", "modes.unstated[rank2]": "infer"}


def row(own, base=BASE, *, default=False):
    return equivalence(CASE, own, base, default=default)


def test_the_same_answers_conform_and_their_number_is_told():
    found = row(BASE)
    assert (found.id, found.verdict) == ("execution.equivalence[stats]", "conforms")
    assert found.message == "2 answers are those of the default execution"


def test_another_answer_violates_and_is_named():
    found = row({**BASE, VARIANCE: "sample"})
    assert found.verdict == "violates"
    assert "1 of 2 answers differ" in found.message
    assert "stats.stored-variance (rank2): population → sample" in found.message


def test_other_families_may_differ():
    assert row({**BASE, "modes.unstated[rank2]": "train"}).verdict == "conforms"


@pytest.mark.parametrize(
    ("own", "base", "default", "verdict"),
    [
        (BASE, None, False, "not-run"),
        (BASE, None, True, "unsupported"),
        ({}, BASE, False, "unsupported"),
        ({"stats.timing[elsewhere]": "forward"}, BASE, False, "unsupported"),
    ],
)
def test_without_two_answers_nothing_is_held_to_anything(own, base, default, verdict):
    assert row(own, base, default=default).verdict == verdict


def test_answers_are_variants_and_verdicts_without_one_but_gaps_and_classes_of_accuracy_are_none():
    rows = (
        {"id": TIMING, "verdict": "drifts", "variant": "forward"},
        {"id": "stats.recompute[rank2]", "verdict": "refuses"},
        {"id": "stats.averaging[rank2]", "verdict": "unsupported"},
        {"id": "precision.moments[rank2]", "verdict": "conforms", "variant": "two-pass"},
        {"id": "forward.training[rank2]", "verdict": "violates"},
    )
    assert answers(rows) == {TIMING: "forward", "stats.recompute[rank2]": "refuses"}


def test_an_execution_that_refuses_what_the_default_one_does_is_not_equivalent():
    assert "stats.timing (rank2): forward → refuses" in row({**BASE, TIMING: "refuses"}).message
