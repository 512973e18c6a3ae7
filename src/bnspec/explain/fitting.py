"""Causes in what the statistics are of: other data, several inputs, nothing."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bnspec.explain.comparing import gap
from bnspec.explain.judged import MATTERS, Judged
from bnspec.explain.wording import Cause, Weight, cause, telling_distance, verb
from bnspec.reference import State


def not_finite(measured: Mapping[str, Any], layers: Sequence[Judged]) -> Iterator[Cause]:
    """Layers in whose inputs or statistics there are NaN or infinite values, which the data have not."""
    found = [layer for layer in layers if not layer.finite]
    if found:
        stored = found[0].stored
        held = stored is not None and not np.isfinite([stored.mean, stored.variance]).all()
        what = (
            f"{verb(found, 'has', 'have')} NaN or infinite values in "
            f"{'the stored statistics' if held else 'the input'}, though the data have none: the first is "
            f"{found[0].name}."
        )
        todo = (
            "One bad batch is enough, and the statistics never recover: set them anew and train on."
            if held
            else "Look for them in the weights and in what the layers before it compute."
        )
        yield cause("not-finite", found, what, todo)


def frozen_far(measured: Mapping[str, Any], layers: Sequence[Judged]) -> Iterator[Cause]:
    """Frozen layers whose statistics are not those of the data: those that still move, and those that do not."""
    version = f"in {measured['framework']} {measured['version']} "
    says = "requires_grad=False" if measured["framework"] == "torch" else "trainable=False"
    far = [layer for layer in layers if layer.frozen and layer.far]
    found = [layer for layer in far if layer.updates != "none" or layer.normalises == "batch"]
    if found:
        move = "it normalises" if len(found) == 1 else "they normalise"
        what = (
            f"{verb(found, 'is', 'are')} frozen ({says}), which {version}stops the parameters only: in training {move} "
            f"with the batch{' and the statistics move' if found[0].updates != 'none' else ''}; in inference the "
            f"stored statistics, {telling_distance(found)}, give another output."
        )
        todo = (
            "Keep them in inference mode while training (eval() after train(), or training=False in the call), or let "
            "them train until the statistics are those of this data."
        )
        yield cause("frozen-far", found, what, todo)
    found = [layer for layer in far if layer not in found]
    if found:
        stay = "it normalises" if len(found) == 1 else "they normalise"
        kept = found[0].found == "inference"
        means = "and kept in eval() mode:" if kept else f"which {version}means inference mode:"
        what = (
            f"{verb(found, 'is', 'are')} frozen ({says}), {means} in training and in inference alike {stay} with the "
            f"stored statistics, which never move and are {telling_distance(found)}."
        )
        todo = (
            "Give the data the preprocessing that the weights were trained with; or unfreeze these layers and let "
            "some steps move their statistics before freezing them again."
        )
        yield cause("frozen-far", found, what, todo)


def frozen_moves(measured: Mapping[str, Any], layers: Sequence[Judged]) -> Iterator[Cause]:
    """Frozen layers whose statistics move, though they fit the data now."""
    found = [
        layer for layer in layers if layer.called and layer.frozen and not layer.far and layer.updates == "as told"
    ]
    if found:
        says = "requires_grad=False" if measured["framework"] == "torch" else "trainable=False"
        what = (
            f"{verb(found, 'is', 'are')} frozen ({says}), but the statistics move in training: in "
            f"{measured['framework']} {measured['version']} it stops the parameters only."
        )
        todo = "Call eval() on these layers after train() of the model to stop the statistics as well."
        yield cause("frozen-moves", found, what, todo, Weight.NOTE)


def shared_layers(measured: Mapping[str, Any], layers: Sequence[Judged]) -> Iterator[Cause]:
    """Layers that one pass calls more than once, on inputs that differ."""
    found = [layer for layer in layers if layer.stored and len(layer.training) > 1 and apart(layer) > MATTERS]
    if found:
        what = (
            f"{verb(found, 'is', 'are')} called {len(found[0].training)} times in a pass, on inputs whose statistics "
            f"differ: one stored mean and variance cannot serve both."
        )
        yield cause(
            "shared", found, what, "Give every place a batch normalization of its own; share the other weights."
        )


def apart(layer: Judged) -> float:
    """Return how far the statistics of a layer's calls are from each other, as `gap` has it."""
    return max(
        gap(layer.batch, State(call.batch.mean, call.batch.variance), layer.epsilon) for call in layer.training[1:]
    )


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


def other_data(measured: Mapping[str, Any], layers: Sequence[Judged]) -> Iterator[Cause]:
    """Layers whose statistics are far from the data for no other reason: the first of them tells."""
    found = [layer for layer in layers if layer.far]
    if found:
        what = (
            f"{verb(found, 'has', 'have')} statistics of other data than this: they are {telling_distance(found)}, "
            f"which a batch of {found[0].samples} samples does not do by chance."
        )
        first = found[0]
        todo = (
            f"Compare how this batch was made with what the model was trained on (scaling, colour order, augmentation, "
            f"task): the first layer that is off is {first.name}."
        )
        yield cause("other-data", found, what, todo)
