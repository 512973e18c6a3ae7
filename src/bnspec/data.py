"""Data made for a question: seeded, small, and inside the range where every formulation is accurate."""

import numpy as np

from bnspec.case import Array

SEED = 20261121

SPATIAL = {2: (), 3: (4,), 4: (4, 2), 5: (2, 2, 2)}
"""Spatial shape by rank: few shapes, so that frameworks that compile per shape compile little."""


UNEVEN = 1.0371
"""A factor on every batch, so that no statistic is a round number: one that is rounded must show."""


def shape(rank: int, axis: int, features: int, batch: int = 8) -> tuple[int, ...]:
    """Return the input shape of a rank, with its channels at `axis`."""
    sizes = [batch, *SPATIAL[rank]]
    sizes.insert(axis % rank, features)
    return tuple(sizes)


def batch(
    size: tuple[int, ...],
    axis: int,
    *,
    seed: int,
    mean: float = 0.5,
    deviation: float = 1.0,
    spread: float = 0.25,
) -> Array:
    """Return float32 normal values whose channels differ: mean and deviation grow by `spread` per channel.

    mean/deviation stays ≤ 1 by default, the range of the ordinary clauses (design: precision is asked
    elsewhere). Every channel's sample is standardised first, so that the batch's own statistics are known
    to a few digits whatever the seed.
    """
    generator = np.random.default_rng([SEED, seed])
    moved = np.moveaxis(np.empty(size), axis, -1).shape
    values = generator.standard_normal((int(np.prod(moved[:-1])), moved[-1]))
    if len(values) > 1:
        values = (values - values.mean(axis=0)) / values.std(axis=0)
    factor = UNEVEN * (1 + spread * np.arange(moved[-1]) / max(moved[-1] - 1, 1))
    values = factor * (mean + deviation * values)
    return np.ascontiguousarray(np.moveaxis(values.reshape(moved), -1, axis)).astype(np.float32)


def exact_batch(size: tuple[int, ...], axis: int, *, mean: float, deviation: float) -> Array:
    """Return pairs mean ± deviation: for powers of two and an even count, exact in any order of summation."""
    moved = np.moveaxis(np.empty(size), axis, -1).shape
    signs = np.where(np.arange(int(np.prod(moved[:-1]))) % 2 == 0, 1.0, -1.0)
    channel = 2.0 ** np.arange(moved[-1])
    values = channel * (mean + deviation * signs[:, None])
    return np.ascontiguousarray(np.moveaxis(values.reshape(moved), -1, axis)).astype(np.float32)


def channels(features: int, *values: float) -> Array:
    """Return a float32 vector of shape (features,) that cycles through the values."""
    return np.resize(np.array(values, dtype=np.float32), features)
