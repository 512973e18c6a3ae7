"""The executions of torch.nn: kernels that are switched on or off, layouts, folding; and the table of all.

A process runs one execution: what it switches on stays on.
"""

import copy
from contextlib import ExitStack

import torch

from bnspec.worker.adapter import Unsupported
from bnspec.worker.adapters.torch_captured import Compiled, Exported, Scripted, Traced
from bnspec.worker.adapters.torch_eager import Eager

SETTINGS = ExitStack()


def has_onednn():
    """Return whether this build of torch has oneDNN, which it calls by its old name."""
    return hasattr(torch.backends, "mkldnn") and torch.backends.mkldnn.is_available()


class ChannelsLast(Eager):
    """Inputs and gradients are of torch's memory format channels_last, in three dimensions channels_last_3d."""

    FORMATS = {4: "channels_last", 5: "channels_last_3d"}

    @classmethod
    def lacking(cls, device):
        return "" if hasattr(torch, "channels_last") else "this release of torch has no channels_last"

    @classmethod
    def arranged(cls, x):
        layout = getattr(torch, cls.FORMATS.get(x.dim(), ""), None)
        if layout is None:
            raise Unsupported("channels_last is a memory format of ranks 4 and 5")
        return x.contiguous(memory_format=layout)


class OneDNNOff(Eager):
    """oneDNN is switched off."""

    @classmethod
    def lacking(cls, device):
        if device != "cpu":
            return "oneDNN computes on CPUs"
        there = has_onednn() and hasattr(torch.backends.mkldnn, "flags")
        return "" if there else "this build of torch has no oneDNN that could be switched"

    @classmethod
    def begin(cls):
        SETTINGS.enter_context(torch.backends.mkldnn.flags(enabled=False))


class OneDNN(Eager):
    """Inputs are tensors of oneDNN's own layout, as torch.utils.mkldnn makes them."""

    @classmethod
    def lacking(cls, device):
        if device != "cpu":
            return "oneDNN computes on CPUs"
        try:
            import torch.utils.mkldnn  # noqa: F401
        except ImportError:
            return "this release of torch has no layers of oneDNN"
        return "" if has_onednn() else "this build of torch has no oneDNN"

    def __call__(self, x):
        if x.dim() not in ((4,) if self.module.training else (4, 5)):
            raise Unsupported("oneDNN's own layout has batch normalization of ranks 4 and 5, in training of rank 4")
        if not self.module.training:
            from torch.utils.mkldnn import to_mkldnn

            return to_mkldnn(copy.deepcopy(self.module))(x.to_mkldnn()).to_dense()
        return self.module(x.to_mkldnn()).to_dense()


class CuDNN(Eager):
    """One of the switches of torch.backends.cudnn."""

    switch, value = "enabled", True

    @classmethod
    def lacking(cls, device):
        if device == "cpu":
            return "cuDNN computes on NVIDIA GPUs: --device cuda"
        return "" if torch.backends.cudnn.is_available() else "this build of torch has no cuDNN"

    @classmethod
    def begin(cls):
        setattr(torch.backends.cudnn, cls.switch, cls.value)


class CuDNNOff(CuDNN):
    """Kernels of torch's own on the GPU."""

    value = False


class CuDNNBenchmark(CuDNN):
    """cuDNN measures which of its kernels is fastest."""

    switch = "benchmark"


class CuDNNDeterministic(CuDNN):
    """cuDNN takes kernels that repeat their bits."""

    switch = "deterministic"


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
        try:
            from torch.nn.utils.fusion import fuse_conv_bn_eval  # noqa: F401
        except ImportError:
            return "this release of torch has no torch.nn.utils.fusion"
        return ""

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
