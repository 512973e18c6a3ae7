"""Batch moments: exact where exactness is possible, accurate where it is not, and indifferent to layout."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bnspec.reference import Arithmetic, moments
from bnspec.reference import allowance as allow
from bnspec.reference.statistics import PIECE, blocks, pieces

FLOAT64 = Arithmetic(unit_roundoff=2.0**-53)

DYADIC = st.integers(-512, 512).map(lambda i: i / 64)
"""Multiples of 2⁻⁶: sums and products of a few of them are exact in float64."""

BATCHES = hnp.arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=DYADIC)


def exact_moments(values):
    """Mean and population variance in rational arithmetic, from E[x²] − E[x]²: another formula than ours."""
    rational = [Fraction(float(v)) for v in values]
    mean = sum(rational) / len(rational)
    return mean, sum(v * v for v in rational) / len(rational) - mean**2


def paired(shape, axis, *, mean):
    """Values in pairs mean ± d on every channel: their mean and variance are exact in any order."""
    channels, count = shape[axis], int(np.prod(shape)) // shape[axis]
    deviation = (np.arange(channels)[:, None] + np.arange(1, count // 2 + 1)) * 2.0**-6
    columns = mean + np.concatenate([deviation, -deviation[:, ::-1]], axis=1)
    others = [size for place, size in enumerate(shape) if place != axis % len(shape)]
    return np.moveaxis(columns.reshape(channels, *others), 0, axis), (deviation**2).mean(axis=1)


@given(hnp.arrays(np.float64, st.sampled_from([(1, 2), (2, 3), (4, 1), (8, 2), (16, 1)]), elements=DYADIC))
def test_moments_of_dyadic_data_equal_the_rationals_where_n_is_a_power_of_two(x):
    batch = moments(x)
    for channel in range(x.shape[1]):
        mean, variance = exact_moments(x[:, channel])
        assert Fraction(float(batch.mean[channel])) == mean
        assert Fraction(float(batch.variance[channel])) == variance


@given(BATCHES)
def test_moments_of_dyadic_data_are_the_rationals_rounded_for_any_n(x):
    batch, bound = moments(x), allow.of_moments(x, arithmetic=FLOAT64)
    for channel in range(x.shape[1]):
        mean, variance = exact_moments(x[:, channel])
        assert abs(Fraction(float(batch.mean[channel])) - mean) <= bound.mean[channel]
        assert abs(Fraction(float(batch.variance[channel])) - variance) <= bound.variance[channel]


RANKS = [
    (shape, axis)
    for rank in range(1, 6)
    for place in range(rank)
    for shape in [tuple(3 if i == place else 2 + 2 * (i % 2) for i in range(rank))]
    for axis in (place, place - rank)
]


@pytest.mark.parametrize("mean", [2.0**-3, 1.0, 2.0**10, -4.0])
@pytest.mark.parametrize(("shape", "axis"), RANKS)
def test_paired_data_have_exact_moments_for_every_rank_and_axis(shape, axis, mean):
    if len(shape) == 1:
        batch = moments([mean, 0.0, -mean], axis=axis)
        np.testing.assert_array_equal(batch.mean, [mean, 0, -mean])
        np.testing.assert_array_equal(batch.variance, 0)
        return
    x, variance = paired(shape, axis, mean=mean)
    batch = moments(x, axis=axis)
    np.testing.assert_array_equal(batch.mean, mean)
    np.testing.assert_array_equal(batch.variance, variance)
    np.testing.assert_array_equal(batch.count, x.size // 3)


@pytest.mark.parametrize(("offset", "sd"), [(0, 1), (1, 1), (1e3, 1), (1e6, 1), (0.1, 1e-3)])
def test_the_reference_uses_at_most_a_quarter_of_what_it_would_allow_a_float64_implementation(offset, sd):
    """NumPy adds down a column one by one: summed like that, 40,000 rows were 4 allowances off."""
    x = np.random.default_rng(0).normal(offset, sd, (40_000, 2))
    batch, bound = moments(x), allow.of_moments(x, arithmetic=FLOAT64)
    for channel in range(2):
        # The values as integers, in units of a power of two that divides them all.
        unit = 2**80
        whole = [numerator * (unit // below) for numerator, below in map(float.as_integer_ratio, x[:, channel])]
        n, first, second = len(whole), sum(whole), sum(value * value for value in whole)
        mean, variance = Fraction(first, n * unit), Fraction(n * second - first**2, (n * unit) ** 2)
        assert abs(Fraction(float(batch.mean[channel])) - mean) <= bound.mean[channel] / 4
        assert abs(Fraction(float(batch.variance[channel])) - variance) <= bound.variance[channel] / 4


@given(BATCHES, st.randoms())
def test_permuting_samples_changes_moments_by_rounding_only(x, random):
    order = list(range(len(x)))
    random.shuffle(order)
    batch, permuted, bound = moments(x), moments(x[order]), allow.of_moments(x, arithmetic=FLOAT64)
    assert (np.abs(batch.mean - permuted.mean) <= bound.mean).all()
    assert (np.abs(batch.variance - permuted.variance) <= bound.variance).all()


@given(BATCHES, st.sampled_from([np.nan, np.inf, 1e300]))
def test_moments_of_a_channel_do_not_depend_on_another(x, intruder):
    disturbed = np.concatenate([x, np.full((len(x), 1), intruder)], axis=1)
    disturbed[0, -1] = 1.0
    with np.errstate(over="ignore"):
        batch, other = moments(x), moments(disturbed)
    np.testing.assert_array_equal(other.mean[:-1], batch.mean)
    np.testing.assert_array_equal(other.variance[:-1], batch.variance)


@given(BATCHES, DYADIC)
def test_a_shift_moves_the_mean_and_leaves_the_variance(x, shift):
    batch, shifted = moments(x), moments(x + shift)
    bound, more = allow.of_moments(x, arithmetic=FLOAT64), allow.of_moments(x + shift, arithmetic=FLOAT64)
    assert (np.abs(shifted.mean - (batch.mean + shift)) <= bound.mean + more.mean + 2.0**-53 * 16).all()
    assert (np.abs(shifted.variance - batch.variance) <= bound.variance + more.variance).all()


@given(BATCHES, st.integers(-20, 20), st.sampled_from([1, -1]))
def test_a_scaling_by_a_power_of_two_scales_both_exactly(x, exponent, sign):
    factor = sign * 2.0**exponent
    batch, scaled = moments(x), moments(factor * x)
    np.testing.assert_array_equal(scaled.mean, factor * batch.mean)
    np.testing.assert_array_equal(scaled.variance, factor**2 * batch.variance)


@given(BATCHES, st.data())
def test_a_mask_is_the_same_as_dropping_the_rows(x, data):
    mask = data.draw(hnp.arrays(bool, len(x)))
    spoilt = np.where(mask[:, None], x, np.nan)
    masked, dropped = moments(spoilt, mask=mask[:, None]), moments(x[mask])
    bound = allow.of_moments(x[mask], arithmetic=FLOAT64) if mask.any() else dropped
    np.testing.assert_array_equal(masked.count, mask.sum())
    np.testing.assert_array_equal(np.isnan(masked.mean), np.isnan(dropped.mean))
    assert not (np.abs(masked.mean - dropped.mean) > bound.mean).any()
    assert not (np.abs(masked.variance - dropped.variance) > bound.variance).any()


def test_a_mask_may_differ_from_channel_to_channel():
    batch = moments([[1.0, 5.0], [3.0, 7.0], [8.0, 9.0]], mask=[[True, False], [True, True], [False, True]])
    np.testing.assert_array_equal(batch.mean, [2, 8])
    np.testing.assert_array_equal(batch.variance, [1, 1])
    np.testing.assert_array_equal(batch.count, [2, 2])


@pytest.mark.parametrize(("source", "to"), list(itertools.product(range(4), range(-4, 4))))
def test_moving_the_channel_axis_changes_no_bit(source, to):
    x = np.random.default_rng(source).normal(3, 2, (3, 4, 5, 6))
    batch, moved = moments(x, axis=source), moments(np.moveaxis(x, source, to), axis=to)
    np.testing.assert_array_equal(moved.mean, batch.mean)
    np.testing.assert_array_equal(moved.variance, batch.variance)


@pytest.mark.parametrize("memory", ["C", "F", "strided"])
def test_the_memory_layout_changes_no_bit(memory):
    x = np.random.default_rng(1).normal(3, 2, (5, 4, 6))
    laid = np.repeat(x, 2, axis=0)[::2] if memory == "strided" else np.array(x, order=memory)
    np.testing.assert_array_equal(moments(laid, axis=1).mean, moments(x, axis=1).mean)
    np.testing.assert_array_equal(moments(laid, axis=1).variance, moments(x, axis=1).variance)


@pytest.mark.parametrize("values", ["an empty batch", "all masked"])
def test_without_values_mean_and_variance_are_nan_and_the_count_is_zero(values):
    x = np.zeros((0, 3)) if values == "an empty batch" else np.ones((2, 3))
    batch = moments(x, mask=None if len(x) == 0 else False)
    assert np.isnan(batch.mean).all()
    assert np.isnan(batch.variance).all()
    np.testing.assert_array_equal(batch.count, [0, 0, 0])


def test_no_channels_give_empty_moments():
    assert moments(np.zeros((4, 0))).mean.shape == (0,)


@pytest.mark.parametrize(
    ("x", "more", "message"),
    [
        (1.0, {}, "rank 0"),
        ([1.0], {"axis": 1}, r"axis 1 is outside x of shape \(1,\)"),
        ([1.0], {"axis": -2}, "axis -2 is outside"),
        ([[1.0, 2.0]], {"mask": [True, False, True]}, r"mask of shape \(3,\) does not broadcast"),
    ],
)
def test_what_cannot_be_a_batch_is_refused_with_its_shape(x, more, message):
    with pytest.raises(ValueError, match=message):
        moments(x, **more)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((0, 3), -1), ((5, 3), -1), ((70_000, 2), -1), ((2, 70_000), 1), ((3, 70_000), 0), ((40, 3, 60, 50), 1)],
)
def test_pieces_are_all_of_an_array_each_number_once(shape, axis):
    counts = np.zeros(shape, dtype=np.int64)
    for piece, where in pieces(counts, axis):
        counts[piece] += 1
        assert counts[piece].shape[axis] == len(range(shape[axis])[where])
    assert (counts == 1).all()


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (4096, 100), (2, 3 * PIECE + 1), (1, 1)])
def test_blocks_are_all_of_some_rows_each_number_once_and_none_is_larger_than_a_piece(shape):
    counts = np.zeros(shape, dtype=np.int64)
    for block in blocks(shape):
        counts[block] += 1
        assert counts[block].size <= PIECE
    assert (counts == 1).all()
