"""The state as a thing to hold, save and load: `state.*`, `errors.atomic`.

A state that somebody took earlier should stay as it was (`state.snapshot`); a saved one should give the same
layer, bit for bit (`state.round-trip`), also where the file is older than a part of the state
(`state.missing-counter`); and a call that raises must leave everything as it was (`errors.atomic`).

What is bit for bit is compared with what the same layer showed before, not with the reference.
"""

from dataclasses import replace

import numpy as np

from bnspec.case import (
    Case,
    Layer,
    attempt,
    infer,
    like,
    look,
    place,
    read,
    reload,
    silently,
    snapshot,
    train,
    write,
)
from bnspec.data import batch, channels, shape

UNEVEN = {
    "mean": channels(3, 0.3, -0.7, 1.1),
    "variance": channels(3, 0.9, 2.3, 0.013),
    "scale": channels(3, 1.3, -0.7, 2.1),
    "offset": channels(3, 0.1, -1.3, 0.7),
}
MAIN = ((2, -1), (4, -1), (4, 1))


def data(rank, axis, seed, features=3):
    return batch(shape(rank, axis, features), axis, seed=seed, mean=0.3)


def snapshots(rank, axis):
    return Case(
        clauses=("state.snapshot",),
        situation=place(rank, axis),
        layer=Layer(rank=rank, axis=axis),
        program=(
            write(mean=channels(3, 2.0, -1.5, 1.0), variance=channels(3, 4.0, 6.0, 9.0)),
            snapshot(),
            silently(train(data(rank, axis, 120))),
            look("mean", "variance"),
        ),
        rivals=({"state.snapshot": "independent"}, {"state.snapshot": "aliased"}),
        why="The framework's own state object, taken before a training step and looked at after it.",
    )


def counter_snapshot():
    """The counter may be held otherwise than the statistics: replaced in a step, not changed in place."""
    return Case(
        clauses=("state.snapshot",),
        situation="counter-rank2",
        layer=Layer(),
        program=(silently(train(data(2, -1, 130))), snapshot(), silently(train(data(2, -1, 131))), look("count")),
        rivals=({"state.snapshot": "independent"}, {"state.snapshot": "aliased"}),
        why="Taken after one training step, looked at after two: the counter in it is 1 or 2.",
    )


def missing_counter(rank, axis):
    """Under a cumulative average the counter decides the next update."""
    x, y, z = (batch(shape(rank, axis, 3), axis, seed=121 + n, mean=0.4 * n) for n in range(3))
    return Case(
        clauses=("state.missing-counter",),
        situation=place(rank, axis),
        layer=Layer(rank=rank, axis=axis, momentum={"cumulative": True}),
        program=(
            silently(train(x)),
            silently(train(y)),
            reload("count"),
            silently(train(z)),
            read("mean", "variance"),
        ),
        rivals=tuple({"state.missing-counter": v} for v in ("kept", "reset", "raises")),
        why="Two batches, a file without the counter, a third batch: it weighs 1/3 or 1.",
    )


def round_trip(rank, axis, momentum, situation):
    first, second, other = (data(rank, axis, 124 + n) for n in range(3))
    return Case(
        clauses=("state.round-trip",),
        situation=f"{situation}{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis, momentum=momentum),
        program=(
            write(**UNEVEN),
            silently(train(first)),
            read(),
            infer(other),
            reload(),
            like(2, read()),
            like(3, infer(other)),
            silently(train(second)),
            read(),
        ),
        why="State and output after loading must equal those before it, bit for bit; the next update must go "
        "on from there, with its counter. No number of it is round, so that one that is rounded shows.",
    )


def atomic(what, wrong, rank, axis):
    """A call with what the layer cannot take, in the middle of a trajectory."""
    good = data(rank, axis, 127)
    return Case(
        clauses=("errors.atomic",),
        situation=f"{what}-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis),
        program=(
            write(**UNEVEN),
            silently(train(good)),
            read(),
            attempt(wrong),
            like(2, read()),
            silently(train(good)),
            read(),
        ),
        why="The state and the counter after a call that raised must equal those before it, bit for bit, and "
        "the next step must go on from there.",
    )


def wrong_channels(rank, axis):
    return atomic("channels", data(rank, axis, 128, features=4), rank, axis)


def wrong_rank(rank, axis):
    return atomic("rank", np.ones((2,) * 7, dtype=np.float32), rank, axis)


def single_value(rank, axis):
    sizes = [1] * (rank - 1)
    sizes.insert(axis % rank, 3)
    return atomic("single", channels(3, 0.75, -0.5, 2.0).reshape(sizes), rank, axis)


CASES = (
    *(snapshots(rank, axis) for rank, axis in MAIN),
    counter_snapshot(),
    *(missing_counter(rank, axis) for rank, axis in MAIN),
    *(round_trip(rank, axis, {"keep": 0.75}, "") for rank, axis in MAIN),
    *(round_trip(rank, axis, {"cumulative": True}, "cumulative-") for rank, axis in MAIN),
    *(replace(round_trip(2, -1, {"keep": 0.75}, f"{s}-"), structure=s) for s in ("model", "nested-model")),
    *(make(rank, axis) for make in (wrong_channels, wrong_rank, single_value) for rank, axis in MAIN),
)
