"""Two made-up frameworks that differ as real ones do, each with a file format of its own, and one that lies.

Their arithmetic is that of `tests/mutants/correct.py`.
"""

import json
import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parent.parent / "mutants"))

from correct import Correct

from bnspec.worker.adapter import Unsupported, switches

PARTS = ("scale", "offset", "mean", "variance", "count")


def named(adapter, names):
    """Return the facts of an adapter about its state, and how a file of a model names it."""
    paths = dict(zip(PARTS, names, strict=False))
    return {"state": [path.replace("*.", "").replace("*/", "") for path in names], "state paths": paths}


class There(Correct):
    """Momentum weighs the new, N/(N − 1) is stored, frozen layers train; channels first; steps are counted."""

    name = "there"
    momentum_weight, stored_variance = "new", "sample"
    frozen_normalisation, frozen_update, unstated = "batch", "updates", "train"

    def __init__(self, layer, **options):
        if layer["axis"] % layer["rank"] != 1:
            raise Unsupported("channels are at axis 1")
        if layer["offset"] and not layer["scale"]:
            raise Unsupported("no offset without a scale")
        super().__init__(layer, **options)

    def load_state(self, path):
        with open(path) as file:
            held = json.load(file)
        return {name: np.array(values, kind) for name, (kind, values) in held.items()}

    def save_state(self, path, state):
        held = {name: (str(value.dtype), value.tolist()) for name, value in state.items()}
        with open(path, "w") as file:
            json.dump(held, file)

    def facts(self):
        return {
            "momentum": 0.1,
            "epsilon": 1e-5,
            "axis": 1,
            "constructor": {"rank2": "There1d({arguments})", "rank4": "There2d({arguments})"},
            "argument names": {"features": "width", "momentum": "momentum", "epsilon": "eps"},
            "parameter switches": {
                "both": {"affine": True}, "scale": {"bias": False}, "offset": None, "neither": {"affine": False},
            },
            "mode words": {"train": "layer.train()", "infer": "layer.eval()"},
            "state dtypes": {"count": "int64"},
            **named(self, ["*.w", "*.b", "*.m", "*.v", "*.n"]),
        }  # fmt: skip


class Here(Correct):
    """Momentum weighs the old, N is divided by; channels last, or wherever `axis` says; nothing is counted."""

    name = "here"

    def __init__(self, layer, **options):
        if (layer["momentum"] or {}).get("cumulative"):
            raise Unsupported("there is no cumulative average")
        super().__init__(layer, **options)

    def facts(self):
        return {
            "momentum": 0.99,
            "epsilon": 1e-3,
            "axis": -1,
            "constructor": "here.Norm({arguments})",
            "argument names": {"axis": "axis", "momentum": "keep", "epsilon": "epsilon"},
            "parameter switches": switches(lambda has: {"scale": has["scale"], "center": has["offset"]}),
            "mode words": {"train": "layer(x, True)", "infer": "layer(x, False)"},
            **named(self, ["params/*/gamma", "params/*/beta", "stats/*/mean", "stats/*/var"]),
        }


class Lying(Here):
    """Says that it divides by N, and by the fingerprint that the test gives it does; it divides by N − 1."""

    stored_variance = "sample"
