"""Measured models as a worker would tell them, made with the reference's formulas."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from bnspec.explain import Explanation, explanation

Made = Callable[..., dict[str, Any]]

CHANNELS, SAMPLES, POSITIONS = 16, 64, 16


def batch_of(seed: int = 0, mean: float = 1.0, deviation: float = 2.0) -> np.ndarray:
    """Return the input of a layer, of shape (samples × positions, channels); every channel has moments of its own."""
    random = np.random.default_rng(seed)
    scale = deviation * (0.5 + random.random(CHANNELS))
    return mean * random.standard_normal(CHANNELS) + scale * random.standard_normal((SAMPLES * POSITIONS, CHANNELS))


def normalized(x: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    return ((x - mean) / np.sqrt(variance + 1e-3)).astype(np.float32)


def layer_of(
    name: str = "bn",
    *,
    x: np.ndarray | None = None,
    stored: tuple[np.ndarray, np.ndarray] | None = None,
    trains: str = "batch",
    infers: str = "stored",
    moves: int = 1,
    factor: float = 1.0,
    keep: float | None = 0.9,
    again: np.ndarray | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """Return a layer as the worker tells it.

    stored: its mean and variance, by default the batch's, a little off; trains, infers: with what it normalises;
    moves: how many updates a step makes; factor: of the variance that it stores; again: the input of a second call.
    """
    x = (batch_of() if x is None else x).astype(np.float32)
    mean, variance = x.astype(np.float64).mean(0), x.astype(np.float64).var(0)
    own = (mean + 0.02 * np.sqrt(variance), variance * 1.03) if stored is None else stored
    own = tuple(np.asarray(part, np.float32) for part in own)
    after = [part.astype(np.float64) for part in own]
    weight = 1 - keep if keep is not None else 1 / ((changes.get("count") or 0) + 1)
    for _ in range(moves):
        after = [(1 - weight) * a + weight * b for a, b in zip(after, (mean, variance * factor), strict=True)]
    statistics = {"batch": (mean, variance), "stored": own}

    def call(how: str, x: np.ndarray = x) -> dict[str, Any]:
        moments = x.astype(np.float64)
        given = (moments.mean(0), moments.var(0)) if how == "batch" else own
        return {
            "said": how == "batch",
            "site": None,
            "shape": [SAMPLES, 4, 4, CHANNELS],
            "dtype": "float32",
            "output_dtype": "float32",
            "mean": moments.mean(0),
            "variance": moments.var(0),
            "size": np.abs(moments).mean(0),
            "count": len(x),
            "x": x,
            "y": normalized(x, *given),
        }

    assert statistics.keys() >= {trains, infers}
    second = [] if again is None else [call(trains, again)]
    return {
        "name": name,
        "kind": "BatchNormalization",
        "axis": -1,
        "epsilon": 1e-3,
        "momentum": keep,
        "keep": keep,
        "averaging": "exponential" if keep is not None else "cumulative",
        "tracked": True,
        "frozen": False,
        "mode": None,
        "reached": None,
        "count": None,
        "state": dict(zip(("mean", "variance"), own, strict=True)),
        "after": dict(zip(("mean", "variance"), (np.float32(part) for part in after), strict=True)),
        "after_inference": dict(zip(("mean", "variance"), own, strict=True)),
        "calls": {"training": [call(trains), *second], "inference": [call(infers), *second]},
        **changes,
    }


def measured_of(*layers: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Return what a worker says of a model with some layers."""
    y = np.linspace(-1, 1, 64)
    return {
        "framework": "keras",
        "version": "3.15.1",
        "backend": "tensorflow",
        "python": "3.11.7",
        "model": "Functional",
        "trainer": "train_on_batch",
        "mode": None,
        "steps": None,
        "notes": [],
        "layers": list(layers) or [layer_of()],
        "outputs": {"training": [y], "inference": [y + 0.01]},
        "seconds": {"training": 0.1, "inference": 0.1, "load": 1.0, "measuring": 0.01},
        "unchanged": {"arrays": 4, "changed": []},
        **changes,
    }


@pytest.fixture
def layer() -> Made:
    """Make a layer as the worker tells it."""
    return layer_of


@pytest.fixture
def inputs() -> Callable[..., np.ndarray]:
    """Make the input of a layer."""
    return batch_of


@pytest.fixture
def explained() -> Callable[..., Explanation]:
    """Explain a model of some layers."""

    def made(*layers: Mapping[str, Any], path: str = "model.py:make_model", **changes: Any) -> Explanation:
        return explanation(path, "data.npz", measured_of(*layers, **changes))

    return made
