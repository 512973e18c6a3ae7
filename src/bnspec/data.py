"""Data made for a question: seeded, small, and inside the range where every formulation is accurate."""

import numpy as np

from bnspec.case import Array
from bnspec.reference.formulations import rounded

SEED = 20261121

SPATIAL = {2: (), 3: (4,), 4: (4, 2), 5: (2, 2, 2)}
"""Spatial shape by rank: few shapes, so that frameworks that compile per shape compile little."""


HALVES = tuple(
    {"input": kind, "parameters": parameters, "compute": kind}
    for kind in ("float16", "bfloat16")
    for parameters in ("float32", kind)
)
"""The types of layers that take halves: with float32 parameters, and with parameters of the same type."""

TYPED = (*HALVES, dict.fromkeys(("input", "parameters", "compute"), "float64"))
"""The types of every layer that is asked beside those of float32."""


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


def many(rank: int, axis: int, features: int, count: int) -> tuple[int, ...]:
    """Return the input shape of a rank with `count` values per channel, a multiple of 8."""
    return shape(rank, axis, features, batch=count // int(np.prod(SPATIAL[rank])))


def long_batch(size: tuple[int, ...], axis: int) -> Array:
    """Return values c ± d, by turns, whose sums are exact as long as they are short.

    c and d have few bits, so that a chain of 256 values, or a tree of such chains, loses nothing; added one by
    one, or in groups of up to 32, tens of thousands lose a part of a last bit with every addition, mostly to the
    same side. The mean is half of the deviation, so that one pass is as accurate as two.
    """
    moved = np.moveaxis(np.empty(size, dtype=bool), axis, -1).shape
    centre, deviation = channels(moved[-1], 39487 / 2**17, -39535 / 2**17), channels(moved[-1], 129 / 256, 135 / 256)
    pair = np.stack([centre + deviation, centre - deviation])
    values = np.tile(pair, (int(np.prod(moved[:-1])) // 2, 1))
    return np.ascontiguousarray(np.moveaxis(values.reshape(moved), -1, axis))


def repeated(size: tuple[int, ...], axis: int, *, seed: int, mean: float = 0.5, block: int = 4096) -> Array:
    """Return a batch whose every channel repeats a block of values: large, and made in no time."""
    moved = np.moveaxis(np.empty(size, dtype=bool), axis, -1).shape
    count = int(np.prod(moved[:-1]))
    values = batch((min(block, count), moved[-1]), -1, seed=seed, mean=mean)
    tiled = np.resize(values, (count, moved[-1]))
    return np.ascontiguousarray(np.moveaxis(tiled.reshape(moved), -1, axis))


def held(values: Array, dtype: str) -> Array:
    """Return float32 numbers as those of another type: a half rounded, a float64 that no float32 holds.

    A bfloat16 travels as its float32.
    """
    if dtype == "float64":
        wide: Array = values * (1 + np.arange(values.size).reshape(values.shape) * 2.0**-40)
        return wide
    return rounded(values, dtype).astype("float32" if dtype == "bfloat16" else dtype)


def channels(features: int, *values: float) -> Array:
    """Return a float32 vector of shape (features,) that cycles through the values."""
    return np.resize(np.array(values, dtype=np.float32), features)
