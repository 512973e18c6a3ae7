"""What stands around a layer of flax.nnx."""

from flax import nnx

from bnspec.worker.adapters.flax_shared import said


class Parent(nnx.Module):
    """A module around the layer; train() and eval() reach the layer by themselves, no call passes a mode on."""

    def __init__(self, inner):
        self.inner = inner

    def __call__(self, x, **options):
        return self.inner(x, **options)


class Twice(Parent):
    """A module that calls the same layer twice."""

    def __call__(self, x, **options):
        return self.inner(self.inner(x, **options), **options)


class Listed(nnx.Module):
    """A module that holds the layer in a plain list."""

    def __init__(self, inner):
        # Since 0.11 the framework refuses a list that holds a module, and its message asks for nnx.data.
        self.layers = nnx.data([inner]) if hasattr(nnx, "data") else [inner]

    @property
    def inner(self):
        return self.layers[0]

    def __call__(self, x):
        return self.layers[0](x)


class Pinned(nnx.Module):
    """A module that says the mode itself."""

    def __init__(self, inner, mode):
        self.inner, self.mode = inner, mode

    def __call__(self, x):
        return self.inner(x, **said(self.mode))


def around(bn, structure):
    """Return what stands around the layer."""
    if structure in ("pinned-train", "pinned-infer"):
        return Pinned(bn, structure.rpartition("-")[2])
    return {
        "bare": lambda: bn,
        "model": lambda: Parent(bn),
        "nested-model": lambda: Parent(Parent(bn)),
        "user-layer": lambda: Parent(bn),
        "user-model": lambda: Parent(bn),
        "shared-twice": lambda: Twice(bn),
        "plain-list": lambda: Listed(bn),
    }[structure]()


def layer_in(module):
    """Return the BatchNorm in a module."""
    while not isinstance(module, nnx.BatchNorm):
        module = module.inner
    return module
