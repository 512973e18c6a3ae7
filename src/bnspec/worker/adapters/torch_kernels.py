"""Executions of torch.nn that choose another kernel: layouts of memory, oneDNN, the switches of cuDNN."""

import copy
import importlib.util
from contextlib import ExitStack

import torch

from bnspec.worker.adapter import Unsupported
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
        if not importlib.util.find_spec("torch.utils.mkldnn"):
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
