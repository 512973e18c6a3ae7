"""`bnspec explain` on models that are wrong on purpose, and on some that are right, of the framework under test."""

from pathlib import Path

import numpy as np
import pytest

from bnspec.calls import Caller, CallFailed
from bnspec.environments import make
from bnspec.explain import explanation
from bnspec.explain.measuring import FUNCTION, QUIET
from bnspec.targets import adapters

MODELS = Path(__file__).parent / "models"

TORCH = {
    "healthy": (),
    "cumulative": (),
    "momentum_one": ("last-batch-only",),
    "few_steps": ("too-few-steps",),
    "frozen": ("frozen-far",),
    "frozen_in_eval": ("frozen-far",),
    "forgot_train": ("never-updated",),
    "left_in_train": ("left-in-training",),
    "child_in_eval": ("left-in-eval", "left-in-training"),
    "plain_list": ("inference-not-reached",),
    "other_data": ("other-data",),
    "shared": ("shared", "not-called"),
    "untracked": ("no-statistics",),
    "recomputed": ("moves-twice",),
    "not_finite": ("not-finite",),
}
KERAS = {
    "healthy": (),
    "healthy_resumed": (),
    "frozen_well": (),
    "momentum_zero": ("last-batch-only",),
    "few_steps": ("too-few-steps",),
    "frozen": ("frozen-far",),
    "own_loop": ("never-updated",),
    "pinned_training": ("inference-not-reached",),
}
LINEN = {
    "healthy": (),
    "fixed": ("training-not-reached",),
    "momentum_zero": ("last-batch-only",),
    "few_steps": ("too-few-steps",),
    "other_data": ("other-data",),
    "own_loop": ("never-updated",),
}
NNX = {
    "healthy": (),
    "pinned": ("training-not-reached", "left-in-training"),
    "few_steps": ("too-few-steps",),
    "own_loop": ("never-updated",),
}
CAUSES = {"torch_models": TORCH, "keras_models": KERAS, "linen_models": LINEN, "nnx_models": NNX}
"""The causes of every model, findings before notes."""

NESTED = {"custom_layer": "modes.nested[user-layer-fit]", "custom_model": "modes.nested[user-model-fit]"}
"""Models that are wrong in some releases alone, and which answer says in which."""

REACHED = {"inherits": (), "fixed-infer": ("training-not-reached",)}
"""What explain is to find of them, by that answer."""

FILES = {
    "torch.nn": ("torch_models",),
    **dict.fromkeys(("keras", "keras-jax", "keras-torch", "tf.keras", "tf-keras"), ("keras_models",)),
    "flax.linen": ("linen_models", "nnx_models"),
}
"""The files of models by the main adapter of an environment."""

ALL = [(file, name) for file in CAUSES for name in CAUSES[file]]


@pytest.fixture(scope="module")
def worker(tested):
    """Measures models, one after the other, in the environment under test."""
    if tested.adapter not in FILES:
        pytest.skip(f"{tested.adapter} has no models to explain")
    make(tested.environment)
    with Caller(tested.environment.interpreter, FUNCTION, {**QUIET, **tested.environ}) as caller:
        caller.ready()
        yield caller


@pytest.fixture
def explain(worker):
    """Explain a model, by the name of its file and of its function."""

    def explained(file, name, **changes):
        x = (1 + 2 * np.random.default_rng(7).standard_normal((64, 8, 8, 3))).astype(np.float32)
        batch = {"x": np.moveaxis(x, -1, 1) if file == "torch_models" else x, **changes}
        path = f"{MODELS / file}.py:{name}"
        return explanation(path, "DATA", worker.call(300, path=path, shown=f"{file}.py:{name}", **batch))

    return explained


def without_eager(tested):
    """Return whether a Keras is one of those that build graphs alone."""
    return "keras_session" in tested.path


@pytest.mark.parametrize(("file", "name"), ALL, ids=["/".join(one) for one in ALL])
def test_the_cause_is_found_and_nothing_is_changed(tested, explain, file, name):
    """Exactly the causes that the model was made with, no other one; every array as it was."""
    if file not in FILES.get(tested.adapter, ()) or without_eager(tested):
        pytest.skip(f"not of {tested.adapter}")
    if file == "nnx_models" and "flax.nnx" not in {adapter.name for adapter in adapters(tested.environment)}:
        pytest.skip("this release of Flax has no nnx")
    agrees(explain(file, name), CAUSES[file][name])


def test_a_compiled_model_takes_a_step_of_its_own_and_is_put_back(tested, explain):
    """With its own loss, and an optimizer that has a state and moves the weights."""
    if FILES.get(tested.adapter) != ("keras_models",) or without_eager(tested):
        pytest.skip(f"not of {tested.adapter}")
    found = explain("keras_models", "healthy_resumed", y=np.ones((64, 4), np.float32))
    agrees(found, ())
    assert found.measured["notes"] == []
    assert found.measured["steps"] == 80


@pytest.mark.parametrize("name", NESTED)
def test_the_mode_reaches_a_custom_layer_or_model_where_the_fingerprint_says_so(tested, known, explain, name):
    """The answers of this release to `modes.nested`, which other programs gave, and what explain finds, are one."""
    if FILES.get(tested.adapter) != ("keras_models",) or without_eager(tested):
        pytest.skip(f"not of {tested.adapter}")
    if known is None:
        pytest.skip("--known FILE says which answer is known")
    agrees(explain("keras_models", name), REACHED[known[NESTED[name]]["variant"]])


def agrees(found, causes):
    """Assert that these causes are found and no other one, and that every array is as it was."""
    assert [cause.id for cause in found.causes] == list(causes), found.headline
    unchanged = found.measured["unchanged"]
    assert unchanged["arrays"] > 0
    assert unchanged["changed"] == []
    assert found.difference is not None
    if "not-finite" in causes:
        return
    for layer in found.called:
        assert layer.normalises in ("batch", "stored")
        assert layer.infers in ("batch", "stored")
        assert layer.updates != "otherwise"


def test_a_batch_of_another_shape_is_refused_in_words(tested, explain):
    """The model's own error, with what was given."""
    file = FILES.get(tested.adapter, ("",))[0]
    if not file or without_eager(tested):
        pytest.skip(f"not of {tested.adapter}")
    with pytest.raises(CallFailed) as failed:
        explain(file, "healthy", x=np.zeros((4, 5), np.float32))
    assert failed.value.error[0] == "CannotExplain"
    assert "the model does not take x of shape (4, 5) and dtype float32" in failed.value.error[1]


def test_a_model_without_batch_normalization_says_what_it_has(tested, explain):
    """What is no model of batch normalization."""
    file = FILES.get(tested.adapter, ("",))[0]
    if file not in ("torch_models", "keras_models") or without_eager(tested):
        pytest.skip(f"not of {tested.adapter}")
    with pytest.raises(CallFailed, match=r"has no batch normalization; its (modules|layers) are: .*Conv2"):
        explain(file, "no_layers")


def test_what_is_half_a_model_is_refused_in_words(tested, explain):
    """A layer of Keras, a module of flax.linen without its variables."""
    half = {
        "keras_models": ("one_layer", "expected a model"),
        "linen_models": ("module_alone", "expected .module, var"),
    }
    file = FILES.get(tested.adapter, ("",))[0]
    if file not in half or without_eager(tested):
        pytest.skip(f"not of {tested.adapter}")
    name, words = half[file]
    with pytest.raises(CallFailed, match=words):
        explain(file, name)


def test_float64_is_told_what_the_parameters_are(tested, explain):
    """torch takes no other type than that of its parameters; the others do."""
    if tested.adapter != "torch.nn":
        pytest.skip(f"{tested.adapter} takes it")
    with pytest.raises(CallFailed, match="its parameters are float32: save x as float32"):
        explain("torch_models", "healthy", x=np.zeros((4, 3, 8, 8)))


def test_a_keras_without_eager_execution_says_so(tested, explain):
    """The releases on TensorFlow 1."""
    if "keras_models" not in FILES.get(tested.adapter, ()) or not without_eager(tested):
        pytest.skip(f"not {tested.adapter}")
    with pytest.raises(CallFailed, match=r"expected Keras 3, or tf\.keras of TensorFlow 2"):
        explain("keras_models", "no_layers")
