"""The gradients of the forward pass."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bnspec.reference.statistics import Floats, along, moments, rows, total


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
    fixed = inference_gradients(
        x, dy, mean=batch.mean, variance=batch.variance, scale=scale, epsilon=epsilon, axis=axis
    )
    if statistics == "detached":
        return fixed
    rank, n = np.ndim(x), batch.count
    with np.errstate(invalid="ignore", divide="ignore"):
        r = 1 / np.sqrt(batch.variance + epsilon)
        factor = r if scale is None else r * np.asarray(scale, dtype=np.float64)
        centred = np.asarray(x, dtype=np.float64) - along(batch.mean, axis=axis, rank=rank)
        normalised = centred * along(r, axis=axis, rank=rank)
        mean_term = along(factor * fixed.offset / n, axis=axis, rank=rank)
        variance_term = normalised * along(factor * fixed.scale / n, axis=axis, rank=rank)
        return Gradients(fixed.x - mean_term - variance_term, fixed.scale, fixed.offset)


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
    if np.shape(dy) != np.shape(x):
        raise ValueError(f"dy of shape {np.shape(dy)}; expected {np.shape(x)}, the shape of x")
    upstream = rows(dy, axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = 1 / np.sqrt(np.asarray(variance, dtype=np.float64) + epsilon)
        factor = r if scale is None else r * np.asarray(scale, dtype=np.float64)
        normalised = (rows(x, axis) - np.asarray(mean, dtype=np.float64)) * r
        dx = np.asarray(dy, dtype=np.float64) * along(factor, axis=axis, rank=np.ndim(x))
        return Gradients(dx, total(upstream * normalised), total(upstream))
