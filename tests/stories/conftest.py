"""Records as a framework would give them, computed in float32 by NumPy."""

import numpy as np
import pytest

from bnspec.reference import estimate_variance, new_weight
from bnspec.stories.data import images
from bnspec.stories.judging import Setting
from bnspec.stories.network import cross_entropy, forward, initial, norms, parse

NETWORK = "conv c1 4, bn b1, relu, halve, conv c2 4, bn b2, relu, mean, dense d 3"


@pytest.fixture
def setting():
    """A small network on small images."""
    x, labels = images(1, 12, 4, contrast=0.3)
    return Setting(parse(NETWORK), x, labels, 0.9, 1e-3)


@pytest.fixture
def record():
    """Make the record of a training run: its modes, what it stores, how it evaluates."""
    return make


def make(setting, modes, averaging="exponential", estimator="population", steps=5, evaluate="stored", counts=None):
    weights = {name: dict(own) for name, own in initial(setting.network, 3, 1).items()}
    generator = np.random.default_rng(5)
    kept, losses = [weights], []
    for step in range(steps):
        now = forward(setting.network, weights, setting.x, modes, setting.epsilon)
        losses.append(float(np.float32(cross_entropy(now.logits, setting.labels))))
        weights = {name: dict(own) for name, own in weights.items()}
        for name, own in weights.items():
            for part, value in own.items():
                if part not in ("mean", "variance"):
                    own[part] = (value + 0.05 * generator.normal(size=value.shape)).astype(np.float32)
            if name in now.inputs and averaging != "none" and modes[name] == "batch":
                batch = now.inputs[name].batch
                weight = new_weight(step + 1, keep=setting.keep, averaging=averaging)
                new = estimate_variance(batch, stored_variance=estimator, epsilon=setting.epsilon)
                own["mean"] = ((1 - weight) * own["mean"] + weight * batch.mean).astype(np.float32)
                own["variance"] = ((1 - weight) * own["variance"] + weight * new).astype(np.float32)
        kept.append(weights)
    last = forward(
        setting.network, weights, setting.x, dict.fromkeys(norms(setting.network), evaluate), setting.epsilon
    )
    loss = float(np.float32(cross_entropy(last.logits, setting.labels)))
    fit = {"loss": losses, "accuracy": [0.5] * steps}
    return {"weights": kept, "fit": fit, "rate": 0.1, "evaluate": {"loss": loss, "accuracy": 0.5}, "after": kept[-1]}
