"""The reference itself, spoken through the public interface: what every case should look like when right.

It computes in float64 and holds the type it was asked for, like an ideal layer of that type. This one adapter
needs bnspec's own interpreter, because its framework is `bnspec.reference`.
"""

import numpy as np

from bnspec import reference
from bnspec.worker.adapter import Adapter, Unsupported


class Reference(Adapter):
    """bnspec.reference in the dialect of the original paper: momentum weighs the old, population variance."""

    name = "numpy"
    package = "numpy"

    def __init__(self, layer, *, structure="bare", execution="eager", device="cpu"):
        super().__init__(layer, structure=structure, execution=execution, device=device)
        if structure != "bare":
            raise Unsupported("the reference is a bare layer")
        if not layer["tracked"] or layer["mode"] or layer["frozen"]:
            raise Unsupported("the reference is built with moving statistics, unfrozen, and told its mode in the call")
        if layer["dtypes"]["input"] not in ("float32", "float64"):
            raise Unsupported("the reference holds float32 or float64")
        self.dtype = np.dtype(layer["dtypes"]["input"])
        channels, momentum = layer["features"], layer["momentum"] or {"keep": 0.99}
        self.averaging = "cumulative" if momentum.get("cumulative") else "exponential"
        self.keep = momentum.get("keep", momentum.get("raw", 0.0))
        self.state = reference.State(np.zeros(channels), np.ones(channels))
        self.formula = {"epsilon": layer["epsilon"], "axis": layer["axis"]}
        if layer["scale"]:
            self.formula["scale"] = np.ones(channels)
        if layer["offset"]:
            self.formula["offset"] = np.zeros(channels)
        self.frozen = False

    @classmethod
    def has_device(cls, device):
        return False

    def call(self, mode, x, *, mask=None, record=True, collect=True, recompute=False):
        if mode is None:
            raise TypeError("the reference must be told: train or infer")
        if recompute or not record or not collect:
            raise Unsupported("the reference records nothing and hands nothing to the caller")
        self.last = (x, mode == "train" and not self.frozen)
        if not self.last[1]:
            state = self.state
            y = reference.normalize(x, mean=state.mean, variance=state.variance, **self.formula)
            return y.astype(self.dtype)
        weights = None if mask is None else np.expand_dims(mask, self.layer["axis"] % np.ndim(x))
        step = reference.training_step(
            x, state=self.state, keep=self.keep, averaging=self.averaging, mask=weights, **self.formula
        )
        mean, variance = (v.astype(self.dtype).astype(np.float64) for v in (step.state.mean, step.state.variance))
        self.state = reference.State(mean, variance, step.state.count)
        return step.y.astype(self.dtype)

    def backward(self, dy):
        x, by_batch = self.last
        formula = {name: value for name, value in self.formula.items() if name != "offset"}
        if by_batch:
            gradients = reference.training_gradients(x, dy, **formula)
        else:
            state = self.state
            gradients = reference.inference_gradients(x, dy, mean=state.mean, variance=state.variance, **formula)
        names = ["x"] + [name for name in ("scale", "offset") if name in self.formula]
        return {name: getattr(gradients, name).astype(self.dtype) for name in names}

    def freeze(self, where="layer"):
        self.frozen = True

    def unfreeze(self, where="layer"):
        self.frozen = False

    def get_state(self):
        state = {"mean": self.state.mean, "variance": self.state.variance}
        state.update((name, self.formula[name]) for name in ("scale", "offset") if name in self.formula)
        return {name: value.astype(self.dtype) for name, value in state.items()}

    def set_state(self, state):
        given = {name: value.astype(np.float64) for name, value in state.items()}
        self.formula.update((name, given[name]) for name in ("scale", "offset") if name in given)
        mean, variance = given.get("mean", self.state.mean), given.get("variance", self.state.variance)
        self.state = reference.State(mean, variance, self.state.count)

    def facts(self):
        state = ["mean", "variance", "scale", "offset"]
        return {
            "momentum": 0.99,
            "epsilon": "required",
            "state": state,
            "argument names": {"axis": "axis", "momentum": "keep", "epsilon": "epsilon"},
            "mode words": {"train": "reference.training_step", "infer": "reference.normalize"},
            "state paths": {name: "*." + name for name in state},
        }
