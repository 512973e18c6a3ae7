"""Keras 3 on PyTorch: gradients are autograd's."""

import contextlib
import functools

import torch
from torch.utils.checkpoint import checkpoint  # what keras.remat of later Keras is on PyTorch

from bnspec.worker.adapters.keras_called import CalledKeras

DEVICE = contextlib.ExitStack()
"""Holds the device for the whole process: Keras would take a GPU wherever it sees one."""


class KerasTorch(CalledKeras):
    """keras.layers.BatchNormalization. KERAS_HOME keeps the settings of the user's home out."""

    name = "keras-torch"
    package = "keras"
    environ = {"KERAS_BACKEND": "torch", "KERAS_HOME": "/dev/null"}

    @classmethod
    def has_device(cls, device):
        return torch.cuda.is_available()

    def start(self):
        keras = super().start()
        DEVICE.close()
        DEVICE.enter_context(keras.device(self.device))
        return keras

    def forward(self, x, options, record, recompute):
        forward = functools.partial(checkpoint, self.outer, use_reentrant=False) if recompute else self.outer
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
