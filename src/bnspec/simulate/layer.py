"""A layer of a case, in one dialect: what every step shows."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from bnspec import formulas
from bnspec.case import Array, Step
from bnspec.expectation import ABSENT, ANY, DONE, FREE, RAISES, Expectation, Expected, other, same, values
from bnspec.formulas import Batch, Statistics
from bnspec.reference import allowance as allow
from bnspec.reference.statistics import Floats
from bnspec.simulate.asking import Asking
from bnspec.simulate.freezing import Freezing
from bnspec.simulate.moving import Moving, mask_answer, of_x
from bnspec.spec import CAPTURE_STEPS

TRAINED = ("fit", "evaluate", "predict")


@dataclass(frozen=True)
class Call:
    """The last call, as its gradient needs it. again: the batch that enters once more with the gradient."""

    x: Array
    by_batch: bool
    again: Batch | None = None


class SimulatedLayer:
    """One layer of a case, in one dialect."""

    def __init__(self, asking: Asking) -> None:
        self.asking, self.case, self.layer = asking, asking.case, asking.layer
        self.moving = Moving(asking)
        self.step: Step = Step("nothing")
        self.freezing = Freezing(asking)
        self.set: dict[str, str] = {}
        self.captured: str | None = None
        self.tracked = self.layer.tracked
        self.held: Statistics | None = None
        self.last: Call | None = None
        self.parameters: dict[str, Floats] = {}
        self.noise: dict[str, Floats] = {}
        if self.layer.scale:
            self.parameters["scale"] = np.ones(self.layer.features)
        if self.layer.offset:
            self.parameters["offset"] = np.zeros(self.layer.features)

    def run(self, step: Step) -> Expectation:
        """Return what the step shows, and change the state as it does."""
        self.step = step
        if self.asking.rejected:
            return RAISES if step.do in (*TRAINED, "train", "infer", "call") else ANY
        if step.like is not None and "execution.determinism" in self.case.clauses:
            variant = self.asking.of_case("execution.determinism")
            return same(step.like) if variant == "same-bits" else other(step.like)
        shown: Expectation = getattr(self, step.do)(step)
        if step.like is not None and shown.kind == "values":
            return same(step.like)
        if step.asked is None or shown.kind != "values":
            return shown
        asked = {name: expected for name, expected in shown.values.items() if name in step.asked}
        return values(**asked) if asked else DONE

    def shows(self, name: str) -> bool:
        """Whether the step is asked for this array."""
        return self.step.asked is None or name in self.step.asked

    # Calls

    def train(self, step: Step) -> Expectation:
        """A call in training mode."""
        if self.case.structure == "shared-twice":
            return self.train_twice(step.arrays["x"])
        options = step.options
        if not options.get("collect", True):
            return self.train_uncollected(step.arrays["x"])
        again = options.get("recompute", False) and self.asking.of_case("stats.recompute") == "twice"
        records = options.get("record", True) or self.asking.of_case("stats.no-gradient") == "updates"
        mode = self.spoken("train")
        return self.call_as(mode if records or mode != "train" else "train-no-update", step.arrays, again=again)

    def infer(self, step: Step) -> Expectation:
        """A call in inference mode."""
        return self.call_as(self.spoken("infer"), step.arrays)

    def call(self, step: Step) -> Expectation:
        """A call without a mode: that which was set, which the constructor was told, or what the layer does then."""
        mode = self.set.get("layer") or self.layer.mode
        if "modes.remembered" in self.case.clauses:
            mode = self.asking.of_case("modes.remembered")
        if {"layer", "parent"} <= self.set.keys():
            mode = self.set["parent" if self.asking.of_case("modes.override") == "overridden" else "layer"]
        return self.call_as(mode or self.asking.of_place("modes.unstated"), step.arrays)

    def attempt(self, step: Step) -> Expectation:
        """A call with what the layer should not take: an error, which changes nothing."""
        return ANY

    def spoken(self, mode: str) -> str:
        """Return the mode that reaches the layer when the outermost caller says `mode`."""
        told = self.layer.mode
        if self.captured not in (None, mode) and "execution.mode-baked" in self.case.clauses:
            answer = self.asking.of_case("execution.mode-baked")
            return {"follows": mode, "baked": str(self.captured)}.get(answer, "raises")
        if told is not None and told != mode:
            return {"call": mode, "constructor": told}.get(self.asking.of_case("modes.conflict"), "raises")
        return self.nested(mode)

    def nested(self, mode: str) -> str:
        """Return the mode that passes through what stands around the layer."""
        structure, by = self.case.structure, "fit" if self.step.do in TRAINED else "call"
        if structure.startswith("pinned"):
            return self.pinned(mode, structure.removeprefix("pinned-"))
        if structure == "plain-list":
            reached = self.asking.dialect.variant("modes.reach", by)
            if reached == "no":
                return self.asking.of_place("modes.unstated")
            reached_mode = "train-no-update" if mode == "train" else mode
            return {"yes": mode, "yes-no-update": reached_mode}.get(reached, "raises")
        if structure not in ("user-layer", "user-model"):
            return mode
        variant = self.asking.dialect.variant("modes.nested", f"{structure}-{by}")
        if variant == "inherits-no-update":
            return "train-no-update" if mode == "train" else mode
        return {"inherits": mode, "fixed-infer": "infer", "fixed-train": "train"}.get(variant, "raises")

    def pinned(self, mode: str, pinned: str) -> str:
        """Return the mode of a layer whose caller says `pinned` while the trainer is in `mode`."""
        variant = self.asking.of_case("modes.pinned")
        if variant == "overridden":
            return mode
        if pinned == "train" and variant == "respected-fit-only" and self.step.do != "fit":
            return "train-no-update"
        return pinned

    def call_as(self, mode: str, given: Mapping[str, Array], *, again: bool = False) -> Expectation:
        """A call in an effective mode: train, train-no-update, infer or raises."""
        x, mask = given["x"], given.get("mask")
        self.freezing.called = True
        if mode == "raises" or self.freezing.broken:
            return RAISES
        if self.counts_nothing(x, mask) and self.asking.of_case("degenerate.empty") == "raises":
            self.last = Call(x, by_batch=True)
            return ANY if self.case.situation.startswith("gradient") else RAISES
        normalise = "moving" if mode == "infer" else "batch"
        update = mode == "train" and not self.freezing.halted
        if not self.tracked and mode == "infer":
            normalise = self.asking.of_case("stats.untracked-inference")
            if normalise == "raises":
                return RAISES
            normalise, update = ("moving" if normalise == "running" else "batch"), normalise == "batch-and-updates"
        elif not self.tracked:
            update = update and self.asking.of_case("stats.untracked-training") == "updates"
        if self.freezing.frozen and mode != "infer":
            normalise = self.asking.of_place("frozen.normalisation")
            update = self.asking.of_place("frozen.update") == "updates"
        if normalise == "moving":
            shown = self.inference_output(x)
            if update:
                self.moving.push(self.batch(x))
            return shown
        if x.size == self.layer.features and self.asking.of_place("degenerate.single") == "raises":
            return RAISES
        batch = self.batch(x, mask) if update else None
        if batch:
            self.moving.push(batch)
        self.last = Call(x, by_batch=True, again=batch if again else None)
        if not self.shows("y"):
            return DONE
        if x.size == self.layer.features:
            return self.single_output(x)
        if self.tracked and self.asking.of_place("forward.statistics") == "running":
            return self.inference_output(x)
        return self.training_output(x, mask)

    def counts_nothing(self, x: Array, mask: Array | None) -> bool:
        """Whether a batch has no value that counts."""
        if mask is None or mask.any():
            return not x.size
        return mask_answer(self.asking) != "included"

    def train_twice(self, x: Array) -> Expectation:
        """A layer that is called again on what it returned; the output is not simulated."""
        asking = self.asking
        first = self.batch(x)
        running = asking.of_place("forward.statistics") == "running"
        used = self.moving.moved(self.moving.now(), first) if running else first.statistics
        y = self.output_of(x, used, asking.arithmetic)
        key = ("twice", first.key, used.key, self.parameters_key, asking.arithmetic)
        second = asking.remember(key, lambda: formulas.of_shown(y, self.layer, asking.arithmetic, key))
        answer = asking.of_case("stats.shared-layer")
        orders = {"once": (first,), "last-call": (second,), "reversed": (second, first)}
        batches = orders.get(answer, (first, second))
        self.moving.push(*batches, order={"summed": "together", "unordered": "none"}.get(answer, "in-turn"))
        return DONE

    def train_uncollected(self, x: Array) -> Expectation:
        """A training call whose updates the caller does not apply, where it is handed any."""
        timing = self.asking.of_case("stats.timing")
        if timing == "collected" and self.asking.of_case("stats.uncollected") == "raises":
            self.last = None
            return RAISES
        self.last = Call(x, by_batch=True, again=self.batch(x) if timing == "backward" else None)
        if timing == "forward":
            self.moving.push(self.batch(x))
        return DONE

    def backward(self, step: Step) -> Expectation:
        """The gradients of the last call."""
        if self.last is None:
            return ANY  # the call raised: there is nothing to take a gradient of
        if self.last.again is not None:
            self.moving.push(self.last.again)
        if not any(self.shows(name) for name in ("x", *self.parameters)):
            return DONE
        if not self.last.x.size:
            return self.empty_gradient()
        dy = step.arrays["dy"]
        return values(**self.gradients(self.last, dy, id(dy)))

    def gradients(self, last: Call, dy: Array, known: Hashable) -> dict[str, Expected]:
        """Return the gradients of a call by x and by the parameters. known: what tells dy from others."""
        asking, through, used = self.asking, False, None
        if last.by_batch and asking.of_place("forward.statistics") == "batch":
            through = asking.of_place("gradient.statistics") == "through"
            used = self.batch(last.x).statistics
        used = used or self.moving.now()

        return self.gradients_of(last.x, dy, known, used, through=through)

    def gradients_of(
        self, x: Array, dy: Array, known: Hashable, used: Statistics, *, through: bool
    ) -> dict[str, Expected]:
        """Return the gradients of a call with some statistics by x and by the parameters."""
        asking, layer, parameters = self.asking, self.layer, self.parameters
        call = (id(x), known, self.parameters_key, layer.epsilon, through)

        def gradients() -> dict[str, Expected]:
            key = ("exact gradients", call, used.numbers)
            expected = asking.remember(
                key, lambda: formulas.exact_gradients(x, dy, used.state, layer, parameters, through=through)
            )
            return formulas.gradients(
                x, dy, expected, used, layer, parameters, asking.arithmetic, through=through, passed=asking.passed
            )

        return asking.remember(("gradients", call, used.key, asking.arithmetic, asking.passed), gradients)

    def empty_gradient(self) -> Expectation:
        """The gradient of an empty batch by the scale."""
        answer = self.asking.of_case("degenerate.empty")
        if answer == "raises":
            return RAISES
        if answer == "none":
            return Expectation("values", missing=frozenset({"scale"}))
        value = np.full(self.layer.features, np.nan if answer == "nan" else 0.0)
        return values(scale=Expected(value, np.zeros_like(value)))

    # What is told to a layer

    def freeze(self, step: Step) -> Expectation:
        """Freeze the layer or its parent."""
        return self.change_frozen(step, True)

    def unfreeze(self, step: Step) -> Expectation:
        """Unfreeze the layer or its parent."""
        return self.change_frozen(step, False)

    def change_frozen(self, step: Step, value: bool) -> Expectation:
        """Freeze or unfreeze; where that breaks the layer, it may say so at once."""
        self.freezing.change(step, value)
        return ANY if self.freezing.broken else DONE

    def set_mode(self, step: Step) -> Expectation:
        """Set the mode of the layer or of its parent."""
        self.set[step.options["where"]] = step.options["mode"]
        return DONE

    def capture(self, step: Step) -> Expectation:
        """Capture the layer in a mode: what was made may hold on to it, and making it may have moved the statistics."""
        self.captured = step.options["mode"]
        if "execution.capture-updates" in self.case.clauses:
            times = CAPTURE_STEPS[self.asking.of_case("execution.capture-updates")]
            self.moving.push(*[self.batch(step.arrays["x"])] * times) if times else None
        return DONE

    def set_threads(self, step: Step) -> Expectation:
        """Let the framework compute with so many threads."""
        return DONE

    def untrack(self, step: Step) -> Expectation:
        """Tell the layer to keep no statistics."""
        self.tracked = False
        return DONE

    # The state

    def get_state(self, step: Step) -> Expectation:
        """Read the state."""
        if not any(self.shows(name) for name in ("mean", "variance", "count")):
            return values(**self.shown_parameters())
        return self.state(self.moving.now())

    def shown_parameters(self) -> dict[str, Expected]:
        """Return how the parameters show."""
        asked = self.layer.dtypes["parameters"]
        types = None if "16" in asked else asked  # asked for a half type, a layer may keep float32
        zeros = np.zeros(self.layer.features)
        return {name: Expected(v, self.noise.get(name, zeros), types) for name, v in self.parameters.items()}

    def state(self, moving: Statistics, *, bare: bool = False) -> Expectation:
        """Return how some moving statistics show, and the parameters unless they are bare."""
        if moving.unset:
            return ABSENT
        asking = self.asking
        clamped = asking.of_place("precision.moments") == "one-pass-clamped"

        def read(statistics: Statistics, name: str) -> Expected:
            return formulas.stored(
                getattr(statistics.state, name),
                getattr(statistics, f"{name}_allowance"),
                exact=self.case.exact,
                dtype=asking.state_type,
                clamped=clamped and name == "variance",
                others=tuple(read(other, name) for other in statistics.others),
            )

        def state() -> Expectation:
            count = Expected(np.array(float(moving.state.count)), np.array(0.0), None, counter=True)
            shown = {name: read(moving, name) for name in ("mean", "variance")}
            return values(**({} if bare else self.shown_parameters()), **shown, count=count)

        key = ("state", moving.key, asking.state_type, clamped, bare, self.parameters_key)
        return asking.remember(key, state)

    def set_state(self, step: Step) -> Expectation:
        """Write parts of the state; what is written is exact."""
        given = {name: array.astype(np.float64) for name, array in step.arrays.items()}
        statistics = {name: value for name, value in given.items() if name in ("mean", "variance")}
        self.parameters.update((name, value) for name, value in given.items() if name not in statistics)
        self.moving.write(statistics)
        return DONE

    def snapshot(self, step: Step) -> Expectation:
        """Take the state object."""
        self.held = self.moving.now()
        return DONE

    def look(self, step: Step) -> Expectation:
        """Show the state object that was taken."""
        if self.held is None:
            raise ValueError(f"{self.case.key}: look without a snapshot")
        aliased = self.asking.of_case("state.snapshot") == "aliased"
        return self.state(self.moving.now() if aliased else self.held, bare=True)

    def reload(self, step: Step) -> Expectation:
        """Save and load: nothing changes, but for what the file does not hold."""
        if "count" in step.options.get("missing", ()):
            answer = self.asking.of_case("state.missing-counter")
            if answer == "raises":
                return RAISES
            if answer == "reset":
                self.moving.restart_count()
        return DONE

    # Outputs

    def batch(self, x: Array, mask: Array | None = None) -> Batch:
        """Return a batch's statistics."""
        return of_x(self.asking, x, mask)

    def training_output(self, x: Array, mask: Array | None = None) -> Expectation:
        """The output with the batch's statistics; where the mask leaves out, anything."""
        if "degenerate.constant" in self.case.clauses:
            return values(y=self.constant_output(x))
        y = self.output_of(x, self.batch(x, mask).statistics, self.asking.arithmetic)
        if mask is not None:
            counts = np.broadcast_to(np.expand_dims(mask, self.layer.axis % x.ndim) > 0, x.shape)
            y = Expected(y.value, np.where(counts, y.allowance, np.inf), y.dtype)
        return values(y=y)

    def constant_output(self, x: Array) -> Expected:
        """The output of a constant channel: exactly the offset, something near it, or NaN.

        Equal values are rounded to the same side each time they are added: nothing cancels, in whatever order.
        """
        answer, arithmetic = self.asking.of_case("degenerate.constant"), self.asking.arithmetic
        worst = replace(arithmetic, accumulation="sequential")
        y = self.output_of(x, formulas.of_batch(x, formulas.exact(x, self.layer), self.layer, worst).statistics, worst)
        if answer == "noise":
            return replace(y, inexact=True)
        value = y.value if answer == "offset" else np.full(y.value.shape, np.nan)
        return replace(y, value=value, allowance=np.zeros(value.shape))

    def inference_output(self, x: Array) -> Expectation:
        """The output with the stored statistics."""
        self.last = Call(x, by_batch=False)
        moving = self.moving.now()
        if moving.unset:
            return RAISES if self.asking.of_place("stats.initial") == "unset-raises" else FREE
        exact = not (moving.mean_allowance.any() or moving.variance_allowance.any())
        arithmetic = self.asking.centred if exact else self.asking.arithmetic
        return self.remembered(x, moving, arithmetic)

    def single_output(self, x: Array) -> Expectation:
        """The output in training with one value per channel."""
        variant = self.asking.of_place("degenerate.single")
        if variant == "offset" and self.asking.of_place("forward.statistics") == "running":
            return self.inference_output(x)
        if variant == "offset":
            return self.training_output(x)
        value = x.astype(np.float64) if variant == "input" else np.full(x.shape, np.nan)
        return values(y=Expected(value, np.zeros(x.shape), self.asking.output_type))

    def output_of(self, x: Array, used: Statistics, arithmetic: allow.Arithmetic) -> Expected:
        """Return scale·x̂ + offset with some statistics."""
        return self.remembered(x, used, arithmetic).values["y"]

    def remembered(self, x: Array, used: Statistics, arithmetic: allow.Arithmetic) -> Expectation:
        """Return the output with some statistics; rivals that share them share it."""

        asking, layer, parameters = self.asking, self.layer, self.parameters
        formulated = arithmetic if arithmetic.formulated else None

        def y() -> Expectation:
            key = ("output", id(x), used.numbers, self.parameters_key, layer.epsilon, formulated)
            shown = asking.remember(key, lambda: formulas.shown_output(x, used.state, layer, parameters, formulated))
            bounded = formulas.output(
                x, shown, used, layer, parameters, arithmetic, dtype=asking.output_type, noise=self.noise
            )
            return values(y=bounded)

        key = ("y", id(x), used.key, self.parameters_key, arithmetic, layer.epsilon, asking.output_type)
        return asking.remember(key, y)

    @property
    def parameters_key(self) -> Hashable:
        """What tells two sets of parameters apart."""
        return tuple(value.tobytes() for value in (*self.parameters.values(), *self.noise.values()))
