"""Wrong outputs: ε, the parameters, the formula."""

import numpy as np
from arithmetic import Batch
from correct import Correct

EPSILON = ("forward.training", "forward.inference", "degenerate.epsilon")
BOTH = ("forward.training", "forward.inference", "forward.affine")


class EpsilonOutside(Correct):
    """ε is added to the deviation."""

    fault, clause = "ε outside the root", EPSILON

    def inverse(self, variance):
        return 1 / (np.sqrt(variance) + variance.dtype.type(self.epsilon))


class EpsilonMissing(Correct):
    """There is no ε."""

    fault, clause = "ε missing", EPSILON

    def inverse(self, variance):
        return 1 / np.sqrt(variance)


class EpsilonFloored(Correct):
    """ε is at least 1e-4."""

    fault, clause = "ε floored at 1e-4", EPSILON
    epsilon_floor = 1e-4


class EpsilonTenfold(Correct):
    """ε is ten times too large."""

    fault, clause = "ε ten times too large", EPSILON

    @property
    def epsilon(self):
        return 10 * self.layer["epsilon"]


class EpsilonMissingInInference(Correct):
    """There is no ε in inference."""

    fault, clause = "ε missing, only in inference", ("forward.inference", "degenerate.epsilon")
    epsilon_used = True

    def apply(self, mode, may_update, x, mask):
        self.epsilon_used = mode == "train"
        return super().apply(mode, may_update, x, mask)

    @property
    def epsilon(self):
        return self.layer["epsilon"] if self.epsilon_used else 0.0


class EpsilonDoubledInTraining(Correct):
    """ε is added to the variance and again in the root, in training."""

    fault, clause = "ε added twice, only in training", ("forward.training", "degenerate.epsilon")

    def statistics(self, values, weights):
        batch = super().statistics(values, weights)
        self.doubled = batch
        return batch

    def normalise(self, values, mean, variance, scale, offset):
        twice = getattr(self, "doubled", None) is not None and variance is self.doubled.variance
        return super().normalise(values, mean, variance + variance.dtype.type(self.epsilon * twice), scale, offset)


class NoRoot(Correct):
    """Divided by the variance, not by its root."""

    fault, clause = "divided by the variance", ("forward.training", "forward.inference")

    def inverse(self, variance):
        return 1 / (variance + variance.dtype.type(self.epsilon))


class RootInHalfPrecision(Correct):
    """1/√ as fast as the hardware gives it: eleven bits."""

    fault, clause = "reciprocal root of eleven bits", ("forward.training", "forward.inference")

    def inverse(self, variance):
        return (np.round(super().inverse(variance) * 2048) / 2048).astype(variance.dtype)


class SampleVarianceInForward(Correct):
    """The output is normalised by the sample variance; what is stored is right."""

    fault, clause = "sample variance in the output", ("forward.training",)

    def normalise(self, values, mean, variance, scale, offset):
        batch = getattr(self, "of_batch", None)
        if batch is not None and variance is batch.variance and (batch.count > 1).all():
            variance = variance * (batch.count / (batch.count - 1))
        return super().normalise(values, mean, variance, scale, offset)

    def statistics(self, values, weights):
        self.of_batch = super().statistics(values, weights)
        return self.of_batch


class OffsetDropped(Correct):
    """The offset is not added."""

    fault, clause = "offset dropped", BOTH

    @property
    def offset(self):
        return 0 * super().offset


class ScaleDropped(Correct):
    """The scale is not applied."""

    fault, clause = "scale dropped", BOTH

    @property
    def scale(self):
        return np.ones_like(super().scale)


class ScaleAndOffsetSwapped(Correct):
    """The scale is added, the offset multiplied."""

    fault, clause = "scale and offset swapped", BOTH

    def normalise(self, values, mean, variance, scale, offset):
        return super().normalise(values, mean, variance, offset, scale)


class AffineFirst(Correct):
    """The offset is added before the normalisation."""

    fault, clause = "offset applied before normalisation", BOTH

    def normalise(self, values, mean, variance, scale, offset):
        return super().normalise(values + offset[:, None], mean, variance, scale, 0 * offset)


class ScaleLostWithoutOffset(Correct):
    """A layer without an offset forgets its scale too."""

    fault, clause = "scale lost where there is no offset", ("forward.affine",)

    @property
    def scale(self):
        return super().scale if self.layer["offset"] else np.ones_like(super().scale)


class AffineMissingInInference(Correct):
    """The offset is only added in training."""

    fault, clause = "offset dropped, only in inference", ("forward.inference", "forward.affine")

    def apply(self, mode, may_update, x, mask):
        self.adds = mode == "train"
        return super().apply(mode, may_update, x, mask)

    @property
    def offset(self):
        return super().offset * getattr(self, "adds", True)


class ScaleChangedByTraining(Correct):
    """A training call decays the scale a little."""

    fault, clause = "training call changes the scale", ("training.parameters",)

    def update(self, batch):
        super().update(batch)
        if "scale" in self.parameters:
            self.parameters["scale"] = self.parameters["scale"] * self.own(1 - 1e-6)


class RunningUsedInTraining(Correct):
    """The moving statistics normalise in training."""

    fault, clause = "running statistics used in training", ("forward.statistics",)
    used_in_training = "running"


class MovingMeanUsedInTraining(Correct):
    """The moving mean is subtracted in training; the variance is the batch's."""

    fault, clause = "moving mean used in training", ("forward.statistics", "forward.training")

    def apply(self, mode, may_update, x, mask):
        self.training = mode == "train" and not self.in_effect
        return super().apply(mode, may_update, x, mask)

    def normalise(self, values, mean, variance, scale, offset):
        if getattr(self, "training", False) and self.state:
            mean = self.state["mean"]
        return super().normalise(values, mean, variance, scale, offset)


class InferenceSeesTheBatch(Correct):
    """A thousandth of the batch's mean is in the mean of inference."""

    fault, clause = "inference depends on the other samples", ("inference.pure", "forward.inference")

    def apply(self, mode, may_update, x, mask):
        self.inferring = mode == "infer"
        return super().apply(mode, may_update, x, mask)

    def stored(self):
        return super().stored()

    def normalise(self, values, mean, variance, scale, offset):
        if getattr(self, "inferring", False) and values.size:
            mean = mean + self.own(1e-3) * (values.mean(axis=1) - mean)
        return super().normalise(values, mean, variance, scale, offset)


class ExactTypes(Correct):
    """The output of a float32 layer is float64."""

    fault, clause = "output of another type", ("forward.training", "forward.inference")

    @property
    def output_type(self):
        kind = super().output_type
        return "float64" if kind == "float32" else kind


class StatisticsOfTheOutput(Correct):
    """The statistics are taken of what was clipped to ±2 deviations."""

    fault, clause = "outliers left out of the statistics", ("forward.training", "stats.closed-form")

    def statistics(self, values, weights):
        batch = super().statistics(values, weights)
        limit = 2 * np.sqrt(batch.variance)[:, None]
        clipped = np.clip(values, batch.mean[:, None] - limit, batch.mean[:, None] + limit)
        again = super().statistics(clipped, weights)
        return Batch(again.mean, again.variance, batch.count)


class ScaleOfZeroIgnored(Correct):
    """A scale of 0 is taken for none: `scale or 1`."""

    fault, clause = "a scale of 0 counts as 1", ("forward.training", "forward.inference")

    def normalise(self, values, mean, variance, scale, offset):
        return super().normalise(values, mean, variance, np.where(scale == 0, 1, scale), offset)
