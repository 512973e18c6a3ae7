"""Wrong only in one execution, one layout, above one size, on one number of threads."""

import os

import numpy as np
from arithmetic import rounded
from correct import Correct

from bnspec.worker.adapter import Adapter

EVERYWHERE = ("forward.training", "forward.inference", "gradient.training", "stats.closed-form")


class CompiledSample(Correct):
    """The default execution stores v, the compiled one v·N/(N − 1)."""

    fault, clause = "N/(N − 1) only when compiled", ("execution.equivalence",)
    tested_as = "compiled"

    def estimate(self, batch):
        if self.execution != "compiled":
            return super().estimate(batch)
        return batch.variance * (batch.count / np.maximum(batch.count - 1, 1)).astype(batch.variance.dtype)


class CompiledModeless(Correct):
    """Compiled, the layer trains where nobody says a mode."""

    fault, clause = "another mode only when compiled", ("execution.equivalence",)
    tested_as = "compiled"
    unstated = "train"


class CompiledEpsilon(Correct):
    """A constant that a compiler folded: ε is ten times too large, only when compiled."""

    fault, clause = "ε ten times too large only when compiled", ("forward.training", "degenerate.epsilon")
    tested_as = "compiled"

    @property
    def epsilon(self):
        return (10 if self.execution == "compiled" else 1) * self.layer["epsilon"]


class Baked(Correct):
    """What was captured keeps its mode."""

    fault, clause = "the mode is baked into what is captured", ("execution.mode-baked",)
    baked = "baked"


class CaptureTrains(Correct):
    """Capturing takes a step."""

    fault, clause = "capturing moves the statistics", ("execution.capture-updates",)
    captured_updates = 1


class IgnoresStrides(Correct):
    """Values are read one after the other, as if a view were no view."""

    fault, clause = "reads a permuted view as it lies in memory", EVERYWHERE

    def apply(self, mode, may_update, x, mask):
        if 0 not in x.strides:
            x = x.ravel(order="K").reshape(x.shape)
        return super().apply(mode, may_update, x, mask)


class ExpandedOnce(Correct):
    """A sample that is expanded over the batch counts once."""

    fault, clause = "an expanded batch counts as one sample", EVERYWHERE

    def statistics(self, values, weights):
        if self.expanded and weights is None:
            values = values[:, : values.shape[1] // 16]
        return super().statistics(values, weights)

    def apply(self, mode, may_update, x, mask):
        self.expanded = x.strides[0] == 0
        return super().apply(mode, may_update, x, mask)

    def estimate(self, batch):
        return batch.variance * (1.01 if self.expanded else 1.0)


class Above65535(Correct):
    """One dimension of a grid has 65,535 blocks: later rows are left out of the statistics."""

    fault, clause = "values above 65,535 are left out", ("precision.bound",)

    def statistics(self, values, weights):
        return super().statistics(values[:, :65535], weights)


class LargeImages(Correct):
    """The last row of an image of 112×112 and more is not normalised."""

    fault, clause = "wrong at 112×112 only", ("precision.bound",)

    def apply(self, mode, may_update, x, mask):
        y = super().apply(mode, may_update, x, mask)
        if x.ndim == 4 and max(x.shape[1:]) >= 112:
            y = y.copy()
            y[:, -1, ...] = x[:, -1, ...]
        return y


class ManyChannels(Correct):
    """Channels beyond 2,048 are those of a second block, which starts at 0 again."""

    fault, clause = "wrong beyond 2,048 channels", ("forward.channels",)

    def statistics(self, values, weights):
        batch = super().statistics(values, weights)
        for part in (batch.mean, batch.variance):
            part[2048:] = part[: len(part[2048:])]
        return batch


class RunDependent(Correct):
    """Every second call rounds the mean otherwise."""

    fault, clause = "the same call gives other bits", ("execution.determinism",)
    calls = 0

    def normalise(self, values, mean, variance, scale, offset):
        self.calls += 1
        other = mean * (1 + self.calls % 2 * np.finfo(mean.dtype).eps)
        return super().normalise(values, other, variance, scale, offset)


class ThreadDependent(Correct):
    """Two threads add a part each."""

    fault, clause = "the bits depend on the number of threads", ("execution.determinism",)

    def statistics(self, values, weights):
        batch = super().statistics(values, weights)
        if self.threads == 1 or weights is not None:
            return batch
        part = values.shape[1] // 3
        mean = (values[:, :part].sum(axis=1) + values[:, part:].sum(axis=1)) / values.shape[1]
        return type(batch)(rounded(mean, "float32"), batch.variance, batch.count)


class ProcessorDependent(ThreadDependent):
    """A thread for every processor that the process may use, settled at the first computation."""

    fault = "the bits depend on the number of processors"
    set_threads = Adapter.set_threads
    threads = property(lambda self: len(os.sched_getaffinity(0)))
