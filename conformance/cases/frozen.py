"""Freezing: `frozen.*`.

A layer is frozen by the framework's own idiom (`trainable = False`, `requires_grad_(False)`). What it is then
normalised by in training mode (`frozen.normalisation`) and whether its statistics still move
(`frozen.update`) changed over the years; so did the moment from which it counts, before or after building,
compiling, fitting (`frozen.timing`), and whether freezing a parent freezes what is in it (`frozen.reach`).
"""

from itertools import product

from bnspec.case import Case, Layer, fit, freeze, place, prepare, read, silently, train, unfreeze, write
from bnspec.data import batch, channels, shape

FAR = {"mean": channels(3, 2.0, -1.5, 1.0), "variance": channels(3, 4.0, 6.0, 9.0)}
MAIN = ((2, -1), (4, -1), (4, 1))
SIZE = shape(2, -1, 3)


def moving():
    """Read the moving statistics alone: a layer that never ran may have no parameters yet."""
    return read("mean", "variance")


def frozen(rank, axis):
    x = batch(shape(rank, axis, 3), axis, seed=61)
    variants = product(("moving", "batch"), ("none", "updates"))
    return Case(
        clauses=("frozen.normalisation", "frozen.update"),
        situation=place(rank, axis),
        layer=Layer(rank=rank, axis=axis),
        program=(write(**FAR), freeze(), train(x), moving(), train(x), moving()),
        rivals=tuple({"frozen.normalisation": n, "frozen.update": u} for n, u in variants),
        why="Frozen, then called in training mode twice, the written statistics far from the batch's.",
    )


def timing(situation, *steps, layer=None, variants=("at-once", "at-compile", "never", "raises")):
    return Case(
        clauses=("frozen.timing",),
        situation=situation,
        layer=layer or Layer(),
        structure="model",
        program=(write(**FAR), *steps),
        rivals=tuple({"frozen.timing": variant} for variant in variants),
        why="One step before the next compilation and one after it: the loss and the statistics of each tell "
        "whether the layer was frozen. Every step has a batch of its own: a debiased average does not move where "
        "one comes again.",
    )


def given(number):
    return batch(SIZE, -1, seed=90 + 2 * number, mean=0.5 - 0.75 * number)


def one_step(number=0):
    """One step under the trainer, and what it left."""
    return fit(given(number), batch(SIZE, -1, seed=91), steps=1), moving()


def called(number=0):
    return train(given(number)), moving()


AT_CALL = ("at-once", "never", "raises")

TIMINGS = (
    timing("constructor-call", *called(), layer=Layer(frozen=True), variants=AT_CALL),
    timing("constructor-fit", *one_step(), layer=Layer(frozen=True), variants=AT_CALL),
    timing("freeze-after-call", *called(), freeze(), *called(1), variants=("at-once", "never")),
    timing("unfreeze-after-call", freeze(), *called(), unfreeze(), *called(1), variants=("at-once", "never")),
    timing("freeze-before-compile", freeze(), prepare(), *one_step(), variants=("at-once", "never")),
    timing("freeze-after-compile", prepare(), freeze(), *one_step(), prepare(), *one_step(1)),
    timing("freeze-after-fit", prepare(), *one_step(), freeze(), *one_step(1), prepare(), *one_step(2)),
    timing("unfreeze-after-fit", freeze(), prepare(), *one_step(), unfreeze(), *one_step(1), prepare(), *one_step(2)),
)


def reach(structure):
    return Case(
        clauses=("frozen.reach",),
        situation=structure,
        layer=Layer(),
        structure=structure,
        program=(write(**FAR), freeze("parent"), *called(), unfreeze("parent"), *called(1)),
        rivals=tuple({"frozen.reach": variant} for variant in ("yes", "update-only", "no")),
        why="The parent is frozen, then thawed; a training call after each.",
    )


LEARNING = Case(
    clauses=("training.parameters",),
    situation="frozen-fit",
    layer=Layer(),
    structure="model",
    program=(
        write(scale=channels(3, 1.5, -0.5, 2.0), offset=channels(3, 0.25, -1.0, 0.5)),
        freeze(),
        prepare(0.25),
        silently(fit(batch(SIZE, -1, seed=90), batch(SIZE, -1, seed=91), steps=2, learning_rate=0.25)),
        read("scale", "offset"),
    ),
    why="Two steps at a large learning rate: what is frozen does not learn.",
)

CASES = (
    *(frozen(rank, axis) for rank, axis in MAIN),
    *TIMINGS,
    LEARNING,
    *(reach(structure) for structure in ("model", "nested-model", "user-layer", "user-model", "plain-list")),
)
