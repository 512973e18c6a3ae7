"""Replicas: `replicas.*`.

In data-parallel training every replica of the layer is given a share of the batch. Layers that synchronise compute
their statistics together (`replicas.moments`), count N over all shares or over their own where the stored variance
is corrected (`replicas.stored-variance`), and give the gradients of one layer that was given the union
(`replicas.union`). Layers that do not normalise each by its own share (`replicas.shares`), and drift apart, take over
the first replica's statistics, or keep the mean (`replicas.plain`). The gradients by scale and offset are added up,
averaged, or left to the caller (`replicas.gradient`).

The shares differ in mean and deviation as much as their values do, so that the moments of the union, the mean of the
shares' moments and a share's own are far apart. Unequal shares have 6 and 2 samples, or 6, 2, 4 and 3; masked ones
are equal, and leave so many samples.
"""

from itertools import product

import numpy as np

from bnspec.case import Case, Layer, infer_shares, place, read_shares, silently, train_shares, write
from bnspec.data import batch, channels, shape
from bnspec.spec import AXES

SIZES = {2: (6, 2), 4: (6, 2, 4, 3)}
START = {
    "mean": channels(3, 2.0, -1.5, 1.0),
    "variance": channels(3, 4.0, 6.0, 9.0),
    "scale": channels(3, 1.5, -0.5, 2.0),
    "offset": channels(3, 0.25, -1.0, 0.5),
}
SYNCHRONISED = (
    (2, "equal", 2, -1), (2, "unequal", 2, -1), (2, "masked", 2, -1),
    (4, "equal", 4, 1), (4, "unequal", 4, 1), (4, "unequal", 4, -1), (4, "masked", 4, -1),
)  # fmt: skip
PLAIN = ((2, "equal", 2, -1), (4, "equal", 4, 1), (4, "unequal", 4, 1), (4, "unequal", 4, -1))
WHY = {
    "equal": "Shares of 6 samples, far apart in mean: what is averaged over equal shares is what is pooled.",
    "unequal": "Shares of {sizes} samples, far apart in mean and deviation.",
    "masked": "Shares of 6 samples, of which {sizes} count: where shares must be equal, a mask makes them unequal.",
}


def shares(count, kind, rank, axis, seed):
    """One array per replica; their means and deviations differ."""
    sizes = SIZES[count] if kind == "unequal" else (6,) * count
    found = []
    for n, size in enumerate(sizes):
        mean, deviation = (0.9, -0.9, 0.4, -0.4)[n] + 0.1 * seed, (1.0, 0.6, 1.4, 0.8)[n]
        found.append(batch(shape(rank, axis, 3, size), axis, seed=500 + 10 * seed + n, mean=mean, deviation=deviation))
    return found


def masks(count, kind, rank, axis):
    """One mask per replica, where there are any: so many samples count."""
    if kind != "masked":
        return ()
    spatial = list(shape(rank, axis, 3, 6))
    del spatial[axis]
    return [np.broadcast_to((np.arange(6) < n).reshape(-1, *[1] * (rank - 2)), spatial).copy() for n in SIZES[count]]


def leaning(xs, count, kind, rank, axis, seed):
    """A dy per share that leans with x and has a mean, so that no term of the gradient is small."""
    noise = shares(count, kind, rank, axis, seed)
    return [(0.5 * x + dy).astype("float32") for x, dy in zip(xs, noise, strict=True)]


def case(clauses, count, kind, rank, axis, program, *, synchronised, **more):
    sizes = ", ".join(map(str, SIZES[count]))
    return Case(
        clauses=clauses,
        situation=f"{'' if synchronised else 'plain-'}{count}-{kind}-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis),
        program=program,
        why=WHY[kind].format(sizes=sizes),
        replicas=count,
        synchronised=synchronised,
        **more,
    )


def together(count, kind, rank, axis):
    """The three questions of layers that synchronise, of one step."""
    where = (count, kind, rank, axis)
    xs = shares(*where, 1)
    dys = () if kind == "masked" else leaning(xs, *where, 2)
    third = "replicas.gradient" if dys else "masks.statistics"
    others = AXES["replicas.gradient"].variants if dys else ("excluded", "included")
    moments = ("pooled", "local") if kind == "equal" else ("pooled", "averaged", "local")
    pairs = [pair for pair in product(moments, ("global", "local", "none")) if pair != ("local", "global")]
    rivals = [
        {"replicas.moments": moment, "replicas.stored-variance": stored, third: other}
        for (moment, stored), other in product(pairs, others)
        if (moment, other) != ("averaged", "included")  # shares that are equal then: pooled
    ]
    return case(
        ("replicas.moments", "replicas.stored-variance", third),
        *where,
        (write(**START), train_shares(*xs, masks=masks(*where), dys=dys), read_shares()),
        synchronised=True,
        rivals=(*rivals, {"replicas.moments": "raises"}),
        without="a synchronised training step raises",
    )


def apart(count, kind, rank, axis):
    """The two questions of layers that do not synchronise: two steps, inference, what remains."""
    where = (count, kind, rank, axis)
    xs = shares(*where, 1)
    remaining = [variant for variant in AXES["replicas.plain"].variants if variant != "raises"]
    rivals = [
        {"replicas.plain": plain, "replicas.gradient": gradient}
        for plain, gradient in product(remaining, AXES["replicas.gradient"].variants)
    ]
    return case(
        ("replicas.plain", "replicas.gradient"),
        *where,
        (
            write(**START),
            train_shares(*xs, dys=leaning(xs, *where, 2), asked=("scale", "offset")),
            silently(train_shares(*shares(*where, 3))),
            infer_shares(*shares(*where, 4)),
            read_shares(),
        ),
        synchronised=False,
        rivals=(*rivals, {"replicas.plain": "raises"}),
        without="a training step raises",
    )


def trajectory(clause, count, kind, rank, axis, *, synchronised):
    """Three steps with gradients; read where the replicas are one."""
    where = (count, kind, rank, axis)
    steps = [write(**START)]
    for seed in (1, 3, 5):
        xs = shares(*where, seed)
        dys = () if kind == "masked" else leaning(xs, *where, seed + 1)
        steps.append(train_shares(*xs, masks=masks(*where), dys=dys, asked=("y", "dx")))
    if synchronised:
        steps.append(read_shares())
    return case((clause,), *where, tuple(steps), synchronised=synchronised)


CASES = (
    *(together(*where) for where in SYNCHRONISED),
    *(apart(*where) for where in PLAIN),
    *(trajectory("replicas.union", *where, synchronised=True) for where in SYNCHRONISED),
    *(trajectory("replicas.shares", *where, synchronised=False) for where in PLAIN),
)
