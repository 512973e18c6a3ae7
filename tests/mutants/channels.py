"""Statistics over the wrong values."""

import numpy as np
from arithmetic import Batch
from correct import Correct

CHANNELS = ("forward.channels",)


class AllChannelsTogether(Correct):
    """One mean and one variance for all channels."""

    fault, clause = "statistics over the wrong axis", ("forward.channels", "forward.training")

    def statistics(self, values, weights):
        if weights is not None or not values.size:
            return super().statistics(values, weights)
        one = super().statistics(values.reshape(1, -1), None)
        every = np.ones(len(values), values.dtype)
        return Batch(one.mean * every, one.variance * every, values.shape[1] * every)


class BatchAxisOnly(Correct):
    """Statistics over the samples alone, at the first position."""

    fault, clause = "statistics over the batch axis only", ("forward.channels", "forward.training")

    def rows(self, x):
        self.positions = max(x[:1].size // self.layer["features"], 1)
        return super().rows(x)

    def statistics(self, values, weights):
        if weights is not None:
            return super().statistics(values, weights)
        batch = super().statistics(np.ascontiguousarray(values[:, :: self.positions]), None)
        return Batch(batch.mean, batch.variance, batch.count * self.positions)


class LeakToTheNext(Correct):
    """A ten-thousandth of every variance is in the next channel's."""

    fault, clause = "one channel's statistics leak", CHANNELS

    def statistics(self, values, weights):
        batch = super().statistics(values, weights)
        variance = batch.variance + batch.variance.dtype.type(1e-4) * np.roll(batch.variance, 1)
        return Batch(batch.mean, variance, batch.count)


class OddChannels(Correct):
    """Channels are taken in pairs; the last one of an odd number gets its neighbour's mean."""

    fault, clause = "wrong when C is odd", ("forward.channels", "forward.training")

    def statistics(self, values, weights):
        batch = super().statistics(values, weights)
        if len(values) % 2 and len(values) > 1:
            batch.mean[-1] = batch.mean[-2]
        return batch


class BlocksOf1024(Correct):
    """A kernel of 1,024 threads: channel 1,024 gets the statistics of channel 0."""

    fault, clause = "wrong above 1,024 channels", CHANNELS

    def statistics(self, values, weights):
        batch = super().statistics(values, weights)
        index = np.arange(len(values)) % 1024
        return Batch(batch.mean[index], batch.variance[index], batch.count)


class LastSampleDropped(Correct):
    """The last value of every channel does not enter its statistics."""

    fault, clause = "last sample dropped", ("forward.training", "forward.permutation")

    def statistics(self, values, weights):
        if weights is not None or values.shape[1] < 2:
            return super().statistics(values, weights)
        batch = super().statistics(np.ascontiguousarray(values[:, :-1]), None)
        return Batch(batch.mean, batch.variance, batch.count + 1)


class ChannelsFirstMisread(Correct):
    """Channels-first input is transposed without a copy and then read as if it had been copied."""

    fault, clause = "non-contiguous input misread", ("forward.channels", "forward.training")

    def rows(self, x):
        axis = self.layer["axis"] % x.ndim
        if axis == x.ndim - 1:
            return super().rows(x)
        transposed = np.moveaxis(x, axis, -1)
        misread = np.ascontiguousarray(x).reshape(transposed.shape)
        return np.ascontiguousarray(misread.reshape(-1, transposed.shape[-1]).T, dtype=self.inner)


class SixteenBitRows(Correct):
    """Rows are counted in sixteen bits: what is beyond 65,535 does not enter."""

    fault, clause = "wrong above 65,535 rows", ("precision.bound", "precision.accumulation", "forward.channels")

    def statistics(self, values, weights):
        if weights is not None or values.shape[1] <= 65535:
            return super().statistics(values, weights)
        return super().statistics(np.ascontiguousarray(values[:, : values.shape[1] % 65536 or 65535]), None)


class MiddleAxis(Correct):
    """A channel axis that is neither first nor last is taken for the last."""

    fault, clause = "statistics over the wrong axis, only in the middle", CHANNELS

    def rows(self, x):
        axis = self.layer["axis"] % x.ndim
        if axis in (1, x.ndim - 1):
            return super().rows(x)
        return np.ascontiguousarray(x.reshape(-1, x.shape[axis]).T, dtype=self.inner)


class OneSampleWeighsMore(Correct):
    """The first sample enters with a little more than its weight."""

    fault, clause = "the order of the samples counts", ("forward.permutation", "forward.training")

    def mean(self, values, weights, count):
        mean = super().mean(values, weights, count)
        return mean + values[:, 0] * values.dtype.type(1e-4) if values.size else mean


class VolumesAsImages(Correct):
    """Rank 5 takes its statistics over the first slice of the depth alone."""

    fault, clause = "statistics of one slice, only for rank 5", ("forward.training", "forward.channels")

    def rows(self, x):
        self.slices = x.shape[2 if self.layer["axis"] % x.ndim == 1 else 1] if x.ndim == 5 else 1
        self.samples = x.shape[0]
        return super().rows(x)

    def statistics(self, values, weights):
        if weights is not None or self.slices == 1 or not values.size:
            return super().statistics(values, weights)
        parts = values.reshape(len(values), self.samples, self.slices, -1)
        batch = super().statistics(np.ascontiguousarray(parts[:, :, 0].reshape(len(values), -1)), None)
        return Batch(batch.mean, batch.variance, batch.count * self.slices)
