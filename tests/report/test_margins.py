"""How far rival answers are apart: every pair, in the page of every axis case."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from bnspec.case import Case
from bnspec.report.margins import PairTable, pair_tables
from bnspec.rivals import MARGIN, rivals
from bnspec.spec import AXES, Dialect
from bnspec.suite import load_cases

CASES: Mapping[str, Case] = {identifier: case for case in load_cases() for identifier in case.ids}
JOINT = CASES["stats.stored-variance[rank4-last]"]


def of(case: Case, axis: str) -> PairTable:
    return next(table for table in pair_tables(case) if table.axis == axis)


def test_a_table_has_a_distance_for_every_pair_of_variants_and_its_smallest_is_the_margin() -> None:
    found = rivals(JOINT, Dialect())
    for axis in JOINT.clauses:
        table = of(JOINT, axis)
        distances = [number for row in table.distances for number in row if number is not None]
        assert len(distances) == len(table.variants) * (len(table.variants) - 1) / 2
        assert min(distances) == found.margins[axis] >= MARGIN


def test_variants_stand_in_the_order_of_the_axis_and_silence_last() -> None:
    assert of(JOINT, "stats.stored-variance").variants == tuple(AXES["stats.stored-variance"].variants)
    assert of(JOINT, "stats.momentum-weight").variants == ("old", "new", "")


def test_what_every_variant_shows_is_told_where_it_can_be_told() -> None:
    (seen,) = of(JOINT, "stats.stored-variance").seen
    assert seen.place == "step 4 (get state), variance[0]"
    numbers = [float(text) for text in seen.shown]
    assert len(numbers) == len(set(numbers)) == len(AXES["stats.stored-variance"].variants)


def test_an_answer_that_is_no_number_is_told_in_words() -> None:
    shown = {text for seen in of(CASES["modes.unstated[rank2]"], "modes.unstated").seen for text in seen.shown}
    assert "an error" in shown


def test_a_discrete_difference_is_infinitely_far() -> None:
    table = of(CASES["modes.unstated[rank2]"], "modes.unstated")
    raises = table.variants.index("raises")
    assert set(table.distances[raises - 1]) == {float("inf")}


def test_a_case_without_rivals_has_no_table() -> None:
    assert pair_tables(CASES["forward.training[rank2]"]) == ()


@pytest.mark.parametrize("case", [case for case in load_cases() if case.rivals], ids=lambda case: case.key)
def test_every_case_tells_by_a_place_of_its_program_what_its_answers_show(case: Case) -> None:
    for table in pair_tables(case):
        assert table.seen or AXES[table.axis].accuracy, f"{table.axis}: nothing tells {table.variants} apart"


def test_an_answer_that_depends_on_an_undecided_axis_has_no_distance() -> None:
    asks = replace(JOINT, situation="elsewhere")
    found = rivals(asks, Dialect().not_deciding(["frozen.update"], asks.situation))
    assert not found.missing
    one, two = found.answers[0], found.answers[-1]
    partly = replace(found, answers=found.answers[1:], expected=found.expected[1:], missing=(one,))
    assert partly.pairs["stats.stored-variance"]["population", "sample"] is None
    assert partly.pairs["stats.stored-variance"]["sample", "sample-epsilon"] is not None
    assert two not in partly.missing
