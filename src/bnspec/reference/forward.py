"""The forward pass and the moving statistics."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bnspec.reference.statistics import Floats, Moments, moments, piecewise


@dataclass(frozen=True)
class State:
    """Moving statistics: mean and variance of shape (channels,), and the number of training steps taken."""

    mean: Floats
    variance: Floats
    count: int = 0


@dataclass(frozen=True)
class Step:
    """What one training step returns: output (shape of x), the new state, the moments of the batch."""

    y: Floats
    state: State
    batch: Moments


def normalize(
    x: ArrayLike,
    *,
    mean: ArrayLike,
    variance: ArrayLike,
    scale: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    epsilon: float,
    axis: int = -1,
) -> Floats:
    """Return y = scale·(x − mean)/√(variance + epsilon) + offset, the shape of x (inference).

    mean, variance, scale, offset: shape (channels,); no scale means 1, no offset means 0. Source: Ioffe and
    Szegedy 2015, arXiv:1502.03167, algorithm 1, with the statistics given. Raises ValueError where the
    shapes do not fit.
    """
    array = np.asarray(x)
    given = {"mean": mean, "variance": variance, "scale": scale, "offset": offset}
    vectors = {name: np.asarray(vector, dtype=np.float64) for name, vector in given.items() if vector is not None}
    for name, vector in vectors.items():
        if vector.shape != (array.shape[axis],):
            raise ValueError(f"{name} of shape {vector.shape}; expected ({array.shape[axis]},), the channels of x")
    scale, offset = vectors.get("scale"), vectors.get("offset")

    def y(values: Floats, mean: Floats, root: Floats, *affine: Floats) -> Floats:
        values -= mean
        values /= root
        if scale is not None:
            values *= affine[0]
        if offset is not None:
            values += affine[-1]
        return values

    affine = [vector for vector in (scale, offset) if vector is not None]
    with np.errstate(invalid="ignore", divide="ignore"):
        root = np.sqrt(vectors["variance"] + epsilon)
        return piecewise(y, array, vectors["mean"], root, *affine, axis=axis)


def estimate_variance(batch: Moments, *, stored_variance: str = "population", epsilon: float = 0.0) -> Floats:
    """Return the estimate that enters the moving variance, shape (channels,).

    With v the population variance and N the count: `population` v; `sample` v·N/(N−1); `sample-epsilon`
    v·N/(N−1−ε); `sample-twice` v·N/(N−1)·N/(N−1−ε); `sample-epsilon-padded` (v + ε)·N/(N−1−ε). A single value
    has no sample variance: NaN or infinity.
    Raises ValueError for another name.
    """
    if stored_variance not in FACTORS:
        raise ValueError(f"stored_variance {stored_variance!r}; expected one of {', '.join(FACTORS)}")
    padding = epsilon if stored_variance == "sample-epsilon-padded" else 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = FACTORS[stored_variance](batch.count.astype(np.float64), epsilon)
        return np.asarray((batch.variance + padding) * factor, dtype=np.float64)


FACTORS: Mapping[str, Callable[[Floats, float], Floats]] = {
    "population": lambda n, epsilon: np.ones_like(n),
    "sample": lambda n, epsilon: n / (n - 1),
    "sample-epsilon": lambda n, epsilon: n / (n - 1 - epsilon),
    "sample-twice": lambda n, epsilon: n / (n - 1) * (n / (n - 1 - epsilon)),
    "sample-epsilon-padded": lambda n, epsilon: n / (n - 1 - epsilon),
}
"""By what an estimator multiplies the population variance of n values, its padding included."""


def new_weight(count: int, *, keep: float, averaging: str = "exponential") -> float:
    """Return the weight w of the new statistic in step `count` (1 is the first): s ← (1 − w)·s + w·new.

    `exponential` w = 1 − keep; `debiased` w = (1 − keep)/(1 − keep^count), the average that divides the
    starting value out (Kingma and Ba 2014, arXiv:1412.6980, section 3), NaN at keep = 1; `first-batch` 1, then
    1 − keep; `cumulative` 1/count, every batch the same. Raises ValueError for another name.
    """
    if averaging == "exponential":
        return 1 - keep
    if averaging == "debiased":
        return (1 - keep) / (1 - keep**count) if keep != 1 else float("nan")  # 0/0
    if averaging == "first-batch":
        return 1.0 if count == 1 else 1 - keep
    if averaging == "cumulative":
        return 1 / count
    raise ValueError(f"averaging {averaging!r}; expected exponential, debiased, first-batch or cumulative")


def training_step(
    x: ArrayLike,
    *,
    state: State,
    scale: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    epsilon: float,
    keep: float,
    axis: int = -1,
    mask: ArrayLike | None = None,
    stored_variance: str = "population",
    averaging: str = "exponential",
    statistics: str = "batch",
) -> Step:
    """One training step: the output, the new moving statistics, the batch's moments.

    y = scale·(x − μ)/√(σ² + epsilon) + offset with the batch's mean and population variance
    (`statistics="batch"`) or with the moving statistics after their update (`"running"`). The moving
    statistics become (1 − w)·old + w·new, w from `new_weight`, the new variance from `estimate_variance`.
    `keep` is the weight of the old statistic. Shapes as in `normalize`; an unset state is NaN and is
    replaced where w = 1. Raises ValueError for names and shapes that it does not know.
    """
    if statistics not in ("batch", "running"):
        raise ValueError(f"statistics {statistics!r}; expected batch or running")
    batch = moments(x, axis=axis, mask=mask)
    weight = new_weight(state.count + 1, keep=keep, averaging=averaging)
    estimate = estimate_variance(batch, stored_variance=stored_variance, epsilon=epsilon)
    new = State(
        mean=blend(state.mean, batch.mean, weight),
        variance=blend(state.variance, estimate, weight),
        count=state.count + 1,
    )
    used = (batch.mean, batch.variance) if statistics == "batch" else (new.mean, new.variance)
    y = normalize(x, mean=used[0], variance=used[1], scale=scale, offset=offset, epsilon=epsilon, axis=axis)
    return Step(y, new, batch)


def blend(old: Floats, new: Floats, weight: float) -> Floats:
    """Return (1 − weight)·old + weight·new; a weight of 0 leaves old bit-equal, a weight of 1 forgets it."""
    if weight == 0:
        return old
    return new if weight == 1 else (1 - weight) * old + weight * new
