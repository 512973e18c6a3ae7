"""Correct implementations that compute in another way, in the dialect of Correct (halves apart).

`imprecise` marks those that are less accurate by design: `precision.bound` may say so, and nothing else.
"""

import numpy as np
from arithmetic import Batch, rounded, tree
from correct import Correct


class Welford(Correct):
    """Chunks of deviations, merged as Chan does."""

    formulation = "welford"


class FoldedWelford(Correct):
    """Merged chunks, and one factor and one summand, as fused kernels are."""

    formulation, folded = "welford", True


class Pairwise(Correct):
    """Sums by hand, halves added to halves."""

    summation = "tree"


class Folded(Correct):
    """Scale and statistics folded into one factor and one summand."""

    folded = True


class Float64Sums(Correct):
    """Only the sums are float64."""

    summation = "float64"


class Float64Inside(Correct):
    """Everything is float64 inside."""

    inside = "float64"


class OnePassInFloat64(Correct):
    """E[x²] − E[x]² in float64 for a float32 layer: as good as two passes."""

    inside = "float64"

    @property
    def formulation(self):
        return "two-pass" if self.layer["dtypes"]["input"] == "float64" else "one-pass"


class OnePass(Correct):
    """E[x²] − E[x]²."""

    formulation = "one-pass"
    imprecise = True


class OnePassClamped(Correct):
    """E[x²] − E[x]², at least 0."""

    formulation = "one-pass-clamped"
    imprecise = True


class Sequential(Correct):
    """One value after the other."""

    summation = "sequential"
    imprecise = True


class HalvesRounded(Correct):
    """The statistics of halves are held as halves; their output is float32."""

    half_statistics, half_output, state_dtype = "rounded", "float32", "promoted"
    imprecise = True


class HalvesPassed(Correct):
    """Half input: what is stored and the gradients of the parameters pass through its type (Keras 3.0)."""

    imprecise = True

    def store(self, statistics):
        super().store({name: self.passed(value) for name, value in statistics.items()})

    def backward(self, dy):
        return {name: value if name == "x" else self.passed(value) for name, value in super().backward(dy).items()}

    def passed(self, value):
        dtypes = self.layer["dtypes"]
        mixed = "16" in dtypes["input"] and dtypes["parameters"] != dtypes["input"]
        return rounded(value, dtypes["input"]) if mixed else value


class HalvesThroughout(Correct):
    """Every operation of the statistics of halves is rounded to a half."""

    state_dtype = "input"
    imprecise = True

    def statistics(self, values, weights):
        kind = self.layer["dtypes"]["input"]
        if "16" not in kind or weights is not None:
            return super().statistics(values, weights)
        n = max(values.shape[1], 1)
        mean = rounded(halved(values, kind) / n, kind)
        deviation = rounded(rounded(values - mean[:, None], kind) ** 2, kind)
        count = np.full(len(values), values.shape[1], values.dtype)
        return Batch(mean, rounded(halved(deviation, kind) / n, kind), count)


def halved(values, kind):
    """Return the sum of every row, halves added to halves, each sum rounded."""
    while (n := values.shape[1]) > 1:
        half = (n + 1) // 2
        pairs = rounded(values[:, : n - half] + values[:, half:], kind)
        values = np.concatenate([pairs, values[:, n - half : half]], axis=1)
    return tree(values)


class Float32InFloat64(Correct):
    """A float64 layer that computes in float32."""

    inside = "float32"
    imprecise = True
