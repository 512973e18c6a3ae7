"""How Correct is executed: views of memory, what is captured of it, threads."""

import numpy as np

from bnspec.worker.adapter import Adapter


class Executing(Adapter):
    """Views, capture and threads. An attribute left of a comment is a variant of `spec.py`'s axes."""

    executions = ("eager", "compiled")

    baked = "follows"  # execution.mode-baked
    captured_updates = 0  # execution.capture-updates
    threads = 1
    captured = None

    def arrange(self, x, layout):
        if layout == "expanded":
            return np.broadcast_to(x[:1], x.shape)
        if layout == "sliced":
            larger = np.zeros([2 * length for length in x.shape], x.dtype)
            view = larger[tuple(slice(None, None, 2) for _ in x.shape)]
            view[...] = x
            return view
        axis = self.layer["axis"] % x.ndim
        there = 1 if axis == x.ndim - 1 else x.ndim - 1
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, axis, there)), there, axis)

    def capture(self, mode, x):
        self.captured = mode
        for _ in range(self.captured_updates):
            self.call(mode, x)

    def obeyed(self, mode):
        """Return the mode of a call, which what was captured may not follow."""
        if self.captured in (None, mode) or self.baked == "follows":
            return mode
        if self.baked == "raises":
            raise RuntimeError(f"captured in mode {self.captured}, called in {mode}")
        return self.captured

    def set_threads(self, count):
        self.threads = count
