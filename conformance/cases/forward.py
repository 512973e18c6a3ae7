"""The forward pass: `forward.*`, `inference.pure`, `training.parameters`.

In training y = scale·(x − μ)/√(σ² + ε) + offset with the batch's mean and *population* variance, ε inside
the root, per channel over every other axis; in inference the same formula with the stored statistics. The
running statistics take their update *after* the output has been normalised, or not at all.

ε is 1e-3 against a variance near 1 and, where ε itself is in question, near 1/100, so that an ε outside the
root, missing or ten times too large is hundreds of allowances away. Scale and offset differ per channel and
are never 1 and 0, but where that is the question.
"""

import numpy as np

from bnspec.case import PLACES, Case, Layer, infer, place, read, silently, train, write
from bnspec.data import batch, channels, shape

SCALE, OFFSET = (1.5, -0.5, 2.0), (0.25, -1.0, 0.5)
PARAMETERS = {"offset-only": (False, True), "scale-only": (True, False), "neither": (False, False)}
MEAN, VARIANCE = (0.5, -0.25, 1.0), (2.0, 0.5, 0.01)


def state(features, *names):
    """A step that writes the named parts of the state."""
    values = {"mean": MEAN, "variance": VARIANCE, "scale": SCALE, "offset": OFFSET}
    return write(**{name: channels(features, *values[name]) for name in names})


def training(rank, axis):
    small = batch(shape(rank, axis, 3), axis, seed=31, mean=0.1, deviation=0.1)
    return Case(
        clauses=("forward.training",),
        situation=place(rank, axis),
        layer=Layer(rank=rank, axis=axis),
        program=(
            state(3, "scale", "offset"),
            train(batch(shape(rank, axis, 3), axis, seed=30)),
            train(small),
        ),
        why="One batch of deviation 1 and one of 0.1, where ε = 1e-3 is a tenth of the variance.",
    )


def two_values(rank, axis):
    """Where kernels take another path for few values."""
    sizes = [2] + [1] * (rank - 2)
    sizes.insert(axis % rank, 3)
    steps = [train(batch(tuple(sizes), axis, seed=45, mean=0.5, deviation=size)) for size in (0.5, 2.0)]
    return Case(
        clauses=("forward.training",),
        situation=f"n2-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis),
        program=(state(3, "scale", "offset"), *steps),
        why="Two values per channel, the fewest that have a spread: N and N − 1 are far apart.",
    )


def inference(rank, axis):
    return Case(
        clauses=("forward.inference",),
        situation=place(rank, axis),
        layer=Layer(rank=rank, axis=axis),
        program=(
            state(3, "mean", "variance", "scale", "offset"),
            infer(batch(shape(rank, axis, 3), axis, seed=32)),
        ),
        why="Stored statistics that are not the batch's; one channel has a variance of 0.01, where ε counts.",
    )


def rewritten(rank, axis):
    """A factor that was computed for the statistics before must not be used for those after."""
    x = batch(shape(rank, axis, 3), axis, seed=47)
    other = write(mean=channels(3, -0.5, 0.75, 0.25), variance=channels(3, 0.5, 4.0, 1.5))
    return Case(
        clauses=("forward.inference",),
        situation=f"rewritten-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis),
        program=(state(3, "mean", "variance", "scale", "offset"), infer(x), other, infer(x)),
        why="Inference, other statistics, inference again of the same batch.",
    )


def no_scale(ask, clause, rank, axis):
    """A channel with a scale of 0, as residual branches start with, beside a negative and a positive one."""
    return Case(
        clauses=(clause,),
        situation=f"scale0-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis),
        program=(
            state(3, "mean", "variance", "offset"),
            write(scale=channels(3, 0.0, -0.5, 2.0)),
            ask(batch(shape(rank, axis, 3), axis, seed=48)),
        ),
        why="Scales of 0, −0.5 and 2: what divides by a scale, or folds it into another factor, shows.",
    )


def epsilon(value, situation):
    return Case(
        clauses=("forward.inference",),
        situation=situation,
        layer=Layer(epsilon=value),
        program=(
            write(mean=channels(3, *MEAN), variance=channels(3, 1.0, 2 * value, value)),
            infer(batch(shape(2, -1, 3), -1, seed=33)),
        ),
        why="A variance of the size of ε: whatever happens to ε shows in the first digit.",
    )


def affine(scale, offset, situation):
    names = [name for name, has in (("scale", scale), ("offset", offset)) if has]
    x = batch(shape(2, -1, 3), -1, seed=34)
    return Case(
        clauses=("forward.affine",),
        situation=situation,
        layer=Layer(scale=scale, offset=offset),
        program=(state(3, "mean", "variance", *names), infer(x), train(x), read()),
        why="Each parameter alone and neither: the output, the statistics and the state that is left.",
    )


def affine_inference(scale, offset, situation, rank, axis):
    names = [name for name, has in (("scale", scale), ("offset", offset)) if has]
    return Case(
        clauses=("forward.affine",),
        situation=f"{situation}-infer-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis, scale=scale, offset=offset),
        program=(state(3, "mean", "variance", *names), infer(batch(shape(rank, axis, 3), axis, seed=34))),
        why="Each parameter alone and neither in inference: what is folded takes the missing one for 1 or 0.",
    )


def count(features, rank, axis):
    x = batch(shape(rank, axis, features), axis, seed=35, spread=2.0)
    return Case(
        clauses=("forward.channels",),
        situation=f"features{features}-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis, features=features),
        program=(state(features, "scale", "offset"), train(x), read()),
        why="Numbers of channels at which kernels split their work; every channel has its own size.",
    )


def batch_size(samples, rank, axis):
    """A batch of one sample has several values per channel where there are positions."""
    x = batch(shape(rank, axis, 3, batch=samples), axis, seed=46)
    return Case(
        clauses=("forward.training",),
        situation=f"batch{samples}-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis),
        program=(state(3, "scale", "offset"), train(x)),
        why="Numbers of samples from the fewest to many, positions beside them.",
    )


def middle_axis():
    size = shape(4, 2, 3)
    x = batch(size, 2, seed=36)
    return Case(
        clauses=("forward.channels",),
        situation="rank4-axis2",
        layer=Layer(rank=4, axis=2),
        program=(state(3, "mean", "variance", "scale", "offset"), train(x), read(), infer(x)),
        why="A channel axis that is neither first nor last.",
    )


def independent(rank, axis):
    """The second batch has one channel a hundred times as large; the others must not move."""
    x = batch(shape(rank, axis, 3), axis, seed=37)
    loud = np.moveaxis(x.copy(), axis, -1)
    loud[..., 1] *= 100
    loud = np.ascontiguousarray(np.moveaxis(loud, -1, axis))
    return Case(
        clauses=("forward.channels",),
        situation=f"independent-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis),
        program=(train(x), read(), train(loud), read()),
        why="One channel made a hundred times as large: nothing of it may reach its neighbours.",
    )


def permutation(rank, axis):
    x = batch(shape(rank, axis, 3), axis, seed=38)
    order = np.random.default_rng(38).permutation(x.shape[0])
    start = state(3, "mean", "variance")
    return Case(
        clauses=("forward.permutation",),
        situation=place(rank, axis),
        layer=Layer(rank=rank, axis=axis),
        program=(start, train(x), read(), start, train(np.ascontiguousarray(x[order])), read()),
        why="The same samples in another order, from the same state.",
    )


def statistics(rank, axis):
    """Two batches, for an average that copies the first one is its batch's statistics after one."""
    first, second = (batch(shape(rank, axis, 3), axis, seed=39 + n, mean=1.0 - 2 * n) for n in range(2))
    return Case(
        clauses=("forward.statistics",),
        situation=place(rank, axis),
        layer=Layer(rank=rank, axis=axis),
        program=(
            write(mean=channels(3, 4000.0, -3000.0, 2000.0), variance=channels(3, 9.0, 16.0, 4.0)),
            silently(train(first)),
            train(second),
        ),
        rivals=({"forward.statistics": "batch"}, {"forward.statistics": "running"}),
        why="A written mean a thousand deviations from the batch's: however wrong the output is, it is clear "
        "which statistics it came from.",
    )


def pure(rank, axis):
    x = batch(shape(rank, axis, 3), axis, seed=40)
    others = batch(shape(rank, axis, 3), axis, seed=41, mean=0.9, deviation=1.5)
    mixed = others.copy()
    mixed[0] = x[0]
    return Case(
        clauses=("inference.pure",),
        situation=place(rank, axis),
        layer=Layer(rank=rank, axis=axis),
        program=(
            state(3, "mean", "variance", "scale", "offset"),
            infer(x),
            read(),
            infer(mixed),
            infer(np.ascontiguousarray(x[:1])),
            read(),
        ),
        why="The first sample among its batch, among strangers, and alone; the state must stay bit-equal.",
    )


def parameters(rank, axis):
    steps = [silently(train(batch(shape(rank, axis, 3), axis, seed=seed))) for seed in (42, 43, 44)]
    return Case(
        clauses=("training.parameters",),
        situation=place(rank, axis),
        layer=Layer(rank=rank, axis=axis),
        program=(state(3, "scale", "offset"), *steps, read("scale", "offset")),
        why="Three training calls without an optimizer: scale and offset must stay bit-equal.",
    )


MAIN = ((2, -1), (4, -1), (4, 1))

CASES = (
    *(training(rank, axis) for rank, axis in PLACES),
    *(two_values(rank, axis) for rank, axis in MAIN),
    *(inference(rank, axis) for rank, axis in PLACES),
    *(rewritten(rank, axis) for rank, axis in MAIN),
    *(epsilon(value, f"epsilon{value:g}") for value in (1e-3, 1e-5, 1e-7)),
    *(affine(*has, name) for name, has in PARAMETERS.items()),
    *(affine_inference(*has, name, 4, axis) for name, has in PARAMETERS.items() for axis in (-1, 1)),
    *(no_scale(infer, "forward.inference", rank, axis) for rank, axis in MAIN),
    *(no_scale(train, "forward.training", rank, axis) for rank, axis in MAIN),
    *(batch_size(samples, rank, axis) for samples in (1, 2, 4, 256) for rank, axis in ((3, -1), (4, -1), (4, 1))),
    *(count(features, 4, 1) for features in (1, 3, 64, 1025, 4096)),
    *(count(features, *at) for features in (1, 64, 1025, 4096) for at in ((2, -1), (4, -1))),
    middle_axis(),
    *(independent(rank, axis) for rank, axis in MAIN),
    *(permutation(rank, axis) for rank, axis in MAIN),
    *(statistics(rank, axis) for rank, axis in MAIN),
    *(pure(rank, axis) for rank, axis in MAIN),
    *(parameters(rank, axis) for rank, axis in MAIN),
)
