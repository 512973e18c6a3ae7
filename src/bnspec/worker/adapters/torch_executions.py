"""The executions of torch.nn: autocast, folding, and the table of all.

A process runs one execution: what it switches on stays on.
"""

import importlib.util

import torch

from bnspec.worker.adapter import Unsupported
from bnspec.worker.adapters.torch_captured import Compiled, CompiledDynamic, Exported, Scripted, Traced
from bnspec.worker.adapters.torch_eager import Eager
from bnspec.worker.adapters.torch_kernels import (
    ChannelsLast,
    CuDNNBenchmark,
    CuDNNDeterministic,
    CuDNNOff,
    OneDNN,
    OneDNNOff,
)


class Autocast(Eager):
    """Under torch.autocast."""

    kind = "float16"

    @classmethod
    def lacking(cls, device):
        if not hasattr(torch, "autocast"):
            return "this release of torch has no torch.autocast"
        import warnings

        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                with torch.autocast(device, dtype=getattr(torch, cls.kind)):
                    pass
            except RuntimeError as error:
                return str(error)
        return str(said[0].message) if said else ""

    def __call__(self, x):
        with torch.autocast(x.device.type, dtype=getattr(torch, self.kind)):
            return self.module(x)


class AutocastBfloat16(Autocast):
    """Under torch.autocast in bfloat16."""

    kind = "bfloat16"


class Folded(Eager):
    """Folded into the convolution before it, as torch.nn.utils.fusion does for inference; that one is the identity."""

    no_gradient = "what is folded has parameters of its own"
    CONVOLUTIONS = {3: torch.nn.Conv1d, 4: torch.nn.Conv2d, 5: torch.nn.Conv3d}

    @classmethod
    def lacking(cls, device):
        there = importlib.util.find_spec("torch.nn.utils.fusion")
        return "" if there else "this release of torch has no torch.nn.utils.fusion"

    def __call__(self, x):
        from torch.nn.utils.fusion import fuse_conv_bn_eval

        if x.dim() not in self.CONVOLUTIONS:
            raise Unsupported("convolutions have ranks 3 to 5")
        if self.module.training:
            raise Unsupported("folding is for inference")
        channels, like = self.module.num_features, next(iter(self.module.state_dict().values()), x)
        convolution = self.CONVOLUTIONS[x.dim()](channels, channels, 1, groups=channels, bias=False)
        torch.nn.init.ones_(convolution.weight)
        return fuse_conv_bn_eval(convolution.to(like.device, like.dtype).eval(), self.module)(x)


EXECUTIONS = {
    "eager": Eager,
    "compile": Compiled,
    "compile-dynamic": CompiledDynamic,
    "script": Scripted,
    "trace": Traced,
    "export": Exported,
    "channels-last": ChannelsLast,
    "onednn": OneDNN,
    "onednn-off": OneDNNOff,
    "folded": Folded,
    "autocast-float16": Autocast,
    "autocast-bfloat16": AutocastBfloat16,
    "cudnn-off": CuDNNOff,
    "cudnn-benchmark": CuDNNBenchmark,
    "cudnn-deterministic": CuDNNDeterministic,
}

RUNNING = {}  # type: Dict[str, Type[Eager]]
"""The execution of this process, by its name."""


def way_of(execution):
    """Return the class of an execution, switched on."""
    if execution not in RUNNING:
        RUNNING[execution] = EXECUTIONS.get(execution, Eager)
        RUNNING[execution].begin()
    return RUNNING[execution]
