"""The formulas of the reference, each number with its allowance."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bnspec.case import Array, Layer
from bnspec.expectation import Expected, returned
from bnspec.reference import (
    Arithmetic,
    Moments,
    State,
    estimate_variance,
    inference_gradients,
    moments,
    normalize,
    training_gradients,
)
from bnspec.reference import allowance as allow
from bnspec.reference.forward import blend
from bnspec.reference.statistics import Floats

Parameters = Mapping[str, Floats]
"""scale and offset, those that the layer has."""


@dataclass(frozen=True)
class Statistics:
    """Mean and variance of every channel, moving or of a batch, with the allowances they have gathered.

    unset: there are none yet.
    """

    state: State
    mean_allowance: Floats
    variance_allowance: Floats
    unset: bool = False

    @cached_property
    def key(self) -> Hashable:
        """What tells two of them apart."""
        arrays = (self.state.mean, self.state.variance, self.mean_allowance, self.variance_allowance)
        return (self.state.count, self.unset, *(array.tobytes() for array in arrays))


@dataclass(frozen=True)
class Batch:
    """The statistics of a batch, and the count of values per channel."""

    statistics: Statistics
    moments: Moments


def of_batch(x: Array, layer: Layer, arithmetic: Arithmetic) -> Batch:
    """Return the statistics of a batch: the population variance."""
    found = moments(x, axis=layer.axis)
    delta = allow.of_moments(x, axis=layer.axis, arithmetic=arithmetic)
    return Batch(Statistics(State(found.mean, found.variance), delta.mean, delta.variance), found)


def moved(
    old: Statistics,
    batch: Batch,
    layer: Layer,
    arithmetic: Arithmetic,
    *,
    weight: float,
    kind: str,
    entered: str,
) -> Statistics:
    """Return the moving statistics after one batch.

    weight: of the batch; kind: the estimator of the stored variance; entered: `estimate`, or what the
    variance of a single value does instead (`zero`, `unchanged`, `nan`).
    """
    new = batch.moments
    ones = Moments(new.mean, np.ones_like(new.mean), new.count)
    estimate, factor = (estimate_variance(given, stored_variance=kind, epsilon=layer.epsilon) for given in (new, ones))
    if entered == "nan":
        estimate = np.full_like(estimate, np.nan)
    variance_weight = 0.0 if entered == "unchanged" else weight
    state = State(
        blend(old.state.mean, new.mean, weight),
        blend(old.state.variance, estimate, variance_weight),
        old.state.count + 1,
    )
    mean_allowance = allow.of_stored(
        old.state.mean,
        new.mean,
        weight=weight,
        old_allowance=old.mean_allowance,
        new_allowance=batch.statistics.mean_allowance,
        arithmetic=arithmetic,
    )
    variance_allowance = allow.of_stored(
        old.state.variance,
        estimate,
        weight=variance_weight,
        old_allowance=old.variance_allowance,
        new_allowance=factor * batch.statistics.variance_allowance,
        arithmetic=arithmetic,
    )
    return Statistics(state, mean_allowance, variance_allowance)


def stored(value: Floats, bound: Floats, *, exact: bool) -> Expected:
    """Return a stored statistic as it is read: an untouched one must be equal, and an exact one too."""
    if exact:
        bound = np.where(value == value.astype(np.float32), 0.0, bound)
    return Expected(value, np.where(bound > 0, bound + allow.half_ulp(value, np.float32), 0.0))


def output(x: Array, used: Statistics, layer: Layer, parameters: Parameters, arithmetic: Arithmetic) -> Expected:
    """Return scale·x̂ + offset with some statistics."""
    given: dict[str, Any] = {
        "mean": used.state.mean,
        "variance": used.state.variance,
        "epsilon": layer.epsilon,
        "axis": layer.axis,
    }
    affine: dict[str, Any] = dict(parameters)
    bound = allow.of_normalized(
        x,
        mean_allowance=used.mean_allowance,
        variance_allowance=used.variance_allowance,
        arithmetic=arithmetic,
        **given,
    )
    final = allow.of_output(normalize(x, **given), bound, axis=layer.axis, arithmetic=arithmetic, **affine)
    return returned(normalize(x, **given, **affine), final)


def gradients(
    x: Array,
    dy: Array,
    used: Statistics,
    layer: Layer,
    parameters: Parameters,
    arithmetic: Arithmetic,
    *,
    through: bool,
) -> dict[str, Expected]:
    """Return the gradients by x and the parameters; through: the statistics depend on x, as its own do."""
    given: dict[str, Any] = {"epsilon": layer.epsilon, "axis": layer.axis}
    statistics: dict[str, Any] = {"mean": used.state.mean, "variance": used.state.variance}
    scale = parameters.get("scale")
    if through:
        expected = training_gradients(x, dy, scale=scale, **given)
    else:
        expected = inference_gradients(x, dy, scale=scale, **statistics, **given)
    bound = allow.of_gradients(
        x,
        dy,
        expected,
        mean_allowance=used.mean_allowance,
        variance_allowance=used.variance_allowance,
        scale=1.0 if scale is None else scale,
        through_statistics=through,
        arithmetic=arithmetic,
        **statistics,
        **given,
    )
    return {name: returned(getattr(expected, name), getattr(bound, name)) for name in ("x", *parameters)}
