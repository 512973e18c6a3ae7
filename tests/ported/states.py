"""Saved models for tests: how three made-up frameworks name their arrays, and a model of several layers."""

import numpy as np

from bnspec.convert.layers import Spelling

TORCH = Spelling(
    {"scale": "*.weight", "offset": "*.bias", "mean": "*.running_mean", "variance": "*.running_var", "count": "*.n"},
    {"both": {}, "scale": {}, "offset": None, "neither": {}},
)
KERAS = Spelling({"scale": "*/gamma", "offset": "*/beta", "mean": "*/mean", "variance": "*/var"}, {})
FLAX = Spelling(
    {"mean": "stats/*/mean", "variance": "stats/*/var", "scale": "params/*/scale", "offset": "params/*/bias"}, {}
)


def layer(seed, channels, *parts, prefix="", dtype="float32"):
    """Return the arrays of a layer as TORCH names them: mean, variance, and the parts that are asked for."""
    random = np.random.default_rng(seed)
    arrays = {part: random.uniform(0.5, 2, channels).astype(dtype) for part in ("scale", "offset", "mean", "variance")}
    arrays["count"] = np.array(seed, np.int64)
    kept = [part for part in TORCH.paths if part in ("mean", "variance", *parts)]
    return {prefix + TORCH.paths[part].removeprefix("*."): arrays[part] for part in kept}


def model():
    """Return the arrays of a model of three such layers and two others."""
    return {
        "conv.weight": np.ones((4, 3, 3, 3), np.float32),
        "conv.bias": np.ones(4, np.float32),
        **layer(1, 4, "scale", "offset", "count", prefix="stem.bn."),
        **layer(2, 3, "count", prefix="blocks.0.bn."),
        **layer(3, 5, "scale", "offset", "count", prefix="last."),
        "fc.weight": np.ones((2, 5), np.float32),
    }


def bits(array):
    """Return all that an array is."""
    return array.dtype, array.shape, array.tobytes()
