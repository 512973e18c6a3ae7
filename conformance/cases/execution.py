"""Executions: what tracing, compiling, another kernel or another number of threads does to the layer.

Every case of the suite runs in the execution of its target. These ask what only an execution can do: hold on to
the mode in which the layer was captured (`execution.mode-baked`), move the statistics while it is captured
(`execution.capture-updates`), give other bits for the same call (`execution.determinism`). `execution.equivalence`
has no program: the fingerprint of an execution is held to that of the default one, family by family.
"""

from functools import cache

from bnspec.case import Case, Layer, backward, capture, infer, like, place, read, set_threads, silently, train, write
from bnspec.data import batch, channels, many, repeated, shape
from bnspec.spec import AXES, family

MAIN = ((2, -1), (4, -1), (4, 1))
SCALE, OFFSET = (1.5, -0.5, 2.0), (0.25, -1.0, 0.5)


def start():
    return write(mean=channels(3, 2.0, -1.5, 1.0), variance=channels(3, 4.0, 6.0, 9.0))


def baked(rank, axis, mode):
    """Captured in one mode, called in the other: the output tells which statistics normalise."""
    first, second = (batch(shape(rank, axis, 3), axis, seed=140 + n) for n in range(2))
    other = infer(second) if mode == "train" else train(second)
    return Case(
        clauses=("execution.mode-baked",),
        situation=f"{mode}-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis),
        program=(start(), capture(mode, first), start(), other),
        rivals=tuple({"execution.mode-baked": variant} for variant in AXES["execution.mode-baked"].variants),
        why="Stored statistics far from the batch's: the output tells which of the two it was normalised by.",
    )


def captured(rank, axis):
    x = batch(shape(rank, axis, 3), axis, seed=142)
    return Case(
        clauses=("execution.capture-updates",),
        situation=place(rank, axis),
        layer=Layer(rank=rank, axis=axis),
        program=(start(), capture("train", x), read("mean", "variance")),
        rivals=tuple({"execution.capture-updates": variant} for variant in AXES["execution.capture-updates"].variants),
        why="The statistics before and after the layer is captured with an example, no step of training in between.",
    )


FEATURES, VALUES = 64, 2048


@cache
def large(rank, axis):
    """x and dy of many values, so that a kernel has something to divide among threads."""
    size = many(rank, axis, FEATURES, VALUES)
    return repeated(size, axis, seed=143, mean=1.0), repeated(size, axis, seed=144)


def twice(what, how, rank, axis):
    """The same call on the same state, twice."""
    x, dy = large(rank, axis)
    state = write(
        mean=channels(FEATURES, 0.5),
        variance=channels(FEATURES, 2.0),
        scale=channels(FEATURES, *SCALE),
        offset=channels(FEATURES, *OFFSET),
    )
    steps = {
        "output": (train(x),),
        "statistics": (silently(train(x)), read("mean", "variance")),
        "gradient": (silently(train(x)), backward(dy)),
    }[what]
    *before, first = (silently(step) for step in steps)
    threads = ((set_threads(1),), (set_threads(2),)) if how == "threads" else ((), ())
    program = (*threads[0], state, *before, first, *threads[1], state, *before)
    number = len(threads[0]) + 1 + len(before)
    other = "thread-dependent" if how == "threads" else "run-dependent"
    return Case(
        clauses=("execution.determinism",),
        situation=f"{how}-{what}-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis, features=FEATURES, momentum={"keep": 0.0}),
        program=(*program, like(number, steps[-1])),
        rivals=({"execution.determinism": "same-bits"}, {"execution.determinism": other}),
        why="64 channels of 2,048 values; the state is written anew, and nothing of an earlier "
        "step is kept, so that only the arithmetic can differ.",
    )


def equivalent(name):
    """Judged from the answers to all other cases."""
    return Case(
        clauses=("execution.equivalence",),
        situation=name,
        layer=Layer(),
        program=(),
        why="The answers of this execution to every axis of the family, beside those of the default execution.",
    )


FAMILIES = tuple(dict.fromkeys(family(axis.id) for axis in AXES.values() if not axis.accuracy))

CASES = (
    *(baked(rank, axis, mode) for mode in ("train", "infer") for rank, axis in MAIN),
    *(captured(rank, axis) for rank, axis in MAIN),
    *(
        twice(what, how, rank, axis)
        for how in ("repeat", "threads")
        for what in ("output", "statistics", "gradient")
        for rank, axis in MAIN
    ),
    *(equivalent(name) for name in FAMILIES if name not in ("execution", "replicas")),
)
