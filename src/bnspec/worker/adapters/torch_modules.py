"""What stands around a layer of torch.nn: modules that torch brings, and such as a user writes."""

import torch


class Parent(torch.nn.Module):
    """A user's module around the layer; torch passes the mode on by itself."""

    def __init__(self, layer):
        super().__init__()
        self.inner = layer

    def forward(self, x):
        return self.inner(x)


class Twice(Parent):
    """A module that calls the same layer twice."""

    def forward(self, x):
        return self.inner(self.inner(x))


class Listed(torch.nn.Module):
    """A module that holds the layer in a plain list, where torch does not look for modules."""

    def __init__(self, layer):
        super().__init__()
        self.layers = [layer]

    def forward(self, x):
        return self.layers[0](x)


AROUND = {
    "bare": lambda layer: layer,
    "model": torch.nn.Sequential,
    "nested-model": lambda layer: torch.nn.Sequential(torch.nn.Sequential(layer)),
    "user-layer": Parent,
    "user-model": Parent,
    "shared-twice": Twice,
    "plain-list": Listed,
}
