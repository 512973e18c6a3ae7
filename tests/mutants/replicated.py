"""Replicas of `correct.Correct` in NumPy, in one process: what its hook returns."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from arithmetic import Batch, shown

from bnspec.worker.replicas import Replicas


@dataclass
class Share:
    """A replica's part of a step as its gradient needs it: layer, call, dy as rows, its own Σ dy·x̂ and Σ dy."""

    layer: Any
    call: Any
    dy: Any
    dscale: Any
    doffset: Any


class Replicated(Replicas):
    """As many layers as replicas. Attributes left and right of a comment are the variants of `replicas.*`."""

    kind = None  # of the layers
    moments = "pooled"  # or averaged, local, raises
    stored = "global"  # or local, where N is stored at all
    gradient = "own"  # or summed, averaged
    remaining = "each-own"  # or first, averaged, first-when-read, averaged-when-read, raises

    def __init__(self, layer, *, count, synchronised, execution, device):
        super().__init__(layer, count=count, synchronised=synchronised, execution=execution, device=device)
        self.layers = [self.kind(layer, execution=execution, device=device) for _ in range(count)]
        self.trained = False

    # Calls

    def train(self, shares, masks=None, dys=None):
        if (self.moments if self.synchronised else self.remaining) == "raises":
            raise RuntimeError("replicas cannot be trained")
        self.take_over()
        self.trained = True
        masks = masks or [None] * self.count
        if self.synchronised:
            self.prepare([layer.rows(x) for layer, x in zip(self.layers, shares, strict=True)], shares, masks)
        results = []
        for layer, x, mask in zip(self.layers, shares, masks, strict=True):
            results.append({"y": layer.call("train", x, mask=mask)})
            if layer.timing == "backward":  # a step of data-parallel training is a whole one
                layer.catch_up()
        if self.alone and self.remaining == "averaged":
            self.share_state(self.mean_state())
        if dys:
            for one, gradients in zip(results, self.gradients(dys), strict=True):
                one.update(gradients)
        return results

    def infer(self, shares):
        self.take_over()
        return [layer.call("infer", x) for layer, x in zip(self.layers, shares, strict=True)]

    @property
    def alone(self):
        """Whether every replica stores statistics of its own."""
        return not self.synchronised or self.moments == "local"

    # Statistics

    def prepare(self, values, shares, masks):
        """Give every layer the statistics that it is to use for its share, and the estimate that it is to store."""
        weights = [layer.weights(mask, x.shape) for layer, mask, x in zip(self.layers, masks, shares, strict=True)]
        own = [layer.statistics(v, w) for layer, v, w in zip(self.layers, values, weights, strict=True)]
        for n, layer in enumerate(self.layers):
            used = self.used(own, n)
            layer.given = Batch(used.mean, used.variance, self.entering(own, n))

    def used(self, own, number):
        """Return the statistics that a replica uses, from those of each share."""
        return own[number] if self.moments == "local" else self.together(own)

    def together(self, own):
        """Return the statistics of all shares, from those of each (Chan, Golub and LeVeque 1979)."""
        parts = self.parts(own)
        mean = sum(part * batch.mean for part, batch in zip(parts, own, strict=True))
        spread = [part * (one.variance + (one.mean - mean) ** 2) for part, one in zip(parts, own, strict=True)]
        return Batch(mean, sum(spread), None)

    def parts(self, own):
        """Return the weight of every share."""
        if self.moments == "averaged":
            return [own[0].mean.dtype.type(1 / self.count)] * self.count
        return [one.count / self.total(own) for one in own]

    def total(self, own):
        """Return how many values there are."""
        return sum(one.count for one in own)

    def entering(self, own, number):
        """Return the N of the estimate that a replica stores."""
        return own[number].count if self.stored == "local" else self.total(own)

    # Gradients

    def gradients(self, dys):
        """Return the gradients of every replica."""
        calls = [layer.tape[0] for layer in self.layers]
        values = [layer.rows(dy) for layer, dy in zip(self.layers, dys, strict=True)]
        found = []
        for layer, call, dy in zip(self.layers, calls, values, strict=True):
            constants = type(call)(call.values, call.shape, call.mean, call.variance, None)
            found.append(Share(layer, call, dy, *layer.gradients(constants, dy, layer.scale)[1:]))
        results = []
        for n, one in enumerate(found):
            parameters = self.reduced(found, n)
            dx = one.layer.back(self.dx(found, n), one.call.shape)
            results.append({"dx": shown(dx, self.layer["dtypes"]["input"]), **parameters})
        return results

    def dx(self, found, number):
        """Return the gradient of a share, as rows."""
        one = found[number]
        if self.alone or one.call.batch is None or one.layer.gradient == "detached":
            return one.layer.gradients(one.call, one.dy, one.layer.scale)[0]
        r = one.layer.inverse(one.call.variance)
        xhat = (one.call.values - one.call.mean[:, None]) * r[:, None]
        dscale, doffset = self.terms(found, number)
        part = self.part_of_value(found, number)
        inner = one.dy - doffset[:, None] * part[:, None] - xhat * dscale[:, None] * part[:, None]
        return (one.layer.scale * r)[:, None] * inner

    def terms(self, found, number):
        """Return Σ dy·x̂ and Σ dy over all shares."""
        return sum(one.dscale for one in found), sum(one.doffset for one in found)

    def part_of_value(self, found, number):
        """Return the weight of one value of a share in the mean."""
        own = found[number].call.values
        size = len(own) * [own.shape[1]]
        if self.moments == "averaged":
            return own.dtype.type(1) / (np.array(size, own.dtype) * self.count)
        return own.dtype.type(1) / np.full(len(own), sum(one.call.values.shape[1] for one in found), own.dtype)

    def reduced(self, found, number):
        """Return the gradients by scale and offset that a replica is left with."""
        several = found[number : number + 1] if self.gradient == "own" else found
        divisor = self.count if self.gradient == "averaged" else 1
        sums = {"scale": sum(one.dscale for one in several), "offset": sum(one.doffset for one in several)}
        layer = found[number].layer
        return {name: shown(sums[name] / divisor, layer.parameter_type) for name in layer.parameters}

    # State

    def take_over(self):
        """Begin a call with the statistics of the first replica, where the others take them over."""
        if self.trained and self.alone and self.remaining == "first":
            self.share_state(self.layers[0].state)

    def share_state(self, state):
        for layer in self.layers:
            layer.state = dict(state)

    def mean_state(self):
        """Return the mean of the moving statistics."""
        return {name: np.mean([layer.state[name] for layer in self.layers], axis=0) for name in self.layers[0].state}

    def get_state(self):
        states = [layer.get_state() for layer in self.layers]
        if self.alone and self.remaining == "first-when-read":
            states = [states[0]] * self.count
        if self.alone and self.remaining == "averaged-when-read":
            states = [self.mean_state()] * self.count
        return [{name: state[name] for name in ("mean", "variance") if name in state} for state in states]

    def set_state(self, state):
        for layer in self.layers:
            layer.set_state(state)
