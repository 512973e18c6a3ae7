"""How far a correct implementation may be from the reference, number by number.

An allowance Δ is a bound on |observed − expected| for an implementation that computes in a type of unit
roundoff u, with k = 4u. It grows with the data, never with the framework. Each function states its line of
the derivation in docs/numerics.md. Every number is additionally rounded to the type it is returned in:
`half_ulp`. Where an allowance is infinite the number decides nothing and must not be judged.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from bnspec.reference.gradients import Gradients
from bnspec.reference.statistics import (
    Floats,
    Moments,
    along,
    blocks,
    mean_size,
    moments,
    parts,
    piecewise,
    put,
    values_of,
)

UNIT = {"bfloat16": 2.0**-8, "float16": 2.0**-11, "float32": 2.0**-24, "float64": 2.0**-53}
"""The unit roundoff of each type: the relative error of one rounding."""


@dataclass(frozen=True)
class Arithmetic:
    """How an implementation computes.

    unit_roundoff: of its accumulation type (2⁻²⁴ for float32); moments: `two-pass`, `updating` (Welford,
    Chan), `one-pass` (E[x²] − E[x]²) or `one-pass-clamped` (the same, at least 0); accumulation: `wide`
    (pairwise, blocked or in a wider type) or `sequential`; storage: the unit roundoff of the type to which the
    statistics are rounded before they are used, 0 for none; centred: in inference the mean is subtracted
    before scaling; formulated: what such an implementation computes is asked, with its errors
    (reference.formulations), not what is right.
    """

    unit_roundoff: float = 2.0**-24
    moments: str = "two-pass"
    accumulation: str = "wide"
    storage: float = 0.0
    centred: bool = False
    formulated: bool = False

    @property
    def k(self) -> float:
        """The rounding of a short chain of operations: 4u."""
        return 4 * self.unit_roundoff

    def growth(self, n: int) -> float:
        """Return how the error of a sum of n terms grows: 1 + log₂(n)/4 if wide, n if sequential."""
        if self.accumulation == "sequential":
            return float(n)
        return 1 + float(np.log2(max(n, 1))) / 4


FLOAT32 = Arithmetic()


def undecided(bound: ArrayLike) -> Floats:
    """Return a bound with infinity where it is NaN: an infinite part times 0 decides nothing either."""
    return np.where(np.isnan(bound), np.inf, bound)


def half_ulp(value: ArrayLike, dtype: DTypeLike | str) -> Floats:
    """Return half the distance from `value`, rounded to dtype, to its neighbour: the error of rounding.

    dtype: of NumPy, or `bfloat16`, which keeps the first 8 bits of a float32's significand.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        if dtype == "bfloat16":
            near = np.abs(np.asarray(value)).astype(np.float32)
            spacing = np.spacing((near.view(np.uint32) & 0xFF800000).view(np.float32)).astype(np.float64) * 2.0**16
        else:
            spacing = np.spacing(np.abs(np.asarray(value)).astype(dtype))
    return np.asarray(spacing, dtype=np.float64) / 2


def of_moments(
    x: ArrayLike,
    *,
    axis: int = -1,
    mask: ArrayLike | None = None,
    arithmetic: Arithmetic = FLOAT32,
    batch: Moments | None = None,
    size: Floats | None = None,
) -> Moments:
    """Allowances of the batch's mean and population variance, shape (channels,).

    ΔM = k(a·mean|x| + |m|). ΔV = k(a+2)v + ΔM² for two passes; k(a+2)√(v(v+m²)) + ΔM² for updating;
    k(a+2)(mean x² + m²) + ΔM² for one pass. What is rounded to a storage type before use adds u_storage·|m| and
    u_storage·v. mask as in `moments`; batch, size: the moments and mean |x|, where they are known. Raises
    ValueError for another kind of moments.
    """
    batch = moments(x, axis=axis, mask=mask) if batch is None else batch
    size = mean_size(x, axis=axis, mask=mask) if size is None else size
    n = np.size(x) // max(len(batch.mean), 1)
    k, a = arithmetic.k, arithmetic.growth(n)
    mean = k * (a * size + np.abs(batch.mean))
    m2, v = batch.mean**2, batch.variance
    term = {"two-pass": v, "updating": np.sqrt(v * (v + m2)), "one-pass": v + 2 * m2, "one-pass-clamped": v + 2 * m2}
    if arithmetic.moments not in term:
        raise ValueError(f"moments {arithmetic.moments!r}; expected one of {', '.join(term)}")
    variance = k * (a + 2) * term[arithmetic.moments] + mean**2
    if arithmetic.storage:
        mean, variance = mean + arithmetic.storage * np.abs(batch.mean), variance + arithmetic.storage * v
    return Moments(mean, variance, batch.count)


def of_inverse_deviation(
    variance: Floats, allowance: ArrayLike, *, epsilon: float, arithmetic: Arithmetic = FLOAT32
) -> Floats:
    """Allowance of r = 1/√(variance + ε), shape (channels,): the ends of an interval, never a derivative.

    Infinite where variance − allowance + ε ≤ 0: there a correct implementation may give anything. What is
    rounded to a storage type before use adds u_storage·r.
    """
    delta = np.asarray(allowance, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = 1 / np.sqrt(variance + epsilon)
        low = np.maximum(variance - delta, 0) + epsilon
        up = 1 / np.sqrt(low) - r
        down = r - 1 / np.sqrt(variance + delta + epsilon)
        bound = np.maximum(up, down) + (arithmetic.k + arithmetic.storage) * r
    return np.where((variance - delta + epsilon <= 0) | ~np.isfinite(bound), np.inf, bound)


def of_normalized(
    x: ArrayLike,
    *,
    mean: Floats,
    variance: Floats,
    mean_allowance: ArrayLike = 0.0,
    variance_allowance: ArrayLike = 0.0,
    epsilon: float,
    axis: int = -1,
    arithmetic: Arithmetic = FLOAT32,
) -> Floats:
    """Allowance of x̂ = (x − mean)·r, the shape of x.

    Δx̂ = (r + Δr)(ΔM + k(|x| + |m|)) + |x − m|Δr + k|x̂|. In inference with given statistics ΔM = ΔV = 0, and
    where the mean is subtracted first (`centred`) k|x − m| takes the place of k(|x| + |m|).
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        r = 1 / np.sqrt(variance + epsilon)
    delta_r = of_inverse_deviation(variance, variance_allowance, epsilon=epsilon, arithmetic=arithmetic)
    delta_m = np.broadcast_to(np.asarray(mean_allowance, dtype=np.float64), mean.shape)
    with np.errstate(invalid="ignore"):
        return piecewise(partial(piece_of_normalized, arithmetic=arithmetic), x, mean, r, delta_r, delta_m, axis=axis)


def piece_of_normalized(
    values: Floats, m: Floats, r: Floats, delta_r: Floats, delta_m: Floats, *, arithmetic: Arithmetic
) -> Floats:
    """Return the line of `of_normalized` for some values, where the other arrays broadcast to them."""
    k, centred = arithmetic.k, np.abs(values - m)
    spread = centred if arithmetic.centred else np.abs(values) + np.abs(m)
    return undecided((r + delta_r) * (delta_m + k * spread) + centred * delta_r + k * centred * r)


def of_output(
    normalized: Floats,
    allowance: Floats,
    *,
    scale: ArrayLike = 1.0,
    offset: ArrayLike = 0.0,
    axis: int = -1,
    arithmetic: Arithmetic = FLOAT32,
) -> Floats:
    """Allowance of y = scale·x̂ + offset, the shape of x̂: |scale|Δx̂ + k(|scale·x̂| + |offset|)."""
    channels = (normalized.shape[axis],)
    gamma, beta = (np.broadcast_to(np.abs(np.asarray(c, dtype=np.float64)), channels) for c in (scale, offset))
    rank = normalized.ndim
    gamma, beta = along(gamma, axis=axis, rank=rank), along(beta, axis=axis, rank=rank)
    with np.errstate(invalid="ignore"):
        return undecided(gamma * allowance + arithmetic.k * (gamma * np.abs(normalized) + beta))


def of_stored(
    old: Floats,
    new: Floats,
    *,
    weight: float,
    old_allowance: ArrayLike = 0.0,
    new_allowance: ArrayLike,
    arithmetic: Arithmetic = FLOAT32,
) -> Floats:
    """Allowance of a moving statistic after one update, shape (channels,).

    (1 − w)·Δold + w·Δnew + k(|old| + |new|); the rounding term is not scaled by w. A weight of 0 must leave
    the old statistic as it is: its allowance is the old one. A weight of 1 forgets an unset (NaN) old one.
    """
    if weight == 0:
        return np.broadcast_to(np.asarray(old_allowance, dtype=np.float64), old.shape)
    if weight == 1:
        old, old_allowance = np.where(np.isnan(old), 0.0, old), 0.0
    rounding = arithmetic.k * (np.abs(old) + np.abs(new))
    return np.asarray((1 - weight) * np.asarray(old_allowance) + weight * np.asarray(new_allowance) + rounding)


def of_gradients(
    x: ArrayLike,
    dy: ArrayLike,
    gradients: Gradients,
    *,
    mean: Floats,
    variance: Floats,
    mean_allowance: ArrayLike = 0.0,
    variance_allowance: ArrayLike = 0.0,
    scale: ArrayLike = 1.0,
    epsilon: float,
    axis: int = -1,
    through_statistics: bool = True,
    half: float = 0.0,
    arithmetic: Arithmetic = FLOAT32,
) -> Gradients:
    """Allowances of the gradients that `gradients` holds, in the same shapes.

    doffset: ΔB = k·a·Σ|dy|. dscale: ΔG = k·a·Σ|dy·x̂| + (1 + k·a)Σ|dy|Δx̂. dx with
    g₀ = dy − Σdy/N − x̂·dscale/N: |scale|[(r + Δr)(k(|dy| + |x̂||dscale|/N) + ΔB/N + (|x̂| + Δx̂)ΔG/N +
    Δx̂|dscale|/N) + (Δr + k·r)|g₀|]. Where the statistics are constants (inference, detached) only dy is
    left of g₀: |scale|[(r + Δr)k|dy| + (Δr + k·r)|dy|].

    half: the unit roundoff of the type of x where it is a half. Automatic differentiation returns every part
    of dx in that type, and adds them in it: 2half·|scale|r(|dy| + |Σdy|/N + |x̂||dscale|/N) more.
    """
    values, upstream = np.asarray(x), np.asarray(dy)
    n = values.size // max(len(mean), 1)
    k, a = arithmetic.k, arithmetic.growth(n)
    delta_r = of_inverse_deviation(variance, variance_allowance, epsilon=epsilon, arithmetic=arithmetic)
    delta_m = np.broadcast_to(np.asarray(mean_allowance, dtype=np.float64), mean.shape)
    gamma = np.broadcast_to(np.abs(np.asarray(scale, dtype=np.float64)), mean.shape)
    found = Gradients(np.empty(values.shape), np.empty(mean.shape), np.empty(mean.shape))
    with np.errstate(invalid="ignore", divide="ignore"):
        r = 1 / np.sqrt(variance + epsilon)
        for part, where in parts(values, axis):
            vectors = (mean, r, delta_m, delta_r, gamma, gradients.scale, gradients.offset)
            m, root, error_m, error_r, factor, dscale, doffset = (vector[where, None] for vector in vectors)
            x_rows, dy_rows = values_of(values[part], axis), values_of(upstream[part], axis)
            xhat, delta_xhat, delta_x = (x_rows - m) * root, np.empty(x_rows.shape), np.empty(x_rows.shape)
            for block in blocks(x_rows.shape):
                own = (vector[block[0]] for vector in (m, root, error_r, error_m))
                delta_xhat[block] = piece_of_normalized(x_rows[block], *own, arithmetic=arithmetic)
            size = np.abs(dy_rows)
            delta_offset = k * a * size.sum(axis=1)
            delta_scale = k * a * (size * np.abs(xhat)).sum(axis=1) + (1 + k * a) * (size * delta_xhat).sum(axis=1)
            vectors = (factor, root, error_r, dscale, doffset, delta_scale[:, None], delta_offset[:, None])
            for block in blocks(x_rows.shape):
                own = (vector[block[0]] for vector in vectors)
                rows = (array[block] for array in (dy_rows, xhat, delta_xhat))
                delta_x[block] = piece_of_dx(*rows, *own, n=n, k=k, half=half, through_statistics=through_statistics)
            put(delta_x, found.x[part], axis)
            found.scale[where], found.offset[where] = undecided(delta_scale), delta_offset
    return found


def piece_of_dx(
    dy: Floats,
    xhat: Floats,
    delta_xhat: Floats,
    factor: Floats,
    root: Floats,
    error_r: Floats,
    dscale: Floats,
    doffset: Floats,
    delta_scale: Floats,
    delta_offset: Floats,
    *,
    n: int,
    k: float,
    half: float,
    through_statistics: bool,
) -> Floats:
    """Return the line of `of_gradients` for dx of some values, where the arrays of the channels broadcast to them."""
    size, xhat_size = np.abs(dy), np.abs(xhat)
    parts_of_dx = size
    if through_statistics:
        parts_of_dx = size + np.abs(doffset) / n + xhat_size * np.abs(dscale) / n
        g0 = dy - doffset / n - xhat * dscale / n
        inner = (
            k * (size + xhat_size * np.abs(dscale) / n)
            + delta_offset / n
            + (xhat_size + delta_xhat) * delta_scale / n
            + delta_xhat * np.abs(dscale) / n
        )
    else:
        g0, inner = dy, k * size
    delta_x = factor * ((root + error_r) * inner + (error_r + k * root) * np.abs(g0))
    if half:
        delta_x += 2 * half * factor * root * parts_of_dx
    return undecided(delta_x)


def of_loss(y: Floats, allowance: Floats, target: ArrayLike, *, arithmetic: Arithmetic = FLOAT32) -> float:
    """Allowance of the mean squared error over everything: mean(2|y − t|Δy + Δy²) + k(a + 2)·loss."""
    error = np.abs(y - np.asarray(target, dtype=np.float64))
    loss = float((error**2).mean())
    spread = float((2 * error * allowance + allowance**2).mean())
    return spread + arithmetic.k * (arithmetic.growth(error.size) + 2) * loss
