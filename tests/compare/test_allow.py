"""Accepted changes: what an allowance names, what is left, what it was not needed for."""

import pytest

from bnspec.compare import Change, Kind, Weight
from bnspec.compare.allow import Allowance, UnknownAllowance, allowances, divided, unused

CHANGE = Change(
    Kind.CHANGED, "frozen.update", ("rank2", "rank4-last"), "none", "updates", Weight.STATISTICS, elsewhere=("rank3",)
)
FACT = Change(Kind.CHANGED, "epsilon", (), "0.001", "1e-05", Weight.OUTPUT)


@pytest.mark.parametrize(
    ("text", "left", "allowed"),
    [
        ("frozen.update", (), ("rank2", "rank4-last")),
        ("frozen.*", (), ("rank2", "rank4-last")),
        ("frozen.update[rank4*]", ("rank2",), ("rank4-last",)),
        ("frozen.update[rank2]", ("rank4-last",), ("rank2",)),
        ("frozen.updat", ("rank2", "rank4-last"), ()),
        ("epsilon", ("rank2", "rank4-last"), ()),
    ],
)
def test_an_allowance_takes_an_axis_or_some_of_its_situations(text, left, allowed):
    parts = divided(CHANGE, [Allowance(text)])
    assert [part.situations if part else () for part in parts] == [left, allowed]
    for part in parts:
        if part and len(part.situations) < 2:
            assert set(part.situations) | set(part.elsewhere) == {"rank2", "rank4-last", "rank3"}


def test_an_allowance_takes_a_fact_by_its_name():
    assert divided(FACT, [Allowance("epsilon")]) == (None, FACT)
    assert divided(FACT, [Allowance("momentum")]) == (FACT, None)


def test_brackets_and_dots_are_no_pattern():
    assert not Allowance("frozen.update[r]").names("frozen.update", "frozen.updater")
    assert not Allowance("frozen?update").names("frozen.update", "frozen.update[rank2]")


def test_what_names_nothing_is_refused_with_what_is_near(make):
    column = make({"frozen.update[rank2]": "none"}, facts={"epsilon": 1e-3})
    good = ["frozen.update", "frozen.update[rank2]", "epsilon", "precision.*", "frozen.update"]
    assert [one.text for one in allowances(good, [column])] == good[:-1]
    with pytest.raises(
        UnknownAllowance, match=r"'frozen.updates' names nothing that was asked; nearest: frozen.update"
    ):
        allowances(["frozen.updates"], [column])
    with pytest.raises(UnknownAllowance, match="an axis, a clause, AXIS"):
        allowances(["???"], [column])


def test_an_allowance_that_nothing_needed_is_told():
    given = [Allowance("frozen.update[rank4*]"), Allowance("epsilon"), Allowance("precision.*")]
    assert unused(given, [CHANGE, FACT]) == ("precision.*",)
