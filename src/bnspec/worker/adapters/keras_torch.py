"""Keras 3 on PyTorch: gradients are autograd's.

`compile` calls what is outermost through torch.compile, `trainer-jit` lets Keras compile the steps of its trainer. In
both the sums over a batch run between the compiled graphs, not in them: Dynamo takes no axes that are a TrackedList,
which Keras makes of every list that a layer holds.
"""

import contextlib
import functools

import torch
from torch.utils.checkpoint import checkpoint  # what keras.remat of later Keras is on PyTorch

from bnspec.worker.adapters.keras_called import CalledKeras
from bnspec.worker.adapters.torch_executions import EXECUTIONS, RUNNING, way_of

WAYS = {"compile": "compile", "trainer-jit": "compile"}
"""Which execution of torch.nn switches on what one of ours needs; the others need nothing."""

DEVICE = contextlib.ExitStack()
"""Holds the device for the whole process: Keras would take a GPU wherever it sees one."""


class KerasTorch(CalledKeras):
    """keras.layers.BatchNormalization. KERAS_HOME keeps the settings of the user's home out."""

    name = "keras-torch"
    package = "keras"
    environ = {"KERAS_BACKEND": "torch", "KERAS_HOME": "/dev/null"}
    executions = ("eager", "compile", "trainer-jit", "trainer-plain", "trainer-eager")
    slow = ("compile",)

    @classmethod
    def has_device(cls, device):
        return torch.cuda.is_available()

    @classmethod
    def lacking(cls, execution, device):
        return EXECUTIONS[WAYS.get(execution, "eager")].lacking(device) or super().lacking(execution, device)

    @classmethod
    def compilations(cls):
        return next((way.count() for way in RUNNING.values()), None)

    def start(self):
        keras = super().start()
        self.way = way_of(WAYS.get(self.execution, "eager"))
        DEVICE.close()
        DEVICE.enter_context(keras.device(self.device))
        return keras

    def forward(self, x, options, record, recompute):
        forward = self.way(self.outer) if self.execution == "compile" else self.outer
        forward = functools.partial(checkpoint, forward, use_reentrant=False) if recompute else forward
        if not record:
            with torch.no_grad():
                return self.array(forward(x, **options))
        self.x = x.requires_grad_(x.is_floating_point())
        self.y = forward(self.x, **options)
        return self.array(self.y)

    def array(self, tensor):
        return self.keras.ops.convert_to_numpy(tensor)

    def backward(self, dy):
        y = self.recorded()
        sources = {name: v.value for name, v in self.variables().items() if name in ("scale", "offset")}
        sources = {name: v for name, v in dict(sources, x=self.x).items() if v.requires_grad}
        found = torch.autograd.grad(y, list(sources.values()), self.tensor(dy, y.dtype), allow_unused=True)
        return {name: self.array(found[i]) for i, name in enumerate(sources) if found[i] is not None}

    def facts(self):
        return dict(super().facts(), torch=torch.__version__)
