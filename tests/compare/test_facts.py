"""Facts against facts: defaults, names, order, and what is accepted."""

import pytest

from bnspec.compare import Kind, Weight, compare, sentence

OLD = {"stats.momentum-weight[rank2]": "old"}
NEW = {"stats.momentum-weight[rank2]": "new"}


def between(make, before, after, rows=OLD, other=None):
    """Compare two targets by their facts."""
    return compare(make(rows, facts=before), make(other or rows, name="candidate", facts=after))


def only(found):
    """Return the one fact that changed."""
    [change] = found.facts
    return change


@pytest.mark.parametrize(
    ("name", "before", "after", "weight"),
    [
        ("momentum", 0.99, 0.9, Weight.STATISTICS),
        ("epsilon", 1e-3, 1e-5, Weight.OUTPUT),
        ("axis", -1, 1, Weight.OUTPUT),
        ("initialisers", {"gamma": "Ones", "beta": "Zeros"}, {"gamma": "Zeros", "beta": "Zeros"}, Weight.OUTPUT),
        ("parameters dtype", "float32", "float16", Weight.ROUNDING),
        ("state", ["gamma", "beta"], ["beta", "gamma"], Weight.INTERFACE),
        ("arguments", ["axis", "fused"], ["axis", "synchronized"], Weight.INTERFACE),
        ("something of a stranger's adapter", 1, 2, Weight.INTERFACE),
    ],
)
def test_a_fact_that_changed_has_a_weight(make, name, before, after, weight):
    change = only(between(make, {name: before}, {name: after}))
    assert (change.kind, change.subject, change.weight, change.situations) == (Kind.CHANGED, name, weight, ())
    assert change.names == (name,)


def test_what_is_the_same_or_only_of_the_machine_is_no_change(make):
    before = {"momentum": 0.99, "threads": 2, "tensorflow": "2.15.1", "numpy": "1.26.4", "backend": "2.15.1"}
    after = {"momentum": 0.99, "threads": 8, "tensorflow": "2.21.0", "numpy": "2.0.1", "backend": "2.21.0"}
    found = compare(make(OLD, facts=before, packages={"numpy": "1.26.4"}), make(OLD, name="candidate", facts=after))
    assert (found.facts, found.incomparable) == ((), ())


def test_a_default_momentum_is_compared_by_what_it_multiplies(make):
    change = only(between(make, {"momentum": 0.99}, {"momentum": 0.9}))
    assert change.formula == "a batch weighs 1.0 % → 10 %; of the start, 10 steps leave 90 % → 35 %"
    same = only(between(make, {"momentum": 0.9}, {"momentum": 0.1}, OLD, NEW))
    assert same.weight is Weight.INTERFACE
    assert same.formula.startswith("both keep 90 % of the old statistic")
    unknown = only(between(make, {"momentum": 0.9}, {"momentum": "required"}, {}, {}))
    assert (unknown.weight, unknown.formula) == (Weight.STATISTICS, "")


def test_another_default_epsilon_is_told_by_what_it_does_to_the_output(make):
    change = only(between(make, {"epsilon": 1e-3}, {"epsilon": 1e-5}))
    assert change.formula == (
        "output × √((v+ε₀)/(v+ε₁)): +0.049 % at variance 1, +4.8 % at variance 0.01, +216 % at variance 0.0001"
    )


def test_of_long_lists_only_the_difference_is_written_out(make):
    names = [f"argument_number_{number}" for number in range(9)]
    change = only(between(make, {"arguments": names}, {"arguments": [*names[1:], "synchronized"]}))
    assert sentence(change) == "arguments: without argument_number_0; new: synchronized"
    assert change.before.startswith("argument_number_0, ")
    order = only(between(make, {"arguments": names}, {"arguments": names[::-1]}))
    assert sentence(order) == "arguments: in another order"


def test_of_an_object_only_what_differs_is_told(make):
    change = only(between(make, {"initial values": {"a": 0, "b": 1}}, {"initial values": {"a": 0, "c": None}}))
    assert (change.before, change.after) == ("b 1, c absent", "b absent, c none")


@pytest.mark.parametrize(
    ("before", "after", "kind", "weight"),
    [
        ("accepted", "ValueError: no", Kind.RAISES, Weight.ERRORS),
        ("ValueError: no", "accepted", Kind.WORKS, Weight.ERRORS),
        ("ValueError: no", "RuntimeError: no", Kind.CHANGED, Weight.ERRORS),
        ("accepted", "unsupported: no such layer", Kind.GONE, Weight.ERRORS),
        ("unsupported: no such layer", "accepted", Kind.WORKS, Weight.INTERFACE),
    ],
)
def test_of_a_probe_the_class_of_the_error_counts(make, before, after, kind, weight):
    change = only(between(make, {"epsilon 0": before}, {"epsilon 0": after}))
    assert (change.kind, change.weight) == (kind, weight)
    assert change.before == before.partition(":")[0]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ValueError: expected 2D", "ValueError: expected 4D"),
        ("unsupported: a", "unsupported: b"),
        ("unsupported: a", "E: b"),
    ],
)
def test_another_text_of_the_same_error_is_no_change(make, before, after):
    found = between(make, {"given another rank": before}, {"given another rank": after})
    assert not found.facts


def test_a_fact_of_one_side_is_not_comparable(make):
    found = between(make, {"counter": "num_batches_tracked"}, {})
    [change] = found.incomparable
    assert (change.subject, change.reason) == ("counter", "torch 2.9.1 does not tell it")


def test_facts_that_are_no_object_are_none(make):
    assert not between(make, ["momentum"], {"momentum": 0.9}).facts
