"""The cases of accuracy: every class tells itself from a better one, and is found by what it computes."""

import numpy as np
import pytest

from bnspec.case import types
from bnspec.data import HALVES, held, long_batch, many
from bnspec.difference import Shown, Trace
from bnspec.identify import identify
from bnspec.judge import verify
from bnspec.reference.formulations import rounded
from bnspec.rivals import MARGIN, rivals
from bnspec.simulate import questions, simulate
from bnspec.spec import AXES, Dialect
from bnspec.suite import load_cases, shortened

CASES = {case.key: case for case in load_cases()}
CLASSES = [
    (f"{axis}[{place}]", rival[axis])
    for axis, place in [
        ("precision.accumulation", "rank4-first"),
        ("precision.moments", "rank2"),
        ("precision.centring", "rank4-last"),
        ("precision.float64", "float64-rank2"),
        *(("precision.half-statistics", f"{types(dtypes)}-rank4-last") for dtypes in HALVES),
    ]
    for rival in CASES[f"{axis}[{place}]"].rivals
]


def computed(case, dialect):
    """What an implementation of the dialect's classes shows, with its errors."""
    steps = []
    for step in simulate(case, dialect, formulated=True):
        arrays = {name: one for name, one in step.values.items() if not one.counter}
        shown = {name: held_as(one.value, one.dtype or "float32") for name, one in arrays.items()}
        steps.append(Shown(shown, dtypes={name: one.dtype or "float32" for name, one in arrays.items()}))
    return Trace("ran", tuple(steps))


def held_as(values, dtype):
    return rounded(values, dtype) if dtype == "bfloat16" else values.astype(dtype)


@pytest.mark.parametrize(("key", "variant"), CLASSES)
def test_a_class_is_found_by_what_an_implementation_of_it_computes(key, variant):
    case = CASES[key]
    [axis] = case.clauses
    [row], found = identify(case, computed(case, Dialect().answering({axis: variant}, case.situation)), Dialect())
    assert (row.verdict, row.variant) == ("conforms", variant)
    assert row.margin >= MARGIN
    assert found.variant(axis, case.situation) == variant


# The accumulation is asked before the moments, and so in the default dialect alone.
PAIRED = [
    (key, moments)
    for key, case in CASES.items()
    for moments in AXES["precision.moments"].variants
    if key.startswith("precision.") and case.rivals
    if moments == AXES["precision.moments"].default or not key.startswith("precision.accumulation")
]


@pytest.mark.parametrize(("key", "moments"), PAIRED)
def test_every_pair_of_classes_is_ten_allowances_apart_whatever_the_moments(key, moments):
    case = CASES[key]
    dialect = Dialect() if key.startswith("precision.moments") else Dialect().answering(MOMENTS[moments], case.where)
    pairs = rivals(case, dialect).pairs
    assert pairs
    assert all(distance >= MARGIN for of_axis in pairs.values() for distance in of_axis.values())


MOMENTS = {variant: {"precision.moments": variant} for variant in AXES["precision.moments"].variants}


def test_an_unclamped_variance_goes_below_zero_at_every_place():
    for case in CASES.values():
        if case.clauses == ("precision.moments",):
            shown = computed(case, Dialect().answering(MOMENTS["one-pass"], case.where))
            assert min(step.arrays["variance"].min() for step in shown.steps if step.arrays) < 0, case.key


def test_a_worse_class_is_imprecise_beyond_the_data_that_it_can_take():
    for offset, verdict in (("0", "conforms"), ("1e0", "conforms"), ("1e3", "imprecise"), ("1e6", "imprecise")):
        case = CASES[f"precision.bound[offset{offset}-rank4-first]"]
        dialect = Dialect().answering(MOMENTS["one-pass"], case.where)
        [row] = verify(case, computed(case, dialect), dialect)
        assert row.verdict == verdict, row.message
        [row] = verify(case, computed(case, Dialect()), Dialect())
        assert row.verdict == "conforms", row.message


@pytest.mark.parametrize("group", [1, 2, 4, 8, 16, 32])
def test_sums_of_a_long_batch_are_exact_in_short_chains_and_far_off_in_long_ones(group):
    x = long_batch(many(2, -1, 2, 2**16), -1).T
    assert (np.cumsum(x[:, :256], axis=1)[:, -1] == x[:, :256].astype(np.float64).sum(axis=1)).all()
    exact = x.astype(np.float64).mean(axis=1)
    groups = x.astype(np.float64).reshape(2, -1, group).sum(axis=2).astype(np.float32)
    error = np.abs(np.cumsum(groups, axis=1)[:, -1] / np.float64(2**16) - exact)
    assert (error > 8 * 2.0**-22 * 5 * np.abs(x).mean(axis=1)).all()


def test_a_float64_that_is_held_is_no_float32_and_a_half_is_exactly_one():
    x = np.linspace(1, 2, 7, dtype=np.float32)
    assert (held(x, "float64")[1:].astype(np.float32) != held(x, "float64")[1:]).all()
    assert held(x, "float16").dtype == np.float16
    assert (held(x, "bfloat16").view(np.uint32) & 0xFFFF == 0).all()


@pytest.mark.parametrize("key", ["precision.bound[size65536-rank2]", "precision.accumulation[rank4-first]"])
def test_a_shortened_case_asks_the_same_axes(key):
    case = CASES[key]
    assert questions(shortened(case), Dialect()) == questions(case, Dialect())
    assert max(array.size for step in shortened(case).program for array in step.arrays.values()) < 1000
