"""How a layer of Flax can run: JAX's transformations of the layer as a pure function, and a constructor's options.

A pure function takes parameters, the other variables, x and a mask, and returns y and the other variables as it
leaves them. It is hashable: functions that say the same of modules that agree share what JAX compiles.
"""

import functools
import inspect
from typing import Any, List

import jax
import jax.numpy as jnp

COMPILED = ("jit", "scan")
"""A loop is compiled wherever it stands: under jax.jit, so that programs which agree share it."""

OPTIONS = {"two-pass": {"use_fast_variance": False}, "input-reductions": {"force_float32_reductions": False}}
"""What the constructor is told, by execution."""

TRACED: List[Any] = []
"""An entry each time that JAX traces a function to compile it."""


def plain(pure):
    return pure


def vmapped(pure):
    """Return the function under jax.vmap, over a leading axis of length 1 of x and of the mask."""

    def forward(parameters, others, *inputs):
        each = jax.vmap(pure, in_axes=(None, None, 0, 0))
        return first(each(parameters, others, *with_leading_axis(inputs)))

    return forward


def scanned(pure):
    """Return the function in jax.lax.scan, which carries the statistics along a leading axis of length 1."""

    def forward(parameters, others, *inputs):
        def body(others, each):
            y, others = pure(parameters, others, *each)
            return others, y

        others, y = jax.lax.scan(body, others, with_leading_axis(inputs))
        return first(y), others

    return forward


def with_leading_axis(tree):
    return jax.tree_util.tree_map(lambda array: array[None], tree)


def first(tree):
    return jax.tree_util.tree_map(lambda array: array[0], tree)


AROUND = {"jit": plain, "vmap": vmapped, "scan": scanned}


def run(execution, pure, *given):
    """Return y and the variables that the function leaves, in an execution."""
    return (compiled if execution in COMPILED else transformed)(execution, pure, *given)


def run_backward(execution, pure, given, dy):
    """Return the gradients by the parameters and by x."""
    return (compiled_gradients if execution in COMPILED else gradients)(execution, pure, given, dy)


def transformed(execution, pure, *given):
    return AROUND.get(execution, plain)(pure)(*given)


def gradients(execution, pure, given, dy):
    parameters, others, x, mask = given

    def forward(parameters, x):
        return transformed(execution, pure, parameters, others, x, mask)

    y, pullback, _ = jax.vjp(forward, parameters, x, has_aux=True)
    return pullback(jnp.asarray(dy, y.dtype))


@functools.partial(jax.jit, static_argnums=(0, 1))
def compiled(execution, pure, *given):
    TRACED.append(pure)
    return transformed(execution, pure, *given)


@functools.partial(jax.jit, static_argnums=(0, 1))
def compiled_gradients(execution, pure, given, dy):
    TRACED.append(pure)
    return gradients(execution, pure, given, dy)


def capture(execution, pure, *given):
    """Trace and compile a function ahead, and call nothing."""
    compiled.lower(execution, pure, *given).compile()


def lacking(batch_norm, execution):
    """Say which argument of an execution a release's constructor lacks; empty where it has it."""
    given = inspect.signature(batch_norm.__init__).parameters
    return "".join("BatchNorm of this release has no %s" % n for n in OPTIONS.get(execution, {}) if n not in given)
