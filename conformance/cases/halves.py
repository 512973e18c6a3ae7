"""The clauses in other types: float16 and bfloat16, with float32 parameters (`mixed`) and their own (`pure`), float64.

The same sentences as for float32, in the arithmetic that the `precision.*` cases of these types have found: an
output may be off by the rounding to its type, a stored statistic by that to its own, and by what the class of
the arithmetic allows. Values that are written (statistics, scale, offset) are exact in every type.
"""

from bnspec.case import Case, Layer, backward, infer, place, read, silently, train, types, write
from bnspec.data import TYPED, batch, channels, held, many

FEATURES, VALUES = 64, 32
SCALE, OFFSET = (1.5, -0.5, 2.0), (0.25, -1.0, 0.5)
MEAN, VARIANCE = (0.5, -0.25, 1.0), (2.0, 0.5, 1 / 64)


def layer(rank, axis, dtypes):
    """ε is a float32 number, so that an attribute of that type does not make a float64 layer inexact."""
    return Layer(rank=rank, axis=axis, features=FEATURES, dtypes=dtypes, epsilon=2.0**-10)


def situation(rank, axis, dtypes):
    return f"{types(dtypes)}-{place(rank, axis)}"


def data(rank, axis, dtypes, seed, **more):
    """The shape of the precision cases, so that frameworks that compile per shape have compiled it."""
    return held(batch(many(rank, axis, FEATURES, VALUES), axis, seed=seed, **more), dtypes["input"])


def parameters():
    return write(scale=channels(FEATURES, *SCALE), offset=channels(FEATURES, *OFFSET))


def statistics():
    return write(mean=channels(FEATURES, *MEAN), variance=channels(FEATURES, *VARIANCE))


def training(rank, axis, dtypes):
    large, small = (data(rank, axis, dtypes, 70, mean=d, deviation=d) for d in (1.0, 0.125))
    return Case(
        clauses=("forward.training",),
        situation=situation(rank, axis, dtypes),
        layer=layer(rank, axis, dtypes),
        program=(parameters(), train(large), train(small)),
        why="One batch of deviation 1 and one of 1/8, where ε = 2⁻¹⁰ is a sixteenth of the variance.",
    )


def inference(rank, axis, dtypes):
    return Case(
        clauses=("forward.inference",),
        situation=situation(rank, axis, dtypes),
        layer=layer(rank, axis, dtypes),
        program=(parameters(), statistics(), infer(data(rank, axis, dtypes, 71))),
        why="Stored statistics that are not the batch's, exact in every type.",
    )


def gradient(rank, axis, dtypes):
    x, dy = data(rank, axis, dtypes, 72), data(rank, axis, dtypes, 73, mean=0.5)
    return Case(
        clauses=("gradient.training",),
        situation=situation(rank, axis, dtypes),
        layer=layer(rank, axis, dtypes),
        program=(parameters(), silently(train(x)), backward(dy)),
        why="dy has a mean, so that what goes through the statistics is large.",
    )


def inference_gradient(rank, axis, dtypes):
    x, dy = data(rank, axis, dtypes, 72), data(rank, axis, dtypes, 73, mean=0.5)
    return Case(
        clauses=("gradient.inference",),
        situation=situation(rank, axis, dtypes),
        layer=layer(rank, axis, dtypes),
        program=(parameters(), statistics(), silently(infer(x)), backward(dy)),
        why="Stored statistics that are not the batch's: a gradient with batch terms is far away.",
    )


def closed_form(rank, axis, dtypes):
    steps = [silently(train(data(rank, axis, dtypes, 74 + n, mean=0.5 * n))) for n in range(3)]
    return Case(
        clauses=("stats.closed-form",),
        situation=situation(rank, axis, dtypes),
        layer=layer(rank, axis, dtypes),
        program=(statistics(), *(step for one in steps for step in (one, read("mean", "variance")))),
        why="Three different batches, from a state that is neither 0 nor 1 and exact in every type.",
    )


def odd_count(dtypes):
    """One value more than a float16 can count."""
    x = held(batch((2049, 3), -1, seed=78), dtypes["input"])
    return Case(
        clauses=("precision.bound",),
        situation=f"rows2049-{situation(2, -1, dtypes)}",
        layer=Layer(dtypes=dtypes, momentum={"keep": 0.0}),
        program=(silently(train(x)), read("mean", "variance")),
        why="2,049 values, the first number that is no float16; with keep = 0 the statistics are the batch's.",
    )


MAIN = ((2, -1), (4, -1), (4, 1))
QUESTIONS = (training, inference, gradient, inference_gradient, closed_form)

CASES = (
    *(ask(*where, dtypes) for ask in QUESTIONS for dtypes in TYPED for where in MAIN),
    *(odd_count(dtypes) for dtypes in TYPED),
)
