"""Sizes and layouts at which kernels change: rows, positions, channels, views of memory.

The sentences are those of the ordinary clauses. A kernel is chosen by the number of values (65,535 is the most that
one dimension of a CUDA grid takes, 131,071 one less than two blocks of that), by the shape of an image, by whether
values lie one after the other; each choice is another piece of code.
"""

import numpy as np

from bnspec.case import Case, Layer, backward, infer, place, read, silently, train, write
from bnspec.data import batch, channels, repeated, shape

ROWS = (1024, 65_535, 65_536, 131_070, 131_071)
SPATIAL = (1, 7, 14, 28, 56, 112)
BATCH = 8
FEW = 500
LAYOUTS = ("permuted", "sliced", "expanded")
SCALE, OFFSET = (1.5, -0.5, 2.0), (0.25, -1.0, 0.5)
MAIN = ((2, -1), (4, -1), (4, 1))


def parameters(features):
    return write(scale=channels(features, *SCALE), offset=channels(features, *OFFSET))


def everything(x, dy):
    """Output, statistics and gradients of one training step."""
    return train(x), read("mean", "variance"), backward(dy)


def rows(count):
    x, dy = (repeated((count, 2), -1, seed=seed, mean=1.0) for seed in (150, 151))
    return Case(
        clauses=("precision.bound",),
        situation=f"rows{count}-rank2",
        layer=Layer(features=2, momentum={"keep": 0.0}),
        program=(parameters(2), *everything(x, dy)),
        why="Numbers of rows beside those at which kernels divide their work otherwise.",
    )


def spatial(side, rank, axis):
    x, dy = (images((BATCH, 3, side, side), axis, seed) for seed in (152, 153))
    return Case(
        clauses=("precision.bound",),
        situation=f"spatial{side}-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis, momentum={"keep": 0.0}),
        program=(parameters(3), *everything(x, dy)),
        why="Images of the sizes that networks have, from one position to 112×112, 8 samples.",
    )


def images(size, axis, seed):
    """A batch of this size with its channels at `axis`; large images are one sample again and again, held once."""
    samples, *positions = size
    one = 1 if positions[1] * positions[2] > FEW else samples
    block = repeated((one, *positions), 1, seed=seed, mean=1.0)
    x = np.moveaxis(np.broadcast_to(block, size), 1, axis)
    return np.ascontiguousarray(x) if one == samples else x


def data(rank, axis, seed, layout):
    """A batch; for `expanded` its first sample, again and again."""
    x = batch(shape(rank, axis, 3, batch=16), axis, seed=seed, mean=0.3)
    if layout == "expanded":
        x[:] = batch(shape(rank, axis, 3, batch=1), axis, seed=seed, mean=0.3, deviation=0.5)
    return x


def training(layout, rank, axis):
    x = data(rank, axis, 154, layout)
    return Case(
        clauses=("forward.training",),
        situation=f"{layout}-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis),
        program=(parameters(3), train(x, layout=layout), read("mean", "variance")),
        why="The input is a view whose values do not lie one after the other in memory.",
    )


def inference(layout, rank, axis):
    x = data(rank, axis, 155, layout)
    state = write(mean=channels(3, 0.5, -0.25, 1.0), variance=channels(3, 2.0, 0.5, 0.25))
    return Case(
        clauses=("forward.inference",),
        situation=f"{layout}-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis),
        program=(state, parameters(3), infer(x, layout=layout)),
        why="The input is a view whose values do not lie one after the other in memory.",
    )


def gradient(layout, rank, axis):
    x, dy = data(rank, axis, 156, layout), batch(shape(rank, axis, 3, batch=16), axis, seed=157, mean=0.5)
    return Case(
        clauses=("gradient.training",),
        situation=f"{layout}-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis),
        program=(parameters(3), silently(train(x, layout=layout)), backward(dy)),
        why="The input is a view whose values do not lie one after the other in memory.",
    )


# One sample expanded over a batch of rank 2 has no spread.
VIEWS = tuple((layout, *at) for layout in LAYOUTS for at in MAIN if (layout, at) != ("expanded", (2, -1)))

CASES = (
    *(rows(count) for count in ROWS),
    *(spatial(side, rank, axis) for side in SPATIAL for rank, axis in MAIN if rank == 4),
    *(ask(*view) for ask in (training, inference, gradient) for view in VIEWS),
)
