"""flax.nnx.BatchNorm: modules that hold their own variables and change them in the call."""

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

    def call(self, mode, x, *, mask=None, record=True, collect=True, recompute=False):
        with jax.default_device(self.where):
            options, inputs = self.mask(mask), self.array(x)
            if mode is not None and self.outer is self.bn:
                options.update(said(mode))
            elif mode is not None:
                self.set_mode(mode, "parent")

            def forward(module, inputs):
                return module(inputs, **options)

            if recompute:
                y, self.pullback = nnx.vjp(nnx.remat(forward), self.outer, inputs, graph_updates=False)
            else:
                # The gradient is taken later, of the module as it was: most calls need none, and tracing costs.
                before = nnx.clone(self.outer)
                self.pullback = lambda dy: nnx.vjp(forward, before, inputs, graph_updates=False)[1](dy)
                y = forward(self.outer, inputs)
        self.dtype = y.dtype
        return np.asarray(y)

    def backward(self, dy):
        with jax.default_device(self.where):
            module, x = self.pullback(jnp.asarray(dy, self.dtype))
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
        fresh = nnx.state(self.outer)
        nnx.replace_by_pure_dict(fresh, nnx.restore_int_paths(flax.serialization.msgpack_restore(data)))
        nnx.update(self.outer, fresh)

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
