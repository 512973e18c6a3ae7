"""The own training loop: what `training=`, `trainable`, `train()` and `eval()` do to a batch normalization."""

from bnspec.worker.stories.networks import RESIDUAL, keras_residual, torch_residual
from bnspec.worker.stories.recording import import_keras, keras_fit, keras_loop, torch_fit

TITLE = "The own training loop: who switches batch normalization?"
QUESTION = (
    "I write the training loop myself. There is `training=` in the call, `trainable` on the layer, `train()` and "
    "`eval()` on the module, and fit that seems to do it all for me. Which of them decides by what a batch "
    "normalization normalises, and whether its moving statistics move? And what have I lost if I forgot one?"
)
CLAUSES = ("modes.unstated", "modes.pinned", "frozen.normalisation", "frozen.update", "forward.statistics")
NETWORK = RESIDUAL
EPSILON = 1e-3
KEEP = 0.9
STEPS = 60
IMAGES = {"seed": 1, "count": 24, "size": 8, "contrast": 0.1}
ENVIRONMENTS = (
    "py37-tensorflow-2.0.0",
    "py311-tensorflow-2.15.1",
    "py311-keras-3.15.1-tensorflow-2.21.0",
    "py37-torch-1.3.1",
    "py312-torch-2.15.0",
)
SAID = {None: "nothing", True: "training=True", False: "training=False"}
MODES = {None: "nothing", "train": "train(), then eval()", "eval": "eval()"}
SCENES = {
    **{
        "-".join((where, SAID[training], "trainable" if trainable else "frozen")): {
            "says": SAID[training], "keras": where, "keep": KEEP, "at once": where == "loop",
            "options": {"training": training, "trainable": trainable},
            "cell": {"said": SAID[training], "trainable": trainable, "trainer": where},
        }
        for where in ("loop", "fit") for training in SAID for trainable in (True, False)
    },
    **{
        "-".join(("module", MODES[mode], "trainable" if trainable else "frozen")): {
            "says": MODES[mode], "torch": "module", "keep": KEEP, "options": {"mode": mode, "trainable": trainable},
            "cell": {"said": MODES[mode], "trainable": trainable, "trainer": "loop"},
        }
        for mode in MODES for trainable in (True, False)
    },
}  # fmt: skip
EXPLAINED, EXPLAINED_IN = (
    {
        "keras": ("loop-nothing-trainable", "never-updated"),
        "torch": ("module-eval()-trainable", "never-updated"),
    },
    "py37-tensorflow-2.0.0",
)
PICTURE, ASKED, CURES = "modes", "loop", ()


def loop(api, x, labels, start, keep, training, trainable):
    keras = import_keras(api)
    model = keras_residual(keras, x.shape[1:], momentum=keep)
    freeze(keras, model, trainable)
    return keras_loop(keras, model, x, labels, STEPS, start, rate=0.1, training=training)


def fit(api, x, labels, start, keep, training, trainable):
    keras = import_keras(api)
    model = keras_residual(keras, x.shape[1:], momentum=keep, training=training)
    freeze(keras, model, trainable)
    return keras_fit(keras, model, x, labels, STEPS, start, rate=0.1)


def freeze(keras, model, trainable):
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = trainable


def module(x, labels, start, keep, mode, trainable):
    import torch

    model = torch_residual(torch, momentum=1 - keep, epsilon=EPSILON)
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            for parameter in layer.parameters():
                parameter.requires_grad = trainable
    say = (mode, "eval" if mode else None)
    return torch_fit(torch, model, x, labels, STEPS, start, rate=0.1, say=say)


def cause(found):
    said = found("loop-training=True-trainable", "py37-tensorflow-2.0.0")
    forgotten = found("loop-nothing-trainable", "py37-tensorflow-2.0.0")
    torch = found("module-nothing-trainable", "py312-torch-2.15.0")
    frozen = found("module-train(), then eval()-frozen", "py312-torch-2.15.0")
    return (
        "In TensorFlow `training=` in the call decides, and what is not said is inference: a loop that forgets it "
        "never normalises and stores nothing, loss {:.2f} instead of {:.2f} after {} steps; frozen layers are in "
        "inference mode whatever is said. In PyTorch `train()` and `eval()` decide, a module begins in training mode, "
        "and `requires_grad` decides nothing but the gradients: frozen layers still {}, and evaluation without "
        "`eval()` normalises with the batch{}."
    ).format(
        forgotten["loss"], said["loss"], said["steps"],
        "normalise with the batch and store" if frozen["layers"]["b1"]["averaging"] != ["none"] else "stand still",
        " and moves the statistics" if torch["evaluate"]["moved"] else "",
    )  # fmt: skip


def instead(found):
    said = found("loop-training=True-trainable", "py37-tensorflow-2.0.0")
    torch = found("module-train(), then eval()-trainable", "py312-torch-2.15.0")
    return (
        "Say it every time: `model(x, training=True)` in the loop and `model(x, training=False)` outside in TensorFlow "
        "(loss {:.2f}, then {:.2f}), `model.train()` before training and `model.eval()` before evaluation in PyTorch "
        "({:.2f}, then {:.2f}). To freeze a batch normalization in PyTorch, call `eval()` on it after every "
        "`model.train()`."
    ).format(said["loss"], said["evaluate"]["loss"], torch["loss"], torch["evaluate"]["loss"])
