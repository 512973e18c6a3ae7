"""What every Keras has in common: the constructor, what stands around the layer, freezing, the trainer."""

import inspect
import os
import tempfile
from typing import Any

from bnspec.worker.adapter import Trainer, Unsupported

NAMES = {"mean": "moving_mean", "variance": "moving_variance", "scale": "gamma", "offset": "beta"}


class AnyKeras(Trainer):
    """BatchNormalization of a Keras; a subclass says which Keras, how it is called, how state is read.

    Frozen means `trainable = False`, on the layer or on what stands around it.
    """

    def __init__(self, layer, *, structure="bare", execution, device="cpu"):
        super().__init__(layer, structure=structure, execution=execution, device=device)
        if not layer["tracked"]:
            raise Unsupported("keras' BatchNormalization always has moving statistics")
        if set(layer["dtypes"].values()) != {"float32"}:
            raise Unsupported("the adapter builds float32 layers only")
        self.keras = self.start()
        self.bn = self.keras.layers.BatchNormalization(
            axis=layer["axis"],
            epsilon=layer["epsilon"],
            scale=layer["scale"],
            center=layer["offset"],
            **momentum(layer["momentum"]),
        )
        shape = [None] * layer["rank"]
        shape[layer["axis"]] = layer["features"]
        self.shape = tuple(shape)
        self.bn.build(self.shape)
        self.rate = None
        self.parent: Any = None
        self.outer: Any = self.bn
        self.model: Any = None
        if structure != "bare":
            self.surround(*self.users())

    def start(self):
        """Return the keras namespace, its global state fresh enough for one more layer."""
        raise NotImplementedError

    def users(self):
        """Return a Layer and a Model class as a user writes them around a layer, unaware of modes."""
        raise NotImplementedError

    def surround(self, user_layer, user_model):
        """Put the layer into its structure. outer: what is called; model: what the trainer gets."""
        if self.structure == "model":
            self.parent = self.outer = self.functional(self.bn)
        elif self.structure == "user-layer":
            self.parent = user_layer(self.bn)
            self.outer = self.functional(self.parent)
        elif self.structure == "user-model":
            self.parent = self.outer = user_model(self.bn)
        else:
            raise Unsupported("the adapter builds no %s" % self.structure)
        self.model = self.outer

    def functional(self, inner):
        """Return a functional model of one layer."""
        inputs = self.keras.layers.Input(self.shape[1:])
        return self.keras.models.Model(inputs, inner(inputs))

    def trained(self):
        """Return the model that the trainer gets; a bare layer is put into one."""
        if self.model is None:
            self.model = self.functional(self.bn)
        return self.model

    def freeze(self, where="layer"):
        self.set_trainable(where, False)

    def unfreeze(self, where="layer"):
        self.set_trainable(where, True)

    def set_trainable(self, where, value):
        if where == "parent" and self.parent is None:
            raise Unsupported("a bare layer has no parent")
        (self.parent if where == "parent" else self.bn).trainable = value

    def reload(self):
        rate = self.rate
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "layer.weights.h5")
            self.built_model().save_weights(path)
            type(self).__init__(
                self, self.layer, structure=self.structure, execution=self.execution, device=self.device
            )
            self.built_model().load_weights(path)
        if rate is not None:
            self.prepare(learning_rate=rate)

    def built_model(self):
        """Return the model with its weights made: a subclassed one has none before it saw a shape."""
        model = self.trained()
        if not model.built:
            model.build(self.shape)
        return model

    def prepare(self, *, learning_rate):
        self.rate = learning_rate
        self.trained().compile(self.keras.optimizers.SGD(learning_rate), "mse")

    def fit(self, x, target, *, steps):
        shown = self.trained().fit(x, target, batch_size=len(x), epochs=steps, shuffle=False, verbose=0)
        return {"loss": shown.history["loss"]}

    def evaluate(self, x, target):
        return {"loss": [self.trained().evaluate(x, target, batch_size=len(x), verbose=0)]}

    def predict(self, x):
        return self.trained().predict(x, batch_size=len(x), verbose=0)

    def facts(self):
        default = self.keras.layers.BatchNormalization()
        return {
            "momentum": default.momentum,
            "epsilon": default.epsilon,
            "axis": default.axis,
            "state": [short(variable) for variable in self.bn.weights],
            "trainable state": [short(variable) for variable in self.bn.trainable_weights],
            "parameters dtype": str(self.get_state()["mean"].dtype),
            "arguments": list(inspect.signature(type(default)).parameters),
            "call arguments": list(inspect.signature(default.call).parameters),
        }


def short(variable):
    """Return a variable's own name, without the layer's in front and the output's number behind."""
    return variable.name.rpartition("/")[2].partition(":")[0]


def momentum(asked):
    """Return the constructor's argument: Keras' momentum is the weight of the old statistic."""
    if asked is None:
        return {}
    if asked.get("cumulative"):
        raise Unsupported("keras' BatchNormalization has no cumulative average")
    return {"momentum": asked["raw"] if "raw" in asked else asked["keep"]}
