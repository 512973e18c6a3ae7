"""tf.nn.batch_normalization: a function; whoever calls it holds the parameters and the statistics."""

import inspect

import numpy as np
import tensorflow as tf

from bnspec.worker.adapter import Adapter, Unsupported
from bnspec.worker.adapters import tf_functions


class TfNN(Adapter):
    """tf.nn.moments and tf.nn.batch_normalization. The adapter is the caller: it keeps what it was told to.

    Nothing makes moving statistics here: inference takes a mean and a variance that somebody wrote.
    """

    name = "tf.nn"
    package = "tensorflow"
    environ = {"TF_CPP_MIN_LOG_LEVEL": "2"}
    executions = ("eager", "function", "xla")

    def __init__(self, layer, *, structure="bare", execution="eager", device="cpu"):
        super().__init__(layer, structure=structure, execution=execution, device=device)
        if structure != "bare":
            raise Unsupported("it is a function: nothing stands around it")
        if layer["mode"] or layer["frozen"]:
            raise Unsupported("it is a function: there is no constructor to tell a mode or to freeze")
        if device == "cpu":
            tf.config.experimental.set_visible_devices([], "GPU")
        self.held = {}
        self.trained = False
        features = layer["features"]
        if layer["scale"]:
            self.set_state({"scale": np.ones(features, np.float32)})
        if layer["offset"]:
            self.set_state({"offset": np.zeros(features, np.float32)})

    @classmethod
    def has_device(cls, device):
        return bool(tf.config.experimental.list_physical_devices("GPU"))

    @classmethod
    def lacking(cls, execution, device):
        return tf_functions.lacking(execution)

    @classmethod
    def compilations(cls):
        return len(tf_functions.TRACED) or None

    def unsupported(self, step):
        return Unsupported("it is a function: it has no %s" % step)

    def call(self, mode, x, *, mask=None, record=True, collect=True, recompute=False):
        self.y = None
        self.x = tf.cast(tf.constant(x), self.layer["dtypes"]["input"])
        function = self.function(mode, mask)
        forward = tf.recompute_grad(function) if recompute else function
        if self.execution in tf_functions.EXECUTIONS:
            forward = tf_functions.function(self.execution, forward)
        self.asked = {name: self.held[name] for name in ("scale", "offset") if name in self.held}
        if record:
            with tf.GradientTape() as self.tape:
                self.tape.watch([self.x, *self.asked.values()])
                shown = forward(self.x, *self.asked.values())
        else:
            shown = forward(self.x, *self.asked.values())
        self.y = shown[0]
        if mode != "infer":
            self.trained = True
            if collect:
                self.keep(*shown[1:])
        return self.y.numpy()

    def function(self, mode, mask):
        """Return what x, and the parameters that there are, go through in this mode."""
        if mode is None:
            raise Unsupported("whoever calls tf.nn.batch_normalization gives the statistics: that is the mode")
        if mode == "infer" and not {"mean", "variance"} <= set(self.held):
            raise Unsupported("tf.nn.batch_normalization is given a mean and a variance, and nobody wrote any")
        rank, axis = self.layer["rank"], self.layer["axis"] % self.layer["rank"]
        axes = [place for place in range(rank) if place != axis]
        shape = [-1 if place == axis else 1 for place in range(rank)]
        names = [name for name in ("scale", "offset") if name in self.held]

        def forward(x, *parameters):
            given = {name: tf.reshape(parameters[i], shape) for i, name in enumerate(names)}
            if mode == "infer":
                mean, variance = (tf.reshape(self.held[name], shape) for name in ("mean", "variance"))
            elif mask is None:
                mean, variance = tf.nn.moments(x, axes, keepdims=True)
            else:
                weights = tf.expand_dims(tf.cast(mask, x.dtype), axis)
                mean, variance = tf.nn.weighted_moments(x, axes, weights, keepdims=True)
            epsilon = self.layer["epsilon"]
            return (tf.nn.batch_normalization(x, mean, variance, given.get("offset"), given.get("scale"), epsilon),)

        return forward

    def keep(self, *statistics):
        """Keep the statistics that a training call returned: here there are none."""

    def backward(self, dy):
        if self.y is None:
            raise ValueError("the last call raised: there is no gradient of it")
        sources = dict(self.asked, x=self.x)
        gradients = self.tape.gradient(self.y, sources, tf.cast(tf.constant(dy), self.y.dtype))
        return {name: value.numpy() for name, value in gradients.items()}

    def get_state(self):
        if self.layer["tracked"] and self.trained:
            raise Unsupported("tf.nn.moments gives the batch's statistics; moving ones are the caller's to make")
        return {name: value.numpy() for name, value in self.held.items()}

    def set_state(self, state):
        dtype = self.layer["dtypes"]["parameters"]
        self.held.update({name: tf.cast(tf.constant(value), dtype) for name, value in state.items()})

    def facts(self):
        functions = {"moments": tf.nn.moments, "batch_normalization": tf.nn.batch_normalization}
        arguments = {name: list(inspect.signature(function).parameters) for name, function in functions.items()}
        return {"arguments": arguments, "tensorflow": tf.__version__}
