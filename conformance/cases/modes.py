"""Modes: `modes.*`.

A layer trains or infers, and somebody has to say which. What happens when nobody does
(`modes.unstated`), when the caller says it to a parent that does not pass it on (`modes.nested`: by a call
with a mode, and under the framework's own trainer) or that cannot see the layer (`modes.reach`), when a mode
is pinned where the layer is called (`modes.pinned`), when layer and parent are set to different ones
(`modes.override`) and when constructor and call disagree (`modes.conflict`) is a matter of framework and
release. Whatever the answers are, a sequence of modes must follow them step by step and remember nothing but
the state (`modes.toggle`).

The written statistics are far from the batch's, so that one output tells which were used. Under the trainer
the learning rate is 0: only the moving statistics can change, and the loss tells which statistics
normalised.
"""

from dataclasses import replace

from bnspec.case import (
    Case,
    Layer,
    call,
    evaluate,
    fit,
    freeze,
    infer,
    place,
    predict,
    read,
    set_mode,
    silently,
    train,
    unfreeze,
    write,
)
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


def remembered(said, rank, axis):
    """The statistics are written again, so that a training call before leaves nothing but the mode."""
    x = batch(shape(rank, axis, 3), axis, seed=87)
    before = silently(train(x) if said == "train" else infer(x))
    return Case(
        clauses=("modes.remembered",),
        situation=f"after-{said}-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis),
        program=(write(**FAR), before, write(**FAR), call(x), moving()),
        rivals=tuple({"modes.remembered": variant} for variant in ("infer", "train", "raises")),
        why="A call that says a mode, the statistics written anew, then a call that says none.",
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


def pinned(mode):
    """The user says a mode where the layer is called; the trainer says others."""
    size = shape(2, -1, 3)
    x, target, other = (batch(size, -1, seed=seed, mean=mean) for seed, mean in ((80, 0.2), (81, 0.5), (82, 0.9)))
    variants = ("respected", "respected-fit-only", "overridden") if mode == "train" else ("respected", "overridden")
    return Case(
        clauses=("modes.pinned",),
        situation=mode,
        layer=Layer(),
        structure=f"pinned-{mode}",
        program=(
            *(write(**FAR), fit(x, target, steps=2), moving()),
            *(evaluate(other, target), moving()),
            *(predict(other), moving()),
        ),
        rivals=tuple({"modes.pinned": variant} for variant in variants),
        why="The losses and the prediction tell which statistics normalised in fit, evaluate and predict, the "
        "state after each whether they moved.",
    )


def override(rank, axis):
    x = batch(shape(rank, axis, 3), axis, seed=83)
    return Case(
        clauses=("modes.override",),
        situation=place(rank, axis),
        layer=Layer(rank=rank, axis=axis),
        structure="model",
        program=(write(**FAR), set_mode("infer"), set_mode("train", "parent"), call(x), moving()),
        rivals=({"modes.override": "overridden"}, {"modes.override": "kept"}),
        why="The layer is set to inference, then its parent to training; the call says no mode.",
    )


def reach(by):
    size = shape(2, -1, 3)
    x, target = batch(size, -1, seed=84), batch(size, -1, seed=85)
    if by == "fit":
        program = (write(**FAR), fit(x, target, steps=2), moving(), predict(x), moving())
    else:
        program = (write(**FAR), train(x), moving(), infer(x), moving())
    return Case(
        clauses=("modes.reach",),
        situation=by,
        layer=Layer(),
        structure="plain-list",
        program=program,
        rivals=tuple({"modes.reach": variant} for variant in ("yes", "yes-no-update", "no", "raises")),
        why="A layer in a plain list of its parent, which is told to train and then to infer: one of the two is "
        "not what an unreached layer does.",
    )


def conflict(constructor, said):
    x = batch(shape(2, -1, 3), -1, seed=86)
    step = train(x) if said == "train" else infer(x)
    return Case(
        clauses=("modes.conflict",),
        situation=f"{constructor}-{said}",
        layer=Layer(mode=constructor),
        program=(write(**FAR), step, moving()),
        rivals=tuple({"modes.conflict": variant} for variant in ("raises", "call", "constructor")),
        why="Output and statistics tell which of the two modes held.",
    )


def toggle_inside(structure):
    """The parent is told the mode, and passes it on."""
    return replace(toggle_modes(2, -1), situation=structure, structure=structure)


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
    *(remembered(said, rank, axis) for said in ("train", "infer") for rank, axis in MAIN),
    *(nested(structure, by) for structure in ("user-layer", "user-model") for by in ("call", "fit")),
    *(pinned(mode) for mode in ("train", "infer")),
    *(override(rank, axis) for rank, axis in MAIN),
    *(reach(by) for by in ("call", "fit")),
    *(conflict(*modes) for modes in (("infer", "train"), ("train", "infer"))),
    *(toggle_modes(rank, axis) for rank, axis in MAIN),
    *(toggle_inside(structure) for structure in ("model", "nested-model")),
    *(toggle_frozen(rank, axis) for rank, axis in MAIN),
)
