"""Keras before TensorFlow 2: a graph that K.function runs, and updates that somebody has to hand to it."""

import inspect
from typing import Any, Tuple

from bnspec.worker.adapter import Unsupported
from bnspec.worker.adapters.keras_models import SUBCLASSED, user_classes
from bnspec.worker.adapters.keras_shared import NAMES, AnyKeras


class GraphKeras(AnyKeras):
    """BatchNormalization in a graph, as every backend makes one; a subclass says which Keras and which backend."""

    executions: Tuple[str, ...] = ("graph",)

    def __init__(self, layer, *, structure="bare", execution="graph", device="cpu"):
        self.y = self.gradients = None
        self.functions = {}
        super().__init__(layer, structure=structure, execution=execution, device=device)
        if structure not in SUBCLASSED:
            self.connect()

    @staticmethod
    def namespace():
        import keras

        return keras

    def start(self):
        keras = self.namespace()
        self.K = keras.backend
        self.choose_type()
        self.clear()
        return keras

    def choose_type(self):
        """Tell Keras the one type that it has for everything."""
        kinds = {kind for kind in self.layer["dtypes"].values() if "float" in kind}
        if len(kinds) > 1:
            raise Unsupported("this keras has one type for everything, floatx")
        if "bfloat16" in kinds:
            raise Unsupported("this keras knows no bfloat16")
        self.K.set_floatx(kinds.pop())

    def types(self):
        return {}

    def clear(self):
        """Leave the graph of the layer before."""
        raise NotImplementedError

    def users(self):
        if self.structure in SUBCLASSED and "inputs" in inspect.signature(self.keras.models.Model.__init__).parameters:
            raise Unsupported("Model of this release cannot be subclassed; 2.2.0 was the first where it can")
        classes = user_classes(self.keras)
        if self.keras.layers.Layer.__setattr__ is object.__setattr__:
            # Weights in a layer's layer were not found before Keras 2.3.0 and tf.keras of 1.13: users listed them.
            classes = dict(classes, **{"user-layer": listing(classes["user-layer"])})
        return classes

    def connect(self):
        """Make the graph's input and output, once: what changes later must act on this graph."""
        if self.structure in SUBCLASSED:
            self.x = self.K.placeholder(shape=self.shape)
            self.y = self.outer(self.x)
        else:
            # The trainer's own: a second call of the layer would make a second set of updates.
            self.x, self.y = self.trained().inputs[0], self.trained().outputs[0]

    def call(self, mode, x, *, mask=None, record=True, collect=True, recompute=False):
        if mask is not None:
            raise Unsupported("BatchNormalization of this release takes no mask")
        if recompute:
            raise Unsupported("this keras has no recomputation")
        if self.y is None:
            self.connect()
        self.fed = [x] if mode is None else [x, int(mode == "train")]
        return self.run("y", [self.y], updates=mode == "train" and collect)[0]

    def backward(self, dy):
        if self.gradients is None:
            sources = {name: v for name, v in self.variables().items() if name in ("scale", "offset")}
            sources["x"] = self.x
            self.dy = self.K.placeholder(shape=self.shape, dtype=self.K.dtype(self.y))
            found = self.K.gradients(self.K.sum(self.y * self.dy), list(sources.values()))
            self.gradients = {name: found[i] for i, name in enumerate(sources) if found[i] is not None}
        return dict(zip(self.gradients, self.run("gradients", list(self.gradients.values()), (self.dy, dy))))

    def run(self, name, outputs, *more, updates=False):
        """Return outputs of the last call's x and mode, if one was said, and of more inputs, by K.function."""
        key = (name, len(self.fed), updates)
        if key not in self.functions:
            inputs = [self.x, self.K.learning_phase()][: len(self.fed)] + [placeholder for placeholder, _ in more]
            self.functions[key] = self.K.function(inputs, outputs, updates=self.updates() if updates else [])
        return self.functions[key](self.fed + [value for _, value in more])

    def updates(self):
        """Return the updates that the trainer would run."""
        return self.outer.updates

    def set_trainable(self, where, value):
        super().set_trainable(where, value)
        self.functions.clear()  # what is frozen decides which updates there are

    def get_state(self):
        variables = self.variables()
        return dict(zip(variables, self.K.batch_get_value(list(variables.values()))))

    def set_state(self, state):
        self.K.batch_set_value([(getattr(self.bn, NAMES[name]), value) for name, value in state.items()])


def listing(user_layer: Any) -> Any:
    """Return a user's layer that lists the weights of the one inside."""

    class ListingLayer(user_layer):
        def build(self, input_shape):
            self._trainable_weights = self.inner.trainable_weights
            super().build(input_shape)

    return ListingLayer
