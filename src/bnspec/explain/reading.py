"""What the worker measured, as layers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bnspec.explain.judged import Call, Judged
from bnspec.reference import Moments, State


def judged(measured: Mapping[str, Any]) -> tuple[Judged, ...]:
    """Return the layers of a measured model, in the order in which they were called."""
    return tuple(layer_of(layer, measured.get("steps")) for layer in measured["layers"])


def layer_of(layer: Mapping[str, Any], steps: int | None) -> Judged:
    """Return one layer as the worker tells it."""
    state = {name: np.asarray(value, np.float64).ravel() for name, value in layer["state"].items()}
    count = layer["count"] or 0
    return Judged(
        name=str(layer["name"]),
        kind=str(layer["kind"]),
        epsilon=float(layer["epsilon"]),
        momentum=layer["momentum"],
        keep=layer["keep"],
        frozen=bool(layer["frozen"]),
        count=layer["count"],
        steps=steps,
        found=layer["mode"],
        reached=tuple(layer["reached"]) if layer["reached"] else None,
        scale=state.get("scale"),
        offset=state.get("offset"),
        stored=state_of(layer["state"], count),
        after=state_of(layer["after"], count),
        inferred=state_of(layer["after_inference"], count),
        training=calls_of(layer["calls"]["training"], state),
        inference=calls_of(layer["calls"]["inference"], state),
    )


def state_of(state: Mapping[str, Any], count: int) -> State | None:
    """Return stored statistics, None where there are none."""
    if "mean" not in state or "variance" not in state:
        return None
    mean, variance = (np.asarray(state[name], np.float64).ravel() for name in ("mean", "variance"))
    return State(mean, variance, count)


def calls_of(calls: Sequence[Mapping[str, Any]], state: Mapping[str, Any]) -> tuple[Call, ...]:
    """Return calls as the worker tells them; one whose values never came, or do not fit the state, is none."""
    return tuple(
        Call(
            said=call["said"],
            site=call["site"],
            x=np.asarray(call["x"]),
            y=np.asarray(call["y"]),
            batch=Moments(
                np.asarray(call["mean"], np.float64),
                np.asarray(call["variance"], np.float64),
                np.full(len(call["mean"]), call["count"], np.int64),
            ),
            size=np.asarray(call["size"], np.float64),
            shape=tuple(call["shape"]),
            dtype=str(call["output_dtype"]),
        )
        for call in calls
        if "shape" in call and all(part.shape == np.shape(call["mean"]) for part in state.values())
    )
