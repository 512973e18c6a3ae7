"""What flax.nnx spells otherwise before 0.12.5, the release that made nnx.vjp: gradients, variables, states.

The older releases ask for JAX's own transformations between nnx.split and nnx.merge, and for `.value`.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

OLDER = not hasattr(nnx, "vjp")


def vjp(forward, module, inputs):
    """Return the output, and what takes its gradient by a module and its inputs; the module is updated."""
    if not OLDER:
        return nnx.vjp(forward, module, inputs, graph_updates=False)
    graph, variables = nnx.split(module)

    def pure(variables, inputs):
        own = nnx.merge(graph, variables)
        return forward(own, inputs), nnx.state(own)

    y, pullback, updated = jax.vjp(pure, variables, inputs, has_aux=True)
    nnx.update(module, updated)

    def gradient(dy):
        by_variables, by_inputs = pullback(dy)
        return nnx.merge(graph, by_variables), by_inputs

    return y, gradient


def there(variable):
    """Return whether there is one; the older releases hold a Param of None for a scale that a layer has not."""
    return variable is not None and not (OLDER and variable.value is None)


def numbers(variable):
    """Return a variable's array."""
    return np.asarray(variable.value if OLDER else variable[...])


def assign(variable, array):
    """Set a variable's array."""
    if OLDER:
        variable.value = array
    else:
        variable[...] = array


def tree(state):
    """Return the arrays of a state in nested dictionaries."""
    found = {name: held for name, held in state.items() if isinstance(held, nnx.State) or there(held)}
    return {name: tree(held) if isinstance(held, nnx.State) else numbers(held) for name, held in found.items()}


def restore(module, arrays):
    """Set a module's variables from nested dictionaries. They may be read-only: a module that got them could not train.

    nnx.update takes dictionaries since 0.10; before, a state whose variables were set.
    """
    state = nnx.state(module)

    def fill(state, arrays):
        for name, held in state.items():
            if isinstance(held, nnx.State):
                fill(held, arrays[name])
            elif name in arrays:
                assign(held, jnp.asarray(arrays[name]))

    fill(state, arrays)
    nnx.update(module, state)
