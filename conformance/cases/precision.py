"""How accurate: `precision.*`.

Implementations compute the same formulas by other routes, and the routes differ in how far they may be off: a
variance as E[x²] − E[x]² has no digit left where the mean is a thousand deviations; sums that are added one by
one lose digits as N grows. What an implementation does is seen from its errors. The answers are classes, the
tightest first: the first whose allowance holds every number is the answer, and it chooses the allowance of all
other cases. A case decides between two classes where what the worse one computes (reference.formulations) is
far outside the allowance of the better one.

`precision.bound` is the clause: every number within the allowance of the best class. A worse class is told
there, as `imprecise`, with the ratio, and nowhere else.
"""

from itertools import product

import numpy as np

from bnspec.case import PLACES, Case, Layer, backward, infer, place, read, silently, train, types, write
from bnspec.data import HALVES, TYPED, batch, channels, held, long_batch, many, repeated
from bnspec.spec import AXES

MAIN = ((2, -1), (4, -1), (4, 1))
FEATURES, VALUES = 64, 32
OFFSETS = (1e1, 1e2, 1e3, 1e4, 1e5, 1e6)
SCALE, OFFSET = (1.5, -0.5, 2.0), (0.25, -1.0, 0.5)


def layer(rank, axis, features=FEATURES, keep=0.0, **more):
    return Layer(rank=rank, axis=axis, features=features, momentum={"keep": keep}, **more)


def size(rank, axis):
    """The one shape of a place: 32 values in each of 64 channels. Frameworks that compile per shape compile once."""
    return many(rank, axis, FEATURES, VALUES)


def classes(axis):
    return tuple({axis: variant} for variant in AXES[axis].variants)


def shown(x):
    """Train, and look at the statistics: with keep = 0 they are the batch's."""
    return silently(train(x)), read("mean", "variance")


def accumulation(rank, axis):
    return Case(
        clauses=("precision.accumulation",),
        situation=place(rank, axis),
        layer=layer(rank, axis, features=2),
        program=shown(long_batch(many(rank, axis, 2, 2**16), axis)),
        rivals=classes("precision.accumulation"),
        why="65,536 values of few bits: any chain of 256 is exact and a tree of chains nearly so, while values "
        "added one by one, or in small groups, lose a part of a last bit each, mostly to the same side.",
    )


def moments(rank, axis):
    steps = [shown(batch(size(rank, axis), axis, seed=60, mean=offset)) for offset in OFFSETS]
    return Case(
        clauses=("precision.moments",),
        situation=place(rank, axis),
        layer=layer(rank, axis),
        program=tuple(step for pair in steps for step in pair),
        rivals=classes("precision.moments"),
        why="Means of 10 to a million deviations. Two passes do not mind; updating loses digits in proportion "
        "to mean/sd, one pass to its square; of 64 channels some show a negative variance where it may be.",
    )


def centring(rank, axis):
    steps = []
    for offset in (1e2, 1e3, 1e4):
        x = batch(size(rank, axis), axis, seed=61, mean=offset)
        steps += [near(x, axis), infer(x)]
    return Case(
        clauses=("precision.centring",),
        situation=place(rank, axis),
        layer=layer(rank, axis),
        program=(parameters(FEATURES), *steps),
        rivals=classes("precision.centring"),
        why="Written means of 100 to 10,000 deviations: x − mean is exact, x·k is rounded at the size of x.",
    )


def held_as(rank, axis, dtypes):
    """What a layer of these types returns and stores; exact in every type, so that its arithmetic has no say.

    With x = ±1/4 and ε = 15/16 the deviation with ε is 1, and the estimates of the variance are 1/16, 1/8, 2, 4 and
    32.
    """
    sizes = [2] + [1] * (rank - 2)
    sizes.insert(axis % rank, FEATURES)
    x = np.resize(np.repeat([0.25, -0.25], FEATURES), sizes)
    halves = dtypes["input"] != "float64"
    typed = held(x, dtypes["input"]) if halves else x
    pure = "promoted" if halves else "float32"
    asked = {
        "stats.stored-variance": AXES["stats.stored-variance"].variants,
        **({"precision.half-output": ("input", "float32")} if halves else {}),
        "precision.state-dtype": ("parameter", pure if dtypes["parameters"] == dtypes["input"] else "input"),
    }
    return Case(
        clauses=tuple(asked),
        situation=f"{types(dtypes)}-{place(rank, axis)}",
        layer=layer(rank, axis, dtypes=dtypes, epsilon=15 / 16),
        program=(write(mean=np.zeros(FEATURES), variance=np.zeros(FEATURES)), train(typed), read("mean", "variance")),
        rivals=tuple(dict(zip(asked, answers, strict=True)) for answers in product(*asked.values())),
        why="Two values per channel, ±1/4, and ε = 15/16: output and estimates are exact in every type, and far apart.",
    )


def of_halves(rank, axis, dtypes):
    """Offsets at which the mean, rounded to the input's type, is a part of a deviation away."""
    kind, steps = dtypes["input"], []
    for offset in HALF_OFFSETS[kind]:
        x = held(batch(size(rank, axis), axis, seed=62, mean=offset / 16, deviation=1 / 16), kind)
        steps += [train(x), read("mean", "variance")]
    return Case(
        clauses=("precision.half-statistics",),
        situation=f"{types(dtypes)}-{place(rank, axis)}",
        layer=layer(rank, axis, dtypes=dtypes),
        program=tuple(steps),
        # Where the state itself is of that type, it is rounded to it in any class.
        rivals=tuple(
            rival
            for rival in classes("precision.half-statistics")
            if dtypes["parameters"] != kind or "stored-rounded" not in rival.values()
        ),
        why="The mean is so many deviations that rounding it to the input's type moves the output by hundredths, "
        "and the variance too where it is taken about the rounded mean.",
    )


HALF_OFFSETS = {"float16": (64.0, 512.0), "bfloat16": (8.0, 128.0)}
"""mean/sd at which the sd is 2 to 64 last bits of the values."""


def float64(rank, axis):
    x = held(batch(size(rank, axis), axis, seed=63, mean=1.0), "float64")
    return Case(
        clauses=("precision.float64",),
        situation=f"float64-{place(rank, axis)}",
        layer=layer(rank, axis, dtypes=TYPED[-1], epsilon=2.0**-10),  # a float32, for ε may be held in one
        program=(parameters(FEATURES), start(FEATURES), infer(x), train(x), read("mean", "variance")),
        rivals=classes("precision.float64"),
        why="Numbers that no float32 holds: what passes through one, in inference or in training, is millions of "
        "allowances away.",
    )


def parameters(features):
    return write(scale=channels(features, *SCALE), offset=channels(features, *OFFSET))


def start(features):
    return write(mean=channels(features, 2.0, -1.0), variance=channels(features, 4.0, 0.25, 1.0))


def offset_bound(rank, axis, offset):
    x = batch(size(rank, axis), axis, seed=64, mean=offset)
    return Case(
        clauses=("precision.bound",),
        situation=f"offset{power(offset)}-{place(rank, axis)}",
        layer=layer(rank, axis, keep=0.75),
        program=(parameters(FEATURES), start(FEATURES), train(x), read("mean", "variance")),
        why="Statistics and output in training where the mean is so many deviations.",
    )


def typed_offset(dtypes, offset):
    x = held(batch(size(2, -1), -1, seed=64, mean=offset), dtypes["input"])
    return Case(
        clauses=("precision.bound",),
        situation=f"offset{power(offset)}-{types(dtypes)}-rank2",
        layer=layer(2, -1, dtypes=dtypes, epsilon=2.0**-10),
        program=(parameters(FEATURES), train(x), read("mean", "variance")),
        why="Statistics and output in training where the mean is so many deviations, in this type.",
    )


def offset_gradients(rank, axis):
    dy, steps = batch(size(rank, axis), axis, seed=65, mean=0.5), []
    for offset in (0.0, 1e1, 1e3, 1e6):
        steps += [silently(train(batch(size(rank, axis), axis, seed=64, mean=offset))), backward(dy)]
    return Case(
        clauses=("precision.bound",),
        situation=f"gradient-offsets-{place(rank, axis)}",
        layer=layer(rank, axis),
        program=(parameters(FEATURES), *steps),
        why="Gradients in training where the mean is 0 to a million deviations.",
    )


def power(number):
    return f"{number:.0e}".replace("e+0", "e") if number else "0"


def inference_bound(rank, axis, gradient):
    dy, steps = batch(size(rank, axis), axis, seed=65, mean=0.5), []
    for offset in (0.0, 1.0, *OFFSETS):
        x = batch(size(rank, axis), axis, seed=64, mean=offset)
        steps += [near(x, axis), *((silently(infer(x)), backward(dy)) if gradient else (infer(x),))]
    return Case(
        clauses=("precision.bound",),
        situation=f"{'gradient-' if gradient else ''}inference-{place(rank, axis)}",
        layer=layer(rank, axis),
        program=(parameters(FEATURES), *steps),
        why=f"{'Gradients' if gradient else 'Output'} in inference where the written mean, near the batch's, is 0 to "
        "a million deviations.",
    )


def near(x, axis):
    """Write statistics near those of a batch."""
    mean = np.moveaxis(x, axis, -1).reshape(-1, FEATURES).mean(axis=0)
    return write(mean=mean, variance=channels(FEATURES, 1.0, 1.5, 0.75))


def size_bound(rank, axis, count, gradient):
    x, dy = (repeated(many(rank, axis, 2, count), axis, seed=seed, mean=1.0) for seed in (66, 67))
    asked = (silently(train(x)), backward(dy)) if gradient else (train(x), read("mean", "variance"))
    return Case(
        clauses=("precision.bound",),
        situation=f"{'gradient-' if gradient else ''}size{count}-{place(rank, axis)}",
        layer=layer(rank, axis, features=2, keep=0.75),
        program=(parameters(2), start(2), *asked),
        why=f"{'Gradients' if gradient else 'Statistics and output'} of so many values per channel, each about as "
        "large as the mean.",
    )


def million(rank, axis):
    return Case(
        clauses=("precision.bound",),
        situation=f"size{2**20}-{place(rank, axis)}",
        layer=layer(rank, axis, features=2),
        program=shown(repeated(many(rank, axis, 2, 2**20), axis, seed=66, mean=1.0)),
        why="The statistics of a million values.",
    )


def typed_bound(rank, axis, dtypes, gradient):
    kind, steps = dtypes["input"], []
    for offset in (0.0, 64.0) if gradient else (0.0, 8.0, 64.0):
        x = held(batch(size(rank, axis), axis, seed=68, mean=offset), kind)
        dy = held(batch(size(rank, axis), axis, seed=69, mean=0.5), kind)
        mean = write(mean=channels(FEATURES, offset), variance=channels(FEATURES, 1.0))
        if gradient:
            steps += [mean, silently(infer(x)), backward(dy), silently(train(x)), backward(dy)]
        else:
            steps += [mean, infer(x), start(FEATURES), train(x), read("mean", "variance")]
    return Case(
        clauses=("precision.bound",),
        situation=f"{'gradient-' if gradient else ''}{types(dtypes)}-{place(rank, axis)}",
        layer=layer(rank, axis, keep=0.75, dtypes=dtypes, epsilon=2.0**-10),
        program=(parameters(FEATURES), *steps),
        why=f"{'Gradients' if gradient else 'Statistics and output'} in this type, where the mean is 0 to 64 "
        "deviations.",
    )


CASES = (
    *(accumulation(rank, axis) for rank, axis in PLACES),
    *(moments(rank, axis) for rank, axis in PLACES),
    *(centring(rank, axis) for rank, axis in PLACES),
    *(held_as(rank, axis, dtypes) for dtypes in TYPED for rank, axis in MAIN),
    *(of_halves(rank, axis, dtypes) for dtypes in HALVES for rank, axis in MAIN),
    *(float64(rank, axis) for rank, axis in MAIN),
    *(offset_bound(rank, axis, offset) for offset in (0.0, 1.0, *OFFSETS) for rank, axis in MAIN),
    *(typed_offset(TYPED[-1], offset) for offset in (1.0, *OFFSETS)),
    *(typed_offset(HALVES[0], offset) for offset in (1.0, 1e1, 1e2)),
    *(typed_offset(HALVES[2], offset) for offset in (1.0, 1e1)),
    *(offset_gradients(rank, axis) for rank, axis in MAIN),
    *(inference_bound(rank, axis, gradient) for gradient in (False, True) for rank, axis in MAIN),
    *(size_bound(2, -1, 2**12, gradient) for gradient in (False, True)),
    *(size_bound(rank, axis, 2**16, gradient) for gradient in (False, True) for rank, axis in MAIN),
    million(2, -1),
    *(typed_bound(*where, dtypes, gradient) for gradient in (False, True) for dtypes in TYPED for where in MAIN),
)
