"""Rules over measured facts: each names its cause, and a healthy model has none."""

import numpy as np
import pytest

from bnspec.explain import Weight

START = np.zeros(16), np.ones(16)
SITE = {"file": "model.py", "line": 7, "function": "call", "class": "Mine", "takes": ["inputs"]}


@pytest.fixture
def far(inputs):
    """Statistics of other data."""
    return inputs(5).mean(0) * 3 + 9, inputs(6).var(0) * 8


def causes(found):
    return [(cause.id, cause.layers) for cause in found.causes]


def at(layer, site):
    """Return a layer that is called from a line of the reader's code."""
    for calls in layer["calls"].values():
        for call in calls:
            call["site"] = site
    return layer


def test_a_healthy_model_has_no_cause(explained, layer, inputs):
    found = explained(layer("a"), layer("b", x=inputs(3)), layer("c", x=inputs(4), count=900))
    assert causes(found) == []
    assert found.headline == "Nothing wrong found: the statistics of 3 layers of batch normalization fit this batch."


def test_what_a_batch_scatters_by_chance_is_no_finding(explained, layer, inputs):
    x = inputs()
    off = x.mean(0) + 0.3 * np.sqrt(x.var(0)), x.var(0)
    assert causes(explained(layer(x=x, stored=off))) == []
    much = x.mean(0) + 0.6 * np.sqrt(x.var(0)), x.var(0)
    assert causes(explained(layer(x=x, stored=much))) == [("other-data", ("bn",))]


def test_a_custom_model_that_does_not_pass_the_mode_on(explained, layer):
    made = at(layer("bn", trains="stored", moves=0, stored=START), SITE)
    found = explained(made, steps=40)
    assert causes(found) == [("training-not-reached", ("bn",))]
    assert "in inference mode under the trainer (fit), although not frozen" in found.headline
    assert "Mine.call, model.py line 7 does not take `training`" in found.causes[0].todo
    assert "`def call(self, inputs, training=None)`" in found.causes[0].todo


def test_a_call_that_takes_the_mode_and_does_not_pass_it_on(explained, layer):
    made = at(layer(trains="stored", moves=0), {**SITE, "takes": ["inputs", "training"]})
    assert "takes `training`: pass it on" in explained(made).causes[0].todo


def test_a_mode_that_was_pinned_when_the_model_was_built(explained, layer):
    assert (
        "training=False is said where the layer is called" in explained(layer(trains="stored", moves=0)).causes[0].todo
    )


def test_updates_that_do_not_arrive(explained, layer):
    assert causes(explained(layer(moves=0))) == [("updates-lost", ("bn",))]


def test_values_that_are_no_numbers(explained, layer, inputs):
    x = inputs()
    x[5, 3] = np.nan
    found = explained(layer("a"), layer("b", x=x, stored=(np.zeros(16), np.ones(16))))
    assert causes(found) == [("not-finite", ("b",))]
    assert "in the input, though the data have none" in found.headline
    spoilt = layer("b", stored=(np.full(16, np.inf), np.ones(16)))
    assert "in the stored statistics" in explained(spoilt).headline


def test_statistics_of_another_shape_than_the_input_are_not_looked_at(explained, layer):
    made = layer()
    made["state"] = {name: np.stack([value, value]) for name, value in made["state"].items()}
    assert causes(explained(made)) == [("not-called", ("bn",))]


def test_momentum_that_keeps_all(explained, layer):
    assert causes(explained(layer(keep=1.0))) == [("momentum-stops", ("bn",))]


@pytest.mark.parametrize("framework", ["keras", "torch", "flax.linen", "flax.nnx"])
def test_statistics_that_no_step_ever_reached(explained, layer, framework):
    found = explained(layer("a", stored=START), layer("b", stored=START), framework=framework, steps=40)
    assert causes(found) == [("never-updated", ("a", "b"))]
    assert "although its optimizer made 40 steps" in found.headline
    says = {
        "keras": "training=True",
        "torch": "model.train()",
        "flax.linen": "batch_stats",
        "flax.nnx": "model.train()",
    }
    assert says[framework] in found.causes[0].todo


def test_too_few_steps_by_the_counter(explained, layer, inputs):
    x, left = inputs(deviation=0.3), 0.99**12
    stored = (1 - left) * x.mean(0), left + (1 - left) * x.var(0)
    found = explained(layer(x=x, keep=0.99, stored=stored, count=12))
    assert causes(found) == [("too-few-steps", ("bn",))]
    assert "89% of the stored statistics is still their start (mean 0, variance 1) after 12 steps" in found.headline
    assert f"{found.layers[0].steps_left:,.0f} more steps" in found.causes[0].todo


def test_too_few_steps_without_a_counter(explained, layer, inputs):
    x = inputs(deviation=0.3)
    stored = 0.2 * x.mean(0), 0.8 + 0.2 * x.var(0)
    found = explained(layer(x=x, keep=0.99, stored=stored), steps=22)
    assert causes(found) == [("too-few-steps", ("bn",))]
    assert (
        "80% of the stored statistics is still their start (mean 0, variance 1) after 22 steps of the" in found.headline
    )


def test_frozen_layers_that_stay_and_are_far(explained, layer, far):
    found = explained(layer(frozen=True, trains="stored", moves=0, stored=far))
    assert causes(found) == [("frozen-far", ("bn",))]
    assert "(trainable=False), which in keras 3.15.1 means inference mode" in found.headline


def test_frozen_layers_that_move_all_the_same(explained, layer, far):
    found = explained(layer(frozen=True, stored=far), framework="torch", version="2.13.0")
    assert causes(found) == [("frozen-far", ("bn",))]
    assert "(requires_grad=False), which in torch 2.13.0 stops the parameters only" in found.headline


def test_frozen_layers_that_fit(explained, layer):
    assert causes(explained(layer(frozen=True, trains="stored", moves=0))) == []
    found = explained(layer(frozen=True), framework="torch")
    assert [(cause.id, cause.weight) for cause in found.causes] == [("frozen-moves", Weight.NOTE)]


def test_the_last_batch_alone(explained, layer):
    found = explained(layer("deep", keep=0.0))
    assert causes(found) == [("last-batch-only", ("deep",))]
    assert "keeps 0% of the old statistics (momentum 0)" in found.headline


def test_the_last_batch_alone_with_few_values_tells_the_factor(explained, layer, inputs):
    x = inputs()[:32]
    found = explained(layer("deep", x=x, keep=0.0, factor=32 / 31))
    assert (
        "only 32 values per channel, and what is stored is 1.032 times the batch's variance, N/(N−1)" in found.headline
    )


def test_a_layer_that_inference_does_not_reach(explained, layer):
    found = explained(
        layer(infers="batch", mode="training", reached=[False, False]), framework="torch", mode="training"
    )
    assert causes(found)[0] == ("inference-not-reached", ("bn",))
    assert "eval() of the model does not reach it" in found.headline


def test_a_layer_of_torch_that_was_left_in_eval(explained, layer, far):
    made = layer(trains="stored", moves=0, mode="inference", reached=[True, True], stored=far)
    found = explained(made, framework="torch", mode="training")
    assert causes(found) == [("left-in-eval", ("bn",))]
    fitting = layer(trains="stored", moves=0, mode="inference", reached=[True, True])
    assert causes(explained(fitting, framework="torch", mode="training")) == []


def test_a_trained_model_of_torch_that_was_left_in_train(explained, layer):
    found = explained(layer(mode="training", reached=[True, True], count=80), framework="torch", mode="training")
    assert [(cause.id, cause.weight) for cause in found.causes] == [("left-in-training", Weight.NOTE)]
    assert not found.findings


def test_checkpointing(explained, layer):
    found = explained(layer(moves=2), framework="torch")
    assert causes(found) == [("moves-twice", ("bn",))]
    assert "0.81, not 0.9" in found.headline
    assert "0.05132" in found.causes[0].todo


def test_one_layer_in_two_places(explained, layer, inputs):
    x, again = inputs(), 5 + inputs(9)
    made = layer(x=x, again=again, moves=0)
    mean, variance = made["state"]["mean"].astype(float), made["state"]["variance"].astype(float)
    for part in (x.astype(np.float32), again.astype(np.float32)):
        mean, variance = 0.9 * mean + 0.1 * part.mean(0), 0.9 * variance + 0.1 * part.var(0)
    made["after"] = {"mean": np.float32(mean), "variance": np.float32(variance)}
    found = explained(made)
    assert causes(found) == [("shared", ("bn",))]
    assert found.layers[0].updates == "as told"


def test_a_layer_without_statistics(explained, layer):
    made = layer(infers="batch")
    made |= {"state": {}, "after": {}, "after_inference": {}, "tracked": False}
    assert causes(explained(made, framework="torch")) == [("no-statistics", ("bn",))]


def test_an_average_that_is_none_of_ours_tells_the_weight_that_was_measured(explained, layer, inputs):
    made = {**layer(keep=0.7, stored=(inputs(1).mean(0), inputs(1).var(0))), "keep": 0.9, "momentum": 0.9}
    found = explained(made)
    assert "moves-otherwise" in [cause.id for cause in found.causes]
    assert "the weight of the new statistic is 0.3" in next(c.what for c in found.causes if c.id == "moves-otherwise")


def test_findings_come_before_notes_and_a_layer_has_one_finding(explained, layer, far):
    never = layer("unused")
    never["calls"] = {"training": [], "inference": []}
    found = explained(never, layer("a", stored=START), layer("b", stored=far), layer("c", moves=0))
    assert causes(found) == [
        ("updates-lost", ("c",)), ("never-updated", ("a",)), ("other-data", ("b",)), ("not-called", ("unused",)),
    ]  # fmt: skip
    assert found.headline.endswith("(and 2 more findings)")


def test_many_layers_are_counted(explained, layer):
    found = explained(*(layer(f"layer{n}", stored=START) for n in range(9)))
    assert found.headline.startswith("9 layers (layer0, layer1, …, layer8) have statistics still at their start")


def test_where_the_passes_part(explained, layer, inputs, far):
    x = inputs()
    found = explained(layer("same", trains="stored", moves=0, frozen=True), layer("little"), layer("much", stored=far))
    assert (found.first.name, found.first_that_matters.name) == ("little", "much")
    assert "The outputs differ first in little" in found.differing
    assert "by more than 0.1 sd from much on" in found.differing
    alike = explained(layer(x=x, trains="stored", moves=0, frozen=True))
    assert alike.differing.startswith("Training and inference give the same")


def test_an_optimizer_that_has_made_no_step_is_told(explained, layer):
    assert "and its optimizer has made no step" in explained(layer(stored=START), steps=0).headline
    assert "optimizer" not in explained(layer(stored=START)).headline
