"""Single lines of the allowance, where one number or a limiting case says what it must be."""

import warnings

import numpy as np
import pytest

from bnspec.reference import Arithmetic, moments, normalize, training_gradients
from bnspec.reference import allowance as allow


def test_a_wide_sum_grows_with_the_logarithm_and_a_sequential_one_with_n():
    assert Arithmetic().growth(1) == 1
    assert Arithmetic().growth(2**20) == 6
    assert Arithmetic(accumulation="sequential").growth(2**20) == 2**20


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_half_an_ulp_is_the_largest_error_of_rounding(dtype):
    x = np.random.default_rng(0).lognormal(0, 3, 10_000)
    error, bound = np.abs(x.astype(dtype) - x), allow.half_ulp(x, dtype)
    assert (error <= bound).all()
    assert (error > 0.99 * bound).any()


def test_what_the_allowance_of_the_variance_can_take_whole_decides_nothing():
    variance, epsilon = np.array([1e-9, 1e-9, 1.0]), 0.0
    bound = allow.of_inverse_deviation(variance, np.array([1e-9, 1e-10, 1e-6]), epsilon=epsilon)
    np.testing.assert_array_equal(np.isinf(bound), [True, False, False])


def test_a_constant_channel_without_epsilon_decides_nothing_but_its_moments_and_doffset():
    x, dy = np.full((4, 1), 3.0), np.array([[0.0], [1.0], [2.0], [0.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        batch, bound = moments(x), allow.of_moments(x)
        grad = training_gradients(x, dy, scale=[0.0], epsilon=0.0)
        layer = {"mean": batch.mean, "variance": batch.variance, "epsilon": 0.0}
        rest = {"mean_allowance": bound.mean, "variance_allowance": bound.variance}
        xhat = allow.of_normalized(x, **layer, **rest)
        y = allow.of_output(normalize(x, **layer), xhat, scale=[0.0])
        got = allow.of_gradients(x, dy, grad, scale=[0.0], **layer, **rest)
    for undecided in (xhat, y, got.x, got.scale):
        assert np.isposinf(undecided).all()
    assert np.isfinite(got.offset).all()
    assert np.isfinite(bound.variance).all()


def test_a_weight_of_zero_adds_nothing_and_a_weight_of_one_forgets_an_unset_statistic():
    old, new = np.array([np.nan]), np.array([2.0])
    assert allow.of_stored(np.array([1.0]), new, weight=0, new_allowance=1.0) == 0
    assert allow.of_stored(old, new, weight=1, old_allowance=np.nan, new_allowance=1.0) == 1 + 2.0**-22 * 2


def test_an_unknown_kind_of_moments_is_refused():
    with pytest.raises(ValueError, match="moments 'three-pass'; expected one of two-pass, updating, one-pass"):
        allow.of_moments([[1.0], [2.0]], arithmetic=Arithmetic(moments="three-pass"))
