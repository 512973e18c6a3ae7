"""Executions of torch.nn that make something of a module: compiled, scripted, traced, exported."""

import os
import shutil
import sys
import types
from typing import Any, Dict

import torch

from bnspec.worker.adapters.torch_eager import Eager

CACHED_GRAPHS = 100000
"""So many graphs of one function may be held; beyond its own limit torch.compile runs eagerly without a word."""


def called(module, x, **options):
    """What is compiled."""
    return module(x, **options)


def written_anew(function):
    """Return a function whose code is an object of its own: torch.compile keeps what it knows of one there."""
    return types.FunctionType(function.__code__.replace(), function.__globals__)


class Compiled(Eager):
    """torch.compile, inductor. Modules that are written alike share a function, and its graphs where shapes agree.

    A function in which something raised is not used again: torch.compile may run it eagerly from then on, without
    a word.
    """

    functions: Dict[str, Any] = {}
    dynamic = False

    @classmethod
    def lacking(cls, device):
        if not hasattr(torch, "compile"):
            return "this release of torch has no torch.compile"
        # 2.0 looks at its Python where it compiles, and imports the compiler for that (2 s); later releases look first.
        compiled = [torch.nn.Identity()] if torch.__version__.startswith("2.0.") else []
        try:
            torch.compile(*compiled, backend="inductor")
        except RuntimeError as error:  # as of a Python that it does not know
            return str(error)
        # What torch._inductor.config.cpp.cxx holds, which takes 2 s to import.
        compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
        if device == "cpu" and not shutil.which(compiler):
            return "inductor needs a C++ compiler and there is none: %s" % compiler
        return ""

    @classmethod
    def begin(cls):
        import torch._dynamo

        for name in (
            "cache_size_limit",
            "accumulated_cache_size_limit",
            "recompile_limit",
            "accumulated_recompile_limit",
        ):
            if hasattr(torch._dynamo.config, name):
                setattr(torch._dynamo.config, name, CACHED_GRAPHS)

    @classmethod
    def count(cls):
        from torch._dynamo.utils import counters

        return counters["stats"]["unique_graphs"]

    def __call__(self, x, **options):
        key = "%s %s" % (self.module, x.dtype)
        if key not in self.functions:
            self.functions[key] = torch.compile(written_anew(called), dynamic=self.dynamic)
        try:
            return self.functions[key](self.module, x, **options)
        except Exception:
            del self.functions[key]
            raise


class CompiledDynamic(Compiled):
    """torch.compile with sizes that are variables of the graph: one graph for all batches."""

    dynamic = True


class Captured(Eager):
    """What is made of the module once in each mode and for each input; making it must not count as a call."""

    captures = True
    number = 0

    def __init__(self, module):
        super().__init__(module)
        self.made = {}
        self.kept = None

    @classmethod
    def count(cls):
        return Captured.number

    def make(self, x):
        """Make something of the module that can be called instead of it."""
        Captured.number += 1

    def key(self, x):
        """Return what is fixed in what is made for a call."""
        return self.module.training, tuple(x.shape), x.dtype

    def make_ready(self, x):
        if self.kept is None and self.key(x) not in self.made:
            before = {name: tensor.clone() for name, tensor in self.module.state_dict().items()}
            self.made[self.key(x)] = self.make(x)
            self.module.load_state_dict(before)

    def __call__(self, x):
        if self.kept is None:
            return self.called(self.made[self.key(x)], x)
        self.kept.train(self.module.training)
        return self.called(self.kept, x)

    def capture(self, x):
        """Make it now, with all that this does, and keep to it."""
        self.kept = self.make(x)

    def called(self, made, x):
        return made(x)


class Scripted(Captured):
    """torch.jit.script."""

    @classmethod
    def lacking(cls, device):
        try:
            torch.jit.script(torch.nn.BatchNorm1d(1))
        except Exception as error:
            return "torch.jit.script does not take a BatchNorm: %s" % str(error).strip().partition("\n")[0]
        return ""

    def make(self, x):
        super().make(x)
        return torch.jit.script(self.module)

    def make_ready(self, x):
        if self.kept is None:
            self.kept = self.make(x)


class Traced(Captured):
    """torch.jit.trace, anew in each mode and for each shape."""

    def make(self, x):
        super().make(x)
        return torch.jit.trace(self.module, x.detach())


class Exported(Captured):
    """torch.export, anew in each mode and for each shape."""

    @classmethod
    def lacking(cls, device):
        there = hasattr(torch, "export") and hasattr(torch.export, "export") and hasattr(torch, "func")
        return "" if there else "this release of torch has no torch.export"

    def make(self, x):
        super().make(x)
        return torch.export.export(self.module, (x.detach(),)).module()

    def called(self, made, x):
        return torch.func.functional_call(made, dict(self.module.state_dict(keep_vars=True)), (x,))
