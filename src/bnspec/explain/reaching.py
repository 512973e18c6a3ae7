"""Causes in the mode: layers that training or inference does not reach."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bnspec.explain.comparing import rms
from bnspec.explain.judged import Judged
from bnspec.explain.wording import Cause, Weight, cause, place, telling_distance, verb
from bnspec.reference import State


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
        f"`def {site['function']}(self, {', '.join(site['takes'])}, training=None)` and pass `training=training` to "
        "the layer."
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
        was = verb(found, "was", "were")
        what = f"{was} not looked at: not called in both passes, or with statistics of another shape."
        yield cause("not-called", found, what, "That is right if the model does not need it.", Weight.NOTE)


def same(there: State, here: State | None) -> bool:
    """Return whether two states are the same."""
    return here is not None and rms(there.mean - here.mean) == 0 and rms(there.variance - here.variance) == 0
