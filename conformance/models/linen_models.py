"""Modules of flax.linen with their variables that are wrong on purpose, and some that are right."""

import flax.linen as nn
import jax
import numpy as np


def batches(number, size=64):
    """Yield batches like the data that the tests explain them on: images of mean 1 and standard deviation 2."""
    random = np.random.RandomState(1)
    for _ in range(number):
        yield (1 + 2 * random.standard_normal((size, 8, 8, 3))).astype("float32")


class Network(nn.Module):
    """Two convolutions with batch normalization."""

    momentum: float = 0.9

    @nn.compact
    def __call__(self, x, train=False):
        for features in (8, 16):
            x = nn.Conv(features, (3, 3))(x)
            x = nn.relu(nn.BatchNorm(use_running_average=not train, momentum=self.momentum)(x))
        return nn.Dense(4)(x.mean(axis=(1, 2)))


class Fixed(nn.Module):
    """Always says the running average: the mode does not reach its layer."""

    @nn.compact
    def __call__(self, x, train=False):
        x = nn.BatchNorm(use_running_average=True)(nn.Conv(8, (3, 3))(x))
        return nn.Dense(4)(x.mean(axis=(1, 2)))


def trained(module, steps, size=64):
    """Return a module and its variables after some steps that move the statistics alone."""
    variables = module.init(jax.random.PRNGKey(0), np.zeros((2, 8, 8, 3), "float32"))
    for x in batches(steps, size):
        _, updated = module.apply(variables, x, train=True, mutable=["batch_stats"])
        variables = {**variables, **updated}
    return module, variables


def healthy():
    return trained(Network(), 80)


def fixed():
    """Story 1."""
    return trained(Fixed(), 60)


def momentum_zero():
    """Story 2: the statistics of one batch, under weights that moved afterwards."""
    module, variables = trained(Network(momentum=0.0), 3)
    moved = jax.tree_util.tree_map(lambda p: p * 1.5, variables["params"])
    return module, {**variables, "params": moved}


def few_steps():
    """Story 3."""
    return trained(Network(momentum=0.99), 10, size=12)


def other_data():
    """Story 4: Flax has no word for freezing; what is left is statistics of other data."""
    module, variables = trained(Network(), 80)
    return module, {**variables, "batch_stats": jax.tree_util.tree_map(lambda s: s * 9 + 3, variables["batch_stats"])}


def own_loop():
    """Story 5: the loop dropped the statistics that apply(…, mutable=["batch_stats"]) returned."""
    return trained(Network(), 0)


def module_alone():
    return Network()
