"""Wrong modes: what a layer remembers of a call, of freezing, of its parents and its trainer."""

import numpy as np
from correct import Correct

FROZEN = ("modes.toggle", "frozen.timing", "frozen.reach")


class NoUpdateAfterUnfreeze(Correct):
    """Once frozen, the statistics never move again."""

    fault, clause = "no update after unfreeze", FROZEN
    was_frozen = False

    def plan(self, mode):
        self.was_frozen = self.was_frozen or self.in_effect
        by_batch, updates = super().plan(mode)
        return by_batch, updates and not self.was_frozen


class UnfreezeLost(Correct):
    """Unfreezing does nothing."""

    fault, clause = "unfreeze does nothing", FROZEN

    def unfreeze(self, where="layer"):
        pass


class ThawedByInference(Correct):
    """An inference call ends the freezing."""

    fault, clause = "inference unfreezes", ("modes.toggle",)

    def plan(self, mode):
        if mode == "infer":
            self.in_effect = False
        return super().plan(mode)


class FrozenMeanMoves(Correct):
    """Frozen, the moving mean still moves."""

    fault, clause = "frozen, but the mean still moves", ("frozen.update", "modes.toggle")

    def apply(self, mode, may_update, x, mask):
        y = super().apply(mode, may_update, x, mask)
        if mode == "train" and self.in_effect and self.state:
            with np.errstate(all="ignore"):
                batch = self.statistics(self.rows(x), None)
                self.store({"mean": self.blend(self.state["mean"], batch.mean, 1 - self.keep)})
        return y


class FrozenParametersTrain(Correct):
    """The optimizer goes on with the scale and offset of a frozen layer."""

    fault, clause = "frozen parameters are trained", ("frozen.timing", "modes.toggle", "training.parameters")

    def fit_batch(self, x, target):
        before, self.optimizing = self.in_effect, True
        y = self.call("train", x).astype(self.inner)
        found = self.backward((2 * (y - target) / y.size).astype(self.inner))
        for name in self.parameters:
            self.parameters[name] = self.parameters[name] - self.own(self.learning_rate) * found[name]
        self.in_effect = before
        return self.loss(y, target)


class ModeRemembered(Correct):
    """A call that says no mode gets that of the call before."""

    fault, clause = "a mode remembered across calls", ("modes.remembered",)
    remembered = None

    def resolved(self, mode):
        self.remembered = mode or self.remembered
        return super().resolved(mode or self.remembered)


class StaysInInference(Correct):
    """After two inference calls in a row training infers once more."""

    fault, clause = "inference sticks for one call", ("modes.toggle",)
    inferred = 0

    def resolved(self, mode):
        mode = super().resolved(mode)
        stuck = mode == "train" and self.inferred == 2
        self.inferred = self.inferred + 1 if mode == "infer" else 0
        return "infer" if stuck else mode


class FactorCached(Correct):
    """Inference computes 1/√(v + ε) once; only training makes it anew."""

    fault, clause = "cached factor survives a new state", ("forward.inference",)
    cached = None

    def update(self, batch):
        super().update(batch)
        self.cached = None

    def plan(self, mode):
        if mode == "infer" and self.state:
            self.cached = self.state["variance"] if self.cached is None else self.cached
        return super().plan(mode)

    def stored(self):
        batch = super().stored()
        if self.cached is not None:
            batch.variance = self.cached.astype(self.inner)
        return batch


class FactorNeverRefreshed(Correct):
    """Inference computes its statistics once, and never again."""

    fault, clause = "stale statistics in inference", ("modes.toggle",)
    cached = None

    def plan(self, mode):
        if mode == "infer" and self.cached is None and self.state:
            self.cached = super().stored()
        return super().plan(mode)

    def stored(self):
        return self.cached or super().stored()

    def set_state(self, state):
        super().set_state(state)
        self.cached = None


class FitDoesNotUpdate(Correct):
    """Under the trainer the statistics never move."""

    fault, clause = "no update under the trainer", ("modes.nested", "modes.pinned", "frozen.timing", "modes.reach")

    def fit_batch(self, x, target):
        before = dict(self.state)
        loss = super().fit_batch(x, target)
        self.state = before
        return loss


class EvaluateUpdates(Correct):
    """Evaluating moves the statistics."""

    fault, clause = "evaluate updates", ("modes.pinned", "inference.pure", "modes.nested", "modes.reach")

    def evaluate(self, x, target):
        found = super().evaluate(x, target)
        self.call("train", x)
        return found


class PredictTrains(Correct):
    """Predicting normalises by the batch."""

    fault, clause = "predict normalises by the batch", ("modes.pinned", "modes.nested", "modes.reach")

    def predict(self, x):
        before = dict(self.state)
        y = self.call("train", x)
        self.state = before
        return y


class LossOfInference(Correct):
    """The loss that fit reports is that of inference."""

    fault, clause = "loss reported of the other mode", ("trainer.reported-loss", "trainer.loss-scope", "modes.nested")

    def fit_batch(self, x, target):
        loss = self.loss(self.call("infer", x).astype(self.inner), target)
        super().fit_batch(x, target)
        return loss


class PinOverridden(Correct):
    """The trainer's mode beats the one that is pinned."""

    fault, clause = "pinned mode overridden", ("modes.pinned",)
    pinned = "overridden"


class RecomputedTwice(Correct):
    """A recomputed call updates again."""

    fault, clause = "recomputation updates again", ("stats.recompute",)
    recomputed = "twice"


class NoGradNoUpdate(Correct):
    """Without a gradient to record nothing is updated."""

    fault, clause = "no update where no gradient is recorded", ("stats.no-gradient",)
    no_gradient = "skips"
