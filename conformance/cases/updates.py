"""When and how often a training step moves the statistics: `stats.timing` to `stats.untracked-*`.

A step in training mode moves the moving statistics once, in the call: so it is in most places. Elsewhere the
new state is handed to the caller, who may forget it (`stats.timing`, `stats.uncollected`); a layer that is
called twice in a step updates twice, or not (`stats.shared-layer`); no gradient is recorded
(`stats.no-gradient`), or the call is made again for the gradient (`stats.recompute`); and a layer may keep no
statistics at all, from the start or since somebody said so (`stats.untracked-*`).

The written statistics are far from the batch's, so that every number of updates shows at once.
"""

from dataclasses import replace
from itertools import product

from bnspec.case import Case, Layer, backward, infer, place, read, silently, train, untrack, write
from bnspec.data import batch, channels, many, shape

FAR = {"mean": channels(3, 2.0, -1.5, 1.0), "variance": channels(3, 4.0, 6.0, 9.0)}
MAIN = ((2, -1), (4, -1), (4, 1))


def moving():
    return read("mean", "variance")


def data(rank, axis, seed):
    return batch(shape(rank, axis, 3), axis, seed=seed)


def timing(rank, axis):
    """A training call whose updates nobody applies, then its gradient."""
    x, dy = data(rank, axis, 100), data(rank, axis, 101)
    collected = tuple({"stats.timing": "collected", "stats.uncollected": lost} for lost in ("raises", "lost-silently"))
    return Case(
        clauses=("stats.timing", "stats.uncollected"),
        situation=place(rank, axis),
        layer=Layer(rank=rank, axis=axis),
        program=(write(**FAR), silently(train(x, collect=False)), moving(), silently(backward(dy)), moving()),
        rivals=({"stats.timing": "forward"}, {"stats.timing": "backward"}, *collected),
        without="the caller is handed nothing to collect",
        why="The statistics are read after the call and again after its gradient; the caller applies nothing "
        "that it is handed.",
    )


def without_gradient(rank, axis):
    """For a framework whose updates are collected or that has no gradient, the timing without one."""
    return Case(
        clauses=("stats.timing", "stats.uncollected"),
        situation=f"call-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis),
        program=(write(**FAR), silently(train(data(rank, axis, 102), collect=False)), moving()),
        rivals=(
            {"stats.timing": "forward"},
            {"stats.timing": "collected", "stats.uncollected": "raises"},
            {"stats.timing": "collected", "stats.uncollected": "lost-silently"},
        ),
        without="the caller is handed nothing to collect",
        why="The statistics are read after a call whose updates the caller does not apply.",
    )


OFTEN = 48
"""How often a layer is shared over few values, and half as often over many."""


def shared(rank, axis):
    """layer(layer(x)): the second batch is what the first call returned."""
    start = write(**FAR, scale=channels(3, 1.5, -0.5, 2.0), offset=channels(3, 0.75, -3.0, 1.5))
    small, large = data(rank, axis, 103), batch(many(rank, axis, 3, 4096), axis, seed=111)
    return Case(
        clauses=("stats.shared-layer",),
        situation=place(rank, axis),
        layer=Layer(rank=rank, axis=axis),
        structure="shared-twice",
        program=tuple(
            step for x in [small] * OFTEN + [large] * (OFTEN // 2) for step in (start, silently(train(x)), moving())
        ),
        rivals=tuple(
            {"stats.shared-layer": v} for v in ("each-call", "last-call", "once", "summed", "reversed", "unordered")
        ),
        why="One layer applied twice in a row: the second batch has mean offset and deviation scale, so the "
        "two updates are known and far apart. Where they run in no order, one of many steps shows another: of "
        "few values both are ready at once, of many the second waits for the first.",
    )


def no_gradient(rank, axis):
    x = data(rank, axis, 104)
    return Case(
        clauses=("stats.no-gradient",),
        situation=place(rank, axis),
        layer=Layer(rank=rank, axis=axis),
        program=(write(**FAR), silently(train(x, record=False)), moving(), silently(train(x, record=False)), moving()),
        rivals=({"stats.no-gradient": "updates"}, {"stats.no-gradient": "skips"}),
        why="Two calls in training mode within the framework's own way to record no gradient.",
    )


def recompute(rank, axis):
    x, dy = data(rank, axis, 105), data(rank, axis, 106)
    return Case(
        clauses=("stats.recompute",),
        situation=place(rank, axis),
        layer=Layer(rank=rank, axis=axis),
        program=(write(**FAR), silently(train(x, recompute=True)), silently(backward(dy)), moving()),
        rivals=({"stats.recompute": "once"}, {"stats.recompute": "twice"}),
        why="A call under the framework's own checkpointing, then its gradient, which runs it again.",
    )


def built_untracked(rank, axis):
    """There are no statistics to see: what inference does tells."""
    layer = Layer(rank=rank, axis=axis, tracked=False)
    answers = ("batch", "running", "raises")
    return Case(
        clauses=("stats.untracked-inference",),
        situation=f"built-{place(rank, axis)}",
        layer=layer,
        program=(silently(train(data(rank, axis, 107))), infer(batch(shape(rank, axis, 3), axis, seed=108, mean=0.9))),
        rivals=tuple({"stats.untracked-inference": answer} for answer in answers),
        why="Built without moving statistics; `running` would be those of a fresh layer.",
    )


def told_untracked(how, rank, axis):
    """Statistics are there, and then somebody says that they should not be kept."""
    x, other = data(rank, axis, 109), batch(shape(rank, axis, 3), axis, seed=110, mean=0.9)
    case = Case(
        clauses=("stats.untracked-training", "stats.untracked-inference"),
        situation=f"{how}-{place(rank, axis)}",
        layer=Layer(rank=rank, axis=axis),
        program=(write(**FAR), untrack(how), silently(train(x)), moving(), infer(other), moving()),
        rivals=tuple(
            {"stats.untracked-training": training, "stats.untracked-inference": inference}
            for training, inference in product(("none", "updates"), ("batch", "running", "batch-and-updates", "raises"))
        ),
        why="Statistics far from the batch's were written before; training, then inference, read after each.",
    )
    if how == "switch":
        return case
    return replace(
        case,
        clauses=("stats.untracked-inference",),
        program=(write(**FAR), untrack(how), silently(train(x)), infer(other)),
        rivals=tuple({"stats.untracked-inference": answer} for answer in ("batch", "running", "raises")),
        why="Statistics far from the batch's were written before, and then taken away.",
    )


CASES = (
    *(timing(rank, axis) for rank, axis in MAIN),
    *(without_gradient(rank, axis) for rank, axis in MAIN),
    *(shared(rank, axis) for rank, axis in MAIN),
    *(no_gradient(rank, axis) for rank, axis in MAIN),
    *(recompute(rank, axis) for rank, axis in MAIN),
    *(built_untracked(rank, axis) for rank, axis in MAIN),
    *(told_untracked(how, rank, axis) for how in ("switch", "remove") for rank, axis in MAIN),
)
