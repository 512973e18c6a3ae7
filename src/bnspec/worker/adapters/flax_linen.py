"""flax.linen.BatchNorm: functional, so that the caller carries the variables from call to call."""

import inspect
from typing import Any

import flax.linen as nn
import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np

from bnspec.worker.adapter import Unsupported
from bnspec.worker.adapters.flax_linen_parents import around
from bnspec.worker.adapters.flax_shared import AnyFlax, arguments, said

STATE = {
    "mean": ("batch_stats", "mean"),
    "variance": ("batch_stats", "var"),
    "scale": ("params", "scale"),
    "offset": ("params", "bias"),
}


class Linen(AnyFlax):
    """flax.linen.BatchNorm, applied eagerly."""

    name = "flax.linen"

    def __init__(self, layer, *, structure="bare", execution="eager", device="cpu"):
        super().__init__(layer, structure=structure, execution=execution, device=device)
        bn = nn.BatchNorm(**arguments(layer))
        self.module, self.path = around(bn, structure)
        mode = {} if layer["mode"] else said("infer")
        with jax.default_device(self.where):
            fresh = bn.init(jax.random.PRNGKey(0), self.example(), **mode)
        # As the parent's own init arranges them; that of a parent which does not pass the mode on raises.
        self.variables = {kind: nested(self.path, values) for kind, values in fresh.items()}
        self.last: Any = None

    @classmethod
    def replicas(cls):
        from bnspec.worker.adapters.flax_replicas import LinenReplicas

        return LinenReplicas

    def example(self):
        shape = [2] * self.layer["rank"]
        shape[self.layer["axis"]] = self.layer["features"]
        return jnp.zeros(shape, self.layer["dtypes"]["input"])

    def call(self, mode, x, *, mask=None, record=True, collect=True, recompute=False):
        if mask is not None and "mask" not in inspect.signature(nn.BatchNorm.__call__).parameters:
            raise Unsupported("flax.linen.BatchNorm of this release takes no mask")
        with jax.default_device(self.where):
            options = dict(said(mode), **self.mask(mask))
            variables, module = self.variables, self.module

            def run(module, inputs):
                return module(inputs, **options)

            method = nn.remat(run) if recompute else run

            def forward(parameters, inputs):
                given = dict(variables, params=parameters)
                if collect:
                    return module.apply(given, inputs, method=method, mutable=["batch_stats"])
                return module.apply(given, inputs, method=method, mutable=False), {}

            # The gradient of a pure function can be taken later; most calls need none, and tracing costs.
            self.last = forward, variables.get("params", {}), self.array(x)
            y, updated = forward(*self.last[1:])
            self.variables = dict(variables, **updated)
        return np.asarray(y)

    def backward(self, dy):
        forward, parameters, inputs = self.last
        with jax.default_device(self.where):
            y, pullback, _ = jax.vjp(forward, parameters, inputs, has_aux=True)
            parameters, x = pullback(jnp.asarray(dy, y.dtype))
        return dict(self.parts({"params": parameters}), x=np.asarray(x))

    def parts(self, variables):
        """Return the layer's arrays in a dictionary of variables, by our names."""
        found = {}
        for name, (kind, own) in STATE.items():
            values = within(variables.get(kind, {}), self.path)
            if own in values:
                found[name] = np.asarray(values[own])
        return found

    def get_state(self):
        return self.parts(self.variables)

    def set_state(self, state):
        for name, value in state.items():
            kind, own = STATE[name]
            values = dict(within(self.variables[kind], self.path))
            with jax.default_device(self.where):
                values[own] = jnp.asarray(value, values[own].dtype)
            self.variables = dict(self.variables, **{kind: nested(self.path, values)})

    def snapshot(self):
        return self.variables

    def look(self, held):
        return self.parts(held)

    def reload(self, missing=()):
        if missing:
            raise Unsupported("there is no counter")
        data = flax.serialization.to_bytes(self.variables)
        self.again()
        self.variables = flax.serialization.from_bytes(self.variables, data)

    def set_mode(self, mode, where="layer"):
        raise Unsupported("flax.linen has no modes to set: the call or the constructor says use_running_average")

    def facts(self):
        state = ["%s/%s" % (kind, name) for kind, values in self.variables.items() for name in values]
        paths = {name: "%s/*/%s" % place for name, place in STATE.items()}
        own = {"constructor": "flax.linen.BatchNorm({arguments})", "state paths": paths}
        return dict(self.facts_of(nn.BatchNorm), state=state, **own)


def nested(path, values):
    """Return values inside dictionaries, the path's first name outermost."""
    for name in reversed(path):
        values = {name: values}
    return values


def within(values, path):
    """Return what stands at a path of dictionaries, nothing where there is none."""
    for name in path:
        values = values.get(name, {})
    return values
