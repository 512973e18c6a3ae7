"""An adapter with nothing but NumPy, for a Python of 2016: float64 inside, float32 outside."""

import numpy as np

from bnspec.worker.adapter import Adapter


class Plain(Adapter):
    """Inference only."""

    name = "plain"
    package = "numpy"

    def __init__(self, layer, **options):
        super().__init__(layer, **options)
        self.state = {}

    def call(self, mode, x, *, mask=None, record=True, collect=True, recompute=False):
        print("frameworks print")
        if mode != "infer":
            raise self.unsupported("training")
        wide = {name: np.asarray(value, dtype=np.float64) for name, value in self.state.items()}
        r = 1 / np.sqrt(wide["variance"] + self.layer["epsilon"])
        return ((x - wide["mean"]) * r).astype(np.float32)

    def set_state(self, state):
        self.state.update(state)

    def facts(self):
        return {"numpy": np.__version__}
