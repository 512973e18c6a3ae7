"""How implementations compute: each formulation in its type, every operation rounded, in plain NumPy.

The reference is what is right, the allowance how far a formulation may be off; this is one implementation of
each formulation, so that both can be tried: the allowance must hold what is computed here, and a case that
claims to tell two formulations apart must find the worse one outside the allowance of the better.

Values are rows: arrays of shape (channels, N). float16 and bfloat16 are held as the float32 of the same value
and rounded after every operation.
"""

import numpy as np
from numpy.typing import ArrayLike

from bnspec.reference.allowance import UNIT, Arithmetic
from bnspec.reference.statistics import Array, Floats, Moments

TYPE = {unit: name for name, unit in UNIT.items()}


def rounded(values: ArrayLike, dtype: str) -> Array:
    """Return numbers rounded to a type, to the nearest, ties to even; a half is held as a float32."""
    with np.errstate(over="ignore"):
        if dtype == "float64":
            return np.asarray(values, dtype=np.float64)
        single = np.asarray(values, dtype=np.float32)
        if dtype == "float16":
            return single.astype(np.float16).astype(np.float32)
    if dtype == "bfloat16":
        bits = np.ascontiguousarray(single).view(np.uint32)
        nearest = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
        return np.where(np.isfinite(single), nearest.view(np.float32), single).reshape(single.shape)
    return single


def wide_sum(values: Array, dtype: str) -> Array:
    """Return the sum of every row, halves added to halves: log₂ N roundings."""
    while (n := values.shape[1]) > 1:
        half = n // 2
        pairs = rounded(values[:, :half] + values[:, half : 2 * half], dtype)
        values = np.concatenate([pairs, values[:, 2 * half :]], axis=1)
    return values[:, 0]


def sequential_sum(values: Array, dtype: str) -> Array:
    """Return the sum of every row, one value after the other: N roundings."""
    if "16" not in dtype:
        return np.cumsum(values, axis=1)[:, -1]
    total = values[:, 0]
    for column in np.ascontiguousarray(values.T)[1:]:
        total = rounded(total + column, dtype)
    return total


SUMS = {"wide": wide_sum, "sequential": sequential_sum}


def row_moments(rows: Array, kind: str, accumulation: str, dtype: str) -> tuple[Array, Array]:
    """Return mean and population variance of every row.

    kind: `two-pass`; `updating`; `one-pass`, E[x²] − E[x]²; `one-pass-clamped`, the same and at least 0.
    """
    if kind == "updating":
        return welford(rows, dtype) if accumulation == "sequential" else chan(rows, dtype)
    total, n = SUMS[accumulation], rows.dtype.type(rows.shape[1])
    mean = rounded(total(rows, dtype) / n, dtype)
    if kind == "two-pass":
        deviation = rounded(rows - mean[:, None], dtype)
        return mean, rounded(total(rounded(deviation * deviation, dtype), dtype) / n, dtype)
    square = rounded(total(rounded(rows * rows, dtype), dtype) / n, dtype)
    variance = rounded(square - rounded(mean * mean, dtype), dtype)
    return mean, np.maximum(variance, 0) if kind == "one-pass-clamped" else variance


def welford(rows: Array, dtype: str) -> tuple[Array, Array]:
    """Mean and variance by one chain of updates (Welford 1962)."""
    mean, squares = rows[:, 0], np.zeros_like(rows[:, 0])
    for count, value in enumerate(np.ascontiguousarray(rows.T)[1:], start=2):
        delta = rounded(value - mean, dtype)
        mean = rounded(mean + rounded(delta / rows.dtype.type(count), dtype), dtype)
        squares = rounded(squares + rounded(delta * rounded(value - mean, dtype), dtype), dtype)
    return mean, rounded(squares / rows.dtype.type(rows.shape[1]), dtype)


def chan(rows: Array, dtype: str) -> tuple[Array, Array]:
    """Mean and variance by merging neighbours, then neighbours of those (Chan, Golub and LeVeque 1983)."""
    return merged(rows, np.zeros_like(rows), np.ones(rows.shape[1], rows.dtype), dtype)


def merged(mean: Array, squares: Array, count: Array, dtype: str) -> tuple[Array, Array]:
    """Return mean and variance of rows whose chunks have these means, sums of squared deviations and counts."""
    n = count.sum()
    while mean.shape[1] > 1:
        even = mean.shape[1] // 2 * 2
        (a, b), (sa, sb), (na, nb) = ((part[..., 0:even:2], part[..., 1:even:2]) for part in (mean, squares, count))
        delta = rounded(b - a, dtype)
        middle = rounded(a + rounded(delta * (nb / (na + nb)), dtype), dtype)
        between = rounded(rounded(delta * delta, dtype) * (na * nb / (na + nb)), dtype)
        pairs = (middle, rounded(rounded(sa + sb, dtype) + between, dtype), na + nb)
        mean, squares, count = (
            np.concatenate([pair, part[..., even:]], axis=-1)
            for pair, part in zip(pairs, (mean, squares, count), strict=True)
        )
    return mean[:, 0], rounded(squares[:, 0] / n, dtype)


def row_output(
    rows: Array, mean: Array, variance: Array, scale: Array, offset: Array, *, epsilon: float, folded: bool, dtype: str
) -> Array:
    """Return scale·(x − mean)·r + offset, or folded into x·k + b with k = scale·r and b = offset − mean·k."""
    r = inverse(variance, epsilon, dtype)
    if folded:
        factor = rounded(scale * r, dtype)
        rest = rounded(offset - rounded(mean * factor, dtype), dtype)
        return rounded(rounded(rows * factor[:, None], dtype) + rest[:, None], dtype)
    normalized = rounded(rounded(rows - mean[:, None], dtype) * r[:, None], dtype)
    return rounded(rounded(normalized * scale[:, None], dtype) + offset[:, None], dtype)


def inverse(variance: Array, epsilon: float, dtype: str) -> Array:
    """Return 1/√(variance + ε)."""
    root = rounded(np.sqrt(rounded(variance + variance.dtype.type(epsilon), dtype)), dtype)
    return rounded(1 / root, dtype)


def row_gradients(
    rows: Array,
    dy: Array,
    mean: Array,
    r: Array,
    scale: Array,
    *,
    accumulation: str,
    dtype: str,
    shown: str,
    apart: bool,
) -> tuple[Array, Array, Array]:
    """Return dx, dscale, doffset of a training step.

    shown: the type of dx; apart: its three parts are rounded to that type before they are added, as automatic
    differentiation does.
    """
    total, n = SUMS[accumulation], rows.dtype.type(rows.shape[1])
    normalized = rounded(rounded(rows - mean[:, None], dtype) * r[:, None], dtype)
    doffset, dscale = total(dy, dtype), total(rounded(dy * normalized, dtype), dtype)
    factor = rounded(scale * r, dtype)[:, None]
    by_mean = rounded(doffset / n, dtype)[:, None]
    by_variance = rounded(normalized * rounded(dscale / n, dtype)[:, None], dtype)
    if apart:
        first, second, third = (rounded(factor * part, shown) for part in (dy, by_mean, by_variance))
        return rounded(rounded(first - second, shown) - third, shown), dscale, doffset
    inner = rounded(rounded(dy - by_mean, dtype) - by_variance, dtype)
    return rounded(factor * inner, shown), dscale, doffset


def as_rows(x: ArrayLike, axis: int, dtype: str) -> Array:
    """Return x as rows, rounded to a type."""
    moved = np.moveaxis(np.asarray(x), axis, 0)
    return np.ascontiguousarray(rounded(moved.reshape(moved.shape[0], -1), dtype))


def moments(x: ArrayLike, *, axis: int, arithmetic: Arithmetic) -> Moments:
    """Return a batch's statistics as an implementation of this arithmetic computes them."""
    dtype = TYPE[arithmetic.unit_roundoff]
    rows = as_rows(x, axis, dtype)
    with np.errstate(all="ignore"):
        found = row_moments(rows, arithmetic.moments, arithmetic.accumulation, dtype)
    storage = TYPE[arithmetic.storage] if arithmetic.storage else dtype
    mean, variance = (rounded(part, storage).astype(np.float64) for part in found)
    return Moments(mean, variance, np.full(mean.shape, rows.shape[1], dtype=np.int64))


def output(
    x: ArrayLike,
    *,
    mean: Floats,
    variance: Floats,
    scale: ArrayLike = 1.0,
    offset: ArrayLike = 0.0,
    epsilon: float,
    axis: int,
    arithmetic: Arithmetic,
) -> Floats:
    """Return the output, the shape of x, as an implementation of this arithmetic computes it."""
    dtype, shape = TYPE[arithmetic.unit_roundoff], np.shape(x)
    rows = as_rows(x, axis, dtype)
    channels = [rounded(np.broadcast_to(c, mean.shape), dtype) for c in (mean, variance, scale, offset)]
    with np.errstate(all="ignore"):
        y = row_output(rows, *channels, epsilon=epsilon, folded=not arithmetic.centred, dtype=dtype)
    moved = np.moveaxis(np.empty(shape, dtype=bool), axis, 0).shape
    return np.asarray(np.moveaxis(y.reshape(moved), 0, axis), dtype=np.float64)
