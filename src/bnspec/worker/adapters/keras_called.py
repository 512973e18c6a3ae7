"""Keras that computes where it is called; what its backends have in common."""

import inspect
import itertools
from typing import Any

from bnspec.worker.adapter import Unsupported
from bnspec.worker.adapters.keras_models import user_classes
from bnspec.worker.adapters.keras_shared import NAMES, AnyKeras

NUMBERS = itertools.count(1)


class CalledKeras(AnyKeras):
    """BatchNormalization that computes, and moves its statistics, in the call."""

    y: Any = None

    def __init__(self, layer, *, structure="bare", execution="eager", device="cpu"):
        super().__init__(layer, structure=structure, execution=execution, device=device)

    @staticmethod
    def namespace():
        import keras

        return keras

    def start(self):
        keras = self.namespace()
        # Kernels of dead variables and graphs of dead models stay; clearing each time would cost 10 ms.
        if next(NUMBERS) % 50 == 0:
            keras.backend.clear_session()
        return keras

    def users(self):
        return user_classes(self.keras)

    def tensor(self, x, dtype=None):
        """Return an array as a tensor of the backend, in another type if one is given."""
        return self.keras.ops.convert_to_tensor(x, dtype)

    def call(self, mode, x, *, mask=None, record=True, collect=True, recompute=False):
        options = {} if mode is None else {"training": mode == "train"}
        if mask is not None:
            if "mask" not in inspect.signature(self.bn.call).parameters:
                raise Unsupported("BatchNormalization of this release takes no mask")
            options["mask"] = self.tensor(mask)
        self.y = None
        inputs = self.tensor(x, self.layer["dtypes"]["input"])
        return self.forward(inputs, options, record, recompute)

    def forward(self, x, options, record, recompute):
        """Call what is outermost; return y as an array."""
        raise NotImplementedError

    def recorded(self):
        """Return y of the last call, if there is a gradient to take of it."""
        if self.y is None:
            raise ValueError("the last call raised or recorded nothing: there is no gradient of it")
        return self.y

    def get_state(self):
        return {name: variable.numpy() for name, variable in self.variables().items()}

    def set_state(self, state):
        for name, value in state.items():
            getattr(self.bn, NAMES[name]).assign(self.tensor(value, self.bn.moving_mean.dtype))
