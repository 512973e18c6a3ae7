"""flax.nnx.BatchNorm: modules that hold their own variables and change them in the call."""

import functools
from typing import Any

import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from bnspec.worker.adapter import Unsupported
from bnspec.worker.adapters.flax_shared import AnyFlax, arguments, said

STATE = {"mean": "mean", "variance": "var", "scale": "scale", "offset": "bias"}


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
        # Without nnx.data the framework refuses a list that holds a module, and its message asks for this.
        self.layers = nnx.data([inner])

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


class NNX(AnyFlax):
    """flax.nnx.BatchNorm, called eagerly. A bare layer is told its mode in the call, a parent by train() and eval()."""

    name = "flax.nnx"

    def __init__(self, layer, *, structure="bare", execution="eager", device="cpu"):
        super().__init__(layer, structure=structure, execution=execution, device=device)
        with jax.default_device(self.where):
            self.bn = nnx.BatchNorm(layer["features"], rngs=nnx.Rngs(0), **arguments(layer))
        self.outer = around(self.bn, structure)
        self.gradient: Any = None

    def call(self, mode, x, *, mask=None, record=True, collect=True, recompute=False):
        with jax.default_device(self.where):
            options, inputs = self.mask(mask), self.array(x)
            if mode is not None and self.outer is self.bn:
                options.update(said(mode))
            elif mode is not None:
                self.set_mode(mode, "parent")

            def forward(module, inputs):
                return module(inputs, **options)

            # The gradient is taken later, of the module as it was: most calls need none, and tracing costs.
            self.gradient = functools.partial(nnx.vjp, forward, nnx.clone(self.outer), inputs, graph_updates=False)
            if recompute:
                # Of the module itself: an update that the backward pass repeats is to be seen.
                taken = nnx.vjp(nnx.remat(forward), self.outer, inputs, graph_updates=False)
                self.gradient = lambda: taken
                return np.asarray(taken[0])
            return np.asarray(forward(self.outer, inputs))

    def backward(self, dy):
        with jax.default_device(self.where):
            y, pullback = self.gradient()
            module, x = pullback(jnp.asarray(dy, y.dtype))
        found = {name: getattr(layer_in(module), STATE[name]) for name in ("scale", "offset")}
        return dict({name: np.asarray(v[...]) for name, v in found.items() if v is not None}, x=np.asarray(x))

    def get_state(self):
        found = {name: getattr(self.bn, own) for name, own in STATE.items()}
        return {name: np.asarray(variable[...]) for name, variable in found.items() if variable is not None}

    def set_state(self, state):
        with jax.default_device(self.where):
            for name, value in state.items():
                variable = getattr(self.bn, STATE[name])
                variable[...] = jnp.asarray(value, variable.dtype)

    def snapshot(self):
        return nnx.state(self.outer)

    def look(self, held):
        while "mean" not in held:
            (held,) = held.values()
        return {name: np.asarray(held[own][...]) for name, own in STATE.items() if own in held}

    def reload(self, missing=()):
        if missing:
            raise Unsupported("there is no counter")
        data = flax.serialization.to_bytes(nnx.to_pure_dict(nnx.state(self.outer)))
        self.again()
        loaded = flax.serialization.from_bytes(nnx.to_pure_dict(nnx.state(self.outer)), data)
        # The arrays of from_bytes are NumPy's, read-only: a module that got them could not train.
        with jax.default_device(self.where):
            nnx.update(self.outer, jax.tree_util.tree_map(jnp.asarray, loaded))

    def set_mode(self, mode, where="layer"):
        module = self.outer if where == "parent" else self.bn
        if mode == "train":
            module.train()
        else:
            module.eval()

    def facts(self):
        return dict(self.facts_of(nnx.BatchNorm), state=list(nnx.to_pure_dict(nnx.state(self.bn))))


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
