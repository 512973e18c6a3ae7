"""Batch statistics: mean and population variance of every channel."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Statistics of one batch, each of shape (channels,).

    mean: the arithmetic mean; variance: the population variance (divided by count); count: the number of
    values that entered them, or the sum of their weights.
    """

    mean: Floats
    variance: Floats
    count: NDArray[np.int64] | Floats


def rows(x: ArrayLike, axis: int) -> Floats:
    """Return x as float64 of shape (values per channel, channels), in the order of x."""
    array = np.asarray(x, dtype=np.float64)
    if array.ndim < 1:
        raise ValueError("x has rank 0; expected at least rank 1, with a channel axis")
    if not -array.ndim <= axis < array.ndim:
        raise ValueError(f"axis {axis} is outside x of shape {array.shape}")
    moved = np.moveaxis(array, axis, -1)
    return moved.reshape(-1, moved.shape[-1]) if moved.shape[-1] else moved.reshape(0, 0)


def total(values: Floats) -> Floats:
    """Return the sum over the rows, shape (channels,).

    NumPy sums pairwise only along the contiguous axis; down a column it adds row by row, and with many rows
    the error would exceed what a correct float64 implementation is allowed.
    """
    return np.asarray(np.ascontiguousarray(values.T).sum(axis=1), dtype=np.float64)


def along(channels: ArrayLike, *, axis: int, rank: int) -> NDArray[Any]:
    """Reshape an array of shape (channels,) so that it broadcasts along `axis` of an array of that rank."""
    shape = [1] * rank
    shape[axis] = -1
    return np.reshape(np.asarray(channels), shape)


def moments(x: ArrayLike, *, axis: int = -1, mask: ArrayLike | None = None) -> Moments:
    """Mean, population variance and count of every channel of x, over all its other axes.

    mean = Σx/N and variance = Σ(x − mean)²/N, two passes in float64 (Ioffe and Szegedy 2015,
    arXiv:1502.03167, algorithm 1).

    x: any shape of rank ≥ 1; axis: its channel axis; mask: booleans that broadcast to x, True where a value
    counts, or weights, whose sum then is the count; what has weight 0 may be anything. Without values (an empty batch, everything masked) mean and variance are NaN and count is 0.
    Raises ValueError for a rank of 0, an axis outside x, or a mask that does not broadcast to x.
    """
    values = rows(x, axis)
    if mask is None:
        count = np.full(values.shape[1], values.shape[0], dtype=np.int64)
        weights = np.ones((1, 1))
    else:
        shape = np.shape(x)
        try:
            full = np.broadcast_to(np.asarray(mask, dtype=np.float64), shape)
        except ValueError:
            raise ValueError(f"mask of shape {np.shape(mask)} does not broadcast to x of shape {shape}") from None
        weights = rows(full, axis)
        count = weights.sum(axis=0)
        values = np.where(weights > 0, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total(weights * values) / count
        variance = total(weights * (values - mean) ** 2) / count
    return Moments(mean, variance, count)
