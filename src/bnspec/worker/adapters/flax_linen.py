"""flax.linen.BatchNorm: functional, so that the caller carries the variables from call to call."""

import inspect
from typing import Any, NamedTuple

import flax.core
import flax.linen as nn
import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np

from bnspec.worker.adapter import Unsupported
from bnspec.worker.adapters.flax_executions import capture, run, run_backward
from bnspec.worker.adapters.flax_linen_parents import around
from bnspec.worker.adapters.flax_shared import AnyFlax, said

STATE = {
    "mean": ("batch_stats", "mean"),
    "variance": ("batch_stats", "var"),
    "scale": ("params", "scale"),
    "offset": ("params", "bias"),
}


class Applied(NamedTuple):
    """A module's `apply` in a mode, as a pure function. Modules that agree are equal."""

    module: Any
    mode: Any
    collect: bool
    recompute: bool

    def __call__(self, parameters, others, x, mask):
        options = dict(said(self.mode), **({} if mask is None else {"mask": mask}))

        def forward(module, x):
            return module(x, **options)

        method = nn.remat(forward) if self.recompute else forward
        given = dict(others, params=parameters)
        if not self.collect:
            return self.module.apply(given, x, method=method, mutable=False), others
        y, updated = self.module.apply(given, x, method=method, mutable=["batch_stats"])
        return y, dict(others, **flax.core.unfreeze(updated))


class Linen(AnyFlax):
    """flax.linen.BatchNorm, applied."""

    name = "flax.linen"
    kind = nn.BatchNorm
    executions = ("eager", "jit", "vmap", "scan", "remat", "two-pass", "input-reductions", "x64")

    def __init__(self, layer, *, structure="bare", execution="eager", device="cpu"):
        super().__init__(layer, structure=structure, execution=execution, device=device)
        bn = nn.BatchNorm(**self.arguments())
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
            pure = self.pure(mode, collect, recompute)
            # The gradient of a pure function can be taken later; most calls need none, and tracing costs.
            self.last = pure, (*self.separated(), self.array(x), self.mask(mask).get("mask"))
            y, others = run(self.execution, pure, *self.last[1])
            self.variables = dict(self.variables, **others)
        return np.asarray(y)

    def pure(self, mode, collect=True, recompute=False):
        """Return the module as a pure function of its variables, x and a mask."""
        return Applied(self.module, mode, collect, recompute or self.execution == "remat")

    def separated(self):
        """Return the parameters, and the other variables."""
        others = {kind: flax.core.unfreeze(values) for kind, values in self.variables.items() if kind != "params"}
        return self.variables.get("params", {}), others

    def backward(self, dy):
        pure, given = self.last
        with jax.default_device(self.where):
            parameters, x = run_backward(self.execution, pure, given, dy)
        return dict(self.parts({"params": parameters}), x=np.asarray(x))

    def capture(self, mode, x):
        if self.execution != "jit":
            return super().capture(mode, x)
        with jax.default_device(self.where):
            capture("jit", self.pure(mode), *self.separated(), self.array(x), None)

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
