"""A layer's calls and its update against the reference, within the reference's allowances."""

from typing import TYPE_CHECKING, Any

import numpy as np

from bnspec.case import Array
from bnspec.reference import UNIT, Arithmetic, Moments, State, estimate_variance, new_weight, normalize
from bnspec.reference.allowance import half_ulp, of_moments, of_normalized, of_output, of_stored
from bnspec.reference.forward import blend
from bnspec.reference.statistics import Floats

if TYPE_CHECKING:
    from bnspec.explain.judged import Call, Judged


LOOSE = 1e-3
"""A share of a movement, or of an output, that is told from nothing but not from rounding in a sum of any order."""

ESTIMATORS = ("population", "sample", "sample-epsilon", "sample-twice")

LEFT_OVER = 0.1
"""The share of what statistics are off that a weight of their start may leave unexplained."""


def rms(values: Any) -> float:
    """Return the root of the mean square of some numbers, 0 for none."""
    return float(np.sqrt(np.mean(np.square(values)))) if np.size(values) else 0.0


def gap(batch: Moments, stored: State, epsilon: float) -> float:
    """Return the difference that statistics make to a normalised batch; see `Judged.gap`."""
    own, other = (1 / np.sqrt(np.maximum(v, 0) + epsilon) for v in (batch.variance, stored.variance))
    shift, stretch = (batch.mean - stored.mean) * other, np.sqrt(batch.variance) * (other - own)
    return rms(np.hypot(shift, stretch))


def deviation(layer: "Judged") -> float:
    """Return the standard deviation of a layer's output when it normalises with the batch: |scale|·√(v/(v + ε))."""
    scale = np.ones_like(layer.batch.mean) if layer.scale is None else layer.scale
    return rms(scale * np.sqrt(layer.batch.variance / (layer.batch.variance + layer.epsilon)))


def arithmetic(call: "Call") -> Arithmetic:
    """Return the least accurate arithmetic of the frameworks: one pass, in float32 at the least."""
    return Arithmetic(UNIT["float64" if call.dtype == "float64" else "float32"], "one-pass", "wide")


def allowance_of_batch(call: "Call") -> Moments:
    """Return the allowances of a call's own statistics."""
    stand_in = np.broadcast_to(np.float32(0), (call.count, len(call.batch.mean)))  # its size alone is looked at
    return of_moments(stand_in, arithmetic=arithmetic(call), batch=call.batch, size=call.size)


def expected(layer: "Judged", call: "Call", mean: Floats, variance: Floats) -> Array:
    """Return the output at the sampled positions, normalised with some statistics."""
    return normalize(
        call.x, mean=mean, variance=variance, scale=layer.scale, offset=layer.offset, epsilon=layer.epsilon
    )


def allowance(layer: "Judged", call: "Call", mean: Floats, variance: Floats, own: Moments | None) -> Floats:
    """Return how far the output may be from `expected`. own: the allowances of statistics that are computed."""
    how = arithmetic(call)
    delta = of_normalized(
        call.x, mean=mean, variance=variance, mean_allowance=own.mean if own else 0.0,
        variance_allowance=own.variance if own else 0.0, epsilon=layer.epsilon, arithmetic=how,
    )  # fmt: skip
    with np.errstate(invalid="ignore", divide="ignore"):
        normalized = (call.x.astype(np.float64) - mean) / np.sqrt(variance + layer.epsilon)
    scale, offset = (1.0 if layer.scale is None else layer.scale), (0.0 if layer.offset is None else layer.offset)
    found = of_output(normalized, delta, scale=scale, offset=offset, arithmetic=how)
    return found + half_ulp(call.y, call.dtype if call.dtype in UNIT else "float32")


def rivals(layer: "Judged", call: "Call") -> dict[str, tuple[Array, Floats]]:
    """Return what the output may be, with its allowances: normalised with the batch's or with the stored statistics."""
    found = {}
    own = call.batch.mean, call.batch.variance
    found["batch"] = expected(layer, call, *own), allowance(layer, call, *own, allowance_of_batch(call))
    if layer.stored is not None:
        kept = layer.stored.mean, layer.stored.variance
        found["stored"] = expected(layer, call, *kept), allowance(layer, call, *kept, None)
    return found


def normalised(layer: "Judged", call: "Call") -> str:
    """Return with what a call normalised; what fits neither by its allowances is what it is by far nearer to."""
    errors, fits = {}, []
    for name, (value, delta) in rivals(layer, call).items():
        error = np.abs(call.y.astype(np.float64) - value)
        errors[name] = rms(error[np.isfinite(error)])
        if (error <= delta).all() and np.isfinite(error).all():
            fits.append(name)
    if len(fits) == 1:
        return fits[0]
    if fits:
        return "either"
    nearest = min(errors, key=lambda name: errors[name])
    others = [error for name, error in errors.items() if name != nearest]
    close = errors[nearest] <= 10 * LOOSE * max(rms(call.y), LOOSE)
    return nearest if close and all(errors[nearest] * 10 < error for error in others) else "neither"


def allowed(layer: "Judged", call: "Call") -> Floats:
    """Return the allowances of the output of a call, normalised as it was."""
    own = rivals(layer, call)
    name = normalised(layer, call)
    return own[name if name in own else "batch"][1]


def update(layer: "Judged") -> tuple[str, str | None]:
    """Return what a training step did to a layer's statistics, and the estimator of the variance that fits."""
    if layer.stored is None or layer.after is None:
        return "no statistics", None
    same = [np.array_equal(a, b, equal_nan=True) for a, b in pairs(layer.after, layer.stored)]
    if all(same):
        return "none", None
    for times, verdict in ((1, "as told"), (2, "twice")):
        for name in ESTIMATORS:
            if fits(layer, name, times):
                return verdict, name
    return "otherwise", None


def pairs(there: State, here: State) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Return the statistics of two states beside each other."""
    return (there.mean, here.mean), (there.variance, here.variance)


def fits(layer: "Judged", estimator: str, times: int) -> bool:
    """Return whether a step that uses every call's batch so many times leaves what was left."""
    assert layer.stored
    assert layer.after
    mean, variance = layer.stored.mean, layer.stored.variance
    mean_allowance: Any = np.zeros_like(mean)
    variance_allowance: Any = np.zeros_like(mean)
    done = layer.count or 0
    for call in (call for call in layer.training for _ in range(times)):
        if call.count < 2 and estimator != "population":
            return False
        done += 1
        weight = 1 / done if layer.keep is None else new_weight(done, keep=layer.keep)
        new = estimate_variance(call.batch, stored_variance=estimator, epsilon=layer.epsilon)
        spread, how = allowance_of_batch(call), arithmetic(call)
        share = new / np.where(call.batch.variance > 0, call.batch.variance, 1.0)
        mean_allowance = of_stored(
            mean, call.batch.mean, weight=weight, old_allowance=mean_allowance, new_allowance=spread.mean,
            arithmetic=how,
        )  # fmt: skip
        variance_allowance = of_stored(
            variance, new, weight=weight, old_allowance=variance_allowance,
            new_allowance=np.maximum(share, 1.0) * spread.variance, arithmetic=how,
        )  # fmt: skip
        mean, variance = blend(mean, call.batch.mean, weight), blend(variance, new, weight)
    return near(layer.after.mean, mean, mean_allowance, layer.stored.mean) and near(
        layer.after.variance, variance, variance_allowance, layer.stored.variance
    )


def near(shown: Floats, due: Floats, allowance: Floats, old: Floats) -> bool:
    """Return whether statistics are what is due: within the allowance, or off by a thousandth of their movement."""
    return bool((np.abs(shown - due) <= allowance).all()) or rms(shown - due) <= LOOSE * rms(due - old)


def fitted_start(layer: "Judged") -> float | None:
    """Return the weight of the start (0, 1) that explains a layer's statistics, None where none does."""
    assert layer.stored
    batch, scale = layer.batch, np.sqrt(layer.batch.variance + layer.epsilon)
    there = np.concatenate([-batch.mean / scale, (1 - batch.variance) / scale**2])
    shown = np.concatenate(
        [(layer.stored.mean - batch.mean) / scale, (layer.stored.variance - batch.variance) / scale**2]
    )
    total = float(np.square(there).sum())
    if not total or not np.square(shown).sum():
        return None
    weight = float((there * shown).sum() / total)
    left = float(np.square(shown - weight * there).sum() / np.square(shown).sum())
    return weight if 0 < weight <= 1 and left < LEFT_OVER else None
