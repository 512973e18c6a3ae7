"""torch.nn: BatchNorm1d, BatchNorm2d and BatchNorm3d, from torch 1.0 on.

Frozen means `requires_grad_(False)`, the idiom of PyTorch's own transfer learning pages.
"""

import inspect
import io
from collections import OrderedDict

import torch

from bnspec.worker.adapter import Unsupported, switches
from bnspec.worker.adapters.torch_executions import EXECUTIONS, RUNNING, way_of
from bnspec.worker.adapters.torch_layers import STATE, affine, built, held_by, kind_of, values
from bnspec.worker.adapters.torch_modules import AROUND
from bnspec.worker.adapters.torch_shared import AnyTorch, array, of_device


class TorchNN(AnyTorch):
    """torch.nn.BatchNorm1d/2d/3d."""

    name = "torch.nn"
    executions = (
        "eager", "compile", "compile-dynamic", "script", "trace", "export", "channels-last", "onednn", "onednn-off",
        "folded", "lazy", "synchronised", "autocast-float16", "autocast-bfloat16", "cudnn-off", "cudnn-benchmark",
        "cudnn-deterministic",
    )  # fmt: skip
    slow = ("compile-dynamic",)

    def __init__(self, layer, *, structure="bare", execution="eager", device="cpu"):
        super().__init__(layer, structure=structure, execution=execution, device=device)
        if structure not in AROUND:
            raise Unsupported("a call of a torch module says no mode")
        self.bn = built(layer, execution)
        if layer["scale"]:
            # Programs start from 1. Before torch 1.2 the constructor draws it by chance, as facts() tells.
            torch.nn.init.constant_(self.bn.weight, 1)
        self.bn.to(device, self.parameter_type)
        self.put_into(AROUND[structure](self.bn))
        if self.run.captures and structure != "bare":
            raise Unsupported("the bare layer is captured, nothing around it")

    def put_into(self, outer):
        """Let a module that holds the layer be what is called, in the execution that is asked."""
        self.outer = outer
        self.run = way_of(self.execution)(outer)

    @classmethod
    def lacking(cls, execution, device):
        if execution == "lazy" and not hasattr(torch.nn, "LazyBatchNorm1d"):
            return "this release of torch has no LazyBatchNorm"
        if execution == "synchronised" and not hasattr(torch.nn, "SyncBatchNorm"):
            return "this release of torch has no SyncBatchNorm"
        return EXECUTIONS.get(execution, EXECUTIONS["eager"]).lacking(device)

    @classmethod
    def compilations(cls):
        return next((way.count() for way in RUNNING.values()), None)

    @classmethod
    def replicas(cls):
        from bnspec.worker.adapters.torch_replicas import TorchReplicas

        return TorchReplicas

    def forward(self, mode):
        if mode is not None:
            self.set_mode(mode, "parent")
        return self.run

    def make_ready(self, x):
        self.run.make_ready(x)

    def arranged(self, x):
        return self.run.arranged(x)

    def capture(self, mode, x):
        if not self.run.captures:
            raise Unsupported("nothing is captured: every call runs the layer itself")
        self.set_mode(mode)
        self.run.capture(self.tensor(x))

    def backward(self, dy):
        if self.run.no_gradient:
            raise Unsupported(self.run.no_gradient)
        return super().backward(dy)

    def parameters(self):
        return {n: t for n, t in held_by(self.bn).items() if isinstance(t, torch.nn.Parameter)}

    def part(self, where):
        """Return the module that a step is about."""
        return self.outer if where == "parent" else self.bn

    def set_mode(self, mode, where="layer"):
        self.part(where).train(mode == "train")

    def freeze(self, where="layer"):
        for parameter in self.part(where).parameters():
            parameter.requires_grad = False

    def unfreeze(self, where="layer"):
        for parameter in self.part(where).parameters():
            parameter.requires_grad = True

    def untrack(self, how):
        if how == "switch":
            self.bn.track_running_stats = False
        else:
            self.bn.running_mean = self.bn.running_var = None

    def get_state(self):
        return {name: array(tensor) for name, tensor in held_by(self.bn).items()}

    def set_state(self, state):
        held = held_by(self.bn)
        with torch.no_grad():
            for name, value in state.items():
                held[name].copy_(torch.tensor(value))

    def snapshot(self):
        return self.outer.state_dict()

    def look(self, held):
        own = {key.rpartition(".")[2]: tensor for key, tensor in held.items()}
        return {name: array(own[key]) for name, key in STATE.items() if key in own}

    def reload(self, missing=()):
        state = self.outer.state_dict()
        if missing:
            # A new dict: the one of state_dict() also says the version of its format, which old files do not.
            left_out = {STATE[name] for name in missing}
            state = OrderedDict(item for item in state.items() if item[0].rpartition(".")[2] not in left_out)
        file = io.BytesIO()
        torch.save(state, file)
        file.seek(0)
        if missing:
            self.outer.load_state_dict(torch.load(file))
            return
        fresh = type(self)(self.layer, structure=self.structure, execution=self.execution, device=self.device)
        fresh.outer.load_state_dict(torch.load(file))
        self.__dict__.update(fresh.__dict__)

    def facts(self):
        default = torch.nn.BatchNorm1d(3)
        arrays = {name: array(tensor) for name, tensor in held_by(default).items()}
        return {
            "momentum": default.momentum,
            "epsilon": default.eps,
            "axis": 1,
            "state": list(default.state_dict()),
            "initial values": {n: values(a) for n, a in arrays.items()},
            "state dtypes": {n: str(a.dtype) for n, a in arrays.items()},
            "counter": STATE["count"],
            "arguments": list(inspect.signature(torch.nn.BatchNorm1d.__init__).parameters)[1:],
            "call arguments": list(inspect.signature(torch.nn.BatchNorm1d.forward).parameters)[1:],
            "threads": torch.get_num_threads(),
            **of_device(self.device),
            "constructor": {"rank%d" % n: "torch.nn.%s({arguments})" % kind_of(n).__name__ for n in (2, 3, 4, 5)},
            "argument names": {"features": "num_features", "momentum": "momentum", "epsilon": "eps"},
            "parameter switches": switches(lambda layer: affine(torch.nn.BatchNorm1d, layer)),
            "mode words": {"train": "layer.train()", "infer": "layer.eval()"},
            "state paths": {n: "*." + own for own in default.state_dict() for n in STATE if STATE[n] == own},
        }
