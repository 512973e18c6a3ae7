"""Replicas of a layer in data-parallel training, in one dialect: what every step shows of every replica."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bnspec.case import Array, Step
from bnspec.expectation import ABSENT, ANY, DONE, RAISES, Expectation, Expected, values
from bnspec.formulas import Batch, Statistics
from bnspec.reference import State
from bnspec.reference.statistics import Floats
from bnspec.simulate.asking import Asking
from bnspec.simulate.layer import SimulatedLayer
from bnspec.simulate.moving import Moving, mask_answer, of_x
from bnspec.spec import UndecidedError, UndefinedError

STEPS = frozenset(["train_shares", "infer_shares", "get_shares", "set_state"])
"""What a step of a program on replicas may be; each is a method."""


class Storing(Moving):
    """The moving statistics of one of several replicas that are synchronised.

    counts: by the key of a batch, how many values per channel all shares have, and how many this one.
    """

    def __init__(self, asking: Asking) -> None:
        super().__init__(asking)
        self.counts: dict[object, dict[str, Floats]] = {}

    def moved(self, moving: Statistics, batch: Batch) -> Statistics:
        """Return the moving statistics after one batch, whose N is that of the dialect."""
        answer = self.asking.of_case("replicas.stored-variance")
        if answer != "none":
            moments = replace(batch.moments, count=self.counts[batch.key][answer])
            batch = replace(batch, moments=moments, key=(batch.key, answer))
        return super().moved(moving, batch)

    def estimator(self) -> str:
        """Return the estimator of the variance that enters; one that has an N, where the dialect says whose."""
        if self.asking.of_case("replicas.stored-variance") == "none":
            return "population"
        own = super().estimator()
        return "sample" if own == "population" else own


@dataclass(frozen=True)
class Given:
    """The shares of a training step as its gradient needs them: x, the batch that each was normalised by."""

    shares: tuple[Array, ...]
    batches: tuple[Batch, ...]


class SimulatedReplicas:
    """Several replicas of the layer of a case, in one dialect."""

    def __init__(self, asking: Asking) -> None:
        self.asking, self.case = asking, asking.case
        self.layers = [SimulatedLayer(asking) for _ in range(asking.case.replicas)]
        self.step = Step("nothing")
        self.last: Given | None = None
        if self.case.synchronised:
            for layer in self.layers:
                layer.moving = Storing(asking)

    def run(self, step: Step) -> Expectation:
        """Return what the step shows, and change the state as it does."""
        self.step = step
        shown: Expectation = getattr(self, step.do)(step)
        if step.asked is None or shown.kind != "values":
            return shown
        asked = {name: one for name, one in shown.values.items() if self.shows(name.rstrip("0123456789"))}
        return values(**asked) if asked else DONE

    def shows(self, name: str) -> bool:
        """Whether the step is asked for this array of every replica."""
        return self.step.asked is None or name in self.step.asked

    def set_state(self, step: Step) -> Expectation:
        """Write parts of the state of every replica."""
        for layer in self.layers:
            layer.set_state(step)
        return DONE

    # Calls

    def train_shares(self, step: Step) -> Expectation:
        """A training step of all replicas, each on its share."""
        shares, masks = arrays(step, "x"), arrays(step, "mask")
        if self.answer() == "raises":
            if not self.case.rivals:
                raise UndefinedError("a training step of these replicas raises")
            return RAISES
        self.take_over()
        if self.case.synchronised:
            batches = self.together(shares, masks)
        else:
            batches = tuple(of_x(self.asking, x) for x in shares)
        self.last = Given(shares, batches)
        for layer, batch in zip(self.layers, batches, strict=True):
            layer.moving.push(batch)
        if self.remaining() == "averaged":
            self.share_state(averaged([layer.moving.now() for layer in self.layers]))
        return values(**self.outputs(shares, masks), **self.gradients(arrays(step, "dy")))

    def outputs(self, shares: tuple[Array, ...], masks: tuple[Array, ...]) -> dict[str, Expected]:
        """Return y of every share; where a mask leaves out, anything."""
        found: dict[str, Expected] = {}
        if not self.shows("y"):
            return found
        for n, (layer, x) in enumerate(zip(self.layers, shares, strict=True)):
            y = layer.output_of(x, self.used(n), self.asking.arithmetic)
            if masks:
                counts = np.broadcast_to(np.expand_dims(masks[n], self.case.layer.axis % x.ndim) > 0, x.shape)
                y = Expected(y.value, np.where(counts, y.allowance, np.inf), y.dtype)
            found[f"y{n}"] = y
        return found

    def infer_shares(self, step: Step) -> Expectation:
        """A call of all replicas in inference mode."""
        if self.answer() == "raises":
            return ANY
        self.take_over()
        shown = [layer.inference_output(x) for layer, x in zip(self.layers, arrays(step, "x"), strict=True)]
        return values(**{f"y{n}": one.values["y"] for n, one in enumerate(shown)})

    def answer(self) -> str:
        """Return whose statistics normalise, or remain, in this dialect."""
        if self.case.synchronised:
            return self.asking.of_case("replicas.moments")
        try:
            return self.asking.of_case("replicas.plain")
        except UndecidedError:
            if self.case.rivals or self.asking.of_place("forward.statistics") == "running":
                raise
            return "each-own"  # what a share's own statistics normalise does not depend on it

    def remaining(self) -> str:
        """Return whose moving statistics remain; of layers that do compute together, everybody has the same."""
        if self.case.synchronised and self.answer() != "local":
            return "each-own"
        return self.asking.of_case("replicas.plain") if self.case.synchronised else self.answer()

    def used(self, number: int) -> Statistics:
        """Return the statistics by which a share was normalised."""
        if self.asking.of_place("forward.statistics") == "running":
            return self.layers[number].moving.now()
        assert self.last is not None
        return self.last.batches[number].statistics

    def together(self, shares: tuple[Array, ...], masks: tuple[Array, ...]) -> tuple[Batch, ...]:
        """Return the batches by which replicas that are synchronised normalise their shares and move their statistics.

        The mean and the mean square of shares that weigh the same are those of a union in which every share is
        repeated until all are equally large.
        """
        asking, answer = self.asking, self.answer()
        if masks and mask_answer(asking) == "included":
            masks = ()
        own = [of_x(asking, x, masks[n] if masks else None) for n, x in enumerate(shares)]
        every = np.sum([one.moments.count for one in own], axis=0).astype(np.float64)
        whole = own[0]
        if answer != "local":
            times = self.times(own)
            whole = of_x(asking, self.union(shares, times), self.union(masks, times) if masks else None)
        batches = []
        for layer, one in zip(self.layers, own, strict=True):
            batch = one if answer == "local" else replace(whole, key=(whole.key, one.key))
            assert isinstance(layer.moving, Storing)
            layer.moving.counts[batch.key] = {"global": every, "local": one.moments.count.astype(np.float64)}
            batches.append(batch)
        return tuple(batches)

    def times(self, own: Sequence[Batch]) -> tuple[int, ...]:
        """Return how many times every share enters the union."""
        if self.answer() == "pooled":
            return (1,) * len(own)
        counts = [int(batch.moments.count.flat[0]) for batch in own]
        return tuple(int(np.lcm.reduce(counts)) // count for count in counts)

    def union(self, shares: tuple[Array, ...], times: tuple[int, ...]) -> Array:
        """Return the union of shares along the batch axis; it is kept, for batches are known by identity."""
        key = ("union", times, *map(id, shares))
        return self.asking.remember(key, lambda: joined(shares, times))

    # Moving statistics

    def take_over(self) -> None:
        """Let every replica begin a call with the statistics of the first one, where the dialect does so."""
        if self.last and self.remaining() == "first":
            self.share_state(self.layers[0].moving.now())

    def share_state(self, shared: Statistics) -> None:
        """Let every replica have these moving statistics."""
        for layer in self.layers:
            layer.moving.now()
            layer.moving.started = shared

    def get_shares(self, step: Step) -> Expectation:
        """Read the moving statistics of every replica."""
        if self.answer() == "raises":
            return ANY
        moving = [layer.moving.now() for layer in self.layers]
        read = {"averaged-when-read": averaged(moving), "first-when-read": moving[0]}.get(self.remaining())
        moving = moving if read is None else [read] * len(moving)
        shown = [layer.state(own, bare=True) for layer, own in zip(self.layers, moving, strict=True)]
        if any(one.kind != "values" for one in shown):
            return ABSENT
        found = {f"{name}{n}": one.values[name] for n, one in enumerate(shown) for name in ("mean", "variance")}
        return values(**found)

    # Gradients

    def gradients(self, dys: tuple[Array, ...]) -> dict[str, Expected]:
        """Return the gradients of Σ dy·y over all shares."""
        assert self.last is not None
        found: dict[str, Expected] = {}
        if dys and self.shows("dx"):
            found.update((f"dx{n}", dx) for n, dx in enumerate(self.by_inputs(self.last, dys)))
        if not dys or not any(self.shows(name) for name in self.layers[0].parameters):
            return found
        own = [self.of_share(n, dys[n], through=False) for n in range(len(dys))]
        answer = self.asking.of_case("replicas.gradient")
        for name in self.layers[0].parameters:
            parts = [gradients[name] for gradients in own]
            for n, part in enumerate(parts):
                all_of_them = part if answer == "own" else summed(parts, len(parts) if answer == "averaged" else 1)
                found[f"{name}{n}"] = all_of_them
        return found

    def by_inputs(self, last: Given, dys: Sequence[Array]) -> list[Expected]:
        """Return the gradients by every share."""
        running = self.asking.of_place("forward.statistics") == "running"
        if running or self.asking.of_place("gradient.statistics") != "through":
            return [self.of_share(n, dy, through=False)["x"] for n, dy in enumerate(dys)]
        if not self.case.synchronised or self.answer() == "local":
            return [self.of_share(n, dy, through=True)["x"] for n, dy in enumerate(dys)]
        times = self.times([of_x(self.asking, x) for x in last.shares])
        union = self.union(last.shares, times)
        dy = joined([dy / k for dy, k in zip(dys, times, strict=True)], times)
        used = last.batches[0].statistics
        whole = self.layers[0].gradients_of(union, dy, dy.tobytes(), used, through=True)["x"]
        found, start = [], 0
        for x, k in zip(last.shares, times, strict=True):
            copies = [slice(start + n * len(x), start + (n + 1) * len(x)) for n in range(k)]
            found.append(summed([Expected(whole.value[c], whole.allowance[c], whole.dtype) for c in copies]))
            start += k * len(x)
        return found

    def of_share(self, number: int, dy: Array, *, through: bool) -> dict[str, Expected]:
        """Return the gradients of a share, the statistics being constants or its own."""
        assert self.last is not None
        return self.layers[0].gradients_of(self.last.shares[number], dy, id(dy), self.used(number), through=through)


def arrays(step: Step, name: str) -> tuple[Array, ...]:
    """Return the arrays of a step that are called so, by their numbers."""
    return tuple(step.arrays[f"{name}{n}"] for n in range(len(step.arrays)) if f"{name}{n}" in step.arrays)


def joined(shares: Sequence[Array], times: Sequence[int]) -> Array:
    """Return shares one after the other along the batch axis, each so many times."""
    return np.concatenate([share for share, k in zip(shares, times, strict=True) for _ in range(k)])


def averaged(several: Sequence[Statistics]) -> Statistics:
    """Return the mean of the moving statistics of several replicas."""
    mean = np.mean([one.state.mean for one in several], axis=0)
    variance = np.mean([one.state.variance for one in several], axis=0)
    mean_allowance = np.mean([one.mean_allowance for one in several], axis=0)
    variance_allowance = np.mean([one.variance_allowance for one in several], axis=0)
    return Statistics(State(mean, variance, several[0].state.count), mean_allowance, variance_allowance)


def summed(parts: Sequence[Expected], divisor: int = 1) -> Expected:
    """Return the sum of numbers, each known to its allowance, divided by a whole number."""
    value = np.sum([part.value for part in parts], axis=0) / divisor
    return Expected(value, np.sum([part.allowance for part in parts], axis=0) / divisor, parts[0].dtype)
