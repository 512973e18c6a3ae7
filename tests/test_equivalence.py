"""An execution beside the default one."""

import pytest

from bnspec.case import Case, Layer
from bnspec.equivalence import CLAUSE, answered, equivalence
from bnspec.spec import Dialect

CASE = Case(clauses=(CLAUSE,), situation="stats", layer=Layer(), program=(), why="")
VARIANCE, TIMING = ("stats.stored-variance", "rank2"), ("stats.timing", "rank2")
BASE = Dialect({VARIANCE: "population", TIMING: "forward", ("precision.moments", "rank2"): "two-pass"})


def row(own, base=BASE, *, default=False):
    return equivalence(CASE, own, base, default=default)


def test_the_same_answers_conform_and_their_number_is_told():
    found = row(BASE)
    assert (found.id, found.verdict) == ("execution.equivalence[stats]", "conforms")
    assert found.message == "2 answers are those of the default execution"


def test_another_answer_violates_and_is_named():
    found = row(BASE.answering({"stats.stored-variance": "sample"}, "rank2"))
    assert found.verdict == "violates"
    assert "1 of 2 answers differ" in found.message
    assert "stats.stored-variance (rank2): population → sample" in found.message


def test_an_answer_that_is_not_decided_any_more_violates():
    own = Dialect({TIMING: "forward"}, frozenset({VARIANCE}))
    assert "stats.stored-variance (rank2): population → not decided" in row(own).message


def test_classes_of_accuracy_and_other_families_may_differ():
    own = BASE.answering({"precision.moments": "one-pass", "modes.unstated": "train"}, "rank2")
    assert row(own).verdict == "conforms"


@pytest.mark.parametrize(
    ("own", "base", "default", "verdict"),
    [
        (BASE, None, False, "not-run"),
        (BASE, None, True, "unsupported"),
        (Dialect({}), BASE, False, "unsupported"),
        (Dialect({("stats.timing", "elsewhere"): "forward"}), BASE, False, "unsupported"),
    ],
)
def test_without_two_answers_nothing_is_held_to_anything(own, base, default, verdict):
    assert row(own, base, default=default).verdict == verdict


def test_rows_tell_a_dialect():
    rows = (
        {"id": "stats.timing[rank2]", "verdict": "conforms", "variant": "forward"},
        {"id": "forward.training[rank2]", "verdict": "conforms"},
        {"id": "stats.averaging[rank2]", "verdict": "violates"},
    )
    assert answered(rows).answers == {TIMING: "forward"}
