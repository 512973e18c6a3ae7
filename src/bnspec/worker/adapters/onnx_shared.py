"""What ONNX's two runtimes share: a graph of one BatchNormalization node, whose caller keeps the state.

The operator has no state of its own. We are its caller: we start at mean 0, variance 1, scale 1, offset 0, as
exporters do, and carry what a training call hands out.
"""

import importlib.util
import json

import numpy as np
import onnx
from onnx import TensorProto, helper

from bnspec.worker.adapter import Adapter, Unsupported

OPSET = min(15, onnx.defs.onnx_opset_version())
"""onnx 1.9 ends at opset 14; 15 only lets the types of x, parameters and statistics differ more freely."""

INPUTS = {"scale": 1, "offset": 0, "mean": 0, "variance": 1}
"""The state in the order of the operator's inputs, and what we start at."""

TYPES = {
    "float16": TensorProto.FLOAT16,
    "bfloat16": TensorProto.BFLOAT16,
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
}

CALLERS = "the statistics are inputs and outputs of the graph: whoever runs it keeps them"


class AnyOnnx(Adapter):
    """One BatchNormalization node."""

    def __init__(self, layer, *, structure="bare", execution="eager", device="cpu"):
        super().__init__(layer, structure=structure, execution=execution, device=device)
        if layer["rank"] < 2 or layer["axis"] % layer["rank"] != 1:
            raise Unsupported("the operator takes the channel axis 1 only")
        if not (layer["scale"] and layer["offset"]):
            raise Unsupported("the operator always has a scale and an offset")
        if not layer["tracked"]:
            raise Unsupported("the operator always takes a mean and a variance")
        if layer["frozen"]:
            self.freeze()
        if layer["mode"]:
            raise Unsupported("the mode is an attribute of the node: a call cannot say another")
        if structure == "shared-twice":
            raise Unsupported("a graph's node hands its statistics to the caller: there is no shared layer")
        if structure != "bare":
            raise Unsupported("a graph is flat: there are no layers inside layers")
        self.attributes = dict(momentum(layer["momentum"]), epsilon=layer["epsilon"])
        self.kinds = {name: numpy_type(layer["dtypes"]["parameters"]) for name in INPUTS}
        self.kinds["x"] = numpy_type(layer["dtypes"]["input"])
        self.state = {name: np.full(layer["features"], value, self.kinds[name]) for name, value in INPUTS.items()}
        self.ready = {}

    def call(self, mode, x, *, mask=None, record=True, collect=True, recompute=False):
        if mask is not None:
            raise Unsupported("the operator takes no mask")
        if recompute:
            raise Unsupported("a graph of this operator has no gradient, and nothing to recompute for it")
        if mode not in self.ready:
            self.ready[mode] = self.compiled(self.model(mode))
        # An integer stays one: it is the operator's to refuse.
        x = x.astype(self.kinds["x"]) if x.dtype.kind == "f" else x
        shown = self.execute(self.ready[mode], dict(self.state, x=x))
        if mode == "train" and collect:
            self.state.update(mean=shown[1], variance=shown[2])
        return shown[0]

    def compiled(self, model):
        """Return what runs the graph."""
        raise NotImplementedError

    def execute(self, compiled, feeds):
        """Run it on named arrays; return its outputs in their order."""
        raise NotImplementedError

    def model(self, mode):
        """Return the graph of a mode; where none is said the attribute is left out."""
        said = {} if mode is None else {"training_mode": int(mode == "train")}
        outputs = ["y", "new_mean", "new_variance"] if mode == "train" else ["y"]
        node = helper.make_node("BatchNormalization", ["x", *INPUTS], outputs, **dict(self.attributes, **said))
        graph = helper.make_graph(
            [node],
            "bnspec",
            [self.tensor("x"), *(self.tensor(name) for name in INPUTS)],
            [self.tensor("y", "x"), *(self.tensor(name, "mean") for name in outputs[1:])],
        )
        # The version of the format that goes with opset 14, so that a runtime older than onnx reads it.
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=7)

    def tensor(self, name, like=None):
        """Return the declaration of an input, or of an output like one: of any size."""
        rank = self.layer["rank"] if "x" in (name, like) else 1
        return helper.make_tensor_value_info(name, TYPES[self.kinds[like or name].name], [None] * rank)

    def backward(self, dy):
        raise Unsupported("a graph of this operator has no gradient")

    def freeze(self, where="layer"):
        raise Unsupported("a graph has nothing to freeze: its mode is an attribute of the node")

    unfreeze = freeze

    def get_state(self):
        return dict(self.state)

    def set_state(self, state):
        self.state.update((name, value.astype(self.kinds[name])) for name, value in state.items())

    def reload(self, missing=()):
        raise Unsupported(CALLERS)

    def snapshot(self):
        raise Unsupported(CALLERS)

    def untrack(self, how):
        raise Unsupported("the operator always takes a mean and a variance")

    def set_mode(self, mode, where="layer"):
        raise Unsupported("the mode is an attribute of the node, fixed when the graph is made")

    def facts(self):
        schema = onnx.defs.get_schema("BatchNormalization", OPSET)
        inputs = [parameter.name for parameter in schema.inputs]
        defaults = {name: helper.get_attribute_value(a.default_value) for name, a in schema.attributes.items()}
        return {
            "momentum": defaults["momentum"],
            "epsilon": defaults["epsilon"],
            "axis": 1,
            "opset": OPSET,
            "arguments": list(defaults),
            "state": inputs[1:],
            "initial values": "none: the caller gives them",
            "counter": None,
            "call arguments": inputs,
            "results": [parameter.name for parameter in schema.outputs],
            "constructor": 'onnx.helper.make_node("BatchNormalization", %s, ["Y"], {arguments})' % json.dumps(inputs),
            "argument names": {"momentum": "momentum", "epsilon": "epsilon"},
            "parameter switches": {"both": {}, "scale": None, "offset": None, "neither": None},
            "mode words": {"train": "training_mode=1", "infer": "training_mode=0"},
            "state paths": {name: "*." + inputs[1 + i] for i, name in enumerate(INPUTS)},
            "types": {c.type_param_str: list(c.allowed_type_strs) for c in schema.type_constraints},
        }


def numpy_type(name):
    """Return NumPy's type; for bfloat16 that of ml_dtypes, which onnx brings from 1.19 on."""
    if name != "bfloat16":
        return np.dtype(name)
    if importlib.util.find_spec("ml_dtypes") is None:
        raise Unsupported("NumPy has no bfloat16, and ml_dtypes is not there")
    import ml_dtypes

    return np.dtype(ml_dtypes.bfloat16)


def momentum(asked):
    """Return the attribute: ONNX's momentum is the weight of the old statistic."""
    if asked is None:
        return {}
    if asked.get("cumulative"):
        raise Unsupported("the operator has no cumulative average")
    return {"momentum": asked["raw"] if "raw" in asked else asked["keep"]}
