"""The batch normalization layers of ResNet-50, MobileNetV2 and EfficientNet-B0 at batch 32: `--large`.

Their shapes (channels, side of the image), each once: He et al. 2016 (arXiv:1512.03385, table 1), Sandler et al. 2018
(arXiv:1801.04381, table 2), Tan and Le 2019 (arXiv:1905.11946, table 1), for images of 224×224. In float32, and in
halves with float32 parameters, as mixed precision has them. The sentence is that of `precision.bound`.
"""

import numpy as np

from bnspec.case import Case, Layer, place, read, train, types
from bnspec.data import HALVES, held, repeated

BATCH = 32
LAYERS = {
    "ResNet-50": (
        (64, 112), (64, 56), (256, 56), (128, 56), (128, 28), (512, 28), (256, 28), (256, 14), (1024, 14), (512, 14),
        (512, 7), (2048, 7),
    ),
    "MobileNetV2": (
        (32, 112), (16, 112), (96, 112), (96, 56), (24, 56), (144, 56), (144, 28), (32, 28), (192, 28), (192, 14),
        (64, 14), (384, 14), (96, 14), (576, 14), (576, 7), (160, 7), (960, 7), (320, 7), (1280, 7),
    ),
    "EfficientNet-B0": (
        (32, 112), (16, 112), (96, 112), (96, 56), (24, 56), (144, 56), (144, 28), (40, 28), (240, 28), (240, 14),
        (80, 14), (480, 14), (112, 14), (672, 14), (672, 7), (192, 7), (1152, 7), (320, 7), (1280, 7),
    ),
}  # fmt: skip

FLOAT32 = dict.fromkeys(("input", "parameters", "compute"), "float32")
MIXED = (FLOAT32, *(dtypes for dtypes in HALVES if dtypes["parameters"] == "float32"))


def layer(features, side, axis, dtypes):
    """One sample, held once, again and again: thousands of values per channel, all channels different."""
    kind = dtypes["input"]
    one = held(repeated((1, features, side, side), 1, seed=160, mean=1.0), kind)
    x = np.moveaxis(np.broadcast_to(one, (BATCH, features, side, side)), 1, axis)
    networks = ", ".join(name for name, shapes in LAYERS.items() if (features, side) in shapes)
    where = "-".join(part for part in (types(dtypes), place(4, axis)) if part)
    return Case(
        clauses=("precision.bound",),
        situation=f"layer{features}x{side}x{side}-{where}",
        layer=Layer(rank=4, axis=axis, features=features, momentum={"keep": 0.0}, dtypes=dtypes, epsilon=2.0**-10),
        program=(train(x), read("mean", "variance")),
        why=f"A layer of {networks}: {BATCH}×{features}×{side}×{side} values, {x.size / 1e6:.3g} million.",
    )


SHAPES = tuple(dict.fromkeys(shape for shapes in LAYERS.values() for shape in shapes))

CASES = tuple(layer(*shape, axis, dtypes) for dtypes in MIXED for shape in SHAPES for axis in (1, -1))
