"""Arithmetic that is worse than it should be, and wrong types."""

import numpy as np
from arithmetic import Batch, bfloat16_bits, rounded, shown
from correct import Correct

from bnspec.worker.adapter import bfloat16


class OnePassVariance(Correct):
    """E[x²] − E[x]², which cancels."""

    fault, clause = "one-pass variance", ("precision.moments", "precision.bound")
    formulation = "one-pass"


class SequentialSums(Correct):
    """One value after the other."""

    fault, clause = "sums one by one", ("precision.accumulation", "precision.bound")
    summation = "sequential"


class HalfStatistics(Correct):
    """The statistics of a float32 layer are rounded to float16."""

    fault, clause = "statistics in half precision", ("forward.training", "stats.closed-form", "precision.bound")

    def statistics(self, values, weights):
        batch = super().statistics(values, weights)
        return Batch(rounded(batch.mean, "float16"), rounded(batch.variance, "float16"), batch.count)


class HalfAccumulatorsForLargeN(Correct):
    """More than 4,096 values are summed in blocks whose sums are float16."""

    fault, clause = "half accumulators above 4,096 rows", ("precision.bound", "precision.accumulation")

    def total(self, values):
        if values.shape[1] <= 4096:
            return super().total(values)
        starts = np.arange(0, values.shape[1], 256)
        return super().total(rounded(np.add.reduceat(values, starts, axis=1), "float16"))


class HalfInputStatistics(Correct):
    """The statistics of halves are computed in float32 and rounded before they are used."""

    fault, clause = "statistics of halves rounded", ("precision.half-statistics", "precision.bound")
    half_statistics = "rounded"


class HalvesNormalisedAsHalves(Correct):
    """Halves: x − mean is rounded to the input's type before it is scaled."""

    fault, clause = "halves centred in half precision", ("precision.bound", "precision.half-statistics")

    def normalise(self, values, mean, variance, scale, offset):
        kind = self.layer["dtypes"]["input"]
        if "16" in kind:
            r = rounded(self.inverse(variance), kind)
            centred = rounded(values - rounded(mean, kind)[:, None], kind)
            return rounded(centred * (r * scale)[:, None], kind) + offset[:, None]
        return super().normalise(values, mean, variance, scale, offset)


class BfloatTruncated(Correct):
    """bfloat16 outputs are cut off, not rounded."""

    fault, clause = "bfloat16 truncated", ("precision.bound", "precision.half-output")

    def call(self, mode, x, **options):
        if self.output_type != "bfloat16":
            return super().call(mode, x, **options)
        self.half_output = "float32"
        y = super().call(mode, x, **options)
        self.half_output = "input"
        return bfloat16((np.ascontiguousarray(y).view(np.uint32) >> 16).astype(np.uint16))


class Float64Lost(Correct):
    """A float64 layer computes in float32."""

    fault, clause = "float64 lost on the way", ("precision.float64", "precision.bound")
    inside = "float32"


class Float64Epsilon(Correct):
    """ε of a float64 layer is a float32."""

    fault, clause = "ε of float64 is a float32", ("degenerate.epsilon",)

    @property
    def epsilon(self):
        return float(np.float32(self.layer["epsilon"]))


class Float64State(Correct):
    """The state of a float32 layer is shown as float64."""

    fault, clause = "type of the state wrong", ("stats.closed-form", "precision.state-dtype", "stats.initial")

    def shown_state(self, state):
        return {name: shown(value, "float64") for name, value in state.items()}


class HalfState(Correct):
    """The statistics of a layer with half input are held as halves, whatever the parameters are."""

    fault, clause = "state of the input's type", ("precision.state-dtype",)
    state_dtype = "input"


class CountInHalfPrecision(Correct):
    """N of half input is a float16: 2,049 is 2,048."""

    fault, clause = "N counted in half precision", ("precision.bound", "precision.half-statistics")

    def mean(self, values, weights, count):
        if "16" in self.layer["dtypes"]["input"]:
            count = rounded(count, "float16")
        return super().mean(values, weights, count)


class FoldedFactorInHalf(Correct):
    """Inference folds scale and statistics into a factor of bfloat16."""

    fault, clause = "folded factor in half precision", ("forward.inference", "precision.centring", "precision.bound")

    def normalise(self, values, mean, variance, scale, offset):
        batch = self.tape_batch
        if batch is None or variance is not batch.variance:
            scale = (bfloat16_bits(scale * self.inverse(variance)).astype(np.uint32) << 16).view(np.float32)
            scale = scale.astype(variance.dtype) / self.inverse(variance)
        return super().normalise(values, mean, variance, scale, offset)

    tape_batch = None

    def statistics(self, values, weights):
        self.tape_batch = super().statistics(values, weights)
        return self.tape_batch
