"""Degenerate input: `degenerate.*`.

One value per channel has no spread: its population variance is 0 and its sample variance is 0/0. What a
training step returns then (`degenerate.single`) and what enters the moving variance
(`degenerate.single-update`) differ; an error is a legitimate answer.

An empty batch has no statistics at all, and each quantity may take it in its own way (`degenerate.empty`). A
constant channel has variance 0, but a rounded mean leaves a difference that 1/√ε blows up
(`degenerate.constant`). A small ε may be raised, or refused (`degenerate.epsilon`). What is not a number in
one channel may reach the others, and stays in an exponential average for ever (`degenerate.nan`,
`degenerate.nan-recovery`).
"""

import numpy as np

from bnspec.case import FLOAT32, Case, Layer, backward, infer, place, read, silently, train, write
from bnspec.data import SPATIAL, UNEVEN, batch, channels, shape

FAR = {"mean": channels(3, 0.5, -0.25, 1.5), "variance": channels(3, 4.0, 2.0, 9.0)}
MAIN = ((2, -1), (4, -1), (4, 1))

RIVALS = (
    {"degenerate.single": "raises", "degenerate.single-update": "not-applicable"},
    *(
        {"degenerate.single": output, "degenerate.single-update": entered}
        for output in ("offset", "input", "nan")
        for entered in ("zero", "unchanged", "nan")
    ),
)


def single(rank, axis):
    sizes = [1] * (rank - 1)
    sizes.insert(axis % rank, 3)
    x = channels(3, 0.75, -0.5, 2.0).reshape(sizes)
    return Case(
        clauses=("degenerate.single", "degenerate.single-update"),
        situation=place(rank, axis),
        layer=Layer(rank=rank, axis=axis),
        program=(
            write(mean=channels(3, 0.5), variance=channels(3, 4.0), offset=channels(3, 1.0, -2.0, 0.5)),
            train(x),
            read("mean", "variance"),
        ),
        rivals=RIVALS,
        why="One value per channel, a moving variance of 4 and an offset that is no input.",
    )


def empty(quantity, rank, axis):
    """An empty batch in training, in inference, or with its gradient."""
    x = np.zeros(shape(rank, axis, 3, batch=0), dtype=np.float32)
    start = write(**FAR)
    programs = {
        "mean": (start, silently(train(x)), read("mean")),
        "variance": (start, silently(train(x)), read("variance")),
        "counter": (silently(train(x)), read("count")),
        "inference": (start, infer(x)),
        "gradient": (start, silently(train(x)), backward(x)),
    }
    answers = {
        "counter": ("unchanged", "counted", "raises"),
        "inference": ("none", "raises"),
        "gradient": ("zeros", "nan", "none", "raises"),
    }.get(quantity, ("unchanged", "decayed", "nan", "raises"))
    return Case(
        clauses=("degenerate.empty",),
        situation=f"{quantity}-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis),
        program=programs[quantity],
        rivals=tuple({"degenerate.empty": answer} for answer in answers),
        why="A batch of no samples, from written statistics; of the gradient, that of the scale.",
    )


def masked_whole(quantity, rank, axis):
    """A mask that leaves nothing."""
    size = shape(rank, axis, 3)
    mask = np.zeros([n for at, n in enumerate(size) if at != axis % rank], dtype=bool)
    x = batch(size, axis, seed=150)
    return Case(
        clauses=("degenerate.empty",),
        situation=f"masked-{quantity}-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis),
        program=(write(**FAR), silently(train(x, mask)), read(quantity)),
        rivals=tuple({"degenerate.empty": v} for v in ("unchanged", "decayed", "nan", "raises")),
        why="Every position is masked: there is no value that counts.",
    )


SIZES = {1e-3: "small", 1.0: "one", 1e3: "thousand", 1e6: "million"}


def constant(size, rank, axis):
    """24 equal values: their sum is rounded, and so is its 24th part."""
    value = size * UNEVEN * np.array([1.0, -1.3, 1.7])
    x = np.moveaxis(np.broadcast_to(value, (24, *SPATIAL[rank], 3)), -1, axis)
    return Case(
        clauses=("degenerate.constant",),
        situation=f"{SIZES[size]}-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis),
        program=(write(offset=channels(3, 1.0, -2.0, 0.5)), train(np.ascontiguousarray(x, dtype=np.float32))),
        rivals=tuple({"degenerate.constant": v} for v in ("offset", "noise", "nan")),
        why="24 equal values per channel that are no round numbers, N no power of two: whether the mean is "
        "exactly the value shows, 1/√ε = 32 times as large.",
    )


EPSILONS = {1e-3: "1e-3", 1e-5: "1e-5", 1e-7: "1e-7", 1e-12: "1e-12", 0.0: "0", -1e-3: "negative"}


def epsilon(value, mode, rank, axis):
    """The ε in effect, where the variance is of its size."""
    size = shape(rank, axis, 3)
    small = max(abs(value), 1e-12)
    if value < 0:
        small = 4 * abs(value)
    layer = Layer(rank=rank, axis=axis, epsilon=value)
    if mode == "infer":
        start = write(mean=channels(3, 0.0), variance=channels(3, small, 2 * small, 3 * small))
        program = (start, infer(batch(size, axis, seed=152, deviation=float(np.sqrt(small)), mean=0.0)))
    else:
        program = (train(batch(size, axis, seed=153, deviation=float(np.sqrt(small)), mean=0.0)),)
    return Case(
        clauses=("degenerate.epsilon",),
        situation=f"{EPSILONS[value]}-{mode}-{place(rank, axis)}",
        layer=layer,
        program=program,
        rivals=tuple(
            {"degenerate.epsilon": v} for v in ("exact", "floored", "rejected") if v != "floored" or value <= 1e-5
        ),
        why="A variance of the size of ε (for 0, of 1e-12; for a negative one, four times as large) and a mean "
        "of 0: what is added to the variance shows in the first digit.",
    )


def epsilon_float64(rank, axis):
    """Where a constructor holds ε in float32, a layer of float64 shows it."""
    x = batch(shape(rank, axis, 3), axis, seed=156).astype(np.float64)
    return Case(
        clauses=("degenerate.epsilon",),
        situation=f"float64-infer-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis, dtypes=dict.fromkeys(FLOAT32, "float64")),
        program=(write(mean=channels(3, 0.0), variance=channels(3, 2.0**-10, 2.0**-9, 2.0**-8)), infer(x)),
        rivals=tuple({"degenerate.epsilon": v} for v in ("exact", "rounded", "rejected")),
        why="ε = 1e-3 is no float32; beside variances of its size the difference of 4.7e-8 is seen in float64.",
    )


def not_finite(what, rank, axis):
    """One value of the middle channel is not finite; the next batch is clean."""
    x, clean = (batch(shape(rank, axis, 3), axis, seed=154 + n) for n in range(2))
    bad = np.moveaxis(x.copy(), axis, -1)
    bad[(0,) * (rank - 1) + (1,)] = {"nan": np.nan, "infinity": np.inf}[what]
    bad = np.ascontiguousarray(np.moveaxis(bad, -1, axis))
    if what == "infinity":
        clauses, program = ("degenerate.nan",), (write(**FAR), train(bad))
        rivals = tuple({"degenerate.nan": v} for v in ("channel", "all"))
    else:
        clauses = ("degenerate.nan", "degenerate.nan-recovery")
        program = (write(**FAR), train(bad), read("mean", "variance"), silently(train(clean)), read("mean", "variance"))
        rivals = tuple(
            {"degenerate.nan": reach, "degenerate.nan-recovery": recovery}
            for reach in ("channel", "all")
            for recovery in ("never", "skipped")
        )
    return Case(
        clauses=clauses,
        situation=f"{what}-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis),
        program=program,
        rivals=rivals,
        why="One value of the middle channel is not finite; its neighbours show whether it reached them"
        + (", the next batch whether the statistics recover." if what == "nan" else "."),
    )


CASES = (
    *(single(rank, axis) for rank, axis in MAIN),
    *(
        empty(quantity, rank, axis)
        for quantity in ("mean", "variance", "counter", "inference", "gradient")
        for rank, axis in MAIN
    ),
    *(masked_whole(quantity, rank, axis) for quantity in ("mean", "variance") for rank, axis in MAIN),
    *(constant(size, rank, axis) for size in SIZES for rank, axis in MAIN),
    *(epsilon(value, mode, rank, axis) for value in EPSILONS for mode in ("train", "infer") for rank, axis in MAIN),
    *(epsilon_float64(rank, axis) for rank, axis in MAIN),
    *(not_finite(what, rank, axis) for what in ("nan", "infinity") for rank, axis in MAIN),
)
