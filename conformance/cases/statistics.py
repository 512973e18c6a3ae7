"""The moving statistics: `stats.*`.

A training step moves mean and variance towards the batch's: s ← (1 − w)·s + w·batch. Four questions decide
every number of it, and no single step can tell them apart, so they are asked jointly, of trajectories of
three different batches from a fresh layer: what the momentum number multiplies (`stats.momentum-weight`),
which estimator of the variance enters (`stats.stored-variance`), what kind of average it is
(`stats.averaging`), and where it starts (`stats.initial`). Whether an update goes on from the statistics that
one can see and write, or from an accumulator behind them, is asked apart (`state.complete`).

The data: N = 2 values per channel, where N/(N−1) is 2, with ε = 1/64, so that N/(N−1−ε) is 2.03; a raw
momentum of 0.75, far from its own complement; batches whose mean and variance change from step to step.
"""

from itertools import product

from bnspec.case import PLACES, Case, Layer, backward, infer, place, read, silently, train, write
from bnspec.data import batch, channels, exact_batch, shape

JOINT = ("stats.momentum-weight", "stats.stored-variance", "stats.averaging", "stats.initial")
EPSILON = 1 / 64


def joint_rivals():
    """Return every combination of answers that can show itself in a trajectory.

    A cumulative average has no momentum; only an average that forgets its start can start from nothing.
    """
    estimators = ("population", "sample", "sample-epsilon", "sample-twice", "sample-epsilon-padded")
    averages = [(w, a) for a in ("exponential", "debiased", "first-batch") for w in ("old", "new")]
    for (weight, averaging), estimator in product([*averages, (None, "cumulative")], estimators):
        starts = ["zero-one", "zero-zero"]
        if averaging != "exponential":
            starts += ["unset-raises", "unset-garbage"]
        for start in starts:
            rival = {"stats.stored-variance": estimator, "stats.averaging": averaging, "stats.initial": start}
            yield {**rival, "stats.momentum-weight": weight} if weight else rival


RIVALS = tuple(joint_rivals())


def two_values(rank, axis, seed):
    """Two values per channel, in the smallest shape of the rank."""
    sizes = [2] + [1] * (rank - 2)
    sizes.insert(axis % rank, 3)
    return batch(tuple(sizes), axis, seed=seed, mean=0.25 * seed, deviation=0.5 + 0.5 * seed)


def joint(rank, axis):
    steps = [read("mean", "variance"), infer(two_values(rank, axis, 4))]
    for seed in (1, 2, 3):
        steps += [silently(train(two_values(rank, axis, seed))), read("mean", "variance")]
    return Case(
        clauses=JOINT,
        situation=place(rank, axis),
        layer=Layer(rank=rank, axis=axis, epsilon=EPSILON, momentum={"raw": 0.75}),
        program=tuple(steps),
        rivals=RIVALS,
        without="the average is cumulative: the momentum number means nothing",
        why="Two values per channel and ε = 1/64 set the estimators far apart; three different batches tell "
        "the averages apart.",
    )


def closed_form(steps):
    """k steps from a state that was written, read at the end."""
    size = shape(2, -1, 3)
    batches = [batch(size, -1, seed=10 + n % 5, mean=0.2 * (n % 5), deviation=1 + 0.25 * (n % 5)) for n in range(5)]
    program = [silently(train(batches[n % 5])) for n in range(steps)]
    start = write(mean=channels(3, 2.0, -1.0, 0.5), variance=channels(3, 4.0, 0.25, 1.0))
    return Case(
        clauses=("stats.closed-form",),
        situation=f"k{steps}",
        layer=Layer(momentum={"keep": 0.9}),
        program=(start, *program, read()),
        why="Five batches in turn, from a state that is neither 0 nor 1: a wrong weight or start shows at "
        "k = 1 to 3, a slow drift at k = 200.",
    )


def after_backward(rank, axis):
    """The gradient is taken between the update and the reading of it."""
    size = shape(rank, axis, 3)
    steps = []
    for seed in (25, 26):
        steps += [
            silently(train(batch(size, axis, seed=seed))),
            silently(backward(batch(size, axis, seed=27))),
            read(),
        ]
    return Case(
        clauses=("stats.closed-form",),
        situation=f"backward-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis),
        program=(write(mean=channels(3, 2.0, -1.0, 0.5), variance=channels(3, 4.0, 0.25, 1.0)), *steps),
        why="The gradient of a step must not move the statistics again.",
    )


def complete(rank, axis):
    """Statistics are written between two steps."""
    size = shape(rank, axis, 3)
    return Case(
        clauses=("state.complete",),
        situation=place(rank, axis),
        layer=Layer(rank=rank, axis=axis, momentum={"raw": 0.75}),
        program=(
            silently(train(batch(size, axis, seed=28))),
            write(mean=channels(3, 2.0, -1.0, 0.5), variance=channels(3, 4.0, 0.25, 9.0)),
            silently(train(batch(size, axis, seed=29))),
            read("mean", "variance"),
        ),
        rivals=({"state.complete": "complete"}, {"state.complete": "hidden"}),
        why="Statistics far from what a step had reached are written before the next one.",
    )


def batch_size(samples, rank, axis):
    x = batch(shape(rank, axis, 3, batch=samples), axis, seed=46)
    return Case(
        clauses=("stats.closed-form",),
        situation=f"batch{samples}-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis),
        program=(
            write(mean=channels(3, 2.0, -1.0, 0.5), variance=channels(3, 4.0, 0.25, 1.0)),
            silently(train(x)),
            read("mean", "variance"),
        ),
        why="Numbers of samples from the fewest to many, positions beside them: N is that of values.",
    )


CUMULATIVE = Case(
    clauses=("stats.closed-form",),
    situation="cumulative",
    layer=Layer(momentum={"cumulative": True}),
    program=tuple(
        s for n in (1, 2, 3) for s in (silently(train(batch(shape(2, -1, 3), -1, seed=20 + n, mean=0.3 * n))), read())
    ),
    why="Where the constructor takes a cumulative average, every batch weighs the same.",
)


def extreme(rank, axis, keep):
    """keep = 0 forgets, keep = 1 never learns; the data are exact in any order of summation."""
    size = shape(rank, axis, 3)
    before = write(mean=channels(3, 3.0, -2.0, 0.75), variance=channels(3, 5.0, 0.5, 1.25))
    first = exact_batch(size, axis, mean=0.25, deviation=0.5)
    second = exact_batch(size, axis, mean=-0.25, deviation=0.25)
    return Case(
        clauses=("stats.extremes",),
        situation=f"keep{keep}-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis, momentum={"keep": float(keep)}),
        program=(before, silently(train(first)), read(), silently(train(second)), read()),
        exact=True,
        why="Pairs mean ± deviation, powers of two, N a power of two: mean and population variance are exact "
        "however they are summed, so what is stored must be equal, not near.",
    )


MAIN = ((2, -1), (4, -1), (4, 1))

CASES = (
    *(joint(rank, axis) for rank, axis in PLACES),
    *(complete(rank, axis) for rank, axis in MAIN),
    *(closed_form(steps) for steps in (1, 2, 3, 10, 200)),
    *(batch_size(samples, rank, axis) for samples in (1, 2, 4, 256) for rank, axis in ((3, -1), (4, -1), (4, 1))),
    CUMULATIVE,
    *(after_backward(rank, axis) for rank, axis in MAIN),
    *(extreme(rank, axis, keep) for rank, axis in MAIN for keep in (0, 1)),
)
