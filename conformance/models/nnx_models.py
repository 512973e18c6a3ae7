"""Modules of flax.nnx that are wrong on purpose, and some that are right."""

import jax.numpy as jnp
import numpy as np
from flax import nnx


def batches(number, size=64):
    """Yield batches like the data that the tests explain them on: images of mean 1 and standard deviation 2."""
    random = np.random.RandomState(1)
    for _ in range(number):
        yield jnp.asarray((1 + 2 * random.standard_normal((size, 8, 8, 3))).astype("float32"))


class Network(nnx.Module):
    """Two convolutions with batch normalization."""

    def __init__(self, momentum=0.9):
        rngs = nnx.Rngs(0)
        self.first, self.bn = nnx.Conv(3, 8, (3, 3), rngs=rngs), nnx.BatchNorm(8, momentum=momentum, rngs=rngs)
        self.second, self.bn2 = nnx.Conv(8, 16, (3, 3), rngs=rngs), nnx.BatchNorm(16, momentum=momentum, rngs=rngs)
        self.last = nnx.Linear(16, 4, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.bn(self.first(x)))
        x = nnx.relu(self.bn2(self.second(x)))
        return self.last(x.mean(axis=(1, 2)))


class Pinned(Network):
    """Says the running average where its first layer is called."""

    def __call__(self, x):
        x = nnx.relu(self.bn(self.first(x), use_running_average=True))
        x = nnx.relu(self.bn2(self.second(x)))
        return self.last(x.mean(axis=(1, 2)))


def trained(model, steps, size=64):
    """Train for some steps that move the statistics alone."""
    for x in batches(steps, size):
        model(x)
    return model


def healthy():
    model = trained(Network(), 80)
    model.eval()
    return model


def pinned():
    """Story 1."""
    return trained(Pinned(), 80)


def few_steps():
    """Story 3."""
    return trained(Network(momentum=0.99), 10, size=12)


def own_loop():
    """Story 5: the loop ran in inference mode."""
    model = Network()
    model.eval()
    return trained(model, 10)
