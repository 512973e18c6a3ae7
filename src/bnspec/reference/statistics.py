"""Batch statistics: mean and population variance of every channel."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
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


PART = 1 << 18
"""Values that are worked on at a time: some megabytes of float64, whatever the size of x."""

PIECE = 1 << 15
"""Of these, so many at a time where each number is computed by itself: what is in between stays in a core's cache."""

RUN = 16
"""Channels that are taken together where they lie side by side: less would read every cache line again."""


def parts(x: Array, axis: int) -> Iterator[tuple[tuple[slice, ...], slice]]:
    """Yield the parts of x in which it is worked on, a few channels each: the index into x and the channels.

    Channel after channel, because NumPy sums pairwise only along the contiguous axis; down a column it adds row
    by row, and with many rows the error would exceed what a correct float64 implementation is allowed.

    Raises ValueError for a rank of 0 or an axis outside x.
    """
    if x.ndim < 1:
        raise ValueError("x has rank 0; expected at least rank 1, with a channel axis")
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"axis {axis} is outside x of shape {x.shape}")
    place, channels = axis % x.ndim, x.shape[axis]
    side_by_side = math.prod(x.shape[place + 1 :]) < RUN
    step = max(PART * channels // max(x.size, 1), RUN if side_by_side else 1)
    for start in range(0, channels, step):
        where = slice(start, start + step)
        yield (*[slice(None)] * place, where), where


def pieces(x: Array, axis: int) -> Iterator[tuple[tuple[slice, ...], slice]]:
    """Yield the parts of x cut along its first axis too: for numbers of which each is computed by itself.

    Nothing is summed over a piece, so that no number depends on the cut.
    """
    for part, where in parts(x, axis):
        if not axis % x.ndim:
            yield part, where
            continue
        step = max(PIECE * len(x) // max(x[part].size, 1), 1)
        for start in range(0, len(x), step):
            yield (slice(start, start + step), *part[1:]), where


def values_of(x: Array, axis: int) -> Floats:
    """Return x as float64 of shape (channels, values per channel), contiguous; a copy, in the order of x."""
    moved = np.moveaxis(x, axis, 0)
    found = np.empty((moved.shape[0], math.prod(moved.shape[1:])))
    found.reshape(moved.shape)[...] = moved
    return found


def blocks(shape: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Yield the blocks of rows of values in which each number is computed by itself."""
    rows, columns = shape
    for start in range(0, rows, high := max(PIECE // max(columns, 1), 1)):
        for left in range(0, columns, PIECE):
            yield slice(start, start + high), slice(left, left + PIECE)


def put(found: Floats, out: Floats, axis: int) -> None:
    """Write rows of shape (channels, values per channel) into a part of an array."""
    moved = np.moveaxis(out, axis, 0)
    moved[...] = found.reshape(moved.shape)


def piecewise(compute: Callable[..., Array], x: ArrayLike, *channels: ArrayLike, axis: int) -> Floats:
    """Return compute(x, *channels), in which every number depends on one of x and on those of its channel.

    compute: of a float64 part of x, a copy that it may change, and of arrays that broadcast to it.
    """
    array = np.asarray(x)
    out = np.empty(array.shape)
    vectors = [np.asarray(vector, dtype=np.float64) for vector in channels]
    for part, where in pieces(array, axis):
        wide = [along(vector[where], axis=axis, rank=array.ndim) for vector in vectors]
        out[part] = compute(array[part].astype(np.float64), *wide)
    return out


def rows(x: ArrayLike, axis: int) -> Floats:
    """Return x as float64 of shape (values per channel, channels), in the order of x."""
    moved = np.moveaxis(np.asarray(x, dtype=np.float64), axis, -1)
    return moved.reshape(-1, moved.shape[-1]) if moved.shape[-1] else moved.reshape(0, 0)


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
    counts, or weights, whose sum then is the count; what has weight 0 may be anything. Without values (an empty
    batch, everything masked) mean and variance are NaN and count is 0.
    Raises ValueError for a rank of 0, an axis outside x, or a mask that does not broadcast to x.
    """
    array = np.asarray(x)
    weights = None if mask is None else broadcast(mask, array.shape)
    found = [part_moments(array, part, axis, weights) for part, _ in parts(array, axis)]
    mean, variance, count = (np.concatenate(numbers) for numbers in zip(*found, strict=True)) if found else NOTHING
    return Moments(mean, variance, count)


NOTHING = (np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))


def mean_size(x: ArrayLike, *, axis: int = -1, mask: ArrayLike | None = None) -> Floats:
    """Return mean |x| of every channel, shape (channels,); arguments as in `moments`."""
    array = np.asarray(x)
    weights = None if mask is None else broadcast(mask, array.shape)
    found = []
    for part, _ in parts(array, axis):
        size = np.abs(values := values_of(array[part], axis), out=values)
        with np.errstate(invalid="ignore", divide="ignore"):
            if weights is None:
                found.append(size.sum(axis=1) / size.shape[1])
            else:
                weight = values_of(weights[part], axis)
                size[weight <= 0] = 0.0
                found.append((weight * size).sum(axis=1) / weight.sum(axis=1))
    return np.concatenate(found) if found else np.zeros(0)


def part_moments(x: Array, part: tuple[slice, ...], axis: int, weights: Array | None) -> tuple[Array, ...]:
    """Return mean, variance and count of the channels of one part of x."""
    values = values_of(x[part], axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        if weights is None:
            count = np.full(len(values), values.shape[1], dtype=np.int64)
            mean = values.sum(axis=1) / count
            values -= mean[:, None]
            return mean, np.square(values, out=values).sum(axis=1) / count, count
        weight = values_of(weights[part], axis)
        total = weight.sum(axis=1)
        values[weight <= 0] = 0.0
        mean = (weight * values).sum(axis=1) / total
        values -= mean[:, None]
        return mean, (weight * np.square(values, out=values)).sum(axis=1) / total, total


def broadcast(mask: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Return a mask in the shape of x."""
    try:
        return np.broadcast_to(np.asarray(mask, dtype=np.float64), shape)
    except ValueError:
        raise ValueError(f"mask of shape {np.shape(mask)} does not broadcast to x of shape {shape}") from None
