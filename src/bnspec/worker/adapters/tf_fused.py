"""fused_batch_norm of TensorFlow: one kernel, which returns the moved statistics for its caller to keep."""

import inspect

import numpy as np
import tensorflow as tf

from bnspec.worker.adapter import Unsupported
from bnspec.worker.adapters.tf_nn import TfNN

FUSED = tf.compat.v1.nn.fused_batch_norm
STATE = ("scale", "offset", "mean", "variance")
FORMATS = {(4, 1): "NCHW", (4, 3): "NHWC", (5, 1): "NCDHW", (5, 4): "NDHWC"}


class TfFused(TfNN):
    """tf.compat.v1.nn.fused_batch_norm. The adapter is the caller: it keeps what a training call returns."""

    name = "tf.nn.fused"
    package = "tensorflow"
    environ = {"TF_CPP_MIN_LOG_LEVEL": "2"}
    executions = ("eager", "function", "xla")

    def __init__(self, layer, *, structure="bare", execution="eager", device="cpu"):
        super().__init__(layer, structure=structure, execution=execution, device=device)
        self.format = FORMATS.get((layer["rank"], layer["axis"] % layer["rank"]))
        if not self.format:
            raise Unsupported("fused_batch_norm takes ranks 4 and 5, the channels first or last")
        if not (layer["scale"] and layer["offset"]):
            raise Unsupported("fused_batch_norm always takes a scale and an offset")
        self.factor = {}
        if layer["tracked"]:
            # A caller starts from these; the function has no starting values of its own.
            features = layer["features"]
            self.set_state({"mean": np.zeros(features, np.float32), "variance": np.ones(features, np.float32)})
            self.factor = average(layer["momentum"])

    def function(self, mode, mask):
        if mask is not None:
            raise Unsupported("fused_batch_norm takes no mask")
        options = dict(self.factor, epsilon=self.layer["epsilon"], data_format=self.format)
        if mode is not None:
            options["is_training"] = mode == "train"
        if mode == "infer" or options.get("exponential_avg_factor", 1.0) != 1.0:
            # In training with the factor 1 they "must be None", says its documentation.
            options.update(mean=self.held.get("mean"), variance=self.held.get("variance"))
        return lambda x, scale, offset: FUSED(x, scale, offset, **options)

    def keep(self, *statistics):
        if self.layer["tracked"]:
            self.held["mean"], self.held["variance"] = statistics

    def get_state(self):
        return {name: value.numpy() for name, value in self.held.items()}

    def facts(self):
        parameters = inspect.signature(FUSED).parameters
        default = parameters["exponential_avg_factor"].default
        return {
            "momentum": default,
            "epsilon": parameters["epsilon"].default,
            "arguments": list(parameters),
            "constructor": "tf.compat.v1.nn.fused_batch_norm(x, {arguments})",
            "argument names": {"momentum": "exponential_avg_factor", "epsilon": "epsilon"},
            "parameter switches": {"both": {}, "scale": None, "offset": None, "neither": None},
            "mode words": {"train": "is_training=True", "infer": "is_training=False"},
            "state paths": {name: "*/" + name for name in parameters if name in STATE},
        }


def average(asked):
    """Return fused_batch_norm's argument: the weight of the new statistic."""
    if asked is None:
        return {}
    if asked.get("cumulative"):
        raise Unsupported("fused_batch_norm has no cumulative average")
    return {"exponential_avg_factor": asked["raw"] if "raw" in asked else 1.0 - asked["keep"]}
