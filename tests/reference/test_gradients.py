"""Gradients against the complex-step derivative of a forward pass written here, independently.

For analytic f, Im f(x + ih)/h is f′(x) to rounding for a tiny h: there is no difference to cancel.
"""

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bnspec.reference import inference_gradients, moments, training_gradients

H = 1e-30
LAYOUTS = [
    ((5,), 0),
    ((4, 3), 1),
    ((4, 3), 0),
    ((2, 3, 4), 1),
    ((2, 3, 4), -1),
    ((2, 2, 3, 2), 1),
    ((2, 2, 3, 2), 3),
    ((2, 1, 2, 2, 3), -1),
    ((2, 3, 1, 2, 2), 1),
]
VALUES = st.integers(-512, 512).map(lambda i: i / 64)
BATCHES = hnp.arrays(np.float64, st.tuples(st.integers(2, 8), st.just(2)), elements=VALUES)


def forward(x, scale, offset, *, epsilon, axis, detached=False, statistics=None):
    """y in complex arithmetic, channel by channel; `statistics` (mean, variance) where they are given."""
    y = np.empty(x.shape, dtype=complex)
    columns, outputs = np.moveaxis(x, axis, 0), np.moveaxis(y, axis, 0)
    for channel, column in enumerate(columns):
        source = column.real if detached else column
        mean = source.sum() / source.size if statistics is None else statistics[0][channel]
        variance = ((source - mean) ** 2).sum() / source.size if statistics is None else statistics[1][channel]
        outputs[channel] = scale[channel] * (column - mean) / np.sqrt(variance + epsilon) + offset[channel]
    return y


def complex_step(function, at, dy):
    """The derivative of Σ dy·function(at) by every element of `at`."""
    derivative = np.empty(at.shape)
    for index in np.ndindex(at.shape):
        moved = at.astype(complex)
        moved[index] += 1j * H
        derivative[index] = (dy * function(moved)).sum().imag / H
    return derivative


def problem(shape, axis, seed=0):
    rng = np.random.default_rng(seed)
    channels = shape[axis]
    x, dy = rng.normal(1.5, 2, shape), rng.normal(0.3, 1, shape)
    return x, dy, rng.normal(1, 1, channels), rng.normal(0, 1, channels)


def assert_are_the_derivatives(gradients, x, dy, scale, offset, **layer):
    by_x = complex_step(lambda v: forward(v, scale, offset, **layer), x, dy)
    by_scale = complex_step(lambda v: forward(x.astype(complex), v, offset, **layer), scale, dy)
    by_offset = complex_step(lambda v: forward(x.astype(complex), scale, v, **layer), offset, dy)
    # Rounding of sums of at most 24 terms of size about 1 to 100 (ε = 1e-3 with one value per channel).
    np.testing.assert_allclose(gradients.x, by_x, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(gradients.scale, by_scale, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(gradients.offset, by_offset, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("epsilon", [0.5, 1e-3])
@pytest.mark.parametrize("statistics", ["through", "detached"])
@pytest.mark.parametrize(("shape", "axis"), LAYOUTS)
def test_training_gradients_are_the_derivatives_of_the_training_forward(shape, axis, statistics, epsilon):
    x, dy, scale, offset = problem(shape, axis)
    got = training_gradients(x, dy, scale=scale, epsilon=epsilon, axis=axis, statistics=statistics)
    detached = statistics == "detached"
    assert_are_the_derivatives(got, x, dy, scale, offset, epsilon=epsilon, axis=axis, detached=detached)


@pytest.mark.parametrize(("shape", "axis"), LAYOUTS)
def test_inference_gradients_are_the_derivatives_with_stored_statistics(shape, axis):
    x, dy, scale, offset = problem(shape, axis, seed=1)
    mean, variance = np.linspace(-1, 1, len(scale)), np.linspace(0.2, 2, len(scale))
    layer = {"epsilon": 1e-3, "axis": axis}
    got = inference_gradients(x, dy, mean=mean, variance=variance, scale=scale, **layer)
    assert_are_the_derivatives(got, x, dy, scale, offset, statistics=(mean, variance), **layer)


@pytest.mark.parametrize("statistics", ["through", "detached"])
def test_no_scale_is_a_scale_of_one(statistics):
    x, dy, _, _ = problem((3, 4, 2), 1)
    layer = {"epsilon": 1e-3, "axis": 1, "statistics": statistics}
    bare, ones = training_gradients(x, dy, **layer), training_gradients(x, dy, scale=np.ones(4), **layer)
    np.testing.assert_array_equal(bare.x, ones.x)
    np.testing.assert_array_equal(bare.scale, ones.scale)


def test_detached_is_inference_with_the_batch_statistics():
    x, dy, scale, _ = problem((3, 4, 2), 1)
    batch, layer = moments(x, axis=1), {"scale": scale, "epsilon": 1e-3, "axis": 1}
    detached = training_gradients(x, dy, statistics="detached", **layer)
    fixed = inference_gradients(x, dy, mean=batch.mean, variance=batch.variance, **layer)
    np.testing.assert_array_equal(detached.x, fixed.x)


@given(BATCHES, BATCHES, st.sampled_from([1e-1, 1e-3]))
def test_dx_sums_to_zero_and_is_orthogonal_to_x_but_for_epsilon(x, dy, epsilon):
    n = min(len(x), len(dy))
    x, dy = x[:n], dy[:n]
    got, batch = training_gradients(x, dy, epsilon=epsilon), moments(x)
    inverse = 1 / np.sqrt(batch.variance + epsilon)
    xhat = (x - batch.mean) * inverse
    size = (np.abs(dy).sum(axis=0) * inverse + 1) * (1 + np.abs(xhat).max(axis=0)) ** 2 * n
    assert (np.abs(got.x.sum(axis=0)) <= 1e-15 * size * 8).all()
    left = inverse * got.scale * epsilon / (batch.variance + epsilon)
    assert (np.abs((got.x * xhat).sum(axis=0) - left) <= 1e-15 * size * 64).all()


@given(BATCHES, st.randoms())
def test_permuting_samples_permutes_dx_and_leaves_the_sums(x, random):
    order = list(range(len(x)))
    random.shuffle(order)
    dy = np.cos(np.arange(x.size)).reshape(x.shape)
    got, permuted = (training_gradients(x[o], dy[o], epsilon=0.1) for o in (np.arange(len(x)), order))
    np.testing.assert_allclose(permuted.x, got.x[order], atol=1e-12)
    np.testing.assert_allclose(permuted.scale, got.scale, atol=1e-12)
    np.testing.assert_allclose(permuted.offset, got.offset, atol=1e-12)


@given(BATCHES)
def test_gradients_of_a_channel_do_not_depend_on_another(x):
    dy = np.sin(np.arange(x.size)).reshape(x.shape)
    got = training_gradients(x, dy, epsilon=0.1)
    alone = training_gradients(np.where([False, True], np.inf, x), dy, epsilon=0.1)
    np.testing.assert_array_equal(alone.x[:, 0], got.x[:, 0])
    np.testing.assert_array_equal(alone.scale[0], got.scale[0])


@given(BATCHES, st.integers(-10, 10))
def test_gradients_are_linear_in_dy(x, exponent):
    dy = np.sin(np.arange(x.size)).reshape(x.shape)
    got, scaled = (training_gradients(x, f * dy, epsilon=0.1) for f in (1.0, 2.0**exponent))
    np.testing.assert_array_equal(scaled.x, got.x * 2.0**exponent)
    np.testing.assert_array_equal(scaled.scale, got.scale * 2.0**exponent)


@pytest.mark.parametrize(("source", "to"), list(itertools.product(range(3), range(-3, 3))))
def test_moving_the_channel_axis_moves_dx_and_changes_no_bit(source, to):
    x, dy, scale, _ = problem((3, 3, 3), source)
    got = training_gradients(x, dy, scale=scale, epsilon=1e-3, axis=source)
    x, dy = (np.moveaxis(array, source, to) for array in (x, dy))
    moved = training_gradients(x, dy, scale=scale, epsilon=1e-3, axis=to)
    np.testing.assert_array_equal(np.moveaxis(got.x, source, to), moved.x)
    np.testing.assert_array_equal(got.scale, moved.scale)


def test_a_single_value_per_channel_has_no_gradient_through_its_statistics():
    got = training_gradients([[3.0, 4.0]], [[5.0, 6.0]], epsilon=0.25)
    np.testing.assert_array_equal(got.x, [[0, 0]])
    np.testing.assert_array_equal(got.scale, [0, 0])
    np.testing.assert_array_equal(got.offset, [5, 6])


def test_a_constant_channel_without_epsilon_has_no_gradient_and_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = training_gradients([[3.0], [3.0]], [[5.0], [6.0]], epsilon=0.0)
    assert np.isnan(got.x).all()


def test_an_unknown_name_or_another_shape_is_refused():
    with pytest.raises(ValueError, match="statistics 'attached'; expected through or detached"):
        training_gradients([[1.0]], [[1.0]], epsilon=0.1, statistics="attached")
    with pytest.raises(ValueError, match=r"dy of shape \(1, 2\); expected \(2, 1\)"):
        training_gradients([[1.0], [2.0]], [[1.0, 2.0]], epsilon=0.1)
