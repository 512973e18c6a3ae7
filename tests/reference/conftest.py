"""Float32 formulations of one training step, as real kernels compute it.

Every array is (channels, values): the values lie contiguous, because NumPy sums pairwise only along the
contiguous axis. They are fixtures, because pytest's importlib mode has no imports between test files.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bnspec.reference import formulations as formula

F = np.float32
Array = np.ndarray[Any, Any]
Total = Callable[[Array], Array]


@dataclass(frozen=True)
class Problem:
    """One training step, in float32: x, dy and target (channels, values), the other arrays (channels,)."""

    x: Array
    dy: Array
    target: Array
    scale: Array
    offset: Array
    old_mean: Array
    old_variance: Array
    epsilon: float
    keep: float


def pairwise(x: Array) -> Array:
    return x.sum(axis=1, keepdims=True, dtype=F)


def sequential(x: Array) -> Array:
    return np.cumsum(x, axis=1, dtype=F)[:, -1:]


def two_pass(x: Array, total: Total = pairwise) -> tuple[Array, Array]:
    n = F(x.shape[1])
    mean = total(x) / n
    return mean, total((x - mean) ** 2) / n


def one_pass(x: Array, total: Total = pairwise) -> tuple[Array, Array]:
    """E[x²] − E[x]², kept from going below zero, as kernels that ship it do."""
    n = F(x.shape[1])
    mean = total(x) / n
    return mean, np.maximum(total(x * x) / n - mean * mean, F(0))


def welford(x: Array) -> tuple[Array, Array]:
    """One chain of updates over all values, vectorised over the channels."""
    mean, variance = formula.welford(x, "float32")
    return mean[:, None], variance[:, None]


def chan(x: Array) -> tuple[Array, Array]:
    mean, variance = formula.chan(x, "float32")
    return mean[:, None], variance[:, None]


def blocked_welford(x: Array, chain: int = 64) -> tuple[Array, Array]:
    """Chains of 64 updates, then merged: what a thread and then its block do on a GPU."""
    channels, n = x.shape
    starts = range(0, n, chain)
    parts = [x[:, start : start + chain] for start in starts]
    whole = [part for part in parts if part.shape[1] == chain]
    means, squares = [], []
    if whole:
        # All full chains at once: each is a channel of its own to Welford.
        mean, variance = welford(np.concatenate(whole))
        means.append(mean.reshape(len(whole), channels).T)
        squares.append(variance.reshape(len(whole), channels).T * F(chain))
    for part in parts[len(whole) :]:
        mean, variance = welford(part)
        means.append(mean)
        squares.append(variance * F(part.shape[1]))
    count = np.array([part.shape[1] for part in parts], F)
    mean, variance = formula.merged(np.concatenate(means, axis=1), np.concatenate(squares, axis=1), count, "float32")
    return mean[:, None], variance[:, None]


def output(problem: Problem, mean: Array, r: Array, *, folded: bool) -> Array:
    """scale·(x − mean)·r + offset, or folded into x·(scale·r) + (offset − mean·(scale·r))."""
    scale, offset = problem.scale[:, None], problem.offset[:, None]
    if folded:
        return problem.x * (scale * r) + (offset - mean * (scale * r))
    return scale * ((problem.x - mean) * r) + offset


def gradients(problem: Problem, mean: Array, r: Array, *, form: str, total: Total) -> tuple[Array, ...]:
    """dx, dscale, doffset. form: how dx is written.

    `fused` is the formula of the kernels; `composed` what automatic differentiation makes of the two-pass
    forward, `composed-one-pass` what it makes of E[x²] − E[x]², through E[x²] and the mean.
    """
    x, dy, n = problem.x, problem.dy, F(problem.x.shape[1])
    scale, centred = problem.scale[:, None], problem.x - mean
    doffset, dscale = total(dy), total(dy * (centred * r))
    if form == "fused":
        return scale * r * (dy - doffset / n - centred * r * (dscale / n)), dscale, doffset
    dxhat = dy * scale
    dvariance = total(dxhat * centred) * (F(-0.5) * r * r * r)
    dmean = total(-dxhat * r)
    if form == "composed":
        return dxhat * r + dvariance * (F(2) * centred / n) + dmean / n, total(dy * centred) * r, doffset
    dmean = dmean - F(2) * mean * dvariance
    return dxhat * r + dvariance * (F(2) * x / n) + dmean / n, dscale, doffset


def step(
    problem: Problem,
    moments: Callable[[Array], tuple[Array, Array]],
    *,
    folded: bool = False,
    form: str = "fused",
    total: Total = pairwise,
) -> dict[str, Array]:
    """Everything that one training step shows, in float32; the loss channel by channel."""
    n, keep = F(problem.x.shape[1]), F(problem.keep)
    mean, variance = moments(problem.x)
    r = F(1) / np.sqrt(variance + F(problem.epsilon))
    y = output(problem, mean, r, folded=folded)
    dx, dscale, doffset = gradients(problem, mean, r, form=form, total=total)
    sample = variance[:, 0] * (n / (n - F(1)))
    return {
        "mean": mean[:, 0],
        "variance": variance[:, 0],
        "y": y,
        "stored mean": keep * problem.old_mean + (F(1) - keep) * mean[:, 0],
        "stored variance": keep * problem.old_variance + (F(1) - keep) * sample,
        "dx": dx,
        "dscale": dscale[:, 0],
        "doffset": doffset[:, 0],
        "loss": total((y - problem.target) ** 2)[:, 0] / n,
    }


@pytest.fixture(scope="session")
def formulations() -> SimpleNamespace:
    """The functions above, by name."""
    names = (Problem, pairwise, sequential, two_pass, one_pass, welford, chan, blocked_welford, output, step)
    return SimpleNamespace(**{thing.__name__: thing for thing in names})
