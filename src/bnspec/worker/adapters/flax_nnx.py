"""flax.nnx.BatchNorm: modules that hold their own variables and change them in the call."""

import functools
from typing import Any

import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from bnspec.worker.adapter import Unsupported
from bnspec.worker.adapters.flax_nnx_parents import around, layer_in
from bnspec.worker.adapters.flax_nnx_releases import assign, numbers, restore, there, tree, vjp
from bnspec.worker.adapters.flax_shared import AnyFlax, arguments, said

STATE = {"mean": "mean", "variance": "var", "scale": "scale", "offset": "bias"}


class NNX(AnyFlax):
    """flax.nnx.BatchNorm, called eagerly. A bare layer is told its mode in the call, a parent by train() and eval()."""

    name = "flax.nnx"

    def __init__(self, layer, *, structure="bare", execution="eager", device="cpu"):
        super().__init__(layer, structure=structure, execution=execution, device=device)
        with jax.default_device(self.where):
            self.bn = nnx.BatchNorm(layer["features"], rngs=nnx.Rngs(0), **arguments(layer))
        self.outer = around(self.bn, structure)
        self.gradient: Any = None

    @classmethod
    def replicas(cls):
        from bnspec.worker.adapters.flax_replicas import NNXReplicas

        return NNXReplicas

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
            self.gradient = functools.partial(vjp, forward, nnx.clone(self.outer), inputs)
            if recompute:
                # Of the module itself: an update that the backward pass repeats is to be seen.
                taken = vjp(nnx.remat(forward), self.outer, inputs)
                self.gradient = lambda: taken
                return np.asarray(taken[0])
            return np.asarray(forward(self.outer, inputs))

    def backward(self, dy):
        with jax.default_device(self.where):
            y, pullback = self.gradient()
            module, x = pullback(jnp.asarray(dy, y.dtype))
        found = {name: getattr(layer_in(module), STATE[name]) for name in ("scale", "offset")}
        return dict({name: numbers(v) for name, v in found.items() if there(v)}, x=np.asarray(x))

    def get_state(self):
        found = {name: getattr(self.bn, own) for name, own in STATE.items()}
        return {name: numbers(variable) for name, variable in found.items() if there(variable)}

    def set_state(self, state):
        with jax.default_device(self.where):
            for name, value in state.items():
                variable = getattr(self.bn, STATE[name])
                assign(variable, jnp.asarray(value, numbers(variable).dtype))

    def snapshot(self):
        return nnx.state(self.outer)

    def look(self, held):
        while "mean" not in held:
            (held,) = held.values()
        return {name: numbers(held[own]) for name, own in STATE.items() if own in held}

    def reload(self, missing=()):
        if missing:
            raise Unsupported("there is no counter")
        data = flax.serialization.to_bytes(tree(nnx.state(self.outer)))
        self.again()
        loaded = flax.serialization.from_bytes(tree(nnx.state(self.outer)), data)
        with jax.default_device(self.where):
            restore(self.outer, loaded)

    def set_mode(self, mode, where="layer"):
        module = self.outer if where == "parent" else self.bn
        if mode == "train":
            module.train()
        else:
            module.eval()

    def facts(self):
        facts = dict(self.facts_of(nnx.BatchNorm), state=list(tree(nnx.state(self.bn))))
        facts["argument names"]["features"] = "num_features"
        facts["constructor"] = "flax.nnx.BatchNorm({arguments}, rngs=flax.nnx.Rngs(0))"
        return dict(facts, **{"state paths": {name: "*/" + own for name, own in STATE.items()}})
