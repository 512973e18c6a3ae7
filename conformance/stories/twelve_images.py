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
    "asked": {"says": "as asked: momentum 0.99, 400 epochs", "keras": "fit", "keep": 0.99, "options": {"epochs": 400}},
    "cure": {"says": "momentum 0.9, 100 epochs", "keras": "fit", "keep": 0.9, "options": {"epochs": 100}},
}


def fit(api, x, labels, start, keep, epochs):
    keras = import_keras(api)
    model = keras_residual(keras, x.shape[1:], momentum=keep)
    return keras_fit(keras, model, x, labels, epochs, start, rate=0.05, validation=(x, labels))
