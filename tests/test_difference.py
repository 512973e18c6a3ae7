"""Numbers beside what was expected of them."""

from dataclasses import replace

import numpy as np
import pytest

from bnspec.case import Case, Layer, Step, read
from bnspec.difference import LIMIT, Shown, Trace, compare
from bnspec.expectation import ABSENT, DONE, FREE, RAISES, Expectation, Expected, other, returned, same, values

F = np.float32
NAN, INF = np.nan, np.inf


def comparison(expectation, shown):
    case = Case(("forward.training",), "rank2", Layer(), (Step("train"),), "why")
    return compare(case, Trace("ran", (shown,)), (expectation,))


def numbers(observed, value, allowance, name="y", dtype=F):
    expected = Expected(np.array(value, dtype=float), np.array(allowance, dtype=float))
    return comparison(values(**{name: expected}), Shown({name: np.array(observed, dtype=dtype)}))


def test_the_limit_is_one_allowance():
    assert numbers([1.5], [1.0], [0.5]).fits
    assert numbers([1.5], [1.0], [0.5]).ratio == LIMIT
    found = numbers([0.0, 1.5], [0.0, 1.0], [0.5, 0.25])
    assert not found.fits
    assert found.worst.ratio == 2
    assert found.worst.index == (1,)
    assert found.worst.text == "step 1 (train): y[1] = 1.5; expected 1 ± 0.25 (error 0.5)"


def test_an_array_that_may_be_one_of_several_is_whole_one_of_them():
    def one_of(observed):
        first, second, third = (Expected(np.array(v), np.full(2, 0.5)) for v in ([0.0, 0.0], [4.0, 4.0], [9.0, 9.0]))
        expected = values(y=replace(first, others=(second, third)))
        return comparison(expected, Shown({"y": np.array(observed, dtype=F)}))

    assert one_of([0.0, 0.25]).ratio == 0.5
    assert one_of([4.5, 4.0]).ratio == 1.0
    assert one_of([9.0, 9.0]).ratio == 0.0
    assert one_of([4.0, 6.0]).worst.text == "step 1 (train): y[1] = 6; expected 4 ± 0.5 (error 2)"
    assert not one_of([0.0, 9.0]).fits, "every number is one of them, the array is none"


def test_an_allowance_of_zero_wants_equality():
    assert numbers([1.0], [1.0], [0.0]).fits
    assert numbers([1.0], [1.0], [0.0]).ratio == 0
    assert numbers([np.nextafter(F(1), F(2))], [1.0], [0.0]).worst.ratio == INF


@pytest.mark.parametrize(
    ("observed", "value", "fits"),
    [
        (NAN, NAN, True),
        (NAN, 1.0, False),
        (1.0, NAN, False),
        (INF, INF, True),
        (-INF, INF, False),
        (INF, 1.0, False),
        (1.0, INF, False),
        (INF, NAN, False),
        (NAN, INF, False),
    ],
)
def test_nan_and_infinity_agree_with_themselves_alone(observed, value, fits):
    found = numbers([0.0, observed], [0.0, value], [0.1, 0.1])
    assert found.fits is fits
    assert found.judged == 1
    if not fits:
        assert found.worst.ratio == INF
        assert found.worst.index == (1,)


@pytest.mark.parametrize("observed", [0.0, 1e30, NAN, INF])
def test_an_infinite_allowance_is_not_judged(observed):
    assert numbers([observed, 1.0], [0.0, 1.0], [INF, 0.1]).fits
    assert numbers([observed], [NAN], [INF]).fits
    nothing = numbers([observed], [0.0], [INF])
    assert nothing.fits
    assert nothing.judged == 0


def test_a_number_beside_one_that_is_not_judged_is_still_judged():
    assert numbers([0.0, 2.0], [0.0, 1.0], [INF, 0.1]).worst.index == (1,)


def test_an_empty_array_of_the_right_shape_fits_and_decides_nothing():
    assert numbers(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3))).judged == 0


def test_shape_comes_before_numbers():
    found = numbers([[1.0]], [1.0], [0.1])
    assert found.worst.kind == "shape"
    assert "has shape (1, 1); expected (1,)" in found.worst.text


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int32, np.bool_])
def test_a_dtype_is_a_difference_of_its_own_beside_the_numbers(dtype):
    right = numbers([1], [1.0], [0.1], dtype=dtype)
    assert [d.kind for d in right.differences] == ["dtype"]
    wrong = numbers([0], [1.0], [0.1], dtype=dtype)
    assert sorted(d.kind for d in wrong.differences) == ["dtype", "number"]


def test_a_number_may_have_any_dtype_where_none_is_expected():
    expected = Expected(np.ones(1), np.zeros(1), None)
    assert comparison(values(loss=expected), Shown({"loss": np.ones(1)})).fits
    assert not comparison(values(loss=Expected(np.ones(1), np.zeros(1))), Shown({"loss": np.ones(1)})).fits


def test_a_bfloat16_is_judged_by_the_type_it_travelled_as():
    expected = values(y=Expected(np.ones(1), np.zeros(1), "bfloat16"))
    assert comparison(expected, Shown({"y": np.ones(1, F)}, dtypes={"y": "bfloat16"})).fits
    assert comparison(expected, Shown({"y": np.ones(1, F)})).worst.kind == "dtype"


def test_a_counter_is_judged_only_where_there_is_one():
    expected = values(count=Expected(np.array(3.0), np.array(0.0), None, counter=True))
    assert comparison(expected, Shown()).judged == 0
    assert comparison(expected, Shown({"count": np.array(3)})).fits
    assert not comparison(expected, Shown({"count": np.array(4)})).fits


def test_what_may_not_be_negative_or_not_be_exact_is_a_difference_within_any_allowance():
    wide = {"value": np.zeros(2), "allowance": np.full(2, 9.0)}
    clamped = values(variance=Expected(**wide, nonnegative=True))
    assert comparison(clamped, Shown({"variance": np.array([0.0, 1.0], F)})).fits
    assert comparison(clamped, Shown({"variance": np.array([-1e-9, 1.0], F)})).worst.ratio == INF
    noisy = values(y=Expected(**wide, inexact=True))
    assert comparison(noisy, Shown({"y": np.array([0.0, 1e-9], F)})).fits
    assert comparison(noisy, Shown({"y": np.zeros(2, F)})).worst.ratio == INF


def test_what_must_not_be_shown_is_a_difference():
    expected = Expectation("values", missing=frozenset({"scale"}))
    assert comparison(expected, Shown({"x": np.zeros(1, F)})).fits
    assert "gave scale, where there is none" in comparison(expected, Shown({"scale": np.zeros(1, F)})).worst.text


@pytest.mark.parametrize(
    ("second", "fits"),
    [
        (np.array([0.1, NAN], F), True),
        (np.array([np.nextafter(F(0.1), F(1)), NAN], F), False),
        (np.array([0.1, NAN]), False),
        (np.array([[0.1, NAN]], F), False),
    ],
)
def test_what_must_be_the_same_is_the_same_bit_for_bit(second, fits):
    case = Case(("state.round-trip",), "x", Layer(), (read(), read()), "")
    trace = Trace("ran", (Shown({"mean": np.array([0.1, NAN], F)}), Shown({"mean": second})))
    assert compare(case, trace, [DONE, same(0)]).fits is fits
    assert not compare(case, Trace("ran", (trace.steps[0], Shown())), [DONE, same(0)]).fits


def test_a_missing_array_is_a_difference_and_an_extra_one_is_none():
    expected = values(mean=Expected(np.zeros(1), np.zeros(1)))
    missing = comparison(expected, Shown({"variance": np.zeros(1, F)}))
    assert "no mean; it gave variance" in missing.worst.text
    assert comparison(expected, Shown({"mean": np.zeros(1, F), "count": np.array(3)})).fits


ERROR = Shown(error=("ValueError", "too small"))
VALUES = Shown({"y": np.zeros(1, F), "mean": np.zeros(1, F)})


@pytest.mark.parametrize(
    ("expectation", "shown", "kind"),
    [
        (RAISES, ERROR, None),
        (RAISES, VALUES, "accepted"),
        (FREE, VALUES, None),
        (FREE, ERROR, "refused"),
        (DONE, VALUES, None),
        (DONE, ERROR, "refused"),
        (ABSENT, ERROR, None),
        (ABSENT, Shown({"scale": np.ones(1, F)}), None),
        (ABSENT, Shown({"mean": np.full(1, NAN, F)}), None),
        (ABSENT, VALUES, "accepted"),
        (values(y=Expected(np.zeros(1), np.zeros(1))), ERROR, "refused"),
    ],
)
def test_an_error_is_an_observation(expectation, shown, kind):
    found = comparison(expectation, shown)
    assert [d.kind for d in found.differences] == ([kind] if kind else [])
    assert found.refused == (kind == "refused")
    assert found.surprises == (kind is not None)


def test_a_step_that_the_worker_did_not_show_is_no_agreement():
    case = Case(("forward.training",), "rank2", Layer(), (Step("train"), Step("train")), "why")
    found = compare(case, Trace("ran", (VALUES,)), (FREE, FREE))
    assert not found.fits
    assert found.worst.step == 1


def test_farther_is_asked_of_the_numbers_on_which_two_disagree():
    near, same, far = (numbers([1.1], [value], [1e-6]) for value in (1.0, 1.0, 3.0))
    assert far.farther(near, 10)
    assert not near.farther(far, 10)
    assert not same.farther(near, 10)
    assert not numbers([1.1], [1.5], [1e-6]).farther(near, 10)
    assert not far.farther(numbers([NAN], [1.0], [1e-6]), 10)


def test_what_is_returned_is_rounded_to_float32():
    made = returned(np.array([1.0, NAN, INF, 2.0**-149]), np.array([0.0, 0.0, 0.0, INF]))
    assert made.allowance[0] == 2.0**-24
    assert list(made.allowance[1:]) == [0.0, 0.0, INF]


@pytest.mark.parametrize(
    ("again", "fits"),
    [({"y": F([1, 2])}, False), ({"y": F([1, 3])}, True), ({"y": F([1, 2, 3])}, False), ({}, False)],
)
def test_other_bits_are_the_same_arrays_with_another_number(again, fits):
    case = Case(("execution.determinism",), "rank2", Layer(), (read(), read()), "why")
    trace = Trace("ran", (Shown({"y": F([1, 2])}), Shown(again)))
    assert compare(case, trace, (FREE, other(0))).fits is fits


def test_of_bits_that_repeat_only_those_that_are_asked_are_compared():
    trace = Trace("ran", (Shown({"mean": F([1]), "count": F(1)}), Shown({"mean": F([1]), "count": F(2)})))

    def repeats(*asked):
        case = Case(("execution.determinism",), "rank2", Layer(), (read(), read(*asked)), "why")
        return compare(case, trace, (FREE, same(0))).fits

    assert repeats("mean")
    assert not repeats()
