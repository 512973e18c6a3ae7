"""Training 100 %, validation 33 %: twelve images, one batch an epoch, momentum 0.99."""

from bnspec.worker.stories.networks import RESIDUAL, keras_residual
from bnspec.worker.stories.recording import import_keras, keras_fit

TITLE = "Training 100 %, validation 33 %"
QUESTION = (
    "I try out a ResNet on twelve images of three kinds, all in one batch, and give fit the same twelve images as "
    "validation data. After some sixty epochs the training accuracy is 100 %, but the validation accuracy stays at "
    "33 %, as if it guessed. They are the very same images. What is broken?"
)
CLAUSES = ("stats.closed-form", "stats.averaging", "stats.initial")
NETWORK = RESIDUAL
EPSILON = 1e-3
IMAGES = {"seed": 1, "count": 12, "size": 8, "contrast": 0.1}
ENVIRONMENTS = (
    "py37-tensorflow-2.0.0",
    "py38-tensorflow-2.3.4",
    "py310-tensorflow-2.8.4",
    "py311-tensorflow-2.15.1",
    "py311-keras-3.0.5-tensorflow-2.16.2",
    "py311-keras-3.15.1-tensorflow-2.21.0",
    "py311-keras-3.15.1-jax-0.10.2",
    "py311-keras-3.15.1-torch-2.13.0",
)
SCENES = {
    "asked": {"says": "as asked: momentum 0.99, 300 epochs", "keras": "fit", "keep": 0.99, "options": {"epochs": 300}},
    "cure": {"says": "momentum 0.9, 80 epochs", "keras": "fit", "keep": 0.9, "options": {"epochs": 80}},
}

EXPLAINED, EXPLAINED_IN = {"keras": ("asked", "too-few-steps")}, "py37-tensorflow-2.0.0"
PICTURE, ASKED, CURES = "steps", "fit", ()


def fit(api, x, labels, start, keep, epochs):
    keras = import_keras(api)
    model = keras_residual(keras, x.shape[1:], momentum=keep)
    return keras_fit(keras, model, x, labels, epochs, start, rate=0.05, validation=(x, labels))


def cause(found):
    run = found("asked", "py37-tensorflow-2.0.0")
    curve = run["curve"]
    early = [at for at, step in enumerate(curve["step"]) if step <= 113][-1]
    return (
        "In training every layer normalises with the batch, in inference with moving statistics that begin at mean 0 "
        "and variance 1, and after k steps 0.99ᵏ of that beginning is still there: {:.0f} % after {} steps, one step "
        "an epoch. Then training accuracy is {:.0f} % and validation accuracy {:.0f} % on the same images, because a "
        "stored variance is off by a factor of {:.1f}; nothing is broken, and after {} steps the accuracy is {:.0f} %."
    ).format(
        100 * 0.99 ** curve["step"][early], curve["step"][early], 100 * curve["accuracy"][early],
        100 * curve["validation accuracy"][early], 1 + curve["variance"][early], curve["step"][-1],
        100 * curve["validation accuracy"][-1],
    )  # fmt: skip


def instead(found):
    run, asked = found("cure", "py37-tensorflow-2.0.0"), found("asked", "py37-tensorflow-2.0.0")
    left = max(layer["steps"] for layer in asked["layers"].values())
    return (
        "Give the average a momentum that fits the number of steps: the start has gone to 1 % after "
        "ln(0.01)/ln(momentum) steps, 459 at 0.99 and 44 at 0.9. With `BatchNormalization(momentum=0.9)` {} epochs are "
        "enough: validation accuracy {:.0f} %, loss {:.3f} in training and {:.3f} in inference. At 0.99 it takes {} "
        "more steps after the {} until the worst statistic is right within 1 %."
    ).format(
        run["steps"], 100 * run["evaluate"]["accuracy"], run["loss"], run["evaluate"]["loss"], left, asked["steps"]
    )  # fmt: skip
