"""Every layer of a measured model against the reference: what it normalised with, what became of its statistics."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bnspec.case import Array
from bnspec.reference import UNIT, Arithmetic, Moments, State, estimate_variance, new_weight, normalize
from bnspec.reference.allowance import half_ulp, of_moments, of_normalized, of_output, of_stored
from bnspec.reference.forward import blend
from bnspec.reference.statistics import Floats

GOAL = 0.01
"""How near to the batch's the stored statistics are to come: 1 %."""

MATTERS = 0.1
"""A difference in an output, in standard deviations of that output, below which nobody looks for its cause."""

SCATTERS = 3.0
"""So many times what a batch of this size scatters by chance is no chance."""

LOOSE = 1e-3
"""A share of a movement, or of an output, that is told from nothing but not from rounding in a sum of any order."""

ESTIMATORS = ("population", "sample", "sample-epsilon", "sample-twice")


@dataclass(frozen=True)
class Call:
    """One call of a layer.

    said: whether it was told training, None for not told; site: the line of the reader's code, if there is one; x, y:
    the values at some positions, shape (positions, channels); batch: the moments of the whole input, size its mean
    |x|; shape: of the input; dtype: of the output.
    """

    said: bool | None
    site: Mapping[str, Any] | None
    x: Array
    y: Array
    batch: Moments
    size: Floats
    shape: tuple[int, ...]
    dtype: str

    @property
    def count(self) -> int:
        """The number of values per channel."""
        return int(self.batch.count[0]) if len(self.batch.count) else 0


@dataclass(frozen=True)
class Judged:
    """One layer. Arrays are of shape (channels,) in float64.

    keep: the weight of the old statistic, None where the average is cumulative; count: the steps that the layer has
    counted; steps: those that the model's optimizer has; found: the mode in which the model was returned; reached:
    whether train() and eval() of the model reach it; stored: the statistics, None for a layer without; after: what a
    training step, inferred what inference left of them.
    """

    name: str
    kind: str
    epsilon: float
    momentum: float | None
    keep: float | None
    frozen: bool
    count: int | None
    steps: int | None
    found: str | None
    reached: tuple[bool, bool] | None
    scale: Floats | None
    offset: Floats | None
    stored: State | None
    after: State | None
    inferred: State | None
    training: tuple[Call, ...]
    inference: tuple[Call, ...]

    @property
    def called(self) -> bool:
        """Whether both passes came to it."""
        return bool(self.training and self.inference)

    @property
    def call(self) -> Call:
        """Its first call in training."""
        return self.training[0]

    @property
    def batch(self) -> Moments:
        """The batch's statistics."""
        return self.call.batch

    @property
    def samples(self) -> int:
        """The length of the batch."""
        return self.call.shape[0]

    @cached_property
    def normalises(self) -> str:
        """With what the training pass normalised: `batch`, `stored`, `either` or `neither`."""
        return normalised(self, self.call)

    @cached_property
    def infers(self) -> str:
        """With what the inference pass normalised."""
        return normalised(self, self.inference[0])

    @cached_property
    def updates(self) -> str:
        """What a training step did to the stored statistics.

        `none`, `as told` (as its momentum says), `twice`, `otherwise`, or `no statistics`.
        """
        return update(self)[0]

    @cached_property
    def estimator(self) -> str | None:
        """Which estimator of the variance it stores, where the step tells."""
        return update(self)[1]

    @cached_property
    def factor(self) -> float:
        """By what the variance that it stores is larger than the population variance of the batch: N/(N−1), say."""
        if self.estimator is None:
            return 1.0
        one = Moments(np.zeros(1), np.ones(1), self.batch.count[:1])
        return float(estimate_variance(one, stored_variance=self.estimator, epsilon=self.epsilon)[0])

    @cached_property
    def distances(self) -> Floats:
        """How far the stored mean is from the batch's, in standard deviations √(v + ε), every channel."""
        assert self.stored
        return np.asarray((self.stored.mean - self.batch.mean) / np.sqrt(self.batch.variance + self.epsilon))

    @property
    def distance(self) -> float:
        """The root of the mean square of these."""
        return rms(self.distances)

    @cached_property
    def ratios(self) -> Floats:
        """The stored variance ÷ the batch's, ε added to both as the layer does, every channel."""
        assert self.stored
        return np.asarray((self.stored.variance + self.epsilon) / (self.batch.variance + self.epsilon))

    @property
    def ratio(self) -> float:
        """The median of these."""
        return float(np.median(self.ratios))

    @cached_property
    def gap(self) -> float:
        """How far the normalised batch is, with the stored statistics, from what it is with its own.

        For a channel √(((m − m′)r′)² + v(r′ − r)²) with r = 1/√(v + ε), the prime for the stored ones: the root of the
        mean square of the difference of x̂, in units of x̂; the root of the mean square over the channels.
        """
        return gap(self.batch, self.stored, self.epsilon) if self.stored else 0.0

    @property
    def chance(self) -> float:
        """What `gap` is by chance between two batches of this many samples: √(1.5/n), for normal data."""
        return math.sqrt(1.5 / self.samples)

    @property
    def far(self) -> bool:
        """Whether the stored statistics are further from the batch's than chance and harmless rounding explain."""
        return self.stored is not None and self.gap > max(MATTERS, SCATTERS * self.chance)

    @property
    def at_start(self) -> bool:
        """Whether the statistics are those of a layer that no step has reached: mean 0 and variance 1, bit for bit."""
        return self.stored is not None and bool((self.stored.mean == 0).all() and (self.stored.variance == 1).all())

    @cached_property
    def start_left(self) -> float | None:
        """The weight that the start (0, 1) still has in the statistics; None where they do not tell.

        After k steps it is keep^k. Where the layer counts its steps it follows; otherwise it is the w of the best fit
        of mean = (1 − w)·m and variance = w + (1 − w)·v, where that explains nine tenths of what the statistics are
        off.
        """
        if self.stored is None:
            return None
        if self.at_start:
            return 1.0
        if self.count is not None and self.keep is not None:
            return self.keep**self.count
        return fitted_start(self)

    @property
    def steps_left(self) -> float | None:
        """How many more steps with this batch until every statistic is within 1 % of what it converges to.

        The distance d shrinks by keep in each step, so k = ⌈ln(0.01/d)/ln(keep)⌉; of a cumulative average of n steps
        d·n/(n + k) is left, so k = ⌈n(d/0.01 − 1)⌉. d is the largest over the channels of |mean − m|/√(v + ε) and
        |variance − f·v|/(f·v + ε), f·v being what the layer stores. Infinite where nothing moves, 0 where it is there,
        None where there are no statistics.
        """
        if self.stored is None:
            return None
        target = self.factor * self.batch.variance
        off = np.abs(self.stored.variance - target) / (target + self.epsilon)
        far = float(max(np.abs(self.distances).max(initial=0.0), off.max(initial=0.0)))
        if far <= GOAL:
            return 0.0
        if self.updates in ("none", "no statistics") or self.keep == 1:
            return math.inf
        if self.keep is None:
            return math.ceil((self.count or 0) * (far / GOAL - 1)) or 1.0
        keep = self.keep**2 if self.updates == "twice" else self.keep
        return 1.0 if keep <= 0 else float(math.ceil(math.log(GOAL / far) / math.log(keep)))

    @cached_property
    def difference(self) -> float:
        """How far its output in inference is from that in training, in standard deviations of the latter.

        0 where it is within what rounding explains.
        """
        there, here = self.training[0], self.inference[0]
        if there.y.shape != here.y.shape:
            return math.inf
        apart = here.y.astype(np.float64) - there.y.astype(np.float64)
        size = deviation(self)
        near = np.abs(apart) <= allowed(self, there) + allowed(self, here)
        if near.all() or not apart.any():
            return 0.0
        return rms(apart) / size if size else 0.0


def rms(values: Any) -> float:
    """Return the root of the mean square of some numbers, 0 for none."""
    return float(np.sqrt(np.mean(np.square(values)))) if np.size(values) else 0.0


def gap(batch: Moments, stored: State, epsilon: float) -> float:
    """Return the difference that statistics make to a normalised batch; see `Judged.gap`."""
    own, other = (1 / np.sqrt(np.maximum(v, 0) + epsilon) for v in (batch.variance, stored.variance))
    shift, stretch = (batch.mean - stored.mean) * other, np.sqrt(batch.variance) * (other - own)
    return rms(np.hypot(shift, stretch))


def deviation(layer: Judged) -> float:
    """Return the standard deviation of a layer's output when it normalises with the batch: |scale|·√(v/(v + ε))."""
    scale = np.ones_like(layer.batch.mean) if layer.scale is None else layer.scale
    return rms(scale * np.sqrt(layer.batch.variance / (layer.batch.variance + layer.epsilon)))


def arithmetic(call: Call) -> Arithmetic:
    """Return the least accurate arithmetic of the frameworks: one pass, in float32 at the least."""
    return Arithmetic(UNIT["float64" if call.dtype == "float64" else "float32"], "one-pass", "wide")


def allowance_of_batch(call: Call) -> Moments:
    """Return the allowances of a call's own statistics."""
    stand_in = np.broadcast_to(np.float32(0), (call.count, len(call.batch.mean)))  # its size alone is looked at
    return of_moments(stand_in, arithmetic=arithmetic(call), batch=call.batch, size=call.size)


def expected(layer: Judged, call: Call, mean: Floats, variance: Floats) -> Array:
    """Return the output at the sampled positions, normalised with some statistics."""
    return normalize(
        call.x, mean=mean, variance=variance, scale=layer.scale, offset=layer.offset, epsilon=layer.epsilon
    )


def allowance(layer: Judged, call: Call, mean: Floats, variance: Floats, own: Moments | None) -> Floats:
    """Return how far the output may be from `expected`. own: the allowances of the statistics, where they are computed."""
    how = arithmetic(call)
    spread = {"mean_allowance": own.mean, "variance_allowance": own.variance} if own else {}
    delta = of_normalized(call.x, mean=mean, variance=variance, epsilon=layer.epsilon, arithmetic=how, **spread)
    with np.errstate(invalid="ignore", divide="ignore"):
        normalized = (call.x.astype(np.float64) - mean) / np.sqrt(variance + layer.epsilon)
    scale, offset = (1.0 if layer.scale is None else layer.scale), (0.0 if layer.offset is None else layer.offset)
    found = of_output(normalized, delta, scale=scale, offset=offset, arithmetic=how)
    return found + half_ulp(call.y, call.dtype if call.dtype in UNIT else "float32")


def rivals(layer: Judged, call: Call) -> dict[str, tuple[Array, Floats]]:
    """Return what the output may be, with its allowances: normalised with the batch's or with the stored statistics."""
    found = {}
    own = call.batch.mean, call.batch.variance
    found["batch"] = expected(layer, call, *own), allowance(layer, call, *own, allowance_of_batch(call))
    if layer.stored is not None:
        kept = layer.stored.mean, layer.stored.variance
        found["stored"] = expected(layer, call, *kept), allowance(layer, call, *kept, None)
    return found


def normalised(layer: Judged, call: Call) -> str:
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


def allowed(layer: Judged, call: Call) -> Floats:
    """Return the allowances of the output of a call, normalised as it was."""
    own = rivals(layer, call)
    name = normalised(layer, call)
    return own[name if name in own else "batch"][1]


def update(layer: Judged) -> tuple[str, str | None]:
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


def fits(layer: Judged, estimator: str, times: int) -> bool:
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


def fitted_start(layer: Judged) -> float | None:
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


LEFT_OVER = 0.1
"""The share of what statistics are off that a weight of their start may leave unexplained."""


def judged(measured: Mapping[str, Any]) -> tuple[Judged, ...]:
    """Return the layers of a measured model, in the order in which they were called."""
    return tuple(layer_of(layer, measured.get("steps")) for layer in measured["layers"])


def layer_of(layer: Mapping[str, Any], steps: int | None) -> Judged:
    """Return one layer as the worker tells it."""
    state = {name: np.asarray(value, np.float64).ravel() for name, value in layer["state"].items()}
    count = layer["count"] or 0
    return Judged(
        name=str(layer["name"]),
        kind=str(layer["kind"]),
        epsilon=float(layer["epsilon"]),
        momentum=layer["momentum"],
        keep=layer["keep"],
        frozen=bool(layer["frozen"]),
        count=layer["count"],
        steps=steps,
        found=layer["mode"],
        reached=tuple(layer["reached"]) if layer["reached"] else None,
        scale=state.get("scale"),
        offset=state.get("offset"),
        stored=state_of(layer["state"], count),
        after=state_of(layer["after"], count),
        inferred=state_of(layer["after_inference"], count),
        training=calls_of(layer["calls"]["training"]),
        inference=calls_of(layer["calls"]["inference"]),
    )


def state_of(state: Mapping[str, Any], count: int) -> State | None:
    """Return stored statistics, None where there are none."""
    if "mean" not in state or "variance" not in state:
        return None
    mean, variance = (np.asarray(state[name], np.float64).ravel() for name in ("mean", "variance"))
    return State(mean, variance, count)


def calls_of(calls: Sequence[Mapping[str, Any]]) -> tuple[Call, ...]:
    """Return calls as the worker tells them; one whose values never came is none."""
    return tuple(
        Call(
            said=call["said"],
            site=call["site"],
            x=np.asarray(call["x"]),
            y=np.asarray(call["y"]),
            batch=Moments(
                np.asarray(call["mean"], np.float64),
                np.asarray(call["variance"], np.float64),
                np.full(len(call["mean"]), call["count"], np.int64),
            ),
            size=np.asarray(call["size"], np.float64),
            shape=tuple(call["shape"]),
            dtype=str(call["output_dtype"]),
        )
        for call in calls
        if "shape" in call
    )
