"""The judge of the stories finds what was done, and says so where nothing explains it."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from bnspec.reference import Moments
from bnspec.stories.judging import Judged, distance, steps_until_right

BATCH = {"b1": "batch", "b2": "batch"}


@pytest.mark.parametrize("first", ["batch", "stored"])
@pytest.mark.parametrize("second", ["batch", "stored"])
def test_the_modes_of_every_layer_are_found(setting, record, first, second):
    modes = {"b1": first, "b2": second}
    judged = Judged(record(setting, modes), setting)
    assert judged.identified.closest == modes
    assert not judged.identified.open
    assert judged.identified.margin > 10
    told = judged.told()
    assert told["ratio"] < 1
    assert {name: layer["mode"] for name, layer in told["layers"].items()} == modes
    for name, mode in modes.items():
        assert (told["layers"][name]["averaging"] == ["none"]) == (mode == "stored")


@pytest.mark.parametrize("averaging", ["exponential", "debiased"])
@pytest.mark.parametrize("estimator", ["population", "sample", "sample-twice"])
def test_what_was_stored_is_found(setting, record, averaging, estimator):
    told = Judged(record(setting, BATCH, averaging, estimator), setting).told()
    for layer in told["layers"].values():
        assert layer["averaging"] == [averaging]
        assert estimator in layer["estimator"]
        assert ("population" in layer["estimator"]) == (estimator == "population")
        assert layer["ratio"] < 1
        assert layer["accumulation"] == "wide"


def test_statistics_that_no_rule_explains_have_none(setting, record):
    given = record(setting, BATCH)
    for weights in given["weights"][1:]:
        weights["b2"]["variance"] = weights["b2"]["variance"] * np.float32(1.5)
    layers = Judged(given, setting).told()["layers"]
    assert layers["b1"]["averaging"] == ["exponential"]
    assert layers["b2"]["averaging"] == layers["b2"]["estimator"] == []
    assert layers["b2"]["ratio"] > 1


@pytest.mark.parametrize("off", [2e-5, 1e-3])
def test_a_loss_that_no_modes_explain_is_out_of_bounds(setting, record, off):
    given = record(setting, BATCH)
    given["fit"]["loss"] = [loss + off for loss in given["fit"]["loss"]]
    assert Judged(given, setting).told()["ratio"] > 1


def test_sums_of_one_value_after_the_other_are_told_and_have_their_own_allowance(setting, record):
    given = record(setting, BATCH)
    judged = Judged(given, setting)
    for step, weights in enumerate(given["weights"][1:]):
        batch = judged.run(given["weights"][step], BATCH).inputs["b1"].batch
        exact = 0.9 * given["weights"][step]["b1"]["variance"] + 0.1 * batch.variance * (1 + 3e-5)
        weights["b1"]["variance"] = exact.astype(np.float32)
    layers = Judged(given, setting).told()["layers"]
    assert (layers["b1"]["accumulation"], layers["b2"]["accumulation"]) == ("sequential", "wide")
    assert layers["b1"]["averaging"] == ["exponential"]


def test_the_step_counts_that_tells_modes_apart(setting, record):
    given = record(setting, BATCH)
    exact = Judged(given, setting).run(given["weights"][0], BATCH)
    for name, entered in exact.inputs.items():
        given["weights"][0][name].update(mean=entered.batch.mean, variance=entered.batch.variance)
    judged = Judged(given, setting)
    assert judged.identify(0).open == {"b1", "b2"}
    assert not judged.identified.open
    assert judged.identified.closest == BATCH


def test_modes_that_give_the_same_loss_are_undecided(setting, record):
    given = record(setting, BATCH, averaging="none", steps=2)
    exact = Judged(given, setting).run(given["weights"][0], BATCH)
    for weights in given["weights"]:
        for name, entered in exact.inputs.items():
            weights[name].update(mean=entered.batch.mean, variance=entered.batch.variance)
    given["weights"][1:] = [copy.deepcopy(given["weights"][0])] * 2
    given["fit"]["loss"] = given["fit"]["loss"][:1] * 2
    judged = Judged(given, setting)
    assert judged.identified.open == {"b1", "b2"}
    assert {layer["mode"] for layer in judged.told()["layers"].values()} == {"undecided"}


@pytest.mark.parametrize("mode", ["batch", "stored"])
def test_how_it_was_evaluated_is_found(setting, record, mode):
    given = record(setting, BATCH, evaluate=mode)
    told = Judged(given, setting).told()["evaluate"]
    assert told["mode"] == mode
    assert told["ratio"] < 1
    assert told["moved"] is False


def test_statistics_that_move_in_evaluation_are_told(setting, record):
    given = record(setting, BATCH)
    given["after"] = copy.deepcopy(given["after"])
    given["after"]["b2"]["mean"][0] += 1
    assert Judged(given, setting).told()["evaluate"]["moved"] is True


def test_the_parts_lead_from_the_loss_of_fit_to_that_of_evaluate(setting, record):
    told = Judged(record(setting, BATCH, estimator="sample"), setting).told()
    first, *_, last = told["parts"]
    assert len(told["parts"]) == 5
    assert first["loss"] == pytest.approx(told["loss"], rel=1e-6)
    assert last["loss"] == pytest.approx(told["evaluate"]["loss"], rel=1e-6)


def test_the_closed_form_is_what_was_stored(setting, record):
    given = record(setting, BATCH, "debiased", "sample", steps=30)
    given["validation"] = {"loss": [0.0] * 30, "accuracy": [0.0] * 30}
    judged = Judged(given, setting)
    curve = judged.told()["curve"]
    after = [given["weights"][step + 1] for step in judged.checked]
    expected = [judged.value(judged.run(weights, judged.stored_modes)) for weights in after]
    assert curve["closed"] == pytest.approx(expected, rel=1e-6)
    assert curve["step"][0] == 1
    assert curve["step"][-1] == 30


def test_without_an_old_statistic_every_average_is_the_same(setting, record):
    none_of_the_old = replace(setting, keep=0.0)
    layers = Judged(record(none_of_the_old, BATCH), none_of_the_old).told()["layers"]
    assert {tuple(layer["averaging"]) for layer in layers.values()} == {("exponential",)}


def test_distance_is_that_of_the_worst_channel_and_leaves_constant_ones_out():
    batch = Moments(np.array([0.0, 1.0, 5.0]), np.array([1.0, 4.0, 0.0]), np.array([8, 8, 8]))
    off = distance((np.array([0.5, 1.0, 0.0]), np.array([2.0, 1.0, 1.0])), batch)
    assert off == {"sd": 0.5, "variance": 1.0, "low": 0.25, "high": 2.0}


@pytest.mark.parametrize(
    ("off", "keep", "steps"), [(0.005, 0.9, 0), (1.0, 0.99, 459), (1.0, 0.9, 44), (2.0, 0.0, 1), (1.0, 1.0, None)]
)
def test_steps_until_right(off, keep, steps):
    assert steps_until_right(off, keep) == steps


@pytest.mark.parametrize("wrong", [0.0, 0.1])
def test_a_step_that_is_not_the_gradient_is_found(setting, record, wrong):
    given = record(setting, BATCH, steps=1)
    judged, before = Judged(given, setting), given["weights"][0]
    after = copy.deepcopy(before)
    for layer, part in (("c1", "kernel"), ("b2", "scale"), ("d", "bias")):
        slopes = slopes_of(judged, before, layer, part)
        slopes[(0,) * slopes.ndim] += wrong * np.abs(slopes).max()
        after[layer][part] = before[layer][part] - given["rate"] * slopes
    given["weights"][1] = after
    off = Judged(given, setting).gradient
    assert off > 0.001 if wrong else off < 1e-4


def slopes_of(judged, weights, layer, part):
    """Return the derivatives of the loss by an array, number by number."""
    value = weights[layer][part].astype(float)
    slopes = np.zeros(value.shape)
    for place in np.ndindex(value.shape):
        losses = []
        for side in (1e-6, -1e-6):
            moved = value.copy()
            moved[place] += side
            losses.append(judged.value(judged.run({**weights, layer: {**weights[layer], part: moved}}, judged.modes)))
        slopes[place] = (losses[0] - losses[1]) / 2e-6
    return slopes


def test_without_a_step_there_is_no_gradient(setting, record):
    given = record(setting, BATCH, steps=1)
    given["weights"][1] = given["weights"][0]
    assert Judged(given, setting).gradient is None
