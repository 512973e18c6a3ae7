"""torch.nn.functional.batch_norm: a function; the caller holds the tensors and passes them to every call."""

import inspect

import torch

from bnspec.worker.adapter import Unsupported
from bnspec.worker.adapters.torch_kernels import ChannelsLast
from bnspec.worker.adapters.torch_shared import AnyTorch, array, momentum, of_device

ARGUMENTS = {"mean": "running_mean", "variance": "running_var", "scale": "weight", "offset": "bias"}
START = {"mean": ("tracked", 0.0), "variance": ("tracked", 1.0), "scale": ("scale", 1.0), "offset": ("offset", 0.0)}
FUNCTION = torch.nn.functional.batch_norm
MOMENTUM, EPSILON = (inspect.signature(FUNCTION).parameters[name].default for name in ("momentum", "eps"))


class TorchFunctional(AnyTorch):
    """torch.nn.functional.batch_norm with tensors of the caller's, who starts them like torch.nn does."""

    name = "torch.functional"
    executions = ("eager", "native", "channels-last")

    def __init__(self, layer, *, structure="bare", execution="eager", device="cpu"):
        super().__init__(layer, structure=structure, execution=execution, device=device)
        if structure not in ("bare", "shared-twice"):
            raise Unsupported("a function is held by no model")
        if (layer["momentum"] or {}).get("cumulative"):
            raise Unsupported("torch.nn.functional.batch_norm has no cumulative average")
        self.options = dict(momentum(layer["momentum"]), eps=layer["epsilon"])
        self.tensors = {
            name: torch.tensor([value] * layer["features"], dtype=self.parameter_type, device=device)
            for name, (switch, value) in START.items()
            if layer[switch]
        }
        for tensor in self.parameters().values():
            tensor.requires_grad = True

    def forward(self, mode):
        options = dict(self.options, **{own: self.tensors.get(name) for name, own in ARGUMENTS.items()})
        if mode is not None:
            options["training"] = mode == "train"
        function = native if self.execution == "native" else FUNCTION
        if self.structure == "shared-twice":
            return lambda x: function(function(x, **options), **options)
        return lambda x: function(x, **options)

    def arranged(self, x):
        return ChannelsLast.arranged(x) if self.execution == "channels-last" else x

    @classmethod
    def lacking(cls, execution, device):
        return ChannelsLast.lacking(device) if execution == "channels-last" else ""

    def parameters(self):
        return {name: self.tensors[name] for name in ("scale", "offset") if name in self.tensors}

    def get_state(self):
        return {name: array(tensor) for name, tensor in self.tensors.items()}

    def set_state(self, state):
        with torch.no_grad():
            for name, value in state.items():
                self.tensors[name].copy_(torch.tensor(value))

    def untrack(self, how):
        if how == "switch":
            raise Unsupported("a function has no attribute to switch")
        del self.tensors["mean"], self.tensors["variance"]

    def freeze(self, where="layer"):
        raise Unsupported("a function has no parameters of its own: requires_grad is the caller's tensor's")

    unfreeze = freeze

    def set_mode(self, mode, where="layer"):
        raise Unsupported("a function has no mode to set: the call says it")

    def reload(self, missing=()):
        raise Unsupported("there is nothing to save: the caller keeps the tensors")

    def snapshot(self):
        raise Unsupported("there is no state object: the caller keeps the tensors")

    def facts(self):
        given = inspect.signature(FUNCTION).parameters
        return {
            "momentum": given["momentum"].default,
            "epsilon": given["eps"].default,
            "axis": 1,
            "training": given["training"].default,
            "state": [],
            "counter": None,
            "call arguments": list(given),
            "threads": torch.get_num_threads(),
            **of_device(self.device),
            "constructor": "torch.nn.functional.batch_norm(x, running_mean, running_var, weight, bias, {arguments})",
            "argument names": {"momentum": "momentum", "epsilon": "eps"},
            "mode words": {"train": "training=True", "infer": "training=False"},
            "state paths": {n: "*." + own for own in given for n in ARGUMENTS if ARGUMENTS[n] == own},
        }


def native(x, running_mean, running_var, weight, bias, training=False, momentum=MOMENTUM, eps=EPSILON):
    """torch.native_batch_norm, what stands behind the function on every device; it returns the statistics as well."""
    return torch.native_batch_norm(x, weight, bias, running_mean, running_var, training, momentum, eps)[0]
