"""Layers against the reference: what they normalise with, how far they are off, how many steps are left."""

import math

import numpy as np
import pytest

from bnspec.explain.comparing import gap, rms
from bnspec.reference import Moments, State


def one(explained, made):
    [found] = explained(made).layers
    return found


@pytest.mark.parametrize("trains", ["batch", "stored"])
@pytest.mark.parametrize("infers", ["batch", "stored"])
def test_what_a_layer_normalises_with_is_seen_from_its_output(explained, layer, trains, infers):
    found = one(explained, layer(trains=trains, infers=infers))
    assert (found.normalises, found.infers) == (trains, infers)


def test_an_output_that_is_neither_is_told(explained, layer):
    made = layer()
    made["calls"]["training"][0]["y"] = made["calls"]["training"][0]["y"] * np.float32(1.1)
    assert one(explained, made).normalises == "neither"


def test_where_both_statistics_are_the_same_the_output_does_not_tell(explained, layer, inputs):
    x = inputs().astype(np.float32).astype(np.float64)
    found = one(explained, layer(x=x, stored=(x.mean(0), x.var(0))))
    assert found.normalises == "either"
    assert found.difference == 0


@pytest.mark.parametrize(("moves", "verdict"), [(0, "none"), (1, "as told"), (2, "twice"), (3, "otherwise")])
def test_a_step_is_held_against_the_momentum(explained, layer, moves, verdict):
    assert one(explained, layer(moves=moves)).updates == verdict


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.9, 0.99, 0.999])
def test_every_momentum_is_seen_to_move_as_told(explained, layer, inputs, keep):
    far = inputs(1).mean(0), inputs(1).var(0)
    assert one(explained, layer(keep=keep, stored=far)).updates == "as told"


def test_an_update_by_another_momentum_is_not_as_told(explained, layer, inputs):
    far = inputs(1).mean(0), inputs(1).var(0)
    made = {**layer(keep=0.9, stored=far), "keep": 0.95}
    assert one(explained, made).updates == "otherwise"


def test_the_estimator_of_the_stored_variance_is_identified(explained, layer):
    n = 64 * 16
    assert one(explained, layer(keep=0.0)).estimator == "population"
    found = one(explained, layer(keep=0.0, factor=n / (n - 1)))
    assert found.estimator == "sample"
    assert found.factor == pytest.approx(n / (n - 1))


def test_a_cumulative_average_moves_by_one_in_so_many_steps(explained, layer):
    assert one(explained, layer(keep=None, count=4)).updates == "as told"
    assert one(explained, {**layer(keep=None, count=4), "count": 9}).updates == "otherwise"


def test_distances_are_those_of_their_formulas(explained, layer, inputs):
    x = inputs().astype(np.float32).astype(np.float64)
    found = one(
        explained, layer(x=x, stored=(x.mean(0) + 0.5 * np.sqrt(x.var(0) + 1e-3), 4 * (x.var(0) + 1e-3) - 1e-3))
    )
    assert found.distance == pytest.approx(0.5, rel=1e-4)
    assert found.ratio == pytest.approx(4, rel=1e-4)
    there, here = (
        (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3),
        (x - found.stored.mean) / np.sqrt(found.stored.variance + 1e-3),
    )
    assert found.gap == pytest.approx(rms(here - there), rel=1e-6)
    assert found.difference == pytest.approx(rms(here - there), rel=1e-3)


def test_gap_is_the_difference_that_the_outputs_have(inputs):
    x = inputs()
    stored = State(inputs(1).mean(0), inputs(1).var(0))
    own, other = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3), (x - stored.mean) / np.sqrt(stored.variance + 1e-3)
    batch = Moments(x.mean(0), x.var(0), np.full(x.shape[1], len(x)))
    assert gap(batch, stored, 1e-3) == pytest.approx(rms(other - own))


@pytest.mark.parametrize("keep", [0.9, 0.99])
def test_after_the_steps_that_are_left_every_statistic_is_within_1_percent_and_not_before(
    explained, layer, inputs, keep
):
    x = inputs().astype(np.float32).astype(np.float64)
    mean, variance = np.full(16, 3.0), np.full(16, 50.0)
    left = int(one(explained, layer(x=x, keep=keep, stored=(mean, variance))).steps_left)

    def off(steps):
        m = x.mean(0) + keep**steps * (mean - x.mean(0))
        v = x.var(0) + keep**steps * (variance - x.var(0))
        return max(
            (np.abs(m - x.mean(0)) / np.sqrt(x.var(0) + 1e-3)).max(),
            (np.abs(v - x.var(0)) / (x.var(0) + 1e-3)).max(),
        )

    assert off(left) <= 0.01 < off(left - 1)


def test_a_cumulative_average_takes_many_steps(explained, layer, inputs):
    x = inputs().astype(np.float32).astype(np.float64)
    stored = x.mean(0) + 0.5 * np.sqrt(x.var(0) + 1e-3), x.var(0)
    found = one(explained, layer(x=x, keep=None, count=10, stored=stored))
    assert found.steps_left == pytest.approx(10 * (0.5 / 0.01 - 1), abs=1)


def test_what_does_not_move_takes_for_ever_and_what_is_there_takes_no_step(explained, layer, inputs):
    x = inputs().astype(np.float32).astype(np.float64)
    assert one(explained, layer(moves=0)).steps_left == math.inf
    assert one(explained, layer(x=x, stored=(x.mean(0), x.var(0)))).steps_left == 0
    assert one(explained, layer(keep=0.0)).steps_left == 1


@pytest.mark.parametrize("left", [0.9, 0.5, 0.1])
def test_the_weight_of_the_start_is_fitted_where_no_counter_tells_it(explained, layer, inputs, left):
    x = inputs(deviation=0.5)
    found = one(explained, layer(x=x, stored=((1 - left) * x.mean(0), left + (1 - left) * x.var(0))))
    assert found.start_left == pytest.approx(left, rel=1e-3)


def test_other_statistics_are_not_fitted(explained, layer, inputs):
    assert one(explained, layer(stored=(inputs(5).mean(0) * 3, inputs(6).var(0) * 2))).start_left is None


def test_a_layer_that_was_called_but_never_seen_is_not_called(explained, layer):
    made = layer()
    made["calls"]["training"] = [{"said": True, "site": None}]
    assert not one(explained, made).called
