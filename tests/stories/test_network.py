"""The reference of a network: its convolutions by hand, its layers, its rounding errors."""

import itertools

import numpy as np
import pytest

from bnspec.reference import normalize
from bnspec.stories.network import Noise, Operation, cross_entropy, forward, initial, norms, parse, passes
from bnspec.worker.stories import networks

X = np.random.default_rng(0).normal(size=(2, 4, 4, 3))


def logits(text, weights, x=X, modes=None):
    network = parse(text)
    return forward(network, weights, x, modes or dict.fromkeys(norms(network), "batch"), 1e-3).logits


def test_a_line_is_parsed():
    assert parse("conv c1 8, bn b1, relu") == (Operation("conv", "c1", 8), Operation("bn", "b1"), Operation("relu"))


def test_a_convolution_is_a_sum_over_neighbours():
    kernel = np.random.default_rng(1).normal(size=(3, 3, 3, 2))
    y = logits("conv c1 2", {"c1": {"kernel": kernel}})
    for b, i, j, o in itertools.product(range(2), range(4), range(4), range(2)):
        expected = sum(
            X[b, i + di - 1, j + dj - 1, c] * kernel[di, dj, c, o]
            for di, dj, c in itertools.product(range(3), range(3), range(3))
            if 0 <= i + di - 1 < 4 and 0 <= j + dj - 1 < 4
        )
        assert y[b, i, j, o] == pytest.approx(expected, rel=1e-12)


def test_halving_is_the_mean_of_blocks():
    assert logits("halve", {})[0, 1, 0, 2] == pytest.approx(X[0, 2:4, 0:2, 2].mean())


def test_the_mean_is_that_of_every_channel_of_an_image():
    assert logits("mean", {})[1] == pytest.approx(X[1].mean((0, 1)))


def test_a_block_of_a_resnet_adds_and_one_of_a_densenet_concatenates():
    assert logits("fork, relu, add", {}) == pytest.approx(X + np.maximum(X, 0))
    assert logits("fork, relu, concat", {}) == pytest.approx(np.concatenate([X, np.maximum(X, 0)], -1))


@pytest.mark.parametrize("mode", ["batch", "stored"])
def test_a_batch_normalization_uses_the_statistics_of_its_mode(mode):
    own = {"scale": np.array([1.0, 2, 3]), "offset": np.array([0.0, 1, 2])}
    own.update(mean=np.array([0.1, 0.2, 0.3]), variance=np.array([1.0, 2, 3]))
    mean, variance = (X.mean((0, 1, 2)), X.var((0, 1, 2))) if mode == "batch" else (own["mean"], own["variance"])
    expected = normalize(X, mean=mean, variance=variance, scale=own["scale"], offset=own["offset"], epsilon=1e-3)
    assert logits("bn b1", {"b1": own}, modes={"b1": mode}) == pytest.approx(expected)


def test_every_combination_of_modes_is_run_once():
    network = parse(networks.DENSE)
    found = list(passes(network, initial(network, 3, 1), X, dict.fromkeys(norms(network), ("batch", "stored")), 1e-3))
    assert len({tuple(one.modes.items()) for one in found}) == len(found) == 8
    for one in found:
        assert (one.logits == forward(network, initial(network, 3, 1), X, one.modes, 1e-3).logits).all()


def test_rounding_errors_are_those_of_float32():
    network = parse(networks.RESIDUAL)
    weights, modes = initial(network, 3, 1), dict.fromkeys(norms(network), "batch")
    exact = forward(network, weights, X, modes, 1e-3).logits
    bounds = []
    noisy = [forward(network, weights, X, modes, 1e-3, Noise(seed, bounds)).logits for seed in range(4)]
    off = [np.abs(one - exact).max() for one in noisy]
    assert all(1e-8 < size < 1e-4 for size in off)
    assert len(set(off)) == 4


def test_weights_start_as_they_should():
    weights = initial(parse(networks.SHRINKING), 3, 1)
    assert {name: own["kernel"].shape for name, own in weights.items() if "kernel" in own}["c4"] == (3, 3, 8, 16)
    assert weights["b4"]["variance"].tolist() == [1.0] * 16
    assert weights["d"]["kernel"].shape == (16, 3)
    assert weights["c6"]["kernel"].std() == pytest.approx(np.sqrt(2 / 144), rel=0.05)


def test_concatenation_adds_channels():
    assert initial(parse(networks.DENSE), 3, 1)["b3"]["scale"].shape == (24,)


def test_cross_entropy_of_equal_logits_is_that_of_guessing():
    assert cross_entropy(np.zeros((4, 3)), np.array([0, 1, 2, 0])) == pytest.approx(np.log(3))
    assert cross_entropy(np.array([[1000.0, 0.0]]), np.array([0])) == 0


def test_a_dense_layer_adds_its_bias():
    own = {"kernel": np.arange(6.0).reshape(3, 2), "bias": np.array([1.0, -1.0])}
    assert logits("mean, dense d 2", {"d": own}) == pytest.approx(X.mean((1, 2)) @ own["kernel"] + own["bias"])
