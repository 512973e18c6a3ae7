"""Masks: `masks.statistics`.

Where a layer takes a mask, what is masked out enters the statistics of training or does not. The masked
values are far from the others, so that one of them shows; or they are NaN, which a weight of 0 does not undo.
What the output is where the mask leaves out is nobody's question.
"""

import numpy as np

from bnspec.case import Case, Layer, place, read, train, write
from bnspec.data import batch, channels, shape

FAR = {"mean": channels(3, 2.0, -1.5, 1.0), "variance": channels(3, 4.0, 6.0, 9.0)}
PLACES = ((2, -1), (3, -1), (4, -1), (4, 1), (5, -1))
ALL = ("excluded", "weighted", "included")


def data(rank, axis):
    """x, and a mask of its shape without channels that leaves out three of eight positions."""
    x = batch(shape(rank, axis, 3), axis, seed=140)
    moved = np.moveaxis(x, axis, -1)
    counts = (np.arange(moved[..., 0].size) % 8 < 5).reshape(moved.shape[:-1])
    return x, moved, counts


def masked(rank, axis, kind):
    x, moved, counts = data(rank, axis)
    mask = {"samples": counts, "fractional": np.where(counts, np.float32(1), np.float32(0.25))}.get(kind, counts)
    loud = moved + np.float32(3)
    if kind == "nan":
        loud[..., 0] = np.nan
    values = np.where(counts[..., None], moved, loud)
    x = np.ascontiguousarray(np.moveaxis(values, -1, axis)).astype(np.float32)
    return Case(
        clauses=("masks.statistics",),
        situation=f"{kind}-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis),
        program=(write(**FAR), train(x, mask), read("mean", "variance")),
        rivals=tuple({"masks.statistics": v} for v in (ALL if kind == "nan" else ("excluded", "included"))),
        why={
            "samples": "Three of eight positions are masked and three larger than the others.",
            "fractional": "Weights of 1 and 1/4: `excluded` is the weighted mean and variance.",
            "nan": "Three of eight positions are masked; there the first channel is NaN, the others are three larger.",
        }[kind],
    )


def broadcast(rank, axis):
    """One flag per sample, for inputs that have more than samples and channels."""
    x, moved, _ = data(rank, axis)
    mask = (np.arange(len(x)) % 8 < 5).reshape((len(x),) + (1,) * (moved.ndim - 2))
    loud = np.where(mask[..., None], moved, moved + np.float32(3))
    return Case(
        clauses=("masks.statistics",),
        situation=f"broadcast-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis),
        program=(
            write(**FAR),
            train(np.ascontiguousarray(np.moveaxis(loud, -1, axis)), mask),
            read("mean", "variance"),
        ),
        rivals=tuple({"masks.statistics": v} for v in ("excluded", "included")),
        why="A mask of one flag per sample, which must be broadcast over the positions.",
    )


CASES = (
    *(masked(rank, axis, kind) for kind in ("samples", "fractional", "nan") for rank, axis in PLACES),
    *(broadcast(rank, axis) for rank, axis in PLACES if rank > 2),
)
