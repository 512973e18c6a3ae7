"""Wrong answers to degenerate input and to masks."""

import numpy as np
from arithmetic import Batch
from correct import Correct

MASKS = ("masks.statistics",)


class SingleCountsAsOne(Correct):
    """One value per channel enters the moving variance as 1."""

    fault, clause = "wrong when N is 1", ("degenerate.single-update", "degenerate.single")

    def entering(self, batch):
        single = (batch.count == 1).all()
        return np.ones_like(batch.variance) if single else super().entering(batch)


class SingleIsZero(Correct):
    """One value per channel gives 0, without the offset."""

    fault, clause = "offset lost when N is 1", ("degenerate.single",)

    def apply(self, mode, may_update, x, mask):
        y = super().apply(mode, may_update, x, mask)
        return 0 * y if mode == "train" and not self.in_effect and x.size == self.layer["features"] else y


class EmptyResets(Correct):
    """An empty batch sets the moving statistics back to 0 and 1."""

    fault, clause = "empty batch resets the state", ("degenerate.empty",)

    def update(self, batch):
        if batch.count.all():
            super().update(batch)
        else:
            self.store(self.fresh())


class EmptyCounts(Correct):
    """An empty batch moves the counter."""

    fault, clause = "empty batch counts", ("degenerate.empty",)

    def update(self, batch):
        self.count += not batch.count.all()
        super().update(batch)


class ConstantIsZero(Correct):
    """A constant channel gives 0, without the offset."""

    fault, clause = "constant channel loses the offset", ("degenerate.constant",)

    def normalise(self, values, mean, variance, scale, offset):
        y = super().normalise(values, mean, variance, scale, offset)
        constant = (values == values[:, :1]).all(axis=1) if values.shape[1] > 1 else np.zeros(len(values), bool)
        return np.where(constant[:, None], y.dtype.type(0), y)


class NegativeEpsilonFlipped(Correct):
    """A negative ε is taken for a positive one."""

    fault, clause = "sign of ε lost", ("degenerate.epsilon",)

    @property
    def epsilon(self):
        return abs(self.layer["epsilon"])


class NanSpreads(Correct):
    """A NaN in one channel reaches every channel."""

    fault, clause = "NaN spreads", ("degenerate.nan", "forward.channels")

    def statistics(self, values, weights):
        batch = super().statistics(values, weights)
        if not np.isfinite(batch.mean).all():
            batch = Batch(batch.mean * np.nan, batch.variance * np.nan, batch.count)
        return batch


class NanHidden(Correct):
    """A NaN is taken for 0."""

    fault, clause = "NaN hidden", ("degenerate.nan", "degenerate.nan-recovery")

    def rows(self, x):
        return np.nan_to_num(super().rows(x))


class MaskIgnored(Correct):
    """The mask counts for nothing."""

    fault, clause = "mask ignored", MASKS
    mask_use = "included"


class MaskCountedInN(Correct):
    """Masked values count in N, as zeros."""

    fault, clause = "mask counted in N", MASKS

    def mean(self, values, weights, count):
        mean = super().mean(values, weights, count)
        return mean if weights is None else mean * (count / max(values.shape[1], 1))


class MaskForTheMeanAlone(Correct):
    """Masked values enter the variance."""

    fault, clause = "mask forgotten in the variance", MASKS

    def variance(self, values, weights, mean, count):
        return super().variance(values, None, mean, np.full_like(count, values.shape[1]))


class MaskInverted(Correct):
    """What is masked counts, and the rest does not."""

    fault, clause = "mask inverted", MASKS

    def weights(self, mask, shape):
        weights = super().weights(mask, shape)
        return None if weights is None else 1 - weights


class MaskMisread(Correct):
    """A mask with positions is read along the wrong axis."""

    fault, clause = "mask broadcast along the wrong axis", MASKS

    def weights(self, mask, shape):
        if mask is not None and mask.ndim > 1:
            mask = mask.reshape(mask.shape[::-1]).T
        return super().weights(mask, shape)


class MaskZeroTimesNan(Correct):
    """Masked values are multiplied by 0; a NaN there stays one."""

    fault, clause = "NaN under the mask", MASKS
    mask_use = "weighted"
