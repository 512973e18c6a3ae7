"""Wrong gradients of a right output."""

import numpy as np
from arithmetic import Call
from correct import Correct

TRAINING = ("gradient.training", "gradient.statistics")


class NoMeanTerm(Correct):
    """What goes through the mean is missing."""

    fault, clause = "gradient without the mean term", TRAINING

    def through(self, dy, xhat, dscale, doffset, share):
        return super().through(dy, xhat, dscale, 0 * doffset, share)


class NoVarianceTerm(Correct):
    """What goes through the variance is missing."""

    fault, clause = "gradient without the variance term", TRAINING

    def through(self, dy, xhat, dscale, doffset, share):
        return super().through(dy, xhat, 0 * dscale, doffset, share)


class DetachedInTraining(Correct):
    """The statistics are taken for constants."""

    fault, clause = "gradient detached from the statistics", ("gradient.statistics",)
    gradient = "detached"


class BatchTermsInInference(Correct):
    """The gradient of inference has the terms of training."""

    fault, clause = "batch terms in the gradient of inference", ("gradient.inference",)

    def gradients(self, call, dy, scale):
        if call.batch is None and dy.size:
            share = np.full(1, 1 / dy.shape[1], dy.dtype)
            call = Call(call.values, call.shape, call.mean, call.variance, share, True)
        return super().gradients(call, dy, scale)


class DividedByNMinusOne(Correct):
    """The terms through the statistics are divided by N − 1."""

    fault, clause = "N − 1 in the gradient", TRAINING

    def through(self, dy, xhat, dscale, doffset, share):
        return super().through(dy, xhat, dscale, doffset, share / np.maximum(1 - share, share))


class ScaleGradientOfInput(Correct):
    """The gradient by the scale is taken with x in the place of the normalised x."""

    fault, clause = "scale gradient with the raw input", ("gradient.training", "gradient.inference")

    def gradients(self, call, dy, scale):
        dx, _, doffset = super().gradients(call, dy, scale)
        return dx, self.total(dy * call.values), doffset


class OffsetGradientAveraged(Correct):
    """The gradient by the offset is a mean."""

    fault, clause = "mean in place of a sum", ("gradient.training", "gradient.inference")

    def gradients(self, call, dy, scale):
        dx, dscale, doffset = super().gradients(call, dy, scale)
        return dx, dscale, doffset / max(dy.shape[1], 1)


class GradientOfFirstPosition(Correct):
    """The gradients by the parameters are summed over the samples alone."""

    fault, clause = "gradient summed over the wrong axes", ("gradient.training", "gradient.inference")

    def gradients(self, call, dy, scale):
        dx, dscale, doffset = super().gradients(call, dy, scale)
        positions = max(dy.shape[1] // max(call.shape[0], 1), 1)
        return dx, dscale, self.total(np.ascontiguousarray(dy[:, ::positions])) if positions > 1 else doffset


class NoEpsilonInGradient(Correct):
    """The backward pass forgets ε."""

    fault, clause = "ε missing in the gradient", ("gradient.training", "gradient.inference")
    derived = False

    def gradients(self, call, dy, scale):
        self.derived = True
        found = super().gradients(call, dy, scale)
        self.derived = False
        return found

    @property
    def epsilon(self):
        return 0.0 if self.derived else self.layer["epsilon"]


class StaleCache(Correct):
    """The backward pass takes the batch's values of the first call."""

    fault, clause = "stale cache in backward", ("gradient.training",)

    def gradients(self, call, dy, scale):
        self.first = getattr(self, "first", None) or call
        return super().gradients(self.first if self.first.shape == call.shape else call, dy, scale)


class BackwardUpdatesAgain(Correct):
    """Taking the gradient moves the statistics again."""

    fault, clause = "gradient updates again", ("stats.timing", "stats.closed-form", "stats.recompute")

    def backward(self, dy):
        self.catch_up()
        return super().backward(dy)


class ScaleGradientDropped(Correct):
    """A layer without an offset gives no gradient by the scale."""

    fault, clause = "scale gradient of zero without an offset", ("gradient.training", "gradient.inference")

    def gradients(self, call, dy, scale):
        dx, dscale, doffset = super().gradients(call, dy, scale)
        return dx, dscale * self.layer["offset"], doffset


class NormalisedFromOutput(Correct):
    """The normalised x is recovered from what was scaled, which a scale of 0 has lost: 0 ÷ 0 is taken for 0."""

    fault, clause = "scale gradient of 0 where the scale is 0", ("gradient.training",)

    def gradients(self, call, dy, scale):
        dx, dscale, doffset = super().gradients(call, dy, scale)
        return dx, np.where(scale == 0, 0, dscale), doffset
