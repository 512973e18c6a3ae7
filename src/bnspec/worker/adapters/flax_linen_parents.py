"""What stands around a layer of flax.linen."""

from typing import Any

import flax.linen as nn


class Passing(nn.Module):
    """A module that passes on what its caller says."""

    inner: nn.Module

    def __call__(self, x, **options):
        return self.inner(x, **options)


class Silent(nn.Module):
    """A user's module around the layer that does not pass the mode on."""

    inner: nn.Module

    def __call__(self, x, use_running_average=None):
        return self.inner(x)


class Twice(nn.Module):
    """A module that calls the same layer twice."""

    inner: nn.Module

    def __call__(self, x, **options):
        return self.inner(self.inner(x, **options), **options)


class Listed(nn.Module):
    """A user's module that holds the layer in a list and does not pass the mode on."""

    layers: Any

    def __call__(self, x, use_running_average=None):
        return self.layers[0](x)


class Pinned(nn.Module):
    """A module that says the mode itself."""

    inner: nn.Module
    infer: bool

    def __call__(self, x, use_running_average=None):
        return self.inner(x, use_running_average=self.infer)


def around(bn, structure):
    """Return what stands around the layer, and where its variables are in that one's."""
    if structure in ("pinned-train", "pinned-infer"):
        return Pinned(bn, structure == "pinned-infer"), ("inner",)
    return {
        "bare": lambda: (bn, ()),
        "model": lambda: (Passing(bn), ("inner",)),
        "nested-model": lambda: (Passing(Passing(bn)), ("inner", "inner")),
        "user-layer": lambda: (Silent(bn), ("inner",)),
        "user-model": lambda: (Silent(bn), ("inner",)),
        "shared-twice": lambda: (Twice(bn), ("inner",)),
        "plain-list": lambda: (Listed([bn]), ("layers_0",)),
    }[structure]()
