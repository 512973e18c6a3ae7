"""flax.nnx.BatchNorm: modules that hold their own variables and change them in the call."""

import functools
from typing import Any, NamedTuple

import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from bnspec.worker.adapter import Unsupported
from bnspec.worker.adapters.flax_executions import AROUND, capture, run, run_backward
from bnspec.worker.adapters.flax_nnx_parents import around, layer_in
from bnspec.worker.adapters.flax_nnx_releases import assign, numbers, restore, there, tree, vjp
from bnspec.worker.adapters.flax_shared import AnyFlax, said

STATE = {"mean": "mean", "variance": "var", "scale": "scale", "offset": "bias"}


class Merged(NamedTuple):
    """A module of a graph, called in a mode, as a pure function of its variables. Modules that agree are equal."""

    graph: Any
    mode: Any
    recompute: bool

    def __call__(self, parameters, others, x, mask):
        # Variables made anew, within the transformation: others belong to what is around it, and cannot be updated.
        module = nnx.merge(self.graph, *jax.tree_util.tree_map(lambda array: array, (parameters, others)))
        options = dict(said(self.mode), **({} if mask is None else {"mask": mask}))

        def forward(module, x):
            return module(x, **options)

        y = (nnx.remat(forward) if self.recompute else forward)(module, x)
        return y, nnx.split(module, nnx.Param, ...)[2]


class NNX(AnyFlax):
    """flax.nnx.BatchNorm. A bare layer is told its mode in the call, a parent by train() and eval().

    JAX's transformations take the module between nnx.split and nnx.merge.
    """

    name = "flax.nnx"
    kind = nnx.BatchNorm
    executions = ("eager", "jit", "vmap", "scan", "remat", "two-pass", "input-reductions", "x64")

    def __init__(self, layer, *, structure="bare", execution="eager", device="cpu"):
        super().__init__(layer, structure=structure, execution=execution, device=device)
        with jax.default_device(self.where):
            self.bn = nnx.BatchNorm(layer["features"], rngs=nnx.Rngs(0), **self.arguments())
        self.outer = around(self.bn, structure)
        self.gradient: Any = None

    @classmethod
    def replicas(cls):
        from bnspec.worker.adapters.flax_replicas import NNXReplicas

        return NNXReplicas

    def call(self, mode, x, *, mask=None, record=True, collect=True, recompute=False):
        with jax.default_device(self.where):
            options, inputs, mode = self.mask(mask), self.array(x), self.tell(mode)
            if self.execution in AROUND:
                return self.call_pure(mode, inputs, options.get("mask"), recompute=recompute)
            options.update(said(mode))

            def forward(module, inputs):
                return module(inputs, **options)

            if self.execution == "remat":
                forward = nnx.remat(forward)
            # The gradient is taken later, of the module as it was: most calls need none, and tracing costs.
            before = nnx.clone(self.outer)
            self.gradient = lambda dy: pulled_back(vjp(forward, before, inputs), dy)
            if recompute:
                # Of the module itself: an update that the backward pass repeats is to be seen.
                taken = vjp(nnx.remat(forward), self.outer, inputs)
                self.gradient = functools.partial(pulled_back, taken)
                return np.asarray(taken[0])
            return np.asarray(forward(self.outer, inputs))

    def tell(self, mode):
        """Tell a parent the mode; return the one that is left to say in the call, as to a bare layer."""
        if mode is None or self.outer is self.bn:
            return mode
        self.set_mode(mode, "parent")
        return None

    def call_pure(self, mode, *inputs, recompute=False):
        """Call the module as a pure function, in an execution that transforms one."""
        graph, *variables = nnx.split(nnx.clone(self.outer), nnx.Param, ...)
        pure, given = Merged(graph, mode, recompute), (*variables, *inputs)

        def gradient(dy):
            parameters, x = run_backward(self.execution, pure, given, dy)
            return nnx.merge(graph, parameters, variables[1]), x

        self.gradient = gradient
        y, others = run(self.execution, pure, *given)
        nnx.update(self.outer, others)
        return np.asarray(y)

    def capture(self, mode, x):
        if self.execution != "jit":
            return super().capture(mode, x)
        with jax.default_device(self.where):
            mode = self.tell(mode)
            graph, *variables = nnx.split(nnx.clone(self.outer), nnx.Param, ...)
            capture("jit", Merged(graph, mode, False), *variables, self.array(x), None)

    def backward(self, dy):
        with jax.default_device(self.where):
            module, x = self.gradient(dy)
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


def pulled_back(taken, dy):
    """Return the gradients by a module and its input, of what `vjp` returned."""
    y, pullback = taken
    return pullback(jnp.asarray(dy, y.dtype))
