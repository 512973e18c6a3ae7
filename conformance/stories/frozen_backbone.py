"""The frozen backbone: a DenseNet whose layers are all `trainable = False`, on images unlike those that it has seen."""

from bnspec.worker.stories.networks import DENSE, keras_backbone
from bnspec.worker.stories.recording import import_keras, keras_fit

TITLE = "The frozen backbone that is not frozen"
QUESTION = (
    "I freeze a pretrained DenseNet, `layer.trainable = False` for every layer, and train a new last layer on 32 "
    "images. fit says that the loss is small. evaluate on the same 32 images says that it is many times as large. "
    "Nothing of the backbone can have changed. Why do the two not agree?"
)
CLAUSES = ("frozen.normalisation", "frozen.update", "trainer.reported-loss")
NETWORK = DENSE
EPSILON = 1e-3
IMAGES = {"seed": 1, "count": 32, "size": 8, "brightness": 0.6, "contrast": 0.3, "signal": 2.0}
SEEN = {"seed": 9, "count": 96, "size": 8, "brightness": 0.5, "contrast": 0.1, "signal": 2.0}
"""What the backbone was pretrained on: darker and flatter."""
ENVIRONMENTS = (
    "py36-keras-2.1.2-tensorflow-1.4.1",
    "py36-keras-2.1.3-tensorflow-1.8.0",
    "py36-keras-2.2.4-tensorflow-1.12.0",
    "py37-keras-2.3.1-tensorflow-1.15.0",
    "py37-tensorflow-1.15.0",
    "py37-tensorflow-2.0.0",
    "py311-tensorflow-2.15.1",
    "py311-keras-3.15.1-tensorflow-2.21.0",
    "py311-keras-3.15.1-jax-0.10.2",
    "py311-keras-3.15.1-torch-2.13.0",
)
SCENES = {
    "asked": {
        "says": "every layer of the backbone `trainable = False`",
        "keras": "frozen",
        "keep": 0.9,
        "picture": True,
    },
    "inference": {
        "says": "first cure: the backbone is built in inference mode",
        "keras": "in_inference",
        "keep": 0.9,
        "picture": True,
    },
    "adapt": {
        "says": "second cure: its batch normalizations stay trainable",
        "keras": "adapting",
        "keep": 0.9,
        "picture": True,
    },
}
EPOCHS = 200
EXPLAINED, EXPLAINED_IN = {"keras": ("asked", "frozen-far")}, "py37-tensorflow-2.0.0"
PICTURE, ASKED, CURES = "losses", "frozen", ("in_inference", "adapting")


def frozen(api, x, labels, start, keep):
    keras = import_keras(api)
    backbone = keras_backbone(keras, x.shape[1:], momentum=keep)
    for layer in backbone.layers:
        layer.trainable = False
    return train(keras, headed(keras, backbone), x, labels, start)


def in_inference(api, x, labels, start, keep):
    keras = import_keras(api)
    if api == "keras" and keras.__version__ < "2.4":
        keras.backend.set_learning_phase(0)  # a model took no `training` in its call then
        backbone = keras_backbone(keras, x.shape[1:], momentum=keep)
        model = headed(keras, backbone)
    else:
        backbone = keras_backbone(keras, x.shape[1:], momentum=keep)
        inputs = keras.layers.Input(x.shape[1:])
        model = keras.models.Model(inputs, keras.layers.Dense(3, name="d")(backbone(inputs, training=False)))
    for layer in backbone.layers:
        layer.trainable = False
    return train(keras, model, x, labels, start)


def adapting(api, x, labels, start, keep):
    keras = import_keras(api)
    backbone = keras_backbone(keras, x.shape[1:], momentum=keep)
    for layer in backbone.layers:
        layer.trainable = isinstance(layer, keras.layers.BatchNormalization)
    return train(keras, headed(keras, backbone), x, labels, start)


def headed(keras, backbone):
    return keras.models.Model(backbone.inputs, keras.layers.Dense(3, name="d")(backbone.outputs[0]))


def train(keras, model, x, labels, start):
    return keras_fit(keras, model, x, labels, EPOCHS, start, rate=0.5)


def pretrained(network, start):
    """Return weights whose stored statistics are those of other images: what a pretrained network comes with."""
    from bnspec.stories.data import images
    from bnspec.stories.network import forward, norms

    x, _ = images(**SEEN)
    seen = forward(network, start, x, dict.fromkeys(norms(network), "batch"), EPSILON)
    found = {name: dict(own) for name, own in start.items()}
    for name, entered in seen.inputs.items():
        found[name].update(mean=entered.batch.mean.astype("float32"), variance=entered.batch.variance.astype("float32"))
    return found


def cause(found):
    old, older = (
        found("asked", "py36-keras-2.2.4-tensorflow-1.12.0"),
        found("asked", "py36-keras-2.1.2-tensorflow-1.4.1"),
    )
    new = found("asked", "py37-tensorflow-2.0.0")
    return (
        "From Keras 2.1.3 to 2.3 and in tf.keras before TensorFlow 2, `trainable = False` stops the updates of the "
        "moving statistics, but fit still normalises with the batch: loss {:.2f} in fit, {:.2f} in evaluate, which "
        "normalises with the statistics of other images. Keras 2.1.2 went on with the updates as well ({:.2f} and "
        "{:.2f}); from TensorFlow 2.0 on a frozen layer is in inference mode everywhere ({:.3f} and {:.3f})."
    ).format(
        old["loss"], old["evaluate"]["loss"], older["loss"], older["evaluate"]["loss"], new["loss"],
        new["evaluate"]["loss"],
    )  # fmt: skip


def instead(found):
    pinned = found("inference", "py36-keras-2.2.4-tensorflow-1.12.0")
    free = found("adapt", "py36-keras-2.2.4-tensorflow-1.12.0")
    return (
        "Either build the backbone in inference mode, `K.set_learning_phase(0)` before it is made or "
        "`backbone(inputs, training=False)` where a model takes that: in Keras 2.2.4 loss {:.3f} in fit and {:.3f} in "
        "evaluate. Or leave its batch normalizations trainable, so that the moving statistics become those of your "
        "images: {:.3f} and {:.3f}. The second changes the backbone; it is the better one where your images are unlike "
        "those that it has seen, and there are enough of them."
    ).format(pinned["loss"], pinned["evaluate"]["loss"], free["loss"], free["evaluate"]["loss"])
