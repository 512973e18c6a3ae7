"""Wrong moving statistics: what enters them, with which weight, when."""

import numpy as np
from arithmetic import Batch
from correct import Correct

ESTIMATOR = ("stats.stored-variance",)
MOVING = ("stats.momentum-weight", "stats.averaging", "stats.closed-form", "stats.extremes")


class MomentumReversed(Correct):
    """The number that should weigh the old statistic weighs the new one."""

    fault, clause = "momentum reversed", ("stats.momentum-weight", "stats.closed-form", "stats.extremes")

    @property
    def keep(self):
        return 1 - super().keep


class MomentumReversedForVariance(Correct):
    """keep and 1 − keep are mixed up for the variance alone."""

    fault, clause = "momentum reversed, only for the variance", MOVING

    def update(self, batch):
        before = self.state.get("variance")
        super().update(batch)
        weight = 1 - self.weight(self.count)
        self.store({"variance": self.blend(before, self.entering(batch), weight)})


class MomentumInHalfPrecision(Correct):
    """The momentum is held in float16: 0.9 is 0.8999."""

    fault, clause = "momentum rounded to half precision", ("stats.closed-form",)

    @property
    def keep(self):
        return float(np.float16(super().keep))


class MomentumWarmsUp(Correct):
    """keep grows with the steps, as (1 + k)/(10 + k) in moving averages of weights."""

    fault, clause = "momentum warms up", ("stats.averaging", "stats.closed-form")

    def weight(self, count):
        return max(super().weight(count), 1 - (1 + count) / (10 + count))


class OneValueTooFewDivided(Correct):
    """The stored variance is divided by N + 1."""

    fault, clause = "N/(N + 1) stored", ESTIMATOR

    def estimate(self, batch):
        return batch.variance * (batch.count / (batch.count + 1))


class CorrectedByTwo(Correct):
    """The stored variance is divided by N − 2 (for two values by N − 1)."""

    fault, clause = "N/(N − 2) stored", ESTIMATOR

    def estimate(self, batch):
        return batch.variance * (batch.count / np.maximum(batch.count - 2, 1))


class CorrectedByBatchSize(Correct):
    """The correction takes the samples for N and forgets the positions."""

    fault, clause = "N is the number of samples alone", ESTIMATOR

    def rows(self, x):
        self.samples = x.shape[0]
        return super().rows(x)

    def estimate(self, batch):
        return batch.variance * (self.samples / max(self.samples - 1, 1))


class CorrectedInRank2(Correct):
    """N/(N − 1), only for rank 2."""

    fault, clause = "sample variance stored, only for rank 2", ESTIMATOR

    @property
    def stored_variance(self):
        return "sample" if self.layer["rank"] == 2 else "population"


class HalfCorrectedInRank5(Correct):
    """N/(N − 1/2), only for rank 5."""

    fault, clause = "N/(N − 1/2) stored, only for rank 5", ESTIMATOR

    def estimate(self, batch):
        half = batch.count / (batch.count - batch.count.dtype.type(0.5))
        return batch.variance * half if self.layer["rank"] == 5 else batch.variance


class DeviationStored(Correct):
    """The standard deviation is stored in the place of the variance."""

    fault, clause = "standard deviation stored", ESTIMATOR

    def estimate(self, batch):
        return np.sqrt(batch.variance)


class SecondMomentStored(Correct):
    """E[x²] is stored in the place of the variance."""

    fault, clause = "second moment stored", ESTIMATOR

    def estimate(self, batch):
        return batch.variance + batch.mean**2


class EpsilonStored(Correct):
    """The variance is stored with ε in it."""

    fault, clause = "variance plus ε stored", (*ESTIMATOR, "stats.closed-form")

    def estimate(self, batch):
        return batch.variance + batch.variance.dtype.type(self.epsilon)


class SpreadOfMeansStored(Correct):
    """The moving second moment less the square of the moving mean: the spread between batches is in it."""

    fault, clause = "variance from moving moments", (*ESTIMATOR, *MOVING)

    def update(self, batch):
        square = self.state["variance"] + self.state["mean"] ** 2
        super().update(batch)
        weight = self.weight(self.count)
        moved = self.blend(square, batch.variance + batch.mean**2, weight)
        self.store({"variance": moved - self.state["mean"] ** 2})


class DeviationFromMovingMean(Correct):
    """What is stored is the deviation from the moving mean, already updated."""

    fault, clause = "variance around the moving mean", (*ESTIMATOR, *MOVING)

    def entering(self, batch):
        mean = self.blend(self.state["mean"], batch.mean, self.weight(self.count))
        return super().entering(batch) + (batch.mean - mean) ** 2


class FirstBatchCopied(Correct):
    """The first batch replaces the starting values."""

    fault, clause = "first batch copied", ("stats.averaging",)
    averaging = "first-batch"


class DebiasedFromOne(Correct):
    """The starting value is divided out as if it were 0; that of the variance is 1."""

    fault, clause = "debiased from a start of one", ("stats.averaging", "stats.stored-variance", "stats.closed-form")

    def update(self, batch):
        self.biased = getattr(self, "biased", dict(self.state))
        self.count += 1
        for name, new in {"mean": batch.mean, "variance": self.entering(batch)}.items():
            self.biased[name] = self.keep * self.biased[name] + (1 - self.keep) * new
            self.store({name: self.biased[name] / max(1 - self.keep**self.count, 1e-30)})


class VarianceStartsFromZero(Correct):
    """The moving variance starts from 0."""

    fault, clause = "moving variance starts from 0", ("stats.initial",)
    initial = "zero-zero"


class CumulativeOffByOne(Correct):
    """The starting value counts as a batch of a cumulative average."""

    fault, clause = "cumulative average counts its start", ("stats.closed-form",)

    def weight(self, count):
        return 1 / (count + 1) if "cumulative" in (self.layer["momentum"] or {}) else super().weight(count)


class UpdatedTwice(Correct):
    """Every batch enters twice."""

    fault, clause = "updated twice", MOVING

    def update(self, batch):
        super().update(batch)
        super().update(batch)


class UpdatedByTheGradient(Correct):
    """The statistics move when the gradient is taken, not in the call."""

    fault, clause = "updated in the backward pass", ("stats.timing", *MOVING)
    timing = "backward"


class UpdatedByTheBatchBefore(Correct):
    """The batch of the call before enters."""

    fault, clause = "updated one step late", MOVING

    def update(self, batch):
        late, self.late = getattr(self, "late", batch), batch
        super().update(late)


class MeanNotUpdated(Correct):
    """The moving mean stays."""

    fault, clause = "moving mean not updated", MOVING

    def store(self, statistics):
        super().store({n: v for n, v in statistics.items() if n != "mean" or len(statistics) == 1 or not self.count})


class UpdatedInInference(Correct):
    """Inference moves the statistics."""

    fault, clause = "updated in inference", ("inference.pure", "modes.toggle")

    def plan(self, mode):
        by_batch, updates = super().plan(mode)
        return by_batch, updates or (mode == "infer" and self.tracked)


class InferenceCounts(Correct):
    """Inference moves the counter."""

    fault, clause = "inference moves the counter", ("inference.pure", "modes.toggle")

    def plan(self, mode):
        self.count += mode == "infer"
        return super().plan(mode)


class VarianceClipped(Correct):
    """The variance of a batch is clipped to 1/10 … 10."""

    fault, clause = "variance clipped", ("forward.training", "stats.closed-form", "stats.stored-variance")

    def statistics(self, values, weights):
        batch = super().statistics(values, weights)
        return Batch(batch.mean, np.clip(batch.variance, 0.1, 10), batch.count)


class MomentumOnceForAll(Correct):
    """keep = 1 is taken for "not given"."""

    fault, clause = "keep = 1 means the default", ("stats.extremes",)

    @property
    def keep(self):
        return 0.9 if super().keep == 1 else super().keep
