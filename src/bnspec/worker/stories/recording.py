"""What is recorded while a story runs: every weight before every step, and what the framework reports.

Weights are named as in the networks, c1, b1 … d, and hold kernel and bias, or scale, offset, mean and variance. Kernels
are (height, width, in, out), those of a dense layer (in, out), images (batch, height, width, channels).
"""

import importlib
import re

import numpy as np

NAME = re.compile(r"[cb]\d+|d")
PARTS = {"c": ("kernel", "bias"), "b": ("scale", "offset", "mean", "variance"), "d": ("kernel", "bias")}
TORCH = {"weight": "kernel", "bias": "bias", "running_mean": "mean", "running_var": "variance"}
TORCH_NORM = dict(TORCH, weight="scale", bias="offset")


def import_keras(name):
    """Return the namespace `keras` or `tf.keras`, fresh: the learning phase of a story before would stay."""
    keras = importlib.import_module("tensorflow").keras if name == "tf.keras" else importlib.import_module(name)
    keras.backend.clear_session()
    return keras


def one_hot(labels, classes=3):
    """Return labels as rows of 0 and a 1, float32."""
    return np.eye(classes, dtype=np.float32)[labels]


def cross_entropy(keras):
    """Return the loss of logits: a class where this Keras has it, else a function as users wrote it then."""
    if hasattr(keras.losses, "CategoricalCrossentropy"):
        return keras.losses.CategoricalCrossentropy(from_logits=True)
    return lambda target, logits: keras.backend.categorical_crossentropy(target, logits, from_logits=True)


def keras_layers(model):
    """Return the named layers of a model, those within its models and its users' layers among them."""
    if hasattr(model, "_flatten_layers"):
        inner = list(model._flatten_layers(recursive=False, include_self=False))
    else:  # before TensorFlow 2.2
        inner = getattr(model, "layers", None) or [own for own in vars(model).values() if hasattr(own, "get_weights")]
    found = {}
    for layer in inner:
        if NAME.match(layer.name) and layer.weights:
            found[layer.name] = layer
        else:
            found.update(keras_layers(layer))
    return found


def keras_weights(model):
    """Return the weights of a model of Keras."""
    return {
        name: dict(zip(PARTS[name[0]], map(np.array, layer.get_weights())))
        for name, layer in keras_layers(model).items()
    }


def set_keras_weights(model, weights):
    """Write weights into a model of Keras: those of its layers that are named."""
    for name, layer in keras_layers(model).items():
        layer.set_weights([weights[name][part] for part in PARTS[name[0]] if part in weights[name]])


def keras_recorder(keras):
    """Return a callback that keeps the weights before every epoch and after the last one."""

    class Recorder(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.kept = [keras_weights(self.model)]

        def on_epoch_end(self, epoch, logs=None):
            self.kept.append(keras_weights(self.model))

    return Recorder()


def keras_fit(keras, model, x, labels, epochs, start, rate, validation=None, settle=None):
    """Start from given weights, fit with one batch an epoch and evaluate; return the model and the record.

    validation: images and labels that fit evaluates after every epoch; settle: called with the
    model, images and targets after fit, returns the history of one more epoch.
    """
    model.compile(keras.optimizers.SGD(rate), cross_entropy(keras), metrics=["accuracy"])
    if not keras_layers(model):
        model.predict(x[:1])  # a subclassed model makes its weights when it sees a shape
    set_keras_weights(model, start)
    recorder, every = keras_recorder(keras), len(x)
    options = {} if validation is None else {"validation_data": (validation[0], one_hot(validation[1]))}
    history = model.fit(
        x, one_hot(labels), batch_size=every, epochs=epochs, shuffle=False, verbose=0, callbacks=[recorder], **options
    ).history
    if settle:
        more = settle(model, x, one_hot(labels)).history
        history = {name: values + more[name] for name, values in history.items()}
        recorder.kept.append(keras_weights(model))
    accuracy = "accuracy" if "accuracy" in history else "acc"
    loss, share = model.evaluate(x, one_hot(labels), batch_size=every, verbose=0)
    record = {"weights": recorder.kept, "fit": {"loss": history["loss"], "accuracy": history[accuracy]}}
    record.update(evaluate={"loss": loss, "accuracy": share}, after=keras_weights(model), rate=rate)
    if validation is not None:
        record["validation"] = {"loss": history["val_loss"], "accuracy": history["val_" + accuracy]}
    return model, plain(record)


def plain(value):
    """Return a record with the numbers of Python, whatever type of number a framework reports."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, (np.ndarray, bool, int, str)) else float(value)


def torch_weights(model):
    """Return the weights of a module of PyTorch."""
    found = {}
    for name, module in model.named_modules():
        if NAME.fullmatch(name):
            names = TORCH_NORM if name[0] == "b" else TORCH
            found[name] = {names[own]: to_numpy(value) for own, value in module.state_dict().items() if own in names}
    return found


def to_numpy(value):
    """Return a weight of PyTorch in the layout of the record, a copy."""
    array = value.detach().numpy().copy()
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T


def set_torch_weights(torch, model, weights):
    """Write weights into a module of PyTorch."""
    for name, module in model.named_modules():
        if NAME.fullmatch(name):
            names = TORCH_NORM if name[0] == "b" else TORCH
            for own, value in module.state_dict().items():
                if own in names:
                    array = np.asarray(weights[name][names[own]])
                    array = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T
                    value.copy_(torch.from_numpy(np.ascontiguousarray(array)))


def channels_first(torch, x):
    """Return images as PyTorch takes them."""
    return torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))


def torch_fit(torch, model, x, labels, steps, start, rate, settle=False, say=("train", "eval")):
    """Start from given weights, train with all images in every step, as everybody does, evaluate; return as keras_fit.

    settle: whether one more step follows that changes no weight; say: which mode the user says before training, and
    before evaluation, None for neither.
    """
    set_torch_weights(torch, model, start)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=rate)
    images, targets = channels_first(torch, x), torch.from_numpy(labels)
    kept, losses, accuracies = [torch_weights(model)], [], []
    if say[0]:
        getattr(model, say[0])()
    for step in range(steps + settle):
        logits = model(images)
        loss = torch.nn.functional.cross_entropy(logits, targets)
        if step < steps:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        kept.append(torch_weights(model))
        losses.append(loss.item())
        accuracies.append(right(logits.detach().numpy(), labels))
    if say[1]:
        getattr(model, say[1])()
    with torch.no_grad():
        logits = model(images)
    loss = torch.nn.functional.cross_entropy(logits, targets).item()
    record = {"weights": kept, "fit": {"loss": losses, "accuracy": accuracies}, "after": torch_weights(model)}
    record.update(rate=rate, evaluate={"loss": loss, "accuracy": right(logits.numpy(), labels)})
    return model, record


def keras_loop(keras, model, x, labels, steps, start, rate, training=None):
    """Start from given weights and train in a loop of the user's own, on TensorFlow; return as keras_fit.

    training: what the model is told in the loop, None for nothing; where it is told something, it is told `False` when
    it is evaluated.
    """
    import tensorflow as tf

    set_keras_weights(model, start)
    optimizer, loss_of = keras.optimizers.SGD(rate), cross_entropy(keras)
    kept, losses, accuracies = [keras_weights(model)], [], []
    images, targets = tf.constant(x), one_hot(labels)
    for _ in range(steps):
        with tf.GradientTape() as tape:
            logits = model(images) if training is None else model(images, training=training)
            loss = loss_of(targets, logits)
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        kept.append(keras_weights(model))
        losses.append(float(loss))
        accuracies.append(right(logits.numpy(), labels))
    logits = model(images) if training is None else model(images, training=False)
    record = {"weights": kept, "fit": {"loss": losses, "accuracy": accuracies}, "after": keras_weights(model)}
    share = right(logits.numpy(), labels)
    record.update(rate=rate, evaluate={"loss": float(loss_of(targets, logits)), "accuracy": share})
    return model, record


def right(logits, labels):
    """Return the share of images whose largest logit is that of their label."""
    return float(np.mean(np.argmax(logits, axis=1) == labels))
