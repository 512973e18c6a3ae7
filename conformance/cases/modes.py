"""Modes and freezing: `modes.*`, `frozen.*`.

A layer trains or infers, and somebody has to say which. What happens when nobody does
(`modes.unstated`), when the caller says it to a parent that does not pass it on (`modes.nested`: by a call
with a mode, and under the framework's own trainer), and when the layer is frozen (`frozen.normalisation`,
`frozen.update`) is a matter of framework and release. Whatever the answers are, a sequence of modes must
follow them step by step and remember nothing but the state (`modes.toggle`).

The written statistics are far from the batch's, so that one output tells which were used. Under the trainer
the learning rate is 0: only the moving statistics can change, and the loss tells which statistics
normalised.
"""

from itertools import product

from bnspec.case import Case, Layer, call, fit, freeze, infer, place, predict, read, train, unfreeze, write
from bnspec.data import batch, channels, shape

FAR = {"mean": channels(3, 2.0, -1.5, 1.0), "variance": channels(3, 4.0, 6.0, 9.0)}
MAIN = ((2, -1), (4, -1), (4, 1))


def moving():
    """Read the moving statistics alone: a layer that never ran may have no parameters yet."""
    return read("mean", "variance")


def unstated(rank, axis):
    x = batch(shape(rank, axis, 3), axis, seed=60)
    return Case(
        clauses=("modes.unstated",),
        situation=place(rank, axis),
        layer=Layer(rank=rank, axis=axis),
        program=(write(**FAR), call(x), moving()),
        rivals=tuple({"modes.unstated": variant} for variant in ("train", "infer", "raises")),
        why="A fresh layer with written statistics far from the batch's, called without a mode.",
    )


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


def nested(structure, by):
    """A parent that does not pass the mode on, called with a mode or under the trainer."""
    size = shape(2, -1, 3)
    x, other = batch(size, -1, seed=62), batch(size, -1, seed=63, mean=0.8)
    target = batch(size, -1, seed=64)
    if by == "fit":
        program = (write(**FAR), fit(x, target, steps=3), moving(), predict(other))
    else:
        program = (write(**FAR), train(x), moving(), infer(other))
    variants = ("inherits", "inherits-no-update", "fixed-infer", "fixed-train", "raises")
    return Case(
        clauses=("modes.nested",),
        situation=f"{structure}-{by}",
        layer=Layer(),
        program=program,
        structure=structure,
        rivals=tuple({"modes.nested": variant} for variant in variants),
        why="The loss (or output) tells which statistics normalised in training, the state whether they "
        "moved, the prediction which were used then.",
    )


def toggle_modes(rank, axis):
    batches = [batch(shape(rank, axis, 3), axis, seed=65 + n, mean=0.2 * n) for n in range(3)]
    steps = [write(**FAR)]
    for x in batches:
        steps += [train(x), read(), infer(batches[0]), infer(x)]
    return Case(
        clauses=("modes.toggle",),
        situation=f"train-infer-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis),
        program=(*steps, read()),
        why="Training and inference in turn, with changing batches.",
    )


def toggle_frozen(rank, axis):
    a, b, c = (batch(shape(rank, axis, 3), axis, seed=70 + n, mean=0.2 * n) for n in range(3))
    return Case(
        clauses=("modes.toggle",),
        situation=f"freeze-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis),
        program=(
            *(write(**FAR), train(a), read(), infer(b)),
            *(freeze(), train(b), read(), infer(c), train(c), read()),
            *(unfreeze(), train(a), read(), infer(b), read()),
        ),
        why="Train, infer, freeze, train, infer, unfreeze, train: every step by its own mode.",
    )


CASES = (
    *(unstated(rank, axis) for rank, axis in MAIN),
    *(frozen(rank, axis) for rank, axis in MAIN),
    *(nested(structure, by) for structure in ("user-layer", "user-model") for by in ("call", "fit")),
    *(toggle_modes(rank, axis) for rank, axis in MAIN),
    *(toggle_frozen(rank, axis) for rank, axis in MAIN),
)
