"""The reference, run through a program in a dialect: what every step should show."""

from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from bnspec import formulas
from bnspec.case import Array, Case, Step
from bnspec.expectation import ABSENT, DONE, FREE, RAISES, Expectation, Expected, values
from bnspec.formulas import Batch, Statistics
from bnspec.reference import Arithmetic, State, new_weight
from bnspec.reference import allowance as allow
from bnspec.reference.statistics import Floats
from bnspec.spec import Dialect, UndefinedError

Memory = dict[Hashable, Any]
"""What was computed already: rival dialects of one case share their batches and most of their states."""

T = TypeVar("T")


def simulate(case: Case, dialect: Dialect, memory: Memory | None = None) -> tuple[Expectation, ...]:
    """Return what each step of the case's program shows in a dialect.

    Raises UndecidedError where the expectation depends on an axis that the dialect leaves open, and
    UndefinedError where the dialect's own formula has no value.
    """
    layer = SimulatedLayer(case, dialect, {} if memory is None else memory)
    return tuple(layer.run(step) for step in case.program)


@dataclass(frozen=True)
class Call:
    """The last call, as its gradient needs it."""

    x: Array
    by_batch: bool


class SimulatedLayer:
    """One layer of a case, in one dialect. State only where batch normalization has state.

    The dialect is asked as late as can be: an update waits until something shows the moving statistics, so
    that an output that does not depend on an axis can be judged where that axis was not decided.
    """

    def __init__(self, case: Case, dialect: Dialect, memory: Memory) -> None:
        self.case, self.layer, self.dialect, self.memory = case, case.layer, dialect, memory
        self.asked: tuple[str, ...] | None = None
        self.frozen = False
        self.last: Call | None = None
        self.written: dict[str, Floats] = {}
        self.overwritten = False
        self.reached: Statistics | None = None
        self.pending: list[Array] = []
        self.started: Statistics | None = None
        self.parameters: dict[str, Floats] = {}
        if self.layer.scale:
            self.parameters["scale"] = np.ones(self.layer.features)
        if self.layer.offset:
            self.parameters["offset"] = np.zeros(self.layer.features)

    def variant(self, axis: str) -> str:
        """Return the dialect's answer for this layer's place."""
        return self.dialect.variant(axis, self.case.where)

    def remember(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what was made under this key before, or make it."""
        if key not in self.memory:
            self.memory[key] = make()
        found: T = self.memory[key]
        return found

    @cached_property
    def arithmetic(self) -> Arithmetic:
        """The accuracy classes of the dialect, in float32."""
        return Arithmetic(
            moments=self.variant("precision.moments"), accumulation=self.variant("precision.accumulation")
        )

    @cached_property
    def keep(self) -> float:
        """The weight of the old statistic, where the average is not cumulative."""
        momentum = self.layer.momentum or {}
        if "keep" in momentum:
            return float(momentum["keep"])
        if "raw" in momentum:
            raw = float(momentum["raw"])
            return raw if self.variant("stats.momentum-weight") == "old" else 1 - raw
        raise ValueError(f"{self.case.key}: momentum {momentum}; expected keep, raw or cumulative")

    @cached_property
    def averaging(self) -> str:
        """The kind of average."""
        if (self.layer.momentum or {}).get("cumulative"):
            return "cumulative"
        return self.variant("stats.averaging")

    def run(self, step: Step) -> Expectation:
        """Return what the step shows, and change the state as it does."""
        self.asked = step.asked
        shown = STEPS[step.do](self, step)
        if step.asked is None or shown.kind != "values":
            return shown
        asked = {name: expected for name, expected in shown.values.items() if name in step.asked}
        return values(**asked) if asked else DONE

    def shows(self, name: str) -> bool:
        """Whether the step is asked for this array."""
        return self.asked is None or name in self.asked

    # Steps

    def train(self, step: Step) -> Expectation:
        """A call in training mode."""
        return self.call_as(self.nested("train"), step.arrays["x"])

    def infer(self, step: Step) -> Expectation:
        """A call in inference mode."""
        return self.call_as(self.nested("infer"), step.arrays["x"])

    def call(self, step: Step) -> Expectation:
        """A call without a mode."""
        return self.call_as(self.variant("modes.unstated"), step.arrays["x"])

    def call_as(self, mode: str, x: Array) -> Expectation:
        """A call in an effective mode: train, train-no-update, infer or raises."""
        if mode == "raises":
            return RAISES
        normalise, update = ("moving", False) if mode == "infer" else ("batch", mode == "train")
        if self.frozen and mode != "infer":
            normalise = self.variant("frozen.normalisation")
            update = self.variant("frozen.update") == "updates"
        if normalise == "moving":
            shown = self.inference_output(x)
            if update:
                self.pending.append(x)
            return shown
        if x.size == self.layer.features and self.variant("degenerate.single") == "raises":
            return RAISES
        if update:
            self.pending.append(x)
        self.last = Call(x, by_batch=True)
        if not self.shows("y"):
            return DONE
        if x.size == self.layer.features:
            return self.single_output(x)
        if self.variant("forward.statistics") == "running":
            return self.inference_output(x)
        return self.training_output(x)

    def backward(self, step: Step) -> Expectation:
        """The gradients of the last call."""
        if self.last is None:
            raise ValueError(f"{self.case.key}: backward without a call")
        if not any(self.shows(name) for name in ("x", *self.parameters)):
            return DONE
        x, through, used = self.last.x, False, None
        if self.last.by_batch and self.variant("forward.statistics") == "batch":
            through = self.variant("gradient.statistics") == "through"
            used = self.batch(x).statistics
        found = formulas.gradients(
            x,
            step.arrays["dy"],
            used or self.moving(),
            self.layer,
            self.parameters,
            self.arithmetic,
            through=through,
        )
        return values(**found)

    def freeze(self, step: Step) -> Expectation:
        """Freeze the layer."""
        self.frozen = True
        return DONE

    def unfreeze(self, step: Step) -> Expectation:
        """Unfreeze the layer."""
        self.frozen = False
        return DONE

    def get_state(self, step: Step) -> Expectation:
        """Read the state."""
        parameters = {name: Expected(value, np.zeros_like(value)) for name, value in self.parameters.items()}
        if not (self.shows("mean") or self.shows("variance")):
            return values(**parameters)
        moving = self.moving()
        if moving.unset:
            return ABSENT

        def state() -> Expectation:
            bounds = {"mean": moving.mean_allowance, "variance": moving.variance_allowance}
            shown = {
                name: formulas.stored(getattr(moving.state, name), bound, exact=self.case.exact)
                for name, bound in bounds.items()
            }
            return values(**parameters, **shown)

        return self.remember(("state", moving.key, self.parameters_key), state)

    def set_state(self, step: Step) -> Expectation:
        """Write parts of the state; what is written is exact."""
        given = {name: array.astype(np.float64) for name, array in step.arrays.items()}
        statistics = {name: value for name, value in given.items() if name in ("mean", "variance")}
        self.parameters.update((name, value) for name, value in given.items() if name not in statistics)
        if self.started is None and not self.pending:
            self.written.update(statistics)
        elif statistics:
            old = self.moving()
            bounds = {"mean": old.mean_allowance, "variance": old.variance_allowance}
            bounds.update((name, np.zeros_like(value)) for name, value in statistics.items())
            parts = {"mean": old.state.mean, "variance": old.state.variance, **statistics}
            state = State(parts["mean"], parts["variance"], old.state.count)
            self.started = Statistics(state, bounds["mean"], bounds["variance"])
        self.overwritten = self.overwritten or bool(statistics)
        return DONE

    def fit(self, step: Step) -> Expectation:
        """Fit steps of one batch each, at learning rate 0: the loss of each, and the updates."""
        target, losses = step.arrays["target"], []
        for _ in range(step.options["steps"]):
            shown = self.call_as(self.nested("train"), step.arrays["x"])
            if shown.kind != "values":
                return shown
            y = shown.values["y"]
            loss = float(((y.value - target) ** 2).mean())
            losses.append((loss, allow.of_loss(y.value, y.allowance, target, arithmetic=self.arithmetic)))
        expected, bound = (np.array(column) for column in zip(*losses, strict=True))
        return values(loss=Expected(expected, bound))

    def predict(self, step: Step) -> Expectation:
        """Predict: inference, unless the mode is stuck."""
        return self.call_as(self.nested("infer"), step.arrays["x"])

    # The moving statistics

    def moving(self) -> Statistics:
        """Return the moving statistics after every update so far."""
        moving = self.initial() if self.started is None else self.started
        for x in self.pending:
            moving = self.updated(moving, x)
        self.pending.clear()
        self.started = moving
        return moving

    def initial(self) -> Statistics:
        """Return the moving statistics before any step. A state that was written asks no axis."""
        channels = self.layer.features
        zeros = np.zeros(channels)
        if self.written.keys() == {"mean", "variance"}:
            return Statistics(State(self.written["mean"], self.written["variance"]), zeros, zeros)
        fresh = self.fresh()
        written: dict[str, Floats] = {"mean": fresh.state.mean, "variance": fresh.state.variance, **self.written}
        return replace(fresh, state=State(written["mean"], written["variance"]))

    def fresh(self) -> Statistics:
        """Return the moving statistics of a layer that nobody has touched."""
        channels = self.layer.features
        zeros = np.zeros(channels)
        initial = self.variant("stats.initial")
        mean, variance = {
            "zero-one": (zeros, np.ones(channels)),
            "zero-zero": (zeros, zeros),
        }.get(initial, (np.full(channels, np.nan),) * 2)
        return Statistics(State(mean, variance), zeros, zeros, unset=initial.startswith("unset"))

    def updated(self, moving: Statistics, x: Array) -> Statistics:
        """Return the moving statistics after one batch.

        Where the state is hidden the update goes on from what the last one reached, not from what was written.
        """
        if self.overwritten and self.variant("state.complete") == "hidden":
            moving = self.reached or self.fresh()
        self.overwritten = False
        single = x.size == self.layer.features
        kind = "population" if single else self.variant("stats.stored-variance")
        entered = self.variant("degenerate.single-update") if single else "estimate"
        keep = 0.0 if self.averaging == "cumulative" else self.keep
        weight = new_weight(moving.state.count + 1, keep=keep, averaging=self.averaging)
        if np.isnan(weight):
            raise UndefinedError(f"at keep = {keep:g} the weight of a {self.averaging} average is 0/0")

        def move() -> Statistics:
            return formulas.moved(
                moving,
                self.batch(x),
                self.layer,
                self.arithmetic,
                weight=weight,
                kind=kind,
                entered=entered,
            )

        self.reached = self.remember(("updated", moving.key, id(x), kind, entered, weight, self.arithmetic), move)
        return self.reached

    # Outputs

    def nested(self, mode: str) -> str:
        """Return the mode that reaches the layer when the outermost caller asks for `mode`."""
        if self.case.structure not in ("user-layer", "user-model"):
            return mode
        variant = self.dialect.variant("modes.nested", self.case.situation)
        if variant == "inherits-no-update":
            return "train-no-update" if mode == "train" else mode
        return {"inherits": mode, "fixed-infer": "infer", "fixed-train": "train"}.get(variant, "raises")

    def batch(self, x: Array) -> Batch:
        """Return a batch's statistics."""
        key = ("batch", id(x), self.arithmetic)
        return self.remember(key, lambda: formulas.of_batch(x, self.layer, self.arithmetic))

    def training_output(self, x: Array) -> Expectation:
        """The output with the batch's statistics."""
        return self.output(x, self.batch(x).statistics)

    def inference_output(self, x: Array) -> Expectation:
        """The output with the stored statistics."""
        self.last = Call(x, by_batch=False)
        moving = self.moving()
        if moving.unset:
            return RAISES if self.variant("stats.initial") == "unset-raises" else FREE
        return self.output(x, moving)

    def single_output(self, x: Array) -> Expectation:
        """The output in training with one value per channel."""
        variant = self.variant("degenerate.single")
        if variant == "offset":
            return self.training_output(x)
        value = x.astype(np.float64) if variant == "input" else np.full(x.shape, np.nan)
        return values(y=Expected(value, np.zeros(x.shape)))

    def output(self, x: Array, used: Statistics) -> Expectation:
        """The output scale·x̂ + offset with some statistics."""

        def y() -> Expectation:
            return values(y=formulas.output(x, used, self.layer, self.parameters, self.arithmetic))

        return self.remember(("y", id(x), used.key, self.parameters_key, self.arithmetic), y)

    @property
    def parameters_key(self) -> Hashable:
        """What tells two sets of parameters apart."""
        return tuple(value.tobytes() for value in self.parameters.values())


STEPS: Mapping[str, Callable[[SimulatedLayer, Step], Expectation]] = {
    name: getattr(SimulatedLayer, name)
    for name in (
        "train", "infer", "call", "backward", "freeze", "unfreeze",
        "get_state", "set_state", "fit", "predict",
    )
}  # fmt: skip


class Recorder(Dialect):
    """A dialect that notes which axes were asked, where."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__(dialect.answers, dialect.undecided)
        object.__setattr__(self, "asked", set())

    asked: set[tuple[str, str]]

    def variant(self, axis: str, situation: str) -> str:
        """Return the answer, and note the question."""
        self.asked.add((axis, situation))
        return super().variant(axis, situation)


def questions(case: Case, dialect: Dialect) -> frozenset[tuple[str, str]]:
    """Return the axes, with their situations, that the expectation of a case depends on in a dialect."""
    recorder = Recorder(dialect)
    with suppress(UndefinedError):
        simulate(case, recorder)
    return frozenset(recorder.asked)
