"""The gradients: `gradient.*`.

In training the output depends on x also through the batch's mean and variance: dx = scale·r·(dy − Σdy/N −
x̂·Σ(dy·x̂)/N). Treating the statistics as constants (`detached`) leaves scale·r·dy: a network still trains,
to something else. In inference the statistics are constants, and dx = scale·dy/√(v + ε).

dy is normal with a mean, so that both batch terms are of the size of dy itself.
"""

from bnspec.case import PLACES, Case, Layer, backward, infer, place, silently, train, write
from bnspec.data import batch, channels, shape

SCALE, OFFSET = (1.5, -0.5, 2.0), (0.25, -1.0, 0.5)


def data(rank, axis):
    """x, and a dy that leans with x, so that neither of its batch terms is small."""
    size = shape(rank, axis, 3)
    x = batch(size, axis, seed=50)
    return x, (0.5 * x + batch(size, axis, seed=51, mean=0.5)).astype("float32")


def written(**more):
    return write(scale=channels(3, *SCALE), offset=channels(3, *OFFSET), **more)


def statistics(rank, axis):
    x, dy = data(rank, axis)
    return Case(
        clauses=("gradient.statistics",),
        situation=place(rank, axis),
        layer=Layer(rank=rank, axis=axis),
        program=(written(), silently(train(x)), backward(dy)),
        rivals=({"gradient.statistics": "through"}, {"gradient.statistics": "detached"}),
        why="dy leans with x and has a mean: both terms that go through the statistics are large.",
    )


def training(rank, axis):
    x, dy = data(rank, axis)
    again = batch(shape(rank, axis, 3), axis, seed=52, mean=0.2, deviation=0.2)
    return Case(
        clauses=("gradient.training",),
        situation=place(rank, axis),
        layer=Layer(rank=rank, axis=axis),
        program=(written(), silently(train(x)), backward(dy), silently(train(again)), backward(dy)),
        why="Two batches, the second of deviation 0.2, where ε is part of the derivative.",
    )


def no_scale(rank, axis):
    x, dy = data(rank, axis)
    return Case(
        clauses=("gradient.training",),
        situation=f"scale0-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis),
        program=(write(scale=channels(3, 0.0, -0.5, 2.0)), silently(train(x)), backward(dy)),
        why="A scale of 0, as initialisers of residual branches have it: dx is 0, the gradient by the scale is not; "
        "what recovers x̂ from y ÷ scale has lost it.",
    )


def without(scale, offset, situation):
    x, dy = data(2, -1)
    return Case(
        clauses=("gradient.training",),
        situation=situation,
        layer=Layer(scale=scale, offset=offset),
        program=(silently(train(x)), backward(dy)),
        why="The gradient by x does not need the parameters.",
    )


def inference(rank, axis):
    x, dy = data(rank, axis)
    stored = written(mean=channels(3, 0.5, -0.25, 1.0), variance=channels(3, 2.0, 0.5, 0.01))
    return Case(
        clauses=("gradient.inference",),
        situation=place(rank, axis),
        layer=Layer(rank=rank, axis=axis),
        program=(stored, silently(infer(x)), backward(dy)),
        why="Stored statistics that are not the batch's: a gradient with batch terms is far away.",
    )


MAIN = ((2, -1), (4, -1), (4, 1))

CASES = (
    *(statistics(rank, axis) for rank, axis in MAIN),
    *(training(rank, axis) for rank, axis in PLACES),
    *(no_scale(rank, axis) for rank, axis in MAIN),
    without(False, False, "neither"),
    without(True, False, "scale-only"),
    without(False, True, "offset-only"),
    *(inference(rank, axis) for rank, axis in MAIN),
)
