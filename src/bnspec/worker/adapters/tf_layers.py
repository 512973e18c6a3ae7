"""tf.layers of TensorFlow 1: a graph, a session, and updates in a collection that the caller has to run."""

import inspect
import os
import tempfile

import numpy as np
import tensorflow as tf

from bnspec.worker.adapter import Adapter, Unsupported
from bnspec.worker.adapters.keras_shared import NAMES, WORDS, momentum, paths, short

V1 = tf
if tf.__version__ >= "2":
    V1 = tf.compat.v1
    V1.disable_v2_behavior()  # 2.0 moved it all to compat.v1; without this the updates hide inside its conditionals


class TfLayers(Adapter):
    """tf.layers.BatchNormalization, what stands behind tf.layers.batch_normalization.

    The graph has it twice: told the mode by a placeholder, and told nothing.
    """

    name = "tf.layers"
    package = "tensorflow"
    environ = {"TF_CPP_MIN_LOG_LEVEL": "2"}
    executions = ("graph",)

    def __init__(self, layer, *, structure="bare", execution="graph", device="cpu"):
        super().__init__(layer, structure=structure, execution=execution, device=device)
        if not layer["tracked"]:
            raise Unsupported("tf.layers.BatchNormalization always has moving statistics")
        if layer["mode"]:
            raise Unsupported("tf.layers is told the mode in the call, not in the constructor")
        if structure not in ("bare", "shared-twice"):
            raise Unsupported("tf.layers has no models")
        self.graph = tf.Graph()
        options = {"device_count": {"GPU": 0}} if device == "cpu" else {}
        self.session = V1.Session(graph=self.graph, config=V1.ConfigProto(**options))
        kind = layer["dtypes"]["input"]
        shape = [None] * layer["rank"]
        shape[layer["axis"]] = layer["features"]
        with self.graph.as_default():
            self.bn = V1.layers.BatchNormalization(
                axis=layer["axis"],
                epsilon=layer["epsilon"],
                scale=layer["scale"],
                center=layer["offset"],
                trainable=not layer["frozen"],
                dtype=kind if "float" in kind else None,
                **momentum(layer["momentum"]),
            )
            self.x = V1.placeholder(kind, shape)
            self.mode = V1.placeholder(tf.bool, [])
            self.outputs = {"said": self.applied(training=self.mode)}
            self.updates = V1.get_collection(V1.GraphKeys.UPDATE_OPS)
            self.outputs["unsaid"] = self.applied()
            self.dy = {name: V1.placeholder(y.dtype, shape) for name, y in self.outputs.items()}
            self.gradients = {}
            self.session.run(V1.global_variables_initializer())

    @classmethod
    def has_device(cls, device):
        return V1.test.is_gpu_available()

    def applied(self, **options):
        """Return y of the graph's x, twice through the layer where it is shared."""
        y = self.bn.apply(self.x, **options)
        return self.bn.apply(y, **options) if self.structure == "shared-twice" else y

    def call(self, mode, x, *, mask=None, record=True, collect=True, recompute=False):
        if mask is not None:
            raise Unsupported("tf.layers.BatchNormalization takes no mask")
        if recompute:
            raise Unsupported("tf.layers has no recomputation")
        self.called = "unsaid" if mode is None else "said"
        self.feed = {self.x: np.asarray(x, self.x.dtype.as_numpy_dtype)}
        if mode is not None:
            self.feed[self.mode] = mode == "train"
        updates = self.updates if mode == "train" and collect else []
        return self.session.run([self.outputs[self.called], updates], self.feed)[0]

    def backward(self, dy):
        y, placeholder = self.outputs[self.called], self.dy[self.called]
        if self.called not in self.gradients:
            sources = {name: v for name, v in self.variables().items() if name in ("scale", "offset")}
            sources["x"] = self.x
            with self.graph.as_default():
                found = V1.gradients(y, list(sources.values()), grad_ys=placeholder)
            self.gradients[self.called] = {name: found[i] for i, name in enumerate(sources) if found[i] is not None}
        feed = dict(self.feed)
        feed[placeholder] = np.asarray(dy, placeholder.dtype.as_numpy_dtype)
        return self.session.run(self.gradients[self.called], feed)

    def set_mode(self, mode, where="layer"):
        raise Unsupported("tf.layers is told the mode in the call; it cannot be set")

    def untrack(self, how):
        raise Unsupported("tf.layers.BatchNormalization always has moving statistics")

    def snapshot(self):
        raise Unsupported("tf.layers has no state object: a session gives values")

    def freeze(self, where="layer"):
        self.set_trainable(where, False)

    def unfreeze(self, where="layer"):
        self.set_trainable(where, True)

    def set_trainable(self, where, value):
        if where == "parent":
            raise Unsupported("a bare layer has no parent")
        self.bn.trainable = value

    def variables(self):
        """Return the layer's variables by our names, those that it has."""
        found = {name: getattr(self.bn, own) for name, own in NAMES.items()}
        return {name: variable for name, variable in found.items() if variable is not None}

    def get_state(self):
        return self.session.run(self.variables())

    def set_state(self, state):
        for name, value in state.items():
            self.variables()[name].load(value, self.session)

    def reload(self, missing=()):
        if missing:
            raise Unsupported("tf.layers.BatchNormalization has no counter")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "layer")
            self.saver().save(self.session, path)
            self.session.close()
            type(self).__init__(
                self, self.layer, structure=self.structure, execution=self.execution, device=self.device
            )
            self.saver().restore(self.session, path)

    def saver(self):
        """Return a saver of all that is in the graph."""
        with self.graph.as_default():
            return V1.train.Saver()

    def facts(self):
        default = V1.layers.BatchNormalization()
        return {
            "momentum": default.momentum,
            "epsilon": default.epsilon,
            "axis": default.axis,
            "state": [variable.name for variable in self.bn.variables],
            "trainable state": [variable.name for variable in self.bn.trainable_variables],
            "parameters dtype": str(self.get_state()["mean"].dtype),
            "arguments": list(inspect.signature(type(default)).parameters),
            "call arguments": list(inspect.signature(default.call).parameters),
            "tensorflow": tf.__version__,
            "constructor": "%s.layers.BatchNormalization({arguments})" % ("tf" if V1 is tf else "tf.compat.v1"),
            **WORDS,
            "state paths": paths([short(variable) for variable in self.bn.variables]),
        }
