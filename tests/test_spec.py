"""The vocabulary: axes, variants, clauses, and what a dialect answers."""

import re

import pytest

from bnspec.spec import AXES, CLAUSES, Dialect, UndecidedError, family, sentence

AXIS = "frozen.update"


def test_ids_are_a_family_and_a_name():
    for identifier in (*AXES, *CLAUSES):
        assert re.fullmatch(r"[a-z]+\.[a-z0-9]+(-[a-z0-9]+)*", identifier)
        assert family(identifier) == identifier.split(".")[0]
    assert not AXES.keys() & CLAUSES.keys()


def test_an_axis_has_at_least_two_variants_each_said_in_words():
    for axis in AXES.values():
        assert len(axis.variants) >= 2
        assert axis.question[0].isupper()
        assert all(axis.variants.values())
        assert axis.default in axis.variants


def test_a_sentence_is_that_of_the_clause_or_the_question_of_the_axis():
    assert sentence("forward.inference") == CLAUSES["forward.inference"].sentence
    assert sentence(AXIS) == AXES[AXIS].question
    with pytest.raises(KeyError):
        sentence("no.such")


def test_an_axis_that_was_not_asked_has_its_default():
    assert Dialect().variant(AXIS, "rank2") == AXES[AXIS].default == "none"


def test_an_answer_counts_elsewhere_as_long_as_all_agree():
    one = Dialect().answering({AXIS: "updates"}, "rank2")
    assert one.variant(AXIS, "rank4-last") == "updates"
    two = one.answering({AXIS: "none"}, "rank4-first")
    assert (two.variant(AXIS, "rank2"), two.variant(AXIS, "rank4-first")) == ("updates", "none")
    with pytest.raises(UndecidedError):
        two.variant(AXIS, "rank4-last")


def test_an_axis_that_was_asked_and_not_decided_has_no_answer_there():
    known = Dialect().answering({AXIS: "updates"}, "rank2").not_deciding([AXIS], "rank4-last")
    assert known.variant(AXIS, "rank2") == "updates"
    with pytest.raises(UndecidedError, match=r"frozen.update\[rank4-last\]"):
        known.variant(AXIS, "rank4-last")


def test_an_axis_that_was_decided_nowhere_has_no_answer_anywhere():
    known = Dialect().not_deciding([AXIS], "rank2")
    with pytest.raises(UndecidedError):
        known.variant(AXIS, "rank4-last")


def test_another_answer_replaces_an_open_one_and_leaves_the_dialect_it_came_from():
    open_one = Dialect().not_deciding([AXIS], "rank2")
    assert open_one.answering({AXIS: "updates"}, "rank2").variant(AXIS, "rank2") == "updates"
    assert open_one.undecided == {(AXIS, "rank2")}
