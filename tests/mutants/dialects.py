"""Correct implementations in other dialects: every legitimate answer to every axis at least once."""

import numpy as np
from arithmetic import rounded
from correct import Correct

# The moving statistics


class SampleVariance(Correct):
    """Momentum weighs the new statistic; N/(N − 1) is stored."""

    momentum_weight, stored_variance = "new", "sample"


class SampleEpsilon(Correct):
    """N/(N − 1 − ε), as tf.nn.moments never did but Keras 2.2.4 does."""

    stored_variance = "sample-epsilon"


class SampleEpsilonPadded(Correct):
    """The estimate is made of 1/√(v + ε), as Keras on Theano does; a layer in a plain list cannot be called."""

    stored_variance, reach = "sample-epsilon-padded", "raises"


class SampleInRank4(Correct):
    """The fused kernel corrects, and then the layer does; elsewhere neither."""

    @property
    def stored_variance(self):
        return "sample-twice" if self.layer["rank"] == 4 else "population"


class Debiased(Correct):
    """The starting value is divided out; written statistics count."""

    averaging = "debiased"


class DebiasedHidden(Correct):
    """As haiku's average: the update goes on from an accumulator that nobody sees, from nothing."""

    averaging, initial, complete = "debiased", "zero-zero", False


class FirstBatch(Correct):
    """The first batch is copied; before it, inference raises."""

    averaging, initial = "first-batch", "unset-raises"


class Cumulative(Correct):
    """All batches weigh the same; before them, inference returns something."""

    averaging, initial = "cumulative", "unset-garbage"


class ZeroZero(Correct):
    """The moving variance starts from 0."""

    initial = "zero-zero"


class Running(Correct):
    """The moving statistics, after their update, normalise in training."""

    used_in_training = "running"


class Collected(Correct):
    """The caller gets the new state; whose it is not is lost. Two calls in a step are one update each."""

    timing, missing_counter = "collected", "reset"


class CollectedOrRaises(Correct):
    """The caller must take the new state."""

    timing, uncollected, missing_counter = "collected", "raises", "raises"


class SharedLast(Correct):
    """Two calls in a step: the last one counts. A state that was taken changes with the layer."""

    shared = "last-call"

    def store(self, statistics):
        for name, value in statistics.items():
            new = rounded(value, self.state_type)
            if name in self.state:
                self.state[name][...] = new
            else:
                self.state[name] = new.copy()

    def snapshot(self):
        return self.state


class SharedOnce(Correct):
    """Two calls in a step: the first one counts. Nothing is updated where no gradient is recorded."""

    shared, no_gradient = "once", "skips"


class SharedSummed(Correct):
    """Two calls in a step: both changes of the old value are added. A recomputed call counts twice."""

    shared, recomputed = "summed", "twice"


class SharedReversed(Correct):
    """Two calls in a step: the second one's batch enters first. A layer in a plain list trains without updates."""

    shared, reach = "reversed", "yes-no-update"


class SharedUnordered(Correct):
    """Two calls in a step: nothing says which update reads and writes first, as in a session of TensorFlow 1."""

    def settle(self, before, collect):
        self.shared = ("each-call", "summed", "reversed")[self.count % 3]
        super().settle(before, collect)


class SharedAccumulators(DebiasedHidden):
    """As Keras 2.2.4: debiased, each call's update with an accumulator of its own, and no order between the two."""

    steps, accumulators = 0, ()

    def settle(self, before, collect):
        super().settle(before, collect)
        if len(self.pending) < 2:
            return
        self.steps += 1
        old = self.accumulators or (self.fresh(), self.fresh())
        self.accumulators = tuple(self.further(*pair) for pair in zip(old, self.pending, strict=True))
        first, second = self.accumulators
        both = {name: first[name] + second[name] - value for name, value in before.items()}
        self.store((first, second, both)[self.steps % 3])

    def further(self, old, batch):
        weight = self.weight(self.steps)
        estimates = {"mean": batch.mean, "variance": self.entering(batch)}
        return {name: self.blend(old[name], new, weight) for name, new in estimates.items()}


# Modes and freezing


class LikeTorch(Correct):
    """Trains where nobody says otherwise; frozen parameters stop nothing; untracked inference uses the batch."""

    momentum_weight, stored_variance = "new", "sample"
    unstated, reach, override = "train", "no", "overridden"
    frozen_normalisation, frozen_update = "batch", "updates"
    recomputed, single, single_update = "twice", "raises", "not-applicable"
    untracked_inference = "running"


class LikeOldKeras(Correct):
    """Frozen when compiled: the batch's statistics without an update."""

    frozen_normalisation, frozen_timing = "batch", "at-compile"
    nested, pinned, conflict = "inherits-no-update", "respected-fit-only", "raises"
    loss_scope, epsilon_rule = "batch", "rejected"


class LikeFlax(Correct):
    """The mode must be said, once, and the caller collects."""

    unstated, nested, conflict, timing = "raises", "raises", "raises", "collected"


class FixedInfer(Correct):
    """A layer in a user's model infers; what a call says of the mode counts less than the constructor."""

    nested, conflict, override = "fixed-infer", "constructor", "kept"


class FixedTrain(Correct):
    """A layer in a user's model trains; the trainer's mode beats a pinned one; a compiled one is not frozen."""

    nested, pinned, frozen_timing = "fixed-train", "overridden", "raises"


class FrozenMoves(Correct):
    """Frozen: the moving statistics normalise and are moved; a compiled layer does not freeze any more."""

    frozen_update, frozen_timing, frozen_reach = "updates", "never", "no"


class FrozenParentHalts(Correct):
    """Freezing the parent stops the updates alone, as a plain list in tf.keras 2.0; the batch still normalises."""

    frozen_reach, halted = "no", False

    def set_frozen(self, frozen, where):
        self.halted = frozen and where == "parent"
        super().set_frozen(frozen, where)

    def plan(self, mode):
        by_batch, updates = super().plan(mode)
        return by_batch, updates and not self.halted


class Detached(Correct):
    """The gradient takes the statistics for constants; the loss is told late; untracked inference raises."""

    gradient, reported_loss, untracked_inference = "detached", "after-update", "raises"


class Untracked(Correct):
    """A layer that was told to keep no statistics moves them all the same, and infers by the batch."""

    untracked_training, untracked_inference = "updates", "batch-and-updates"


# Degenerate input and masks


class EpsilonRounded(Correct):
    """The constructor holds ε as a float32."""

    @property
    def epsilon(self):
        return float(np.float32(self.layer["epsilon"]))


class SingleInput(Correct):
    """One value per channel is passed on, and leaves the moving variance; an empty batch counts as zeros."""

    single, single_update, empty = "input", "unchanged", "decayed"


class SingleNan(Correct):
    """One value per channel is 0/0; an empty batch too."""

    single, single_update, empty = "nan", "nan", "nan"


class EmptyRaises(Correct):
    """An empty batch is refused; ε has TensorFlow's floor."""

    empty, epsilon_floor = "raises", 1.001e-5


class NanSkipped(Correct):
    """A NaN never enters the moving statistics."""

    nan_recovery = "skipped"


class NanEverywhere(Correct):
    """All channels in one matrix product: a NaN reaches all of them."""

    def mean(self, values, weights, count):
        mean = super().mean(values, weights, count)
        return mean if np.isfinite(mean).all() else mean * np.nan


class CapturedBaked(Correct):
    """What is captured keeps its mode; capturing calls the layer three times."""

    baked, captured_updates = "baked", 3


class CapturedRaises(Correct):
    """What is captured refuses the other mode."""

    baked, captured_updates = "raises", 1


class MaskWeighted(Correct):
    """Masked values are multiplied by 0."""

    mask_use = "weighted"


class MaskIgnored(Correct):
    """A mask counts for nothing."""

    mask_use = "included"
