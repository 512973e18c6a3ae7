"""The formulas of the reference, each number with its allowance."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from bnspec.case import Array, Layer
from bnspec.expectation import Expected, returned
from bnspec.reference import (
    UNIT,
    Arithmetic,
    Gradients,
    Moments,
    State,
    estimate_variance,
    formulations,
    inference_gradients,
    moments,
    normalize,
    training_gradients,
)
from bnspec.reference import allowance as allow
from bnspec.reference.forward import blend
from bnspec.reference.statistics import Floats, along, mean_size, pieces, rows

Parameters = Mapping[str, Floats]
"""scale and offset, those that the layer has."""


@dataclass(frozen=True)
class Statistics:
    """Mean and variance of every channel, moving or of a batch, with the allowances they have gathered.

    unset: there are none yet; others: what mean and variance may be instead, each by itself.
    """

    state: State
    mean_allowance: Floats
    variance_allowance: Floats
    unset: bool = False
    others: tuple["Statistics", ...] = ()

    @cached_property
    def key(self) -> Hashable:
        """What tells two of them apart."""
        others = tuple(other.key for other in self.others)
        bounds = self.mean_allowance.tobytes(), self.variance_allowance.tobytes()
        return (self.state.count, self.unset, others, *self.numbers, *bounds)

    @cached_property
    def numbers(self) -> tuple[bytes, bytes]:
        """What tells mean and variance apart from others, however well they are known."""
        return self.state.mean.tobytes(), self.state.variance.tobytes()


@dataclass(frozen=True)
class Batch:
    """A batch, its statistics with their allowances, and the count of values per channel.

    key: what tells it apart; of two batches with one key everything is equal.
    """

    x: Array
    statistics: Statistics
    moments: Moments
    key: Hashable

    @cached_property
    def empty(self) -> bool:
        """Whether no value counts."""
        return not self.moments.count.any()

    @property
    def poisoned(self) -> bool:
        """Whether a channel has no finite mean or variance, although values count."""
        found = self.moments
        return not self.empty and not np.isfinite(found.mean + found.variance).all()


@dataclass(frozen=True)
class Exact:
    """What is true of a batch whatever the accuracy of a dialect: its moments, and mean |x| of every channel."""

    moments: Moments
    size: Floats


def exact(x: Array, layer: Layer, mask: Array | None = None) -> Exact:
    """Return what is true of a batch. mask: weights of the shape of x without its channel axis."""
    weights = None if mask is None else np.expand_dims(mask, layer.axis % x.ndim)
    return Exact(moments(x, axis=layer.axis, mask=weights), mean_size(x, axis=layer.axis, mask=weights))


def of_batch(
    x: Array,
    known: Exact,
    layer: Layer,
    arithmetic: Arithmetic,
    *,
    mask: Array | None = None,
    weighted: bool = False,
    spread: bool = False,
) -> Batch:
    """Return the statistics of a batch: the population variance.

    known: what is true of it with this mask; mask: weights of the shape of x without its channel axis; weighted: a
    NaN counts where its weight is 0; spread: what is not finite in one channel makes every channel NaN.
    """
    found = known.moments
    if arithmetic.formulated and mask is None:
        found = formulations.moments(x, axis=layer.axis, arithmetic=arithmetic)
    delta = allow.of_moments(x, axis=layer.axis, arithmetic=arithmetic, batch=known.moments, size=known.size)
    lost = np.zeros(found.mean.shape, dtype=bool)
    if weighted:
        lost |= np.isnan(rows(x, layer.axis)).any(axis=0)
    if spread:
        lost |= not np.isfinite(x).all()
    if lost.any():
        found = Moments(np.where(lost, np.nan, found.mean), np.where(lost, np.nan, found.variance), found.count)
    statistics = Statistics(State(found.mean, found.variance), delta.mean, delta.variance)
    return Batch(x, statistics, found, (id(x), id(mask), weighted, spread, arithmetic))


def of_shown(y: Expected, layer: Layer, arithmetic: Arithmetic, key: Hashable) -> Batch:
    """Return the statistics of what a layer returned, each of whose numbers is known to its allowance.

    To the line of of_moments comes what the numbers' own errors e do: mean e, and mean(2|y − m|e + e²).
    """
    found = moments(y.value, axis=layer.axis)
    delta = allow.of_moments(y.value, axis=layer.axis, arithmetic=arithmetic)
    error = rows(y.allowance, layer.axis)
    mean = error.mean(axis=0)
    variance = (2 * np.abs(rows(y.value, layer.axis) - found.mean) * error + error**2).mean(axis=0)
    statistics = Statistics(State(found.mean, found.variance), delta.mean + mean, delta.variance + variance)
    return Batch(y.value, statistics, found, key)


def moved(
    old: Statistics,
    batch: Batch,
    layer: Layer,
    arithmetic: Arithmetic,
    *,
    weight: float,
    kind: str,
    entered: tuple[str, str],
    dtype: str = "float32",
) -> Statistics:
    """Return the moving statistics after one batch.

    weight: of the batch; kind: the estimator of the stored variance; entered: for mean and variance, the
    `estimate` or what a degenerate batch does instead (`zero` or `decayed`, `unchanged`, `nan`, `unless-nan`);
    dtype: in which they are held, which rounds them after every step where it is no float32.
    """
    new = batch.moments
    ones = Moments(new.mean, np.ones_like(new.mean), new.count)
    estimate, factor = (estimate_variance(given, stored_variance=kind, epsilon=layer.epsilon) for given in (new, ones))
    spread = factor * batch.statistics.variance_allowance
    if kind == "sample-epsilon-padded":  # it is had from 1/√(v + ε): 7 roundings u, k = 4u
        spread = spread + 2 * arithmetic.k * np.abs(estimate)
    bounds = (batch.statistics.mean_allowance, spread)
    parts = []
    for was, old_bound, value, bound, how in zip(
        (old.state.mean, old.state.variance),
        (old.mean_allowance, old.variance_allowance),
        (new.mean, estimate),
        bounds,
        entered,
        strict=True,
    ):
        parts.append(entering(was, old_bound, value, bound, how, weight, arithmetic, dtype))
    (mean, mean_allowance), (variance, variance_allowance) = parts
    count = old.state.count + (entered != ("unchanged", "unchanged"))
    return Statistics(State(mean, variance, count), mean_allowance, variance_allowance)


def entering(
    old: Floats,
    old_bound: Floats,
    new: Floats,
    bound: Floats,
    how: str,
    weight: float,
    arithmetic: Arithmetic,
    dtype: str,
) -> tuple[Floats, Floats]:
    """Return one moving statistic after a step, and its allowance."""
    if how == "nan":
        new = np.full_like(new, np.nan)
    elif how in ("decayed", "zeros"):
        new, bound = np.zeros_like(new), np.zeros_like(new)
    elif how == "unless-nan":
        new, bound = np.where(np.isnan(new), old, new), np.where(np.isnan(new), 0.0, bound)
    if how == "unchanged":
        weight = 0.0
    value = blend(old, new, weight)
    allowance = allow.of_stored(
        old, new, weight=weight, old_allowance=old_bound, new_allowance=bound, arithmetic=arithmetic
    )
    if "16" in dtype and weight:
        allowance = allowance + allow.half_ulp(value, dtype)
        value = formulations.rounded(value, dtype).astype(np.float64) if arithmetic.formulated else value
    return value, allowance


def stored(
    value: Floats,
    bound: Floats,
    *,
    exact: bool,
    dtype: str = "float32",
    clamped: bool = False,
    others: tuple[Expected, ...] = (),
) -> Expected:
    """Return a stored statistic as it is read: an untouched one must be equal, and an exact one too.

    clamped: it cannot be negative; others: what it may be instead.
    """
    if exact:
        bound = np.where(value == value.astype(np.float32), 0.0, bound)
    rounded = np.where(bound > 0, bound + allow.half_ulp(value, dtype), 0.0)
    allowance = np.where(np.isnan(bound) & np.isfinite(value), np.inf, rounded)
    return Expected(value, allowance, dtype, nonnegative=clamped, others=others)


def shown_output(
    x: Array, state: State, layer: Layer, parameters: Parameters, arithmetic: Arithmetic | None = None
) -> Floats:
    """Return scale·x̂ + offset with some statistics; where an arithmetic is given, as a formulation computes it."""
    given: dict[str, Any] = {"mean": state.mean, "variance": state.variance, **parameters}
    if arithmetic is None:
        return normalize(x, epsilon=layer.epsilon, axis=layer.axis, **given)
    return formulations.output(x, epsilon=layer.epsilon, axis=layer.axis, arithmetic=arithmetic, **given)


def output(
    x: Array,
    y: Floats,
    used: Statistics,
    layer: Layer,
    parameters: Parameters,
    arithmetic: Arithmetic,
    *,
    dtype: str = "float32",
    noise: Parameters | None = None,
) -> Expected:
    """Return y, the output for x with some statistics, with its allowance.

    noise: the allowances of scale and offset themselves.
    """
    bound = np.empty(x.shape)
    for part, where in pieces(x, layer.axis):
        own = {name: vector[where] for name, vector in parameters.items()}
        errors = {name: vector[where] for name, vector in (noise or {}).items()}
        found = output_allowance(x[part], some_channels(used, where), layer, own, arithmetic, errors)
        bound[part] = returned(y[part], found, dtype).allowance
    return Expected(y, bound, dtype)


def some_channels(statistics: Statistics, where: slice) -> Statistics:
    """Return the statistics of some channels."""
    state = State(statistics.state.mean[where], statistics.state.variance[where], statistics.state.count)
    return Statistics(state, statistics.mean_allowance[where], statistics.variance_allowance[where])


def output_allowance(
    x: Array, used: Statistics, layer: Layer, parameters: Parameters, arithmetic: Arithmetic, noise: Parameters
) -> Floats:
    """Return how far the output of some channels may be off before it is rounded to its type."""
    mean, variance = used.state.mean, used.state.variance
    given: dict[str, Any] = {"mean": mean, "variance": variance, "epsilon": layer.epsilon, "axis": layer.axis}
    bound = allow.of_normalized(
        x,
        mean_allowance=used.mean_allowance,
        variance_allowance=used.variance_allowance,
        arithmetic=arithmetic,
        **given,
    )
    normalized = normalize(x, **given)
    final = allow.of_output(normalized, bound, axis=layer.axis, arithmetic=arithmetic, **parameters)
    for name, error in noise.items():
        wide = along(error, axis=layer.axis, rank=x.ndim)
        final = final + (wide * (np.abs(normalized) + bound) if name == "scale" else wide)
    nowhere = np.isnan(mean + variance)
    return np.where(along(nowhere, axis=layer.axis, rank=x.ndim), 0.0, final) if nowhere.any() else final


def exact_gradients(
    x: Array, dy: Array, state: State, layer: Layer, parameters: Parameters, *, through: bool
) -> Gradients:
    """Return the gradients by x and the parameters, through the batch's own statistics or with others as constants."""
    given: dict[str, Any] = {"scale": parameters.get("scale"), "epsilon": layer.epsilon, "axis": layer.axis}
    if through:
        return training_gradients(x, dy, **given)
    return inference_gradients(x, dy, mean=state.mean, variance=state.variance, **given)


def gradients(
    x: Array,
    dy: Array,
    expected: Gradients,
    used: Statistics,
    layer: Layer,
    parameters: Parameters,
    arithmetic: Arithmetic,
    *,
    through: bool,
    passed: str | None = None,
) -> dict[str, Expected]:
    """Return the gradients by x and the parameters, each with its allowance.

    expected: the gradients; through: the statistics depend on x, as its own do; passed: the half type in which the
    parameters were used, and so their gradients given back.
    """
    kind = layer.dtypes["input"]
    given: dict[str, Any] = {"epsilon": layer.epsilon, "axis": layer.axis}
    statistics: dict[str, Any] = {"mean": used.state.mean, "variance": used.state.variance}
    scale = parameters.get("scale")
    bound = allow.of_gradients(
        x,
        dy,
        expected,
        mean_allowance=used.mean_allowance,
        variance_allowance=used.variance_allowance,
        scale=1.0 if scale is None else scale,
        through_statistics=through,
        half=UNIT[kind] if "16" in kind else 0.0,
        arithmetic=arithmetic,
        **statistics,
        **given,
    )
    types = {"x": kind, "scale": layer.dtypes["parameters"], "offset": layer.dtypes["parameters"]}
    bounds = {name: getattr(bound, name) for name in ("x", *parameters)}
    if passed:
        bounds.update({n: bounds[n] + allow.half_ulp(getattr(expected, n), passed) for n in parameters})
    found = {name: returned(getattr(expected, name), one, types[name]) for name, one in bounds.items()}
    # A layer that is asked for parameters of a half type may keep them in float32, and so their gradients.
    return {n: replace(one, dtype=None) if n != "x" and "16" in types[n] else one for n, one in found.items()}
