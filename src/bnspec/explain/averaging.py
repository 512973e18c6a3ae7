"""Causes in the average: statistics that do not move, have not moved enough, or move too much."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bnspec.explain.comparing import LEFT_OVER, gap
from bnspec.explain.judged import MATTERS, Judged
from bnspec.explain.wording import Cause, Weight, cause, counted, shown, telling_distance, verb, worst_gap
from bnspec.reference import State

FEW = 64
"""Below so many values per channel the estimators N/(N−1) of the variance differ by more than 1.5 %."""

FORGETS = 0.5
"""A layer that keeps less than this of the old statistic stores what the last few batches were."""

NOTICED = 0.02
"""A difference in an output that a reader sees in the loss, where nothing else is wrong."""

GOES = LEFT_OVER / 10
"""A weight of the start below this is gone."""


def never_kept(measured: Mapping[str, Any], layers: Sequence[Judged]) -> Iterator[Cause]:
    """Layers with a momentum that keeps all of the old statistic."""
    found = [layer for layer in layers if layer.keep == 1 and layer.stored and not layer.frozen]
    if found:
        what = f"{verb(found, 'has', 'have')} a momentum of {found[0].momentum:g}: no step moves the statistics."
        yield cause("momentum-stops", found, what, "Give it a momentum that lets the new statistic in.")


def never_updated(measured: Mapping[str, Any], layers: Sequence[Judged]) -> Iterator[Cause]:
    """Layers whose statistics are those of a new layer, though a step would move them."""
    found = [layer for layer in layers if layer.at_start and layer.gap > MATTERS and layer.updates != "none"]
    if not found:
        return
    steps = measured.get("steps")
    made = "" if steps is None else ", and its optimizer has made no step"
    made = f", although its optimizer made {steps} steps" if steps else made
    what = (
        f"{verb(found, 'has', 'have')} statistics still at their start (mean 0, variance 1){made}: no training step "
        f"ever moved them, though one does (measured). In inference the output is {worst_gap(found)} sd off."
    )
    todo = {
        "torch": "The model was trained in eval() mode, or not at all: call model.train() before the training loop, "
        "or load the buffers (running_mean, running_var) with the weights.",
        "flax.linen": "The loop dropped the statistics, or never trained: take the updated batch_stats that "
        "apply(…, train=True, mutable=['batch_stats']) returns into the next step.",
        "flax.nnx": "The loop ran in eval() mode, or there was none: call model.train() before the training steps.",
    }.get(
        str(measured["framework"]),
        "A training loop of one's own has to say model(x, training=True): without it the layers are in inference mode "
        "and nothing moves. If fit trained it, the statistics were not loaded with the weights.",
    )
    yield cause("never-updated", found, what, todo)


def too_few_steps(measured: Mapping[str, Any], layers: Sequence[Judged]) -> Iterator[Cause]:
    """Layers whose statistics still hold much of their start."""
    found = [layer for layer in layers if still_starting(layer)]
    if not found:
        return
    first = max(found, key=lambda layer: layer.start_left or 0)
    left, more = first.start_left or 0.0, max((layer.steps_left or 0) for layer in found)
    done = f" after {first.count} steps" if first.count else ""
    if not first.count and measured.get("steps"):
        done = f" after {measured['steps']} steps of the optimizer"
    what = (
        f"{verb(found, 'has', 'have')} had too few training steps for {verb(found, 'its', 'their')} momentum of "
        f"{shown(first.momentum)}: {left:.0%} of the stored statistics is still their start (mean 0, variance 1)"
        f"{done}. In inference the output is {worst_gap(found)} sd off."
    )
    todo = f"{counted(more, 'more step')} with such batches bring them within 1 %"
    if more == math.inf:
        todo = "The statistics do not move now"
    faster = "a larger momentum" if measured["framework"] == "torch" else "a smaller momentum"
    yield cause("too-few-steps", found, what, f"{todo}; {faster}, such as {suggested(measured)}, takes fewer.")


def still_starting(layer: Judged) -> bool:
    """Return whether the weight of the start in a layer's statistics matters in its output."""
    left = layer.start_left
    if (
        left is None
        or layer.stored is None
        or layer.at_start
        or left < GOES
        or (layer.keep is not None and layer.keep < FORGETS)
    ):
        return False
    mixed = State((1 - left) * layer.batch.mean, left + (1 - left) * layer.batch.variance)
    return layer.gap > MATTERS and gap(layer.batch, mixed, layer.epsilon) > MATTERS


def suggested(measured: Mapping[str, Any]) -> str:
    """Return a momentum for short training, as the framework counts it."""
    return "0.3" if measured["framework"] == "torch" else "0.7"


def moves_twice(measured: Mapping[str, Any], layers: Sequence[Judged]) -> Iterator[Cause]:
    """Layers whose statistics one step moves twice."""
    found = [layer for layer in layers if layer.updates == "twice"]
    if found:
        keep = found[0].keep
        what = (
            f"{verb(found, 'moves its', 'move their')} statistics twice in each training step, as where the backward "
            f"pass computes a block again (checkpointing)"
            + (f": the weight of the old statistic is {keep**2:.4g}, not {keep:.4g}." if keep is not None else ".")
        )
        todo = f"Where that matters, set the momentum to {single(found[0])}, which moves as far in two updates."
        yield cause("moves-twice", found, what, todo)


def single(layer: Judged) -> str:
    """Return torch's momentum by which two updates move as far as one does now."""
    return "a smaller value" if layer.keep is None else f"{1 - math.sqrt(layer.keep):.4g}"


def one_batch(measured: Mapping[str, Any], layers: Sequence[Judged]) -> Iterator[Cause]:
    """Layers that keep so little of the old statistics that these are those of the last batch."""
    found = [
        layer
        for layer in layers
        if layer.stored and layer.keep is not None and layer.keep < FORGETS and layer.gap > NOTICED
    ]
    if not found:
        return
    low = min(found, key=lambda layer: layer.keep or 0)
    small = [layer for layer in found if layer.factor > 1 + LEFT_OVER / 10]
    more = (
        f" In {small[-1].name} there are only {small[-1].call.count} values per channel, and what is stored is "
        f"{small[-1].factor:.4g} times the batch's variance, N/(N−1)."
        if small
        else ""
    )
    what = (
        f"{verb(found, 'keeps', 'keep')} {low.keep:.0%} of the old statistics (momentum {shown(low.momentum)}): what "
        f"is stored is the last batch, as it was under the weights before the optimizer's last step, which moved after "
        f"it. It is {telling_distance(found)}.{more}"
    )
    todo = (
        "Average over more batches: a momentum of "
        f"{'0.1' if measured['framework'] == 'torch' else '0.9'}; and at the end of training some forward passes in "
        "training mode with the optimizer at rest."
    )
    yield cause("last-batch-only", found, what, todo)


def moves_otherwise(measured: Mapping[str, Any], layers: Sequence[Judged]) -> Iterator[Cause]:
    """Layers whose statistics a step moves otherwise than their momentum says."""
    found = [layer for layer in layers if layer.updates == "otherwise"]
    if found:
        layer = found[0]
        assert layer.stored
        assert layer.after
        what = (
            f"{verb(found, 'moves its', 'move their')} statistics, but not by what the momentum of "
            f"{shown(layer.momentum)} says: measured, the weight of the new statistic is {measured_weight(layer):.3g}."
        )
        todo = (
            "Look at what sets the statistics beside the layer itself: `bnspec run` says how this release updates them."
        )
        yield cause(
            "moves-otherwise", found, what, todo, Weight.FINDING if any(one.far for one in found) else Weight.NOTE
        )


def measured_weight(layer: Judged) -> float:
    """Return the weight of the new mean that fits a step best."""
    assert layer.stored
    assert layer.after
    way = layer.batch.mean - layer.stored.mean
    total = float(np.square(way).sum())
    return float(((layer.after.mean - layer.stored.mean) * way).sum() / total) if total else math.nan


def few_values(measured: Mapping[str, Any], layers: Sequence[Judged]) -> Iterator[Cause]:
    """Layers with so few values per channel that the estimator of the variance matters."""
    found = [layer for layer in layers if layer.called and layer.call.count < FEW and layer.updates == "as told"]
    if found:
        least = min(found, key=lambda layer: layer.call.count)
        exact = f"; it stores {least.factor:.4g} times the batch's variance" if least.factor > 1 else ""
        what = (
            f"{verb(found, 'has', 'have')} few values per channel in this batch ({least.call.count} in {least.name}"
            f"{exact}): the statistics of each batch are rough, and inference differs from training by that."
        )
        yield cause(
            "few-values", found, what, "A larger batch, or batch normalization before the pooling.", Weight.NOTE
        )
