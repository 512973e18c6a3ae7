"""Keras on a backend that does not train, without Keras: it calls, and says what it has no words for."""

import types

import numpy as np
import pytest

from bnspec.worker.adapter import Unsupported
from bnspec.worker.adapters.keras_numpy import KerasNumpy


@pytest.fixture
def on_numpy():
    """The adapter on NumPy around a layer that doubles."""
    layer = KerasNumpy.__new__(KerasNumpy)
    layer.outer = lambda x, training: 2 * x if training else x
    layer.keras = types.SimpleNamespace(ops=types.SimpleNamespace(convert_to_numpy=np.asarray))
    return layer


def test_a_backend_that_does_not_train_calls_in_both_modes(on_numpy):
    assert on_numpy.forward(np.float32([1, 2]), {"training": True}, True, False).tolist() == [2, 4]
    assert on_numpy.forward(np.float32([1, 2]), {"training": False}, False, False).tolist() == [1, 2]
    assert not KerasNumpy.has_device("cuda")


def test_a_backend_that_does_not_train_says_so_instead_of_raising_what_keras_raises(on_numpy):
    with pytest.raises(Unsupported, match="no gradients"):
        on_numpy.backward(np.ones(2))
    with pytest.raises(Unsupported, match="no gradients"):
        on_numpy.forward(np.ones(2), {}, True, True)
    with pytest.raises(Unsupported, match="no fit"):
        on_numpy.fit(np.ones(2), np.ones(2), steps=1)
