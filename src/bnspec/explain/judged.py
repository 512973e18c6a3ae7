"""Every layer of a measured model against the reference: what it normalised with, what became of its statistics."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bnspec.case import Array
from bnspec.explain.comparing import allowed, deviation, fitted_start, gap, normalised, rms, update
from bnspec.reference import Moments, State, estimate_variance
from bnspec.reference.statistics import Floats

GOAL = 0.01
"""How near to the batch's the stored statistics are to come: 1 %."""

MATTERS = 0.1
"""A difference in an output, in standard deviations of that output, below which nobody looks for its cause."""

SCATTERS = 3.0
"""So many times what a batch of this size scatters by chance is no chance."""


@dataclass(frozen=True, eq=False)
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


@dataclass(frozen=True, eq=False)
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
    def finite(self) -> bool:
        """Whether there are numbers, neither NaN nor infinite, in its inputs and its stored statistics."""
        calls = (*self.training, *self.inference)
        known = [part for call in calls for part in (call.batch.mean, call.batch.variance)]
        known += [self.stored.mean, self.stored.variance] if self.stored else []
        return all(bool(np.isfinite(part).all()) for part in known)

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
        if not math.isfinite(far) or self.updates in ("none", "no statistics") or self.keep == 1:
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
