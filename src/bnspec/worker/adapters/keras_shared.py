"""What every Keras has in common: the constructor, types, freezing, what is read without a call."""

import inspect
from typing import Any

from bnspec.worker.adapter import Unsupported, switches
from bnspec.worker.adapters.keras_models import surround
from bnspec.worker.adapters.keras_trainer import KerasTrainer

NAMES = {"mean": "moving_mean", "variance": "moving_variance", "scale": "gamma", "offset": "beta"}

SPELLED = {"tf.keras": "tf.keras", "tf-keras": "tf_keras"}
"""How users call the namespace, by adapter, where it is not `keras`."""

WORDS = {
    "argument names": {"axis": "axis", "momentum": "momentum", "epsilon": "epsilon"},
    "parameter switches": switches(lambda has: {"scale": has["scale"], "center": has["offset"]}),
    "mode words": {"train": "layer(x, training=True)", "infer": "layer(x, training=False)"},
}
"""What a user writes, as facts tell it."""


class AnyKeras(KerasTrainer):
    """BatchNormalization of a Keras; a subclass says which Keras, how it is called, how state is read.

    Frozen means `trainable = False`, on the layer or on what stands around it.
    """

    def __init__(self, layer, *, structure="bare", execution, device="cpu"):
        super().__init__(layer, structure=structure, execution=execution, device=device)
        if not layer["tracked"]:
            raise Unsupported("keras' BatchNormalization always has moving statistics")
        if layer["mode"]:
            raise Unsupported("keras is told the mode in the call, not in the constructor")
        self.keras = self.start()
        options = dict(self.types(), **momentum(layer["momentum"]))
        options.update(self.kernel(), name="batch_normalization")  # else numbered, and the number is in its errors
        if layer["frozen"]:
            options["trainable"] = False
        self.bn = self.keras.layers.BatchNormalization(
            axis=layer["axis"],
            epsilon=layer["epsilon"],
            scale=layer["scale"],
            center=layer["offset"],
            **options,
        )
        shape = [None] * layer["rank"]
        shape[layer["axis"]] = layer["features"]
        self.shape = tuple(shape)
        self.bn.build(self.shape)
        self.parent: Any = None
        self.outer: Any = self.bn
        self.model = self.rate = None
        if structure != "bare":
            self.parent, self.outer = surround(self, structure)
            self.model = self.outer

    def start(self):
        """Return the keras namespace, its global state fresh enough for one more layer."""
        raise NotImplementedError

    def users(self):
        """Return the Layer and Model classes that a user writes around a layer, by structure."""
        raise NotImplementedError

    def types(self):
        """Return the constructor's argument for the types: one for all, or a mixed policy."""
        dtypes = self.layer["dtypes"]
        kind = dtypes["compute"]
        if kind == "float32" or "float" not in kind:  # integers are given to an ordinary layer
            return {}
        return {"dtype": kind if dtypes["parameters"] == kind else "mixed_" + kind}

    def kernel(self):
        """Return the constructor's argument for the kernel, where the execution says which."""
        return {}

    def functional(self, inner):
        """Return a functional model of one layer."""
        inputs = self.keras.layers.Input(self.shape[1:], dtype=self.layer["dtypes"]["input"])
        return self.keras.models.Model(inputs, inner(inputs))

    def set_mode(self, mode, where="layer"):
        raise Unsupported("keras is told the mode in the call; it cannot be set")

    def untrack(self, how):
        raise Unsupported("keras' BatchNormalization always has moving statistics")

    def freeze(self, where="layer"):
        self.set_trainable(where, False)

    def unfreeze(self, where="layer"):
        self.set_trainable(where, True)

    def set_trainable(self, where, value):
        if where == "parent" and self.parent is None:
            raise Unsupported("a bare layer has no parent")
        (self.parent if where == "parent" else self.bn).trainable = value

    def variables(self):
        """Return the layer's variables by our names, those that it has."""
        found = {name: getattr(self.bn, own, None) for name, own in NAMES.items()}
        return {name: variable for name, variable in found.items() if variable is not None}

    def snapshot(self):
        return self.bn.get_weights()

    def look(self, held):
        places = {id(variable): place for place, variable in enumerate(self.bn.weights)}
        return {name: held[places[id(variable)]] for name, variable in self.variables().items()}

    def load_state(self, path):
        # Not above: Keras works without h5py, which only its files need.
        from bnspec.worker.adapters.keras_files import arrays_in

        return arrays_in(path, [short(variable) for variable in self.bn.weights])

    def facts(self):
        default = self.keras.layers.BatchNormalization()
        return {
            "momentum": default.momentum,
            "epsilon": default.epsilon,
            "axis": default.axis,
            "initialisers": {
                name: type(getattr(default, name)).__name__ for name in vars(default) if name.endswith("_initializer")
            },
            "state": [short(variable) for variable in self.bn.weights],
            "trainable state": [short(variable) for variable in self.bn.trainable_weights],
            "parameters dtype": str(self.get_state()["mean"].dtype),
            "arguments": list(inspect.signature(default.__init__).parameters),
            "call arguments": list(inspect.signature(default.call).parameters),
            "constructor": "%s.layers.BatchNormalization({arguments})" % SPELLED.get(self.name, "keras"),
            **WORDS,
            "state paths": paths([short(variable) for variable in self.bn.weights]),
        }


def paths(state):
    """Return how a file of arrays names a layer's state, by our names and in the order of its weights."""
    return {name: "*/" + own for own in state for name in NAMES if NAMES[name] == own}


def short(variable):
    """Return a variable's own name, without the layer's in front and the output's number behind."""
    return variable.name.rpartition("/")[2].partition(":")[0]


def momentum(asked):
    """Return the constructor's argument: Keras' momentum is the weight of the old statistic."""
    if asked is None:
        return {}
    if asked.get("cumulative"):
        raise Unsupported("BatchNormalization has no cumulative average")
    return {"momentum": asked["raw"] if "raw" in asked else asked["keep"]}
