"""The moving statistics of a simulated layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bnspec import formulas
from bnspec.case import Array
from bnspec.formulas import Batch, Statistics
from bnspec.reference import State, new_weight
from bnspec.reference.statistics import Floats
from bnspec.simulate.asking import Asking
from bnspec.spec import UndefinedError


@dataclass(frozen=True)
class Update:
    """An update that is due: its batches, in the order in which they enter.

    order: `in-turn`; `together`, all from the same old value; or `none`: any that there can be.
    """

    batches: tuple[Batch, ...]
    order: str = "in-turn"


class Moving:
    """State only where batch normalization has state.

    An update waits until something shows the moving statistics, so that an output that does not depend on
    an axis can be judged where that axis was not decided.
    """

    def __init__(self, asking: Asking) -> None:
        self.asking = asking
        self.written: dict[str, Floats] = {}
        self.overwritten = False
        self.reached: Statistics | None = None
        self.accumulators: tuple[Statistics, ...] = ()
        self.pending: list[Update] = []
        self.started: Statistics | None = None

    def push(self, *batches: Batch, order: str = "in-turn") -> None:
        """Let batches enter the moving statistics when these are next seen."""
        self.pending.append(Update(batches, order))

    def now(self) -> Statistics:
        """Return the moving statistics after every update so far."""
        moving = self.initial() if self.started is None else self.started
        for update in self.pending:
            moving = self.after(moving, update)
        self.pending.clear()
        self.started = moving
        return moving

    def write(self, given: Mapping[str, Floats]) -> None:
        """Write the mean, the variance or both; what is written is exact."""
        if self.started is None and not self.pending:
            self.written.update(given)
        elif given:
            old = self.now()
            bounds = {"mean": old.mean_allowance, "variance": old.variance_allowance}
            bounds.update((name, np.zeros_like(value)) for name, value in given.items())
            parts = {"mean": old.state.mean, "variance": old.state.variance, **given}
            state = State(parts["mean"], parts["variance"], old.state.count)
            self.started = Statistics(state, bounds["mean"], bounds["variance"])
        self.overwritten = self.overwritten or bool(given)

    def restart_count(self) -> None:
        """Set the number of training steps to 0; the statistics stay."""
        old = self.now()
        self.started = replace(old, state=replace(old.state, count=0))

    def initial(self) -> Statistics:
        """Return the moving statistics before any step. A state that was written asks no axis."""
        zeros = np.zeros(self.asking.layer.features)
        if self.written.keys() == {"mean", "variance"}:
            return Statistics(State(self.written["mean"], self.written["variance"]), zeros, zeros)
        fresh = self.fresh()
        written: dict[str, Floats] = {"mean": fresh.state.mean, "variance": fresh.state.variance, **self.written}
        return replace(fresh, state=State(written["mean"], written["variance"]))

    def fresh(self) -> Statistics:
        """Return the moving statistics of a layer that nobody has touched."""
        channels = self.asking.layer.features
        zeros = np.zeros(channels)
        initial = self.asking.of_place("stats.initial")
        mean, variance = {
            "zero-one": (zeros, np.ones(channels)),
            "zero-zero": (zeros, zeros),
        }.get(initial, (np.full(channels, np.nan),) * 2)
        return Statistics(State(mean, variance), zeros, zeros, unset=initial.startswith("unset"))

    def after(self, moving: Statistics, update: Update) -> Statistics:
        """Return the moving statistics after an update.

        Where the state is hidden the update goes on from what the last one reached, not from what was written.
        """
        if all(batch.empty and self.asking.of_case("degenerate.empty") == "unchanged" for batch in update.batches):
            return moving
        hidden = self.overwritten and self.asking.of_place("state.complete") == "hidden"
        self.overwritten = False
        if update.order == "none":
            return self.in_any_order(moving, update.batches, hidden)
        if hidden:
            moving = self.reached or self.fresh()
        if update.order == "together":
            self.reached = summed(moving, [self.moved(moving, batch) for batch in update.batches])
        else:
            for batch in update.batches:
                moving = self.moved(moving, batch)
            self.reached = moving
        return self.reached

    def in_any_order(self, moving: Statistics, batches: Sequence[Batch], hidden: bool) -> Statistics:
        """Return what two updates without an order may leave; where the state is hidden each has its own accumulator.

        Two that both read before either writes add their changes to the same old value.
        """
        if hidden:
            accumulators = self.accumulators or (self.fresh(),) * len(batches)
            self.accumulators = tuple(self.moved(*pair) for pair in zip(accumulators, batches, strict=True))
            alone = ways = self.accumulators
        else:
            alone = tuple(self.moved(moving, batch) for batch in batches)
            ways = tuple(self.moved(first, second) for first, second in zip(alone, batches[::-1], strict=True))
        return replace(ways[0], others=(*ways[1:], summed(moving, alone)))

    def moved(self, moving: Statistics, batch: Batch) -> Statistics:
        """Return the moving statistics after one batch."""
        asking = self.asking
        single = batch.x.size == asking.layer.features
        kind = "population" if single or not batch.x.size else self.estimator()
        keep = 0.0 if asking.averaging == "cumulative" else asking.keep
        weight = new_weight(moving.state.count + 1, keep=keep, averaging=asking.averaging)
        if np.isnan(weight):
            raise UndefinedError(f"at keep = {keep:g} the weight of a {asking.averaging} average is 0/0")
        entered = self.entered(batch, single)
        held = asking.passed or asking.state_type

        def move() -> Statistics:
            return formulas.moved(
                moving,
                batch,
                asking.layer,
                asking.moving_arithmetic,
                weight=weight,
                kind=kind,
                entered=entered,
                dtype=held,
            )

        key = ("moved", moving.key, batch.key, kind, *entered, weight, asking.moving_arithmetic, held)
        return asking.remember(key, move)

    def estimator(self) -> str:
        """Return the estimator of the variance that enters."""
        return self.asking.of_types("stats.stored-variance")

    def entered(self, batch: Batch, single: bool) -> tuple[str, str]:
        """Return what enters the moving mean and variance: the `estimate`, or what a degenerate batch does."""
        asking = self.asking
        if single:
            return "estimate", asking.of_place("degenerate.single-update")
        if batch.empty:
            answer = asking.of_case("degenerate.empty")
            return answer, answer
        asked = "degenerate.nan-recovery" in asking.case.clauses
        if asked and batch.poisoned and asking.of_case("degenerate.nan-recovery") == "skipped":
            return "unless-nan", "unless-nan"
        return "estimate", "estimate"


def summed(old: Statistics, parts: Sequence[Statistics]) -> Statistics:
    """Return the old statistics and the changes of several updates that were computed from them."""
    mean = old.state.mean + sum(part.state.mean - old.state.mean for part in parts)
    variance = old.state.variance + sum(part.state.variance - old.state.variance for part in parts)
    mean_allowance = sum((part.mean_allowance for part in parts), np.zeros_like(mean))
    variance_allowance = sum((part.variance_allowance for part in parts), np.zeros_like(mean))
    return Statistics(State(mean, variance, old.state.count + len(parts)), mean_allowance, variance_allowance)


def of_x(asking: Asking, x: Array, mask: Array | None = None) -> Batch:
    """Return a batch's statistics in the dialect."""
    answer = "included" if mask is None else mask_answer(asking)
    used = None if answer == "included" else mask
    asked = "degenerate.nan" in asking.case.clauses
    spread = asked and not np.isfinite(x).all() and asking.of_case("degenerate.nan") == "all"
    known = asking.remember(("exact", id(x), id(used)), lambda: formulas.exact(x, asking.layer, used))
    return asking.remember(
        ("batch", id(x), id(used), answer, spread, asking.arithmetic),
        lambda: formulas.of_batch(
            x, known, asking.layer, asking.arithmetic, mask=used, weighted=answer == "weighted", spread=spread
        ),
    )


def mask_answer(asking: Asking) -> str:
    """Return what the layer does with a mask: asked of this case, or of one that asks it in the same place.

    Replicas are asked for themselves: synchronised, a layer may compute otherwise than alone.
    """
    if "masks.statistics" in asking.case.clauses or asking.case.replicas > 1:
        return asking.of_case("masks.statistics")
    return asking.dialect.variant("masks.statistics", f"samples-{asking.case.where}")
