"""A recorded story against the reference: how every layer normalised, what it stored, and why the losses differ."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bnspec.reference import Moments, estimate_variance, new_weight
from bnspec.reference.allowance import half_ulp, of_stored
from bnspec.reference.forward import FACTORS, blend
from bnspec.reference.statistics import Array, Floats
from bnspec.stories.network import (
    MODES,
    Noise,
    Operation,
    Parameters,
    Pass,
    U,
    cross_entropy,
    forward,
    norms,
    passes,
)

SAMPLES = 8
SAFETY = 8.0
"""An allowance is so many times the root mean square of what so many sets of rounding errors by chance change."""

MARGIN = 10.0
"""Modes are decided where the loss of any other combination is so many allowances away."""

AVERAGING = ("exponential", "debiased")

NONE = "none"
UNDECIDED = "undecided"

MANY_VALUES = 1 << 15
"""Images with more values are looked at in fewer steps where every array needs two passes."""

ROUNDED_AWAY = 1e-3
"""A step of which float32 may have rounded away more than so much says nothing of the gradient."""

NEAR = 1e-8
"""So far, relative to the weights, the losses lie apart from which a slope is taken: few ReLUs change their side."""

RIGHT = 0.01
"""Stored statistics are called right within 1 %: of a standard deviation for the mean, of the variance for itself."""


@dataclass(frozen=True)
class Setting:
    """What a story ran on.

    network: its operations; x: images (batch, height, width, channels); labels: (batch,); keep: the weight of the old
    statistic in the moving average; epsilon: of every batch normalization.
    """

    network: Sequence[Operation]
    x: Floats
    labels: Array
    keep: float
    epsilon: float


Statistics = tuple[Floats, Floats]
"""A mean and a variance, each (channels,)."""


@dataclass(frozen=True)
class Update:
    """A rule by which a layer's stored statistics may move: not at all, or an average of an estimate."""

    averaging: str
    estimator: str = ""

    def step(self, old: Statistics, batch: Moments, count: int, setting: Setting) -> Statistics:
        """Return the mean and variance that are stored after step `count` (1 is the first)."""
        if not self.estimator:
            return old
        weight = new_weight(count, keep=setting.keep, averaging=self.averaging)
        return blend(old[0], batch.mean, weight), blend(old[1], self.estimate(batch, setting), weight)

    def allowance(
        self, old: Statistics, batch: Moments, allowance: Moments, count: int, setting: Setting
    ) -> Statistics:
        """Return the allowances of what `step` returns, from those of the batch's moments."""
        if not self.estimator:
            return np.zeros_like(old[0]), np.zeros_like(old[1])
        weight = new_weight(count, keep=setting.keep, averaging=self.averaging)
        factor = FACTORS[self.estimator](batch.count.astype(np.float64), setting.epsilon)
        return (
            of_stored(old[0], batch.mean, weight=weight, new_allowance=allowance.mean),
            of_stored(old[1], self.estimate(batch, setting), weight=weight, new_allowance=factor * allowance.variance),
        )

    def estimate(self, batch: Moments, setting: Setting) -> Floats:
        """Return what enters the moving variance."""
        return estimate_variance(batch, stored_variance=self.estimator, epsilon=setting.epsilon)


def updates(keep: float) -> tuple[Update, ...]:
    """Return the rules by which statistics may move; without a weight of the old one every average is the same."""
    averages = AVERAGING if keep else AVERAGING[:1]
    return (Update(NONE), *(Update(*both) for both in itertools.product(averages, FACTORS)))


PARTS = REPORTED, AFTER, BEFORE, ESTIMATED, STORED = (
    "reported by the last step, before its update",
    "the weights after that step",
    "statistics of the weights before it",
    "the estimator of the variance",
    "the statistics that are stored",
)
"""What the loss of training goes through to become that of inference, in order."""

ACCUMULATIONS = ("wide", "sequential")
"""How sums over a batch may be formed, the better class first; the worse has a larger allowance."""


@dataclass(frozen=True)
class Fit:
    """A rule that explains what a layer stored: the way of its sums, and its error in allowances."""

    rule: Update
    accumulation: str
    ratio: float


@dataclass(frozen=True)
class Modes:
    """By which statistics every layer normalised in training.

    closest: the combination whose loss is closest to the one that was reported; ratio: its error in allowances;
    margin: how much further away the next one is, in allowances; open: the layers on which combinations that cannot be
    told apart disagree.
    """

    closest: Mapping[str, str]
    ratio: float
    margin: float
    open: frozenset[str]

    def told(self, name: str) -> str:
        """Return the mode of a layer, where it is decided."""
        return UNDECIDED if name in self.open else self.closest[name]


@dataclass(frozen=True)
class Loss:
    """A loss that the reference expects, and how far a correct float32 network may be from it."""

    value: float
    allowance: float

    def ratio(self, observed: float) -> float:
        """Return the error of an observed loss in allowances."""
        return abs(observed - self.value) / self.allowance


class Judged:
    """A record and what the reference says of it.

    record: as worker.stories.recording keeps it: `weights` before every step and after the last, the losses that the
    framework reported for every step (`fit`), and, where it evaluated the same images afterwards, `evaluate`.
    """

    def __init__(self, record: Mapping[str, Any], setting: Setting) -> None:
        self.record, self.setting = record, setting
        self.weights: Sequence[Parameters] = record["weights"]
        self.losses: Sequence[float] = record["fit"]["loss"]
        self.names = norms(setting.network)

    @cached_property
    def checked(self) -> list[int]:
        """The steps that are judged: all of a few, of many about twenty, closer together at the beginning."""
        last = len(self.losses) - 1
        found = {round(step) for step in np.geomspace(1, last + 1, 20)}
        return sorted({step - 1 for step in found} | {0, last})

    def run(self, weights: Parameters, modes: Mapping[str, str], noise: Noise | None = None) -> Pass:
        """Return one pass of the reference on the story's images."""
        return forward(self.setting.network, weights, self.setting.x, modes, self.setting.epsilon, noise or Noise(None))

    def noisy(self, weights: Parameters, modes: Mapping[str, str]) -> list[Pass]:
        """Return passes with rounding errors by chance."""
        bounds: list[Floats] = []
        return [self.run(weights, modes, Noise(seed, bounds)) for seed in range(SAMPLES)]

    def value(self, one: Pass) -> float:
        """Return the loss of a pass."""
        return cross_entropy(one.logits, self.setting.labels)

    def loss(self, weights: Parameters, modes: Mapping[str, str]) -> Loss:
        """Return the loss of some weights in some modes."""
        return self.bounded(self.run(weights, modes), self.noisy(weights, modes))

    def bounded(self, exact: Pass, noisy: Sequence[Pass]) -> Loss:
        """Return the loss of a pass with its allowance."""
        value = self.value(exact)
        around = spread(np.array([self.value(one) for one in noisy]), np.array(value))
        return Loss(value, float(around) + 4 * float(half_ulp(value, "float32")))

    @cached_property
    def identified(self) -> Modes:
        """The modes of every layer in training.

        The loss of every combination of modes is known; the one that fits is that which was run. Asked at the first
        step and at the last; the one counts where the other combinations are further away.
        """
        return max((self.identify(step) for step in (self.checked[0], self.checked[-1])), key=lambda one: one.margin)

    def identify(self, step: int) -> Modes:
        """Return the modes that one step shows."""
        choices = dict.fromkeys(self.names, MODES)
        every = passes(self.setting.network, self.weights[step], self.setting.x, choices, self.setting.epsilon)
        errors = [(abs(self.value(one) - self.losses[step]), dict(one.modes)) for one in every]
        (best, modes), *others = sorted(errors, key=lambda entry: entry[0])
        size = self.loss(self.weights[step], modes).allowance
        near = [other for error, other in others if error - best < MARGIN * size]
        undecided = frozenset(name for name in modes if any(other[name] != modes[name] for other in near))
        return Modes(modes, best / size, (others[0][0] - best) / size, undecided)

    @property
    def modes(self) -> Mapping[str, str]:
        """The mode of every layer in training; where it is not decided, that whose loss is closest."""
        return self.identified.closest

    @property
    def stored_modes(self) -> Mapping[str, str]:
        """All layers in inference mode."""
        return dict.fromkeys(self.names, "stored")

    @cached_property
    def passes(self) -> dict[int, tuple[Pass, list[Pass]]]:
        """At the steps that are judged: the exact pass, and those with rounding errors."""
        return {
            step: (self.run(self.weights[step], self.modes), self.noisy(self.weights[step], self.modes))
            for step in self.checked
        }

    @cached_property
    def expected(self) -> dict[int, Loss]:
        """The loss that the reference expects at the steps that are judged."""
        return {step: self.bounded(*both) for step, both in self.passes.items()}

    def moments(self, step: int, name: str, accumulation: str) -> tuple[Moments, Moments]:
        """Return the moments of a layer's input at a step, and their allowances."""
        exact, noisy = self.passes[step]
        entered = exact.inputs[name]
        batch, own = entered.batch, entered.allowance(accumulation)
        means = spread(np.array([one.inputs[name].batch.mean for one in noisy]), batch.mean)
        variances = spread(np.array([one.inputs[name].batch.variance for one in noisy]), batch.variance)
        return batch, Moments(own.mean + means, own.variance + variances, own.count)

    @cached_property
    def fits(self) -> dict[str, list[Fit]]:
        """For every layer the rules that explain what it stored, or the closest one where none does.

        Rules are asked in the better class of accuracy first; the worse one is asked only where none fits there.
        """
        found = {}
        for name in self.names:
            for accumulation in ACCUMULATIONS:
                every = [
                    Fit(rule, accumulation, self.error(name, rule, accumulation)) for rule in updates(self.setting.keep)
                ]
                fitting = [fit for fit in every if fit.ratio <= 1]
                found[name] = fitting or [min(every, key=lambda fit: fit.ratio)]
                if fitting:
                    break
        return found

    def error(self, name: str, rule: Update, accumulation: str) -> float:
        """Return the largest error in allowances of what a layer stored, if it followed a rule."""
        worst = 0.0
        for step in self.checked:
            old, new = stored(self.weights[step][name]), stored(self.weights[step + 1][name])
            batch, allowance = self.moments(step, name, accumulation)
            expected = rule.step(old, batch, step + 1, self.setting)
            bounds = rule.allowance(old, batch, allowance, step + 1, self.setting)
            for there, value, bound in zip(new, expected, bounds, strict=True):
                worst = max(worst, float(np.max(np.abs(there - value) / (bound + half_ulp(value, "float32")))))
        return worst

    def rules(self, name: str) -> list[Update]:
        """Return the rules that explain what a layer stored, those of most layers first; none where no rule does."""
        every = Counter(fit.rule for fits in self.fits.values() for fit in fits if fit.ratio <= 1)
        return sorted((fit.rule for fit in self.fits[name] if fit.ratio <= 1), key=lambda rule: -every[rule])

    def layer(self, name: str) -> dict[str, Any]:
        """Return what is told of one layer: by what it normalised, what it stored, and how far that is off."""
        rules = self.rules(name)
        best = min(self.fits[name], key=lambda fit: fit.ratio)
        entered = self.run(self.weights[-1], self.modes).inputs[name].batch
        off = distance(stored(self.weights[-1][name]), entered)
        return {
            "mode": self.identified.told(name),
            "averaging": sorted({rule.averaging for rule in rules}),
            "estimator": [rule.estimator for rule in rules if rule.estimator],
            "accumulation": best.accumulation,
            "ratio": best.ratio,
            "learns": any(
                not np.array_equal(self.weights[0][name][part], self.weights[-1][name][part])
                for part in ("scale", "offset")
            ),
            "count": int(entered.count[0]),
            **off,
            "steps": steps_until_right(max(off["sd"], off["variance"]), self.setting.keep),
        }

    @cached_property
    def evaluated(self) -> dict[str, Any]:
        """What was evaluated at the end: by which statistics, which loss is expected, and whether it moved any."""
        observed = self.record["evaluate"]
        loss, mode = min(
            ((self.loss(self.weights[-1], dict.fromkeys(self.names, mode)), mode) for mode in MODES),
            key=lambda entry: entry[0].ratio(observed["loss"]),
        )
        before, after = self.weights[-1], self.record["after"]
        moved = any(
            not np.array_equal(before[n][part], after[n][part]) for n in self.names for part in ("mean", "variance")
        )
        told = {"mode": mode, "expected": loss.value, "ratio": loss.ratio(observed["loss"]), "moved": moved}
        return {**observed, **told}

    @cached_property
    def parts(self) -> list[dict[str, Any]]:
        """How the loss of training becomes that of inference on the same images, one cause after the other.

        Every line is the exact loss of the last weights with something else in the place of the stored statistics,
        so that the differences add up to what was observed.
        """
        last, before = self.weights[-1], self.passes[self.checked[-1]][0]
        found = [(REPORTED, self.expected[self.checked[-1]].value)]
        found.append((AFTER, self.value(self.run(last, self.modes))))
        moving = [name for name in self.names if self.modes[name] == "batch"]
        if moving:
            batch = {name: before.inputs[name].batch for name in moving}
            instead = {name: (own.mean, own.variance) for name, own in batch.items()}
            found.append((BEFORE, self.inference(instead)))
            rules = {name: self.rules(name)[0] for name in moving if self.rules(name)}
            estimates = {
                name: (batch[name].mean, rule.estimate(batch[name], self.setting))
                for name, rule in rules.items() if rule.estimator not in ("", "population")
            }  # fmt: skip
            if estimates:
                found.append((ESTIMATED, self.inference({**instead, **estimates})))
        if self.evaluated["mode"] == "stored":
            found.append((STORED, self.inference({})))
        return [{"what": what, "loss": value} for what, value in found]

    def inference(self, instead: Mapping[str, Statistics]) -> float:
        """Return the loss of the last weights in inference, with other statistics in some layers."""
        return self.value(self.run(replaced(self.weights[-1], instead), self.stored_modes))

    @cached_property
    def gradient(self) -> float | None:
        """How far the steps are from the gradient of the reference's loss, in the worst array; None without any.

        A step of gradient descent moves an array by −rate·g. Along any g the slope of the loss, taken from two exact
        losses close by, is the inner product of the gradient with g: it must be |g|². Returned is the largest
        |slope/|g|² − 1| of every third step that is judged, of many images the first two and the last; arrays whose
        step float32 rounds away do not count.
        """
        found = []
        few = {0, 1, self.checked[-1]} & set(range(len(self.losses)))
        steps = few if self.setting.x.size > MANY_VALUES else {*few, *self.checked[::3]}
        for step in sorted(steps):
            before, after = self.weights[step], self.weights[step + 1]
            for name, own in before.items():
                for part in own:
                    if part not in ("mean", "variance"):
                        found.append(self.slope_error(before, name, part, after[name][part]))
        return max((error for error in found if error is not None), default=None)

    def slope_error(self, weights: Parameters, name: str, part: str, after: Floats) -> float | None:
        """Return |slope/|g|² − 1| for the step of one array; None where rounding decides."""
        value = np.asarray(weights[name][part], np.float64)
        g = (value - after) / self.record["rate"]
        size = float(np.sqrt(np.sum(g**2)))
        rounding = U * float(np.sqrt(np.sum(value**2))) / self.record["rate"]
        if rounding >= ROUNDED_AWAY * size:
            return None
        reach = NEAR * max(float(np.sqrt(np.sum(value**2))), 1.0) / size

        def loss(side: float) -> float:
            moved = {**weights, name: {**weights[name], part: value + side * reach * g}}
            return self.value(self.run(moved, self.modes))

        return abs((loss(1) - loss(-1)) / (2 * reach * size**2) - 1)

    @cached_property
    def curve(self) -> dict[str, list[float]]:
        """Per judged step: its number, how far every layer's stored variance is from the batch's, and the closed form.

        `closed`: the loss in inference with the statistics that follow from the batches of all steps by the rule of
        each layer, s_k = keepᵏ·s_0 + (1 − keep)·Σ keepᵏ⁻ⁱ·b_i for an exponential average.
        """
        rules = {name: (self.rules(name) or [Update(NONE)])[0] for name in self.names}
        state = {name: stored(self.weights[0][name]) for name in self.names}
        found: dict[str, list[float]] = {"step": [], "closed": [], "variance": []}
        for step in range(len(self.losses)):
            exact = self.run(self.weights[step], self.modes)
            for name, rule in rules.items():
                state[name] = rule.step(state[name], exact.inputs[name].batch, step + 1, self.setting)
            if step in self.checked:
                after = self.weights[step + 1]
                found["step"].append(step + 1)
                found["closed"].append(self.value(self.run(replaced(after, state), self.stored_modes)))
                now = self.run(after, self.modes).inputs
                off = [distance(stored(after[name]), now[name].batch)["variance"] for name in self.names]
                found["variance"].append(max(off))
        return found

    def told(self) -> dict[str, Any]:
        """Return everything as results keep it."""
        ratios = [self.expected[step].ratio(self.losses[step]) for step in self.checked]
        fit = self.record["fit"]
        told: dict[str, Any] = {
            "steps": len(self.losses),
            "checked": len(self.checked),
            "loss": self.losses[-1],
            "accuracy": fit.get("accuracy", [None])[-1],
            "ratio": max(ratios),
            "margin": self.identified.margin,
            "gradient": self.gradient,
            "layers": {name: self.layer(name) for name in self.names},
        }
        if "evaluate" in self.record:
            told["evaluate"] = self.evaluated
            told["parts"] = self.parts
        if "validation" in self.record:
            validation = self.record["validation"]
            told["curve"] = {
                **self.curve,
                "loss": [self.losses[step] for step in self.checked],
                "accuracy": [fit["accuracy"][step] for step in self.checked],
                "validation": [validation["loss"][step] for step in self.checked],
                "validation accuracy": [validation["accuracy"][step] for step in self.checked],
            }
        return told


def stored(own: Mapping[str, Floats]) -> Statistics:
    """Return the statistics that a layer holds, as float64."""
    return np.asarray(own["mean"], np.float64), np.asarray(own["variance"], np.float64)


def replaced(weights: Parameters, instead: Mapping[str, Statistics]) -> Parameters:
    """Return weights with other statistics in some layers."""
    new = {name: {"mean": mean, "variance": variance} for name, (mean, variance) in instead.items()}
    return {name: {**own, **new.get(name, {})} for name, own in weights.items()}


def spread(noisy: Floats, exact: Floats) -> Floats:
    """Return how far a correct result may be off, from results with rounding errors by chance."""
    return np.asarray(SAFETY * np.sqrt(np.mean(np.square(noisy - exact), axis=0)))


def distance(own: Statistics, batch: Moments) -> dict[str, float]:
    """Return how far stored statistics are from a batch's, in the worst channel.

    sd: |stored mean − mean|/√variance; variance: |stored variance/variance − 1|; low, high: the smallest and the
    largest stored variance/variance. A channel whose values are all the same does not count.
    """
    mean, variance = own
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = variance / batch.variance
        off = np.abs(mean - batch.mean) / np.sqrt(batch.variance)
    ratio, off = ratio[batch.variance > 0], off[batch.variance > 0]
    if not len(ratio):
        return {"sd": 0.0, "variance": 0.0, "low": 1.0, "high": 1.0}
    return {
        "sd": float(off.max()),
        "variance": float(np.abs(ratio - 1).max()),
        "low": float(ratio.min()),
        "high": float(ratio.max()),
    }


def steps_until_right(off: float, keep: float) -> int | None:
    """Return the smallest k with keepᵏ·off ≤ 0.01; None where no number of steps is enough (keep = 1)."""
    if off <= RIGHT:
        return 0
    if keep >= 1:
        return None
    return 1 if keep <= 0 else int(np.ceil(np.log(RIGHT / off) / np.log(keep)))
