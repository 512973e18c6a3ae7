"""A simulated layer under the framework's own trainer."""

from dataclasses import replace

import numpy as np

from bnspec.case import Array, Step
from bnspec.expectation import DONE, RAISES, Expectation, Expected, values
from bnspec.reference import allowance as allow
from bnspec.simulate.layer import SimulatedLayer

STEPS = frozenset(
    [
        "train", "infer", "call", "attempt", "backward", "freeze", "unfreeze", "set_mode", "untrack",
        "get_state", "set_state", "snapshot", "look", "reload", "prepare", "fit", "evaluate", "predict",
        "capture", "set_threads",
    ]
)  # fmt: skip
"""What a step of a program may be; each is a method."""


class SimulatedTrainer(SimulatedLayer):
    """One layer of a case, in one dialect, and the trainer around it: plain gradient descent."""

    def prepare(self, step: Step) -> Expectation:
        """Compile."""
        self.freezing.compile()
        return DONE

    def fit(self, step: Step) -> Expectation:
        """Fit epochs of one or several batches: the loss that is reported of each, the updates."""
        self.compile_once()
        if self.freezing.broken:
            return RAISES
        x, target, losses = step.arrays["x"], step.arrays["target"], []
        parts = [self.part(x, target, n) for n in range(step.options.get("batches", 1))]
        for _ in range(step.options["steps"]):
            epoch = []
            for batch, wanted in parts:
                found = self.learn(batch, wanted, step.options.get("learning_rate", 0.0))
                if found is None:
                    return RAISES
                epoch.append(found)
            several = len(epoch) > 1 and self.asking.of_case("trainer.loss-scope") == "running-mean"
            losses.append(np.mean(epoch, axis=0) if several else np.array(epoch[-1]))
        if not self.shows("loss"):
            return DONE
        expected, bound = np.transpose(losses)
        return values(loss=Expected(expected, bound, None))

    def compile_once(self) -> None:
        """Compile where nobody has: the first step of the trainer does."""
        if not self.freezing.compiled:
            self.freezing.compile()

    def part(self, x: Array, target: Array, number: int) -> tuple[Array, Array]:
        """Return one of the equal batches of an epoch; it is kept, for batches are known by identity."""
        size = len(x) // self.step.options.get("batches", 1)
        cut = slice(number * size, (number + 1) * size)
        return self.asking.remember(("part", id(x), id(target), number, size), lambda: (x[cut], target[cut]))

    def learn(self, x: Array, target: Array, rate: float) -> tuple[float, float] | None:
        """Train one batch: the loss that is reported and its allowance, or None where it raises."""
        learns = bool(rate) and not self.freezing.frozen
        mode, asked = self.nested("train"), self.step
        if learns:
            self.step = replace(asked, asked=None)  # the output decides the gradient, whether it is asked or not
        shown = self.call_as(mode, {"x": x})
        self.step = asked
        if shown.kind == "raises":
            return None
        if shown.kind != "values":
            return 0.0, 0.0
        found = self.loss(shown, target)
        if learns:
            assert self.last is not None
            y = shown.values["y"]
            dy = 2 * (y.value - target) / y.value.size
            for name, gradient in self.gradients(self.last, dy, dy.tobytes()).items():
                if name in self.parameters:
                    error = rate * (gradient.allowance + 2 * np.abs(y.allowance).mean())
                    self.noise[name] = self.noise.get(name, np.zeros(self.layer.features)) + error
                    self.parameters[name] = self.parameters[name] - rate * gradient.value
            if self.asking.of_case("trainer.reported-loss") == "after-update":
                last = self.last
                used = self.batch(last.x).statistics if last.by_batch else self.moving.now()
                found = self.loss(values(y=self.output_of(last.x, used, self.asking.arithmetic)), target)
        return found

    def loss(self, shown: Expectation, target: Array) -> tuple[float, float]:
        """Return the mean squared error of an output, and its allowance."""
        y = shown.values["y"]
        value = float(((y.value - target) ** 2).mean())
        return value, allow.of_loss(y.value, y.allowance, target, arithmetic=self.asking.arithmetic)

    def evaluate(self, step: Step) -> Expectation:
        """Evaluate: the loss in inference, unless the mode is stuck."""
        self.compile_once()
        shown = self.call_as(self.nested("infer"), step.arrays)
        if shown.kind != "values":
            return shown
        expected, bound = self.loss(shown, step.arrays["target"])
        return values(loss=Expected(np.array([expected]), np.array([bound]), None))

    def predict(self, step: Step) -> Expectation:
        """Predict: inference, unless the mode is stuck."""
        self.compile_once()
        return self.call_as(self.nested("infer"), step.arrays)
