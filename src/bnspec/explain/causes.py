"""What follows from the judged layers: causes, the gravest first, each with what to do about it."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from bnspec.explain.judged import LEFT_OVER, MATTERS, Judged, gap, rms
from bnspec.reference import State

FEW = 64
"""Below so many values per channel the estimators N/(N−1) of the variance differ by more than 1.5 %."""

FORGETS = 0.5
"""A layer that keeps less than this of the old statistic stores what the last few batches were."""

NOTICED = 0.02
"""A difference in an output that a reader sees in the loss, where nothing else is wrong."""

NAMED = 3
"""How many layers a sentence names before it counts the others."""


class Weight(StrEnum):
    """How much a cause matters."""

    FINDING = "finding"
    NOTE = "note"


@dataclass(frozen=True)
class Cause:
    """Something that makes training and inference differ, or that stops the statistics, in one or more layers.

    id: stable; layers: their names; what: in one or two sentences; todo: what to do.
    """

    id: str
    weight: Weight
    layers: tuple[str, ...]
    what: str
    todo: str


Rule = Callable[[Mapping[str, Any], Sequence[Judged]], Iterator[Cause]]


def causes(measured: Mapping[str, Any], layers: Sequence[Judged]) -> tuple[Cause, ...]:
    """Return all causes, findings before notes, in the order of the rules.

    A layer that a finding explains is not in those after it: statistics that no step reaches are far from the data, too.
    """
    found: list[Cause] = []
    explained: set[str] = set()
    called = [layer for layer in layers if layer.called]
    for rule in RULES:
        left = [layer for layer in called if layer.name not in explained]
        for cause in rule(measured, left):
            found.append(cause)
            if cause.weight is Weight.FINDING:
                explained |= set(cause.layers)
    left = [layer for layer in layers if layer.name not in explained]
    found += [cause for rule in NOTES for cause in rule(measured, left)]
    return tuple(sorted(found, key=lambda cause: cause.weight is Weight.NOTE))


def some(layers: Sequence[Judged]) -> str:
    """Return layers as a subject: those that come first by name, the others counted."""
    names = [layer.name for layer in layers]
    if len(names) == 1:
        return f"The layer {names[0]}"
    if len(names) <= NAMED:
        return f"The layers {', '.join(names[:-1])} and {names[-1]}"
    return f"{len(names)} layers ({', '.join(names[: NAMED - 1])}, …, {names[-1]})"


def verb(layers: Sequence[Judged], one: str, many: str) -> str:
    """Return the form of a verb that goes with the number of layers."""
    return one if len(layers) == 1 else many


def place(layers: Sequence[Judged]) -> str:
    """Return the line of the reader's own code from which the first of some layers is called; nothing without one."""
    site = layers[0].call.site if layers[0].training else None
    if not site:
        return ""
    owner = f"{site['class']}.{site['function']}" if site["class"] else site["function"]
    return f"{owner}, {site['file']} line {site['line']}"


def cause(id: str, layers: Sequence[Judged], what: str, todo: str, weight: Weight = Weight.FINDING) -> Cause:
    """Return a cause; what begins with the layers' name where it starts in lower case."""
    return Cause(id, weight, tuple(layer.name for layer in layers), f"{some(layers)} {what}", todo)


def is_keras(measured: Mapping[str, Any]) -> bool:
    """Return whether a model is one of Keras."""
    return "keras" in str(measured["framework"])


def inference_not_reached(measured: Mapping[str, Any], layers: Sequence[Judged]) -> Iterator[Cause]:
    """Layers with stored statistics that normalise with the batch in inference, too."""
    found = [layer for layer in layers if layer.stored and layer.infers == "batch"]
    if not found:
        return
    unreached = [layer for layer in found if layer.reached and not layer.reached[1]]
    moved = any(layer.inferred and not same(layer.inferred, layer.stored) for layer in found)
    what = f"{verb(found, 'normalises', 'normalise')} with the batch in inference mode as well"
    what += ", and its statistics move there" if moved else ""
    what += f" ({place(found)})." if place(found) else "."
    if unreached and measured["framework"] == "torch":
        what = what.removesuffix(".") + ": eval() of the model does not reach it."
        todo = (
            "Hold it in a ModuleList, a ModuleDict or an attribute of a Module: torch does not look into a plain list "
            "or dict."
        )
    elif measured["framework"].startswith("flax"):
        todo = "Pass the mode on where it is called: use_running_average=not train."
    else:
        todo = "Something says training=True where it is called: pass the mode that the caller says on instead."
    yield cause("inference-not-reached", found, what, todo)


def training_not_reached(measured: Mapping[str, Any], layers: Sequence[Judged]) -> Iterator[Cause]:
    """Layers that are not frozen and yet in inference mode while the model trains."""
    found = [
        layer
        for layer in layers
        if not layer.frozen and layer.stored and layer.updates == "none"
        and layer.keep != 1 and (layer.normalises == "stored" or not layer.call.said)
    ]  # fmt: skip
    if measured["framework"] in ("torch", "flax.nnx"):
        chosen = [layer for layer in found if measured["framework"] == "torch" and layer.found == "inference"]
        chosen = [layer for layer in chosen if layer.reached and layer.reached[0]]
        found = [layer for layer in found if layer not in chosen]
        yield from left_in_eval([layer for layer in chosen if layer.far or layer.at_start])
    if not found:
        return
    under = {"torch": "after train()", "flax.linen": "when told training", "flax.nnx": "after train()"}.get(
        measured["framework"], "under the trainer (fit)"
    )
    what = (
        f"{verb(found, 'is', 'are')} in inference mode {under}, although not frozen: "
        f"{verb(found, 'it normalises', 'they normalise')} with the stored statistics, never with the batch, and "
        f"the statistics never move."
    )
    yield cause("training-not-reached", found, what, reach(measured, found))


def reach(measured: Mapping[str, Any], layers: Sequence[Judged]) -> str:
    """Return what to do so that the mode reaches layers."""
    site, where = layers[0].call.site, place(layers)
    if measured["framework"] == "torch":
        return "Hold it in a ModuleList, a ModuleDict or an attribute of a Module, so that train() reaches it."
    if measured["framework"].startswith("flax"):
        begin = f"{where} says use_running_average there: " if where else ""
        return begin + "pass the mode on where it is called, use_running_average=not train."
    if not site:
        return "training=False is said where the layer is called, when the model is built: leave it out."
    if "training" in site["takes"]:
        return f"{where} takes `training`: pass it on to the layer, and nothing else."
    version = f"{measured['framework']} {measured['version']}"
    return (
        f"{where} does not take `training`, so the trainer of {version} does not say it: write "
        f"`def {site['function']}(self, {', '.join(site['takes'])}, training=None)` and pass `training=training` to the "
        "layer."
    )


def left_in_eval(found: Sequence[Judged]) -> Iterator[Cause]:
    """Layers of torch that were returned in eval() mode inside a model in training mode."""
    if not found:
        return
    what = (
        f"{verb(found, 'was', 'were')} returned in eval() mode inside a model in train() mode: in training "
        f"{verb(found, 'it normalises', 'they normalise')} with the stored statistics, which do not move and are "
        f"{telling_distance(found)}."
    )
    todo = (
        "Call train() on the model after what sets them to eval(). To keep them frozen, give them the statistics of "
        "this data first: some forward passes in train() mode, without an optimizer."
    )
    yield cause("left-in-eval", found, what, todo)


def updates_lost(measured: Mapping[str, Any], layers: Sequence[Judged]) -> Iterator[Cause]:
    """Layers that normalise with the batch in training, and whose statistics stay all the same."""
    found = [
        layer
        for layer in layers
        if layer.stored and layer.updates == "none" and layer.normalises == "batch" and layer.keep != 1
    ]
    if found:
        what = (
            f"{verb(found, 'normalises', 'normalise')} with the batch in training, but the stored statistics do not "
            f"move: {verb(found, 'its', 'their')} updates do not arrive."
        )
        todo = "Let the trainer collect them: in Keras the layer has to be one that the model tracks."
        yield cause("updates-lost", found, what, todo)


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
    made = f", although its optimizer made {steps} steps" if steps else ""
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
        f"{shown(first.momentum)}: {left:.0%} of the stored statistics is still their start (mean 0, variance 1){done}. "
        f"In inference the output is {worst_gap(found)} sd off."
    )
    todo = f"{counted(more, 'more step')} with such batches bring them within 1 %"
    if more == math.inf:
        todo = "The statistics do not move now"
    faster = "a larger momentum" if measured["framework"] == "torch" else "a smaller momentum"
    yield cause("too-few-steps", found, what, f"{todo}; {faster}, such as {suggested(measured)}, takes fewer.")


def still_starting(layer: Judged) -> bool:
    """Return whether the weight of the start in a layer's statistics matters in its output."""
    left = layer.start_left
    if left is None or layer.stored is None or layer.at_start or left < GOES or (layer.keep is not None and layer.keep < FORGETS):
        return False
    mixed = State((1 - left) * layer.batch.mean, left + (1 - left) * layer.batch.variance)
    return layer.gap > MATTERS and gap(layer.batch, mixed, layer.epsilon) > MATTERS


GOES = LEFT_OVER / 10
"""A weight of the start below this is gone."""


def suggested(measured: Mapping[str, Any]) -> str:
    """Return a momentum for short training, as the framework counts it."""
    return "0.3" if measured["framework"] == "torch" else "0.7"


def frozen_far(measured: Mapping[str, Any], layers: Sequence[Judged]) -> Iterator[Cause]:
    """Frozen layers whose statistics are not those of the data."""
    version = f"{measured['framework']} {measured['version']}"
    for moves in (False, True):
        found = [layer for layer in layers if layer.frozen and layer.far and (layer.updates != "none") is moves]
        if not found:
            continue
        says = "requires_grad=False" if measured["framework"] == "torch" else "trainable=False"
        begin = f"{verb(found, 'is', 'are')} frozen ({says}), "
        if found[0].found == "inference":
            begin = f"{verb(found, 'is', 'are')} frozen (requires_grad=False) and kept in eval() mode, "
        if moves or found[0].normalises == "batch":
            what = begin + (
                f"which in {version} stops the parameters only: in training {verb(found, 'it normalises', 'they normalise')} "
                f"with the batch{' and the statistics move' if moves else ''}; in inference the stored statistics, "
                f"{telling_distance(found)}, give another output."
            )
            todo = "Keep them in inference mode while training (eval() after train(), or training=False in the call), "
            todo += "or let them train until the statistics are those of this data."
        else:
            what = begin + (
                f"which {'' if found[0].found == 'inference' else f'in {version} '}means inference mode: in training and in inference alike "
                f"{verb(found, 'it normalises', 'they normalise')} with the stored statistics, which never move and are "
                f"{telling_distance(found)}."
            )
            todo = (
                "Give the data the preprocessing that the weights were trained with; or unfreeze these layers and let "
                "some steps move their statistics before freezing them again."
            )
        yield cause("frozen-far", found, what, todo)


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


def shared_layers(measured: Mapping[str, Any], layers: Sequence[Judged]) -> Iterator[Cause]:
    """Layers that one pass calls more than once, on inputs that differ."""
    found = [layer for layer in layers if layer.stored and len(layer.training) > 1 and apart(layer) > MATTERS]
    if found:
        what = (
            f"{verb(found, 'is', 'are')} called {len(found[0].training)} times in a pass, on inputs whose statistics "
            f"differ: one stored mean and variance cannot serve both."
        )
        yield cause("shared", found, what, "Give every place a batch normalization of its own; share the other weights.")


def apart(layer: Judged) -> float:
    """Return how far the statistics of a layer's calls are from each other, as `gap` has it."""
    return max(
        gap(layer.batch, State(call.batch.mean, call.batch.variance), layer.epsilon) for call in layer.training[1:]
    )


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
        f"{verb(found, 'keeps', 'keep')} {low.keep:.0%} of the old statistics (momentum {shown(low.momentum)}): what is "
        f"stored is the last batch, as it was under the weights before the optimizer's last step, which moved after "
        f"it. It is {telling_distance(found)}.{more}"
    )
    todo = (
        "Average over more batches: a momentum of "
        f"{'0.1' if measured['framework'] == 'torch' else '0.9'}; and at the end of training some forward passes in "
        "training mode with the optimizer at rest."
    )
    yield cause("last-batch-only", found, what, todo)


def untracked(measured: Mapping[str, Any], layers: Sequence[Judged]) -> Iterator[Cause]:
    """Layers without stored statistics."""
    found = [layer for layer in layers if layer.stored is None]
    if found:
        what = (
            f"{verb(found, 'has', 'have')} no stored statistics: in inference, too, "
            f"{verb(found, 'it normalises', 'they normalise')} with the batch, and a sample's output depends on the "
            "others."
        )
        yield cause("no-statistics", found, what, "Build it with track_running_stats=True if that is not wanted.")


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
        todo = "Look at what sets the statistics beside the layer itself: `bnspec run` says how this release updates them."
        yield cause("moves-otherwise", found, what, todo, Weight.FINDING if any(one.far for one in found) else Weight.NOTE)


def measured_weight(layer: Judged) -> float:
    """Return the weight of the new mean that fits a step best."""
    assert layer.stored
    assert layer.after
    way = layer.batch.mean - layer.stored.mean
    total = float(np.square(way).sum())
    return float(((layer.after.mean - layer.stored.mean) * way).sum() / total) if total else math.nan


def other_data(measured: Mapping[str, Any], layers: Sequence[Judged]) -> Iterator[Cause]:
    """Layers whose statistics are far from the data for no other reason: the first of them tells."""
    found = [layer for layer in layers if layer.far]
    if found:
        what = (
            f"{verb(found, 'has', 'have')} statistics of other data than this: they are {telling_distance(found)}, which "
            f"a batch of {found[0].samples} samples does not do by chance."
        )
        first = found[0]
        todo = (
            f"Compare how this batch was made with what the model was trained on (scaling, colour order, augmentation, "
            f"task): the first layer that is off is {first.name}."
        )
        yield cause("other-data", found, what, todo)


def left_in_training(measured: Mapping[str, Any], layers: Sequence[Judged]) -> Iterator[Cause]:
    """A model that was returned in training mode though it has been trained."""
    found = [layer for layer in layers if layer.found == "training" and layer.stored and not layer.at_start]
    if found and measured["mode"] != "inference":
        what = (
            f"{verb(found, 'was', 'were')} returned in training mode: called as it is, the model normalises with the "
            f"batch and moves its statistics."
        )
        todo = "Call model.eval() before inference, and model.train() before training goes on."
        yield cause("left-in-training", found, what, todo, Weight.NOTE)


def never_called(measured: Mapping[str, Any], layers: Sequence[Judged]) -> Iterator[Cause]:
    """Layers that no pass came to."""
    found = [layer for layer in layers if not layer.called]
    if found:
        what = f"{verb(found, 'was', 'were')} not called in both passes, and not looked at."
        yield cause("not-called", found, what, "That is right if the model does not need it.", Weight.NOTE)


def frozen_moves(measured: Mapping[str, Any], layers: Sequence[Judged]) -> Iterator[Cause]:
    """Frozen layers whose statistics move, though they fit the data now."""
    found = [layer for layer in layers if layer.called and layer.frozen and not layer.far and layer.updates == "as told"]
    if found:
        says = "requires_grad=False" if measured["framework"] == "torch" else "trainable=False"
        what = (
            f"{verb(found, 'is', 'are')} frozen ({says}), but the statistics move in training: in "
            f"{measured['framework']} {measured['version']} it stops the parameters only."
        )
        todo = "Call eval() on these layers after train() of the model to stop the statistics as well."
        yield cause("frozen-moves", found, what, todo, Weight.NOTE)


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
        yield cause("few-values", found, what, "A larger batch, or batch normalization before the pooling.", Weight.NOTE)


def telling_distance(layers: Sequence[Judged]) -> str:
    """Return how far the statistics of the first of some layers are from the batch's, in words: later ones follow it."""
    first = layers[0]
    off = f"{shown(first.distance)} sd from the batch's mean, {shown(first.ratio)} times its variance"
    return off + (f" in {first.name}" if len(layers) > 1 else "")


def worst_gap(layers: Sequence[Judged]) -> str:
    """Return the largest `gap` of some layers."""
    return shown(max(layer.gap for layer in layers))


def same(there: State, here: State | None) -> bool:
    """Return whether two states are the same."""
    return here is not None and rms(there.mean - here.mean) == 0 and rms(there.variance - here.variance) == 0


def shown(number: float | None) -> str:
    """Return a number in three digits; None, torch's cumulative average, as it is written."""
    return "None" if number is None else f"{number:,.0f}" if 1000 <= abs(number) < 1e7 else f"{number:.3g}"


def counted(number: float, what: str) -> str:
    """Return a whole number with a word, its plural where there are several."""
    return f"{number:,.0f} {what}{'' if number == 1 else 's'}"


RULES: tuple[Rule, ...] = (
    inference_not_reached, training_not_reached, updates_lost, never_kept, never_updated, too_few_steps, frozen_far,
    moves_twice, shared_layers, one_batch, untracked, moves_otherwise, other_data,
)  # fmt: skip
"""The rules of findings, the gravest first."""

NOTES: tuple[Rule, ...] = (left_in_training, frozen_moves, few_values, never_called)
"""The rules of notes, which look at the layers that no finding explains."""
