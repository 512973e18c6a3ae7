"""The gradients of the forward pass."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bnspec.reference.statistics import Floats, moments, parts, put, values_of


@dataclass(frozen=True)
class Gradients:
    """Gradients of a loss by x (the shape of x), scale and offset (shape (channels,))."""

    x: Floats
    scale: Floats
    offset: Floats


def training_gradients(
    x: ArrayLike,
    dy: ArrayLike,
    *,
    scale: ArrayLike | None = None,
    epsilon: float,
    axis: int = -1,
    statistics: str = "through",
) -> Gradients:
    """Gradients of a training step, given dy, the gradient of the loss by its output.

    With x̂ = (x − μ)·r, r = 1/√(σ² + ε): doffset = Σdy, dscale = Σdy·x̂ and
    dx = scale·r·(dy − doffset/N − x̂·dscale/N) (Ioffe and Szegedy 2015, arXiv:1502.03167, section 3), for
    `statistics="through"`. `"detached"` treats μ and σ² as constants: dx = scale·r·dy.
    Raises ValueError for another name, or where dy and x differ in shape.
    """
    if statistics not in ("through", "detached"):
        raise ValueError(f"statistics {statistics!r}; expected through or detached")
    batch = moments(x, axis=axis)
    through = statistics == "through"
    return gradients(x, dy, batch.mean, batch.variance, scale, epsilon=epsilon, axis=axis, through=through)


def inference_gradients(
    x: ArrayLike,
    dy: ArrayLike,
    *,
    mean: ArrayLike,
    variance: ArrayLike,
    scale: ArrayLike | None = None,
    epsilon: float,
    axis: int = -1,
) -> Gradients:
    """Gradients with stored statistics: dx = scale·dy·r, dscale = Σdy·x̂, doffset = Σdy.

    r = 1/√(variance + ε), x̂ = (x − mean)·r. Raises ValueError where dy and x differ in shape.
    """
    return gradients(x, dy, mean, variance, scale, epsilon=epsilon, axis=axis, through=False)


def gradients(
    x: ArrayLike,
    dy: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    scale: ArrayLike | None,
    *,
    epsilon: float,
    axis: int,
    through: bool,
) -> Gradients:
    """Return the gradients, through the statistics or with these as constants."""
    values, upstream = np.asarray(x), np.asarray(dy)
    if upstream.shape != values.shape:
        raise ValueError(f"dy of shape {upstream.shape}; expected {values.shape}, the shape of x")
    with np.errstate(invalid="ignore", divide="ignore"):
        r = 1 / np.sqrt(np.asarray(variance, dtype=np.float64) + epsilon)
        factor = r if scale is None else r * np.asarray(scale, dtype=np.float64)
        dx, dscale, doffset = np.empty(values.shape), np.empty(r.shape), np.empty(r.shape)
        for part, where in parts(values, axis):
            dy_rows, normalised = values_of(upstream[part], axis), values_of(values[part], axis)
            normalised -= np.asarray(mean, dtype=np.float64)[where, None]
            normalised *= r[where, None]
            doffset[where] = dy_rows.sum(axis=1)
            dscale[where] = (dy_rows * normalised).sum(axis=1)
            dy_rows *= factor[where, None]
            if through:
                n = normalised.shape[1]
                dy_rows -= (factor[where] * doffset[where] / n)[:, None]
                dy_rows -= np.multiply(normalised, (factor[where] * dscale[where] / n)[:, None], out=normalised)
            put(dy_rows, dx[part], axis)
    return Gradients(dx, dscale, doffset)
