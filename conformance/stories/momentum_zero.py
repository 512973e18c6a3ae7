"""Momentum zero does not help: 256 images as one batch, and training and evaluation disagree on them."""

from bnspec.worker.stories.networks import SHRINKING, keras_shrinking, torch_shrinking
from bnspec.worker.stories.recording import import_keras, keras_fit, torch_fit

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
ENVIRONMENTS = (
    "py36-keras-2.2.4-tensorflow-1.10.0",
    "py36-keras-2.2.4-tensorflow-1.12.0",
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
        "keras": "fit", "torch": "loop", "keep": 0.0, "options": {"settle": True},
    },
}  # fmt: skip


def fit(api, x, labels, start, keep, settle=False):
    keras = import_keras(api)
    model = keras_shrinking(keras, x.shape[1:], momentum=keep, epsilon=EPSILON)
    return keras_fit(keras, model, x, labels, STEPS, start, rate=0.1, settle=settle)


def loop(x, labels, start, keep, settle=False):
    import torch

    model = torch_shrinking(torch, momentum=1 - keep, epsilon=EPSILON)
    return torch_fit(torch, model, x, labels, STEPS, start, rate=0.1, settle=settle)
