"""Normalisation and moving statistics, against rational arithmetic and against what must always hold."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bnspec.reference import State, estimate_variance, moments, new_weight, normalize, training_step

STORED = ("population", "sample", "sample-epsilon", "sample-twice", "sample-epsilon-padded")
AVERAGING = ("exponential", "debiased", "first-batch", "cumulative")
DYADIC = st.integers(-512, 512).map(lambda i: i / 64)
BATCHES = hnp.arrays(np.float64, st.tuples(st.integers(2, 10), st.just(3)), elements=DYADIC)
KEEPS = st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.99])
START = State(np.array([1.0, -2.0, 0.5]), np.array([4.0, 0.25, 1.0]))


def run(batches, *, state=START, epsilon=1e-3, **options):
    for x in batches:
        state = training_step(x, state=state, epsilon=epsilon, **options).state
    return state


# Normalisation


@given(
    st.lists(DYADIC, min_size=1, max_size=8),
    st.sampled_from([(Fraction(3, 16), Fraction(1, 16)), (Fraction(7, 8), Fraction(1, 8)), (Fraction(4), 0)]),
    DYADIC,
    DYADIC,
    DYADIC,
)
def test_normalize_equals_the_rationals_where_the_root_is_rational(values, squares, mean, scale, offset):
    variance, epsilon = squares
    root = {Fraction(1, 4): Fraction(1, 2), Fraction(1): Fraction(1), Fraction(4): Fraction(2)}[variance + epsilon]
    y = normalize(
        np.array(values)[:, None],
        mean=[mean],
        variance=[float(variance)],
        scale=[scale],
        offset=[offset],
        epsilon=float(epsilon),
    )
    expected = [(Fraction(v) - Fraction(mean)) / root * Fraction(scale) + Fraction(offset) for v in values]
    assert [Fraction(float(v)) for v in y[:, 0]] == expected


def test_no_scale_is_one_and_no_offset_is_zero_each_alone_or_both():
    x, given_ = np.arange(12.0).reshape(4, 3), {"mean": [1.0, 2.0, 3.0], "variance": [1.0, 2.0, 3.0]}
    scale, offset = np.array([2.0, -3.0, 0.5]), np.array([1.0, 5.0, -7.0])
    for has_scale, has_offset in itertools.product((True, False), repeat=2):
        y = normalize(
            x,
            scale=scale if has_scale else None,
            offset=offset if has_offset else None,
            epsilon=0.1,
            **given_,
        )
        full = normalize(
            x,
            scale=scale if has_scale else np.ones(3),
            offset=offset if has_offset else np.zeros(3),
            epsilon=0.1,
            **given_,
        )
        np.testing.assert_array_equal(y, full)


def test_epsilon_is_inside_the_root():
    assert normalize([[3.0]], mean=[1.0], variance=[9.0], epsilon=7.0)[0, 0] == 0.5


def test_inference_of_a_sample_does_not_depend_on_the_other_samples():
    x = np.random.default_rng(0).normal(size=(6, 3, 4))
    layer = {"mean": START.mean, "variance": START.variance, "epsilon": 1e-3, "axis": 1}
    whole = normalize(x, **layer)
    for sample in range(6):
        np.testing.assert_array_equal(normalize(x[sample : sample + 1], **layer), whole[sample : sample + 1])


@pytest.mark.parametrize(("source", "to"), list(itertools.product(range(4), range(-4, 4))))
def test_moving_the_channel_axis_moves_the_output_and_changes_no_bit(source, to):
    x = np.random.default_rng(source).normal(3, 2, (3, 3, 3, 3))
    layer = {
        "state": START,
        "scale": [1.0, 2.0, 3.0],
        "offset": [3.0, 2.0, 1.0],
        "epsilon": 1e-3,
        "keep": 0.9,
    }
    y = training_step(x, axis=source, **layer).y
    moved = training_step(np.moveaxis(x, source, to), axis=to, **layer).y
    np.testing.assert_array_equal(np.moveaxis(y, source, to), moved)


@given(BATCHES, st.floats(-3, 3), st.floats(-3, 3), st.sampled_from([1e-1, 1e-3, 1e-5]))
def test_training_output_has_mean_offset_and_variance_scale_squared_v_over_v_plus_epsilon(x, scale, offset, epsilon):
    step = training_step(x, state=START, scale=np.full(3, scale), offset=np.full(3, offset), epsilon=epsilon, keep=0.9)
    got, v = moments(step.y), step.batch.variance
    np.testing.assert_allclose(got.mean, offset, rtol=0, atol=1e-11)
    np.testing.assert_allclose(got.variance, scale**2 * v / (v + epsilon), rtol=1e-11, atol=1e-11)


@given(BATCHES, st.randoms())
def test_permuting_samples_permutes_training_outputs(x, random):
    order = list(range(len(x)))
    random.shuffle(order)
    layer = {"state": START, "epsilon": 1e-3, "keep": 0.9}
    y, permuted = training_step(x, **layer).y, training_step(x[order], **layer).y
    np.testing.assert_allclose(permuted, y[order], rtol=1e-12, atol=1e-11)


@given(BATCHES, st.sampled_from(["batch", "running"]))
def test_the_output_of_a_channel_does_not_depend_on_another(x, statistics):
    layer = {"state": START, "epsilon": 1e-3, "keep": 0.9, "statistics": statistics}
    disturbed = np.where([False, True, False], np.nan, x)
    step, other = training_step(x, **layer), training_step(disturbed, **layer)
    for own, beside in ((step.y, other.y), (step.state.mean, other.state.mean)):
        np.testing.assert_array_equal(own[..., [0, 2]], beside[..., [0, 2]])
    assert np.isnan(other.y[:, 1]).all()


def test_running_statistics_normalise_after_their_update():
    x = np.random.default_rng(0).normal(2, 3, (5, 3))
    step = training_step(x, state=START, epsilon=1e-3, keep=0.25, statistics="running")
    expected = normalize(x, mean=step.state.mean, variance=step.state.variance, epsilon=1e-3)
    np.testing.assert_array_equal(step.y, expected)


def test_a_mask_hides_values_from_the_statistics_and_not_from_the_output():
    x = np.array([[1.0], [3.0], [100.0]])
    step = training_step(x, state=State(np.zeros(1), np.ones(1)), epsilon=0.0, keep=0.0, mask=[[True], [True], [False]])
    np.testing.assert_array_equal(step.y, [[-1], [1], [98]])
    np.testing.assert_array_equal([step.state.mean, step.state.variance], [[2], [1]])


# Moving statistics


def rational_statistics(batches, *, start, epsilon, keep, stored_variance, averaging):
    """The moving mean and variance after all batches, from closed forms over all of them, in rationals."""
    rows = []
    for batch in batches:
        n, mean = len(batch), sum(batch, Fraction(0)) / len(batch)
        squares = sum((v - mean) ** 2 for v in batch)
        divisor = {
            "population": Fraction(n),
            "sample": Fraction(n - 1),
            "sample-epsilon": n - 1 - epsilon,
            "sample-twice": Fraction(n - 1) * (n - 1 - epsilon) / n,
            "sample-epsilon-padded": n - 1 - epsilon,
        }
        padding = n * epsilon if stored_variance == "sample-epsilon-padded" else 0
        rows.append((mean, (squares + padding) / divisor[stored_variance]))
    k = len(rows)
    weights = {
        "exponential": [(1 - keep) * keep ** (k - 1 - i) for i in range(k)],
        "debiased": [(1 - keep) * keep ** (k - 1 - i) / (1 - keep**k) for i in range(k)],
        "first-batch": [keep ** (k - 1) if i == 0 else (1 - keep) * keep ** (k - 1 - i) for i in range(k)],
        "cumulative": [Fraction(1, k)] * k,
    }[averaging]
    rest = 1 - sum(weights)
    return [rest * start[j] + sum(w * row[j] for w, row in zip(weights, rows, strict=True)) for j in range(2)]


@pytest.mark.parametrize("stored_variance", STORED)
@pytest.mark.parametrize("averaging", AVERAGING)
@pytest.mark.parametrize("steps", [1, 2, 3, 10])
@pytest.mark.parametrize("keep", [Fraction(0), Fraction(1, 4), Fraction(7, 8)])
def test_moving_statistics_after_k_steps_equal_the_closed_form_in_rationals(stored_variance, averaging, steps, keep):
    rng = np.random.default_rng(steps)
    batches = rng.integers(-64, 64, (steps, 4, 1)) / 16
    epsilon, start = Fraction(1, 8), (Fraction(3), Fraction(5, 2))
    options = {"stored_variance": stored_variance, "averaging": averaging}
    state = run(
        batches,
        state=State(np.array([float(start[0])]), np.array([float(start[1])])),
        epsilon=float(epsilon),
        keep=float(keep),
        **options,
    )
    rational = [[Fraction(float(v)) for v in batch[:, 0]] for batch in batches]
    mean, variance = rational_statistics(rational, start=start, epsilon=epsilon, keep=keep, **options)
    # Each step rounds the blend, the weight and the estimate: a handful of half ulps of the largest term.
    largest = max(float(np.abs(batches).max()), 64.0)
    assert abs(Fraction(float(state.mean[0])) - mean) <= Fraction(8 * steps * largest * 2.0**-53)
    assert abs(Fraction(float(state.variance[0])) - variance) <= Fraction(8 * steps * largest * 2.0**-53)
    assert state.count == steps
    if (stored_variance, averaging) == ("population", "exponential") and steps <= 3:
        assert [Fraction(float(state.mean[0])), Fraction(float(state.variance[0]))] == [mean, variance]


def test_the_estimates_of_a_pair_are_far_apart():
    batch = moments([[0.0], [2.0]])
    estimates = [float(estimate_variance(batch, stored_variance=s, epsilon=0.5)[0]) for s in STORED]
    assert estimates == [1.0, 2.0, 4.0, 8.0, 6.0]


@pytest.mark.parametrize("stored_variance", STORED[1:])
def test_a_single_value_has_no_sample_variance(stored_variance):
    assert not np.isfinite(estimate_variance(moments([[3.0]]), stored_variance=stored_variance)).any()


@given(BATCHES)
def test_keep_zero_stores_the_batch_statistics_bit_for_bit(x):
    step = training_step(x, state=START, epsilon=1e-3, keep=0.0)
    np.testing.assert_array_equal(step.state.mean, step.batch.mean)
    np.testing.assert_array_equal(step.state.variance, step.batch.variance)


@given(BATCHES)
def test_keep_one_leaves_the_old_statistics_bit_for_bit(x):
    state = run([x, x[:1]], keep=1.0, averaging="exponential", stored_variance="sample")
    np.testing.assert_array_equal(state.mean, START.mean)
    np.testing.assert_array_equal(state.variance, START.variance)


@given(BATCHES)
def test_keep_one_makes_a_debiased_average_nan_because_its_weight_is_zero_over_zero(x):
    state = run([x, x], keep=1.0, averaging="debiased")
    assert np.isnan(state.mean).all()
    assert np.isnan(state.variance).all()


@given(st.lists(BATCHES, min_size=1, max_size=5), KEEPS)
def test_debiased_and_cumulative_and_first_batch_averages_do_not_depend_on_the_start(batches, keep):
    unset = State(np.full(3, np.nan), np.full(3, np.nan))
    for averaging in AVERAGING[1:]:
        states = [run(batches, state=start, keep=keep, averaging=averaging) for start in (START, unset)]
        np.testing.assert_array_equal(states[0].mean, states[1].mean)
        np.testing.assert_array_equal(states[0].variance, states[1].variance)
        assert np.isfinite(states[1].variance).all()


@given(st.lists(BATCHES, min_size=1, max_size=6), KEEPS)
def test_the_cumulative_average_is_the_mean_of_all_batches_whatever_their_size(batches, keep):
    state = run(batches, keep=keep, averaging="cumulative")
    np.testing.assert_allclose(state.mean, np.mean([b.mean(axis=0) for b in batches], axis=0), atol=1e-13)
    np.testing.assert_allclose(state.variance, np.mean([b.var(axis=0) for b in batches], axis=0), atol=1e-12)


@given(st.integers(1, 200), KEEPS)
def test_the_exponential_average_of_equal_batches_forgets_its_start_by_keep_to_the_k(steps, keep):
    x = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 7.0]])
    state = run([x] * steps, keep=keep)
    left = keep**steps
    np.testing.assert_allclose(state.mean, left * START.mean + (1 - left) * x.mean(axis=0), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(state.variance, left * START.variance + (1 - left) * x.var(axis=0), rtol=1e-13)


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.9])
def test_the_first_debiased_weight_is_one_and_the_last_is_one_minus_keep(keep):
    assert new_weight(1, keep=keep, averaging="debiased") == 1.0
    np.testing.assert_allclose(new_weight(10_000, keep=keep, averaging="debiased"), 1 - keep, rtol=1e-15)


# Refusals


@pytest.mark.parametrize(
    ("option", "value"), [("stored_variance", "unbiased"), ("averaging", "ema"), ("statistics", "moving")]
)
def test_an_unknown_name_is_refused_with_the_names_that_are_known(option, value):
    with pytest.raises(ValueError, match=f"{option} '{value}'.*expected"):
        training_step([[1.0]], state=State(np.zeros(1), np.ones(1)), epsilon=0.1, keep=0.9, **{option: value})


@pytest.mark.parametrize("name", ["mean", "variance", "scale", "offset"])
def test_an_array_that_does_not_have_one_number_per_channel_is_refused(name):
    arrays = {"mean": np.zeros(3), "variance": np.ones(3), name: np.ones(1)}
    with pytest.raises(ValueError, match=rf"{name} of shape \(1,\); expected \(3,\)"):
        normalize(np.zeros((2, 3)), epsilon=0.1, **arrays)
