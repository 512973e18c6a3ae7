"""The images of the stories: made from a seed, small, of three kinds."""

import numpy as np

from bnspec.reference.statistics import Array

CLASSES = 3


def images(
    seed: int, count: int, size: int, *, brightness: float = 0.5, contrast: float = 0.2, signal: float = 0.5
) -> tuple[Array, Array]:
    """Return images (count, size, size, 3), float32, and their labels, each kind equally often.

    An image is brightness + contrast·(signal·pattern of its kind + noise), pattern and noise normal with variance 1;
    a pattern is the same for every seed, so that another seed gives other images of the same kinds.
    """
    patterns = np.random.default_rng(0).normal(size=(CLASSES, size, size, 3))
    labels = np.arange(count) % CLASSES
    noise = np.random.default_rng(seed).normal(size=(count, size, size, 3))
    return (brightness + contrast * (signal * patterns[labels] + noise)).astype(np.float32), labels
