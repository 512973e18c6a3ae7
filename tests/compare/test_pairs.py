"""Which target is compared with which, and what has no partner."""

import pytest

from bnspec.compare.pairs import NoPair, paired


def names(pairing):
    """Return the pairs by name."""
    return [(a.name, b.name) for a, b in pairing.pairs]


@pytest.fixture
def named(make):
    """Return a maker of targets by name: environment/adapter[@execution]."""

    def target(name):
        adapter, _, execution = name.partition("/")[2].partition("@")
        return make(name=name, adapter=adapter, execution=execution or "eager")

    return target


def test_targets_of_one_name_are_partners_whatever_else_is_there(named):
    base = [named("a/keras"), named("b/keras"), named("c/torch.nn")]
    candidate = [named("b/keras"), named("a/keras"), named("d/torch.nn")]
    assert names(paired(base, candidate)) == [
        ("a/keras", "a/keras"), ("b/keras", "b/keras"), ("c/torch.nn", "d/torch.nn"),
    ]  # fmt: skip


def test_targets_of_one_adapter_and_execution_are_partners_where_each_side_has_one(named):
    base = [named("a/keras"), named("a/tf.nn"), named("a/keras@graph")]
    candidate = [named("b/tf.nn"), named("b/keras@graph"), named("b/keras")]
    assert names(paired(base, candidate)) == [
        ("a/keras", "b/keras"), ("a/tf.nn", "b/tf.nn"), ("a/keras@graph", "b/keras@graph"),
    ]  # fmt: skip


def test_single_targets_are_partners_whatever_their_adapters(named):
    assert names(paired([named("a/tf.keras")], [named("b/keras")])) == [("a/tf.keras", "b/keras")]


def test_what_could_have_two_partners_has_none(named):
    found = paired([named("a/keras")], [named("b/keras"), named("c/keras")])
    assert found.pairs == ()
    assert [column.name for column in found.base_alone] == ["a/keras"]
    assert [column.name for column in found.candidate_alone] == ["b/keras", "c/keras"]


def test_a_pair_can_be_asked_for_by_parts_of_names_with_versions_in_them(named):
    base, candidate = (
        [named("torch==2.9.1/torch.nn"), named("x/keras")],
        [named("torch==2.10.0/torch.nn"), named("y/keras")],
    )
    found = paired(base, candidate, ["torch==2.9.1=torch==2.10.0"])
    assert names(found) == [("torch==2.9.1/torch.nn", "torch==2.10.0/torch.nn")]
    assert [column.name for column in (*found.base_alone, *found.candidate_alone)] == ["x/keras", "y/keras"]


@pytest.mark.parametrize("text", ["keras", "keras=no such", "=", "a=b", "/keras=y"])
def test_a_pair_that_fits_nothing_or_several_says_what_there_is(named, text):
    base, candidate = [named("1/keras"), named("2/keras")], [named("3/keras")]
    with pytest.raises(NoPair, match="expected BASE=CANDIDATE of 1/keras, 2/keras and 3/keras"):
        paired(base, candidate, [text])
