"""The arithmetic of a batch normalization layer: what `correct.Correct` computes, and in which type.

Values are rows: an array of shape (channels, N), one row per channel, so that a sum along a row is pairwise.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from bnspec.worker.adapter import Adapter, bfloat16

Array = Any
CHUNK = 256


@dataclass
class Batch:
    """The statistics of a batch, each of shape (channels,). count: how many values entered them."""

    mean: Array
    variance: Array
    count: Array


@dataclass
class Call:
    """What the gradient of one call needs. share: of every value in the batch's statistics, 0 if they are constants."""

    values: Array
    shape: tuple[int, ...]
    mean: Array
    variance: Array
    share: Array
    batch: Batch | None = None


def rounded(values: Array, dtype: str) -> Array:
    """Return numbers rounded to a type, as float32 (or float64 where that is the type)."""
    if dtype == "bfloat16":
        return (bfloat16_bits(values).astype(np.uint32) << 16).view(np.float32)
    held = np.asarray(values).astype(dtype)
    return held.astype(np.float32) if dtype == "float16" else held


def bfloat16_bits(values: Array) -> Array:
    """Return the bits of the nearest bfloat16, ties to even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    up = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return np.where(np.isnan(values), np.uint16(0x7FC0), up)


def shown(values: Array, dtype: str) -> Array:
    """Return numbers in the type in which the layer hands them out."""
    return bfloat16(bfloat16_bits(values)) if dtype == "bfloat16" else np.asarray(values).astype(dtype)


class Arithmetic(Adapter):
    """How to compute; every attribute is a legitimate choice."""

    formulation = "two-pass"  # or one-pass, one-pass-clamped, welford
    summation = "pairwise"  # or sequential, tree (pairwise by hand), float64
    folded = False  # x·k + b in place of (x − mean)·r
    inside = ""  # the type to compute in, whatever the layer's
    epsilon_floor = None  # TensorFlow's for cuDNN is 1.001e-5
    stored_variance = "population"
    averaging = "exponential"
    momentum_weight = "old"
    gradient = "through"
    mask_use = "excluded"  # or weighted, included
    half_statistics = "float32"
    half_output = "input"
    state_dtype = "parameter"

    # Types

    @property
    def inner(self) -> str:
        """The type of the arithmetic."""
        return self.inside or ("float64" if self.layer["dtypes"]["input"] == "float64" else "float32")

    def own(self, number: float) -> Any:
        """Return a number in the type of the arithmetic."""
        return np.dtype(self.inner).type(number)

    @property
    def output_type(self) -> str:
        """The type of the output."""
        kind = self.layer["dtypes"]["input"]
        return "float32" if "16" in kind and self.half_output == "float32" else kind

    @property
    def parameter_type(self) -> str:
        """The type of scale and offset."""
        return self.layer["dtypes"]["parameters"]

    @property
    def state_type(self) -> str:
        """The type of the stored statistics."""
        dtypes = self.layer["dtypes"]
        promoted = "float32" if "16" in dtypes["input"] else dtypes["input"]
        return {"parameter": dtypes["parameters"], "input": dtypes["input"], "promoted": promoted}[self.state_dtype]

    @property
    def epsilon(self) -> float:
        """The ε in effect."""
        return max(self.layer["epsilon"], self.epsilon_floor or self.layer["epsilon"])

    # Rows

    def rows(self, x: Array) -> Array:
        """Return x as rows in the type of the arithmetic."""
        moved = np.moveaxis(x, self.layer["axis"], 0)
        return np.ascontiguousarray(moved.reshape(moved.shape[0], -1 if x.size else 0), dtype=self.inner)

    def back(self, values: Array, shape: tuple[int, ...]) -> Array:
        """Return rows as an array of the shape of x."""
        axis = self.layer["axis"] % len(shape)
        moved = values.reshape((shape[axis], *shape[:axis], *shape[axis + 1 :]))
        return np.ascontiguousarray(np.moveaxis(moved, 0, axis))

    def weights(self, mask: Array, shape: tuple[int, ...]) -> Array:
        """Return the weight of every value of a row; None where all count alike."""
        if mask is None or self.mask_use == "included":
            return None
        axis = self.layer["axis"] % len(shape)
        full = np.broadcast_to(mask, shape[:axis] + shape[axis + 1 :])
        return np.ascontiguousarray(full, dtype=self.inner).reshape(-1)

    # Statistics

    def total(self, values: Array) -> Array:
        """Return the sum of every row."""
        if self.summation == "sequential":
            return np.cumsum(values, axis=1)[:, -1] if values.shape[1] else values.sum(axis=1)
        if self.summation == "tree":
            return tree(values)
        if self.summation == "float64":
            return values.sum(axis=1, dtype=np.float64).astype(values.dtype)
        return values.sum(axis=1)

    def statistics(self, values: Array, weights: Array) -> Batch:
        """Return the statistics of a batch; weights: of every value in a row, or None."""
        if weights is None:
            count = np.full(len(values), values.shape[1], values.dtype)
        else:
            count = np.full(len(values), weights.sum(), values.dtype)
            if self.mask_use == "excluded":
                values = np.where(weights > 0, values, values.dtype.type(0))
        mean = self.mean(values, weights, count)
        return self.held(Batch(mean, self.variance(values, weights, mean, count), count))

    def mean(self, values: Array, weights: Array, count: Array) -> Array:
        """Return the mean of every row."""
        return self.total(values if weights is None else values * weights) / count

    def variance(self, values: Array, weights: Array, mean: Array, count: Array) -> Array:
        """Return the population variance of every row."""
        if self.formulation == "welford" and weights is None:
            return welford(values) / count
        if self.formulation.startswith("one-pass"):
            square = self.total(values**2 if weights is None else values**2 * weights) / count
            variance = square - mean**2
            return np.maximum(variance, 0) if self.formulation == "one-pass-clamped" else variance
        deviation = (values - mean[:, None]) ** 2
        return self.total(deviation if weights is None else deviation * weights) / count

    def held(self, batch: Batch) -> Batch:
        """Return the statistics as they are held until they are used."""
        kind = self.layer["dtypes"]["input"]
        if "16" in kind and self.half_statistics == "rounded":
            return Batch(rounded(batch.mean, kind), rounded(batch.variance, kind), batch.count)
        return batch

    # The moving statistics

    @property
    def keep(self) -> float:
        """The weight of the old statistic."""
        momentum = self.layer["momentum"] or {"keep": 0.9}
        if "raw" in momentum:
            return momentum["raw"] if self.momentum_weight == "old" else 1 - momentum["raw"]
        return momentum.get("keep", 0.0)

    def weight(self, count: int) -> float:
        """Return the weight of the new statistic in step `count`, of which 1 is the first."""
        averaging = "cumulative" if "cumulative" in (self.layer["momentum"] or {}) else self.averaging
        if averaging == "cumulative":
            return 1 / count
        if averaging == "first-batch" and count == 1:
            return 1.0
        if averaging == "debiased":
            return (1 - self.keep) / (1 - self.keep**count) if self.keep != 1 else np.nan
        return 1 - self.keep

    def estimate(self, batch: Batch) -> Array:
        """Return the estimate of the variance that enters the moving one."""
        n, epsilon = batch.count, self.layer["epsilon"]
        if self.stored_variance == "population" or (n == 1).all():
            return batch.variance
        factor = {
            "sample": n / (n - 1),
            "sample-epsilon": n / (n - 1 - epsilon),
            "sample-twice": n / (n - 1) * (n / (n - 1 - epsilon)),
            "sample-epsilon-padded": n / (n - 1 - epsilon),
        }
        padding = epsilon if self.stored_variance == "sample-epsilon-padded" else 0.0
        return (batch.variance + padding) * factor[self.stored_variance]

    def blend(self, old: Array, new: Array, weight: float) -> Array:
        """Return (1 − weight)·old + weight·new."""
        if weight in (0, 1):
            return (old, new)[int(weight)]
        return (1 - weight) * old + weight * new

    # Output and gradients

    def inverse(self, variance: Array) -> Array:
        """Return 1/√(variance + ε)."""
        return 1 / np.sqrt(variance + variance.dtype.type(self.epsilon))

    def normalise(self, values: Array, mean: Array, variance: Array, scale: Array, offset: Array) -> Array:
        """Return scale·(values − mean)/√(variance + ε) + offset."""
        r = self.inverse(variance)
        if self.folded:
            factor = scale * r
            return values * factor[:, None] + (offset - mean * factor)[:, None]
        return (values - mean[:, None]) * r[:, None] * scale[:, None] + offset[:, None]

    def gradients(self, call: Call, dy: Array, scale: Array) -> tuple[Array, Array, Array]:
        """Return the gradients of one call by x (as rows), scale and offset."""
        r = self.inverse(call.variance)
        xhat = (call.values - call.mean[:, None]) * r[:, None]
        dscale, doffset = self.total(dy * xhat), self.total(dy)
        if call.batch is not None:
            dy = self.through(dy, xhat, dscale, doffset, call.share)
        return (scale * r)[:, None] * dy, dscale, doffset

    def through(self, dy: Array, xhat: Array, dscale: Array, doffset: Array, share: Array) -> Array:
        """Return dy without what goes through the batch's statistics; share: of every value in them."""
        if self.gradient == "detached":
            return dy
        return dy - doffset[:, None] * share - xhat * dscale[:, None] * share


def tree(values: Array) -> Array:
    """Return the sum of every row, halves added to halves."""
    if not values.shape[1]:
        return values.sum(axis=1)
    while (n := values.shape[1]) > 1:
        half = (n + 1) // 2
        left = values[:, :half].copy()
        left[:, : n - half] += values[:, half:]
        values = left
    return values[:, 0]


def welford(values: Array) -> Array:
    """Return the sum of squared deviations of every row: chunks in two passes, merged in pairs as Chan does."""
    parts = []
    for start in range(0, values.shape[1], CHUNK):
        chunk = values[:, start : start + CHUNK]
        mean = chunk.sum(axis=1) / chunk.dtype.type(chunk.shape[1])
        parts.append((chunk.shape[1], mean, ((chunk - mean[:, None]) ** 2).sum(axis=1)))
    while len(parts) > 1:
        merged = [merge(a, b) for a, b in zip(parts[::2], parts[1::2], strict=False)]
        parts = merged + parts[2 * len(merged) :]
    return parts[0][2] if parts else values.sum(axis=1)


def merge(a: tuple[int, Array, Array], b: tuple[int, Array, Array]) -> tuple[int, Array, Array]:
    """Merge count, mean and squared deviations of two parts (Chan, Golub and LeVeque 1979)."""
    n, delta = a[0] + b[0], b[1] - a[1]
    return n, a[1] + delta * (b[0] / n), a[2] + b[2] + delta**2 * (a[0] * b[0] / n)
