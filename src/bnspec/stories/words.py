"""Words for what a story shows: by what was normalised, what was stored, how far losses are apart."""

import re
from collections.abc import Mapping
from typing import Any

from bnspec.spec import AXES

SYMBOLS = {name: re.split(r":| \(", meaning)[0] for name, meaning in AXES["stats.stored-variance"].variants.items()}
"""What enters the moving variance, by variant of `stats.stored-variance`; v is the population variance."""

Layers = Mapping[str, Mapping[str, Any]]


def grouped(texts: Mapping[str, str]) -> str:
    """Return what is said of layers: once where it is the same of all, else by layer."""
    by_text: dict[str, list[str]] = {}
    for name, text in texts.items():
        by_text.setdefault(text, []).append(name)
    if len(by_text) == 1:
        return next(iter(by_text))
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in by_text.items())


def normalises(layers: Layers) -> str:
    """Return by which statistics the layers normalised in training."""
    return grouped({name: layer["mode"] for name, layer in layers.items()})


def stores(layers: Layers) -> str:
    """Return what the layers stored."""
    common = estimators(layers)
    return grouped({name: stored(layer, common) for name, layer in layers.items()})


def estimators(layers: Layers) -> list[str]:
    """Return the estimators of the variance that explain every layer that stores anything."""
    moving = [set(layer["estimator"]) for layer in layers.values() if layer["estimator"]]
    return [name for name in SYMBOLS if moving and name in set.intersection(*moving)]


def stored(layer: Mapping[str, Any], common: list[str]) -> str:
    """Return what one layer stored; common: the estimators that explain every layer that stores."""
    if layer["averaging"] == ["none"]:
        return "nothing"
    if not layer["estimator"]:
        return f"no rule explains it (closest: {layer['ratio']:.2g} allowances)"
    fitting = [name for name in SYMBOLS if name in (common or layer["estimator"])]
    average = "" if "exponential" in layer["averaging"] else "debiased, "
    return average + " or ".join(SYMBOLS[name] for name in fitting)


def number(value: float | None) -> str:
    """Return a loss or a distance in three digits."""
    return "–" if value is None else f"{value:.3g}"


def share(value: float | None) -> str:
    """Return an accuracy in percent."""
    return "–" if value is None else f"{100 * value:.0f} %"


def difference(value: float) -> str:
    """Return a difference of losses in two digits, signed."""
    return f"{value:+.2g}".replace("-", "−")
