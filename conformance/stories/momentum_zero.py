"""Momentum zero does not help: 256 images as one batch, and training and evaluation disagree on them."""

from bnspec.worker.stories.networks import SHRINKING, keras_shrinking, torch_shrinking
from bnspec.worker.stories.recording import cross_entropy, import_keras, keras_fit, torch_fit

TITLE = "Momentum zero does not help"
QUESTION = (
    "All my 256 images fit into one batch. After training, `evaluate` on the very same images gives another loss than "
    "the one that `fit` has just printed. I set the momentum of every batch normalization from 0.9 to 0, so that the "
    "moving statistics are those of the last batch, which is all the data: the losses still differ. The same network "
    "in PyTorch agrees. What does Keras do?"
)
CLAUSES = ("stats.stored-variance", "stats.averaging", "stats.timing", "trainer.reported-loss")
NETWORK = SHRINKING
EPSILON = 1e-5
IMAGES = {"seed": 1, "count": 256, "size": 16, "contrast": 0.5}
OLD = ("py36-keras-2.2.4-tensorflow-1.10.0", "py36-keras-2.2.4-tensorflow-1.12.0")
ENVIRONMENTS = (
    *OLD,
    "py311-keras-3.15.1-tensorflow-2.21.0",
    "py37-torch-1.3.1",
    "py312-torch-2.15.0",
)
STEPS = 10
SCENES = {
    "asked": {"says": "momentum 0.9", "keras": "fit", "torch": "loop", "keep": 0.9},
    "zero": {"says": "momentum 0", "keras": "fit", "torch": "loop", "keep": 0.0},
    "cure": {
        "says": "momentum 0, then one more pass in training mode that changes no weight",
        "keras": "fit", "torch": "loop", "keep": 0.0, "options": {"settled": True},
    },
    "resource": {
        "says": "momentum 0, with resource variables",
        "keras": "fit_with_resource_variables", "keep": 0.0, "only in": OLD,
    },
}  # fmt: skip


EXPLAINED, EXPLAINED_IN = (
    {"keras": ("zero", "last-batch-only"), "torch": ("zero", "last-batch-only")},
    "py312-torch-2.15.0",
)
PICTURE, ASKED, CURES = "layers", "fit", ("settle", "fit_with_resource_variables")


def fit(api, x, labels, start, keep, settled=False):
    keras = import_keras(api)
    model = keras_shrinking(keras, x.shape[1:], momentum=keep, epsilon=EPSILON)
    more = (lambda *data: settle(keras, *data)) if settled else None
    return keras_fit(keras, model, x, labels, STEPS, start, rate=0.1, settle=more)


def settle(keras, model, x, targets):
    """One more epoch at rate 0: the stored statistics become those of the weights that remain."""
    model.compile(keras.optimizers.SGD(0.0), cross_entropy(keras), metrics=["accuracy"])
    return model.fit(x, targets, batch_size=len(x), verbose=0)


def fit_with_resource_variables(api, x, labels, start, keep):
    import tensorflow as tf

    keras = import_keras(api)
    tf.get_variable_scope().set_use_resource(True)
    model = keras_shrinking(keras, x.shape[1:], momentum=keep, epsilon=EPSILON)
    return keras_fit(keras, model, x, labels, STEPS, start, rate=0.1)


def loop(x, labels, start, keep, settled=False):
    import torch

    model = torch_shrinking(torch, momentum=1 - keep, epsilon=EPSILON)
    return torch_fit(torch, model, x, labels, STEPS, start, rate=0.1, settle=settled)


def cause(found):
    zero = found("zero", OLD[1])
    settled = found("cure", OLD[1])
    twin = found("zero", "py37-torch-1.3.1")
    parts = {part["what"]: part["loss"] for part in zero["parts"]}
    step = parts["the weights after that step"] - zero["loss"]
    rest = settled["evaluate"]["loss"] - settled["loss"]
    off = max(found(scene, name)["gradient"] for scene in ("asked", "zero") for name in OLD)
    return (
        "fit reports the loss before the step's update, evaluate measures the weights after it: of the difference of "
        "{:+.3f} at momentum 0 the step itself is {:+.3f}; and what is stored are the statistics of the weights before "
        "the step, with the variance v·N/(N−1)·N/(N−1−ε) where training divides by N, which is {:+.4f} where nothing "
        "else is left. PyTorch does the same, {:.4f} in its last step and {:.4f} evaluated; that the twin trains "
        "otherwise has another reason: in TensorFlow 1 a step of SGD is not the gradient, up to {:.0f} % off in an "
        "array, because a variable is updated while gradients that need it are still being computed."
    ).format(
        zero["evaluate"]["loss"] - zero["loss"], step, rest, twin["loss"], twin["evaluate"]["loss"], 100 * off
    ).replace("-", "−")  # fmt: skip


def instead(found):
    settled = found("cure", OLD[1])
    resource, twin = found("resource", OLD[1]), found("zero", "py37-torch-1.3.1")
    small = settled["layers"]["b6"]
    return (
        "Do not compare what fit printed with what evaluate says: compare the weights that you keep in both modes. "
        "One more pass in training mode that changes no weight stores the statistics of these weights; then {:.5f} in "
        "training and {:.5f} in inference are the same but for the estimator of the variance, which matters where N is "
        "small: in the deepest layer, 1 × 1 in size, N is {} and the stored variance {:.2f} % too large. For the step, "
        "ask TensorFlow 1 for resource variables, `tf.get_variable_scope().set_use_resource(True)` before the model: "
        "then it is the gradient, and the loss after ten steps {:.4f} as in PyTorch ({:.4f})."
    ).format(
        settled["loss"], settled["evaluate"]["loss"], small["count"], 100 * (small["high"] - 1), resource["loss"],
        twin["loss"],
    )  # fmt: skip
