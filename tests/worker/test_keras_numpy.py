"""Keras on a backend that does not train, without Keras: it calls, and says what it has no words for."""

import importlib
import sys
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


@pytest.fixture
def on_openvino(monkeypatch):
    """Return the adapter on OpenVINO in an execution; predicted, everything is 7."""
    monkeypatch.setitem(sys.modules, "openvino", types.SimpleNamespace(__version__="0"))
    monkeypatch.delitem(sys.modules, "bnspec.worker.adapters.keras_openvino", raising=False)
    adapter = importlib.import_module("bnspec.worker.adapters.keras_openvino").KerasOpenVINO

    def made(execution):
        layer = adapter.__new__(adapter)
        layer.execution = execution
        layer.outer = lambda x, **options: x
        layer.keras = types.SimpleNamespace(ops=types.SimpleNamespace(convert_to_numpy=np.asarray))
        layer.model = types.SimpleNamespace(predict=lambda x, batch_size, verbose: np.full_like(x, 7))
        return layer

    yield made
    del sys.modules["bnspec.worker.adapters.keras_openvino"]


@pytest.mark.parametrize(
    ("execution", "options", "y"),
    [
        ("eager", {"training": False}, 1),
        ("predict", {"training": False}, 7),
        ("predict", {"training": True}, 1),
        ("predict", {}, 1),
        ("predict", {"training": False, "mask": True}, 1),
    ],
)
def test_only_a_call_in_inference_without_a_mask_is_what_predict_can_do(on_openvino, execution, options, y):
    assert on_openvino(execution).forward(np.ones(1), options, True, False).tolist() == [y]


@pytest.mark.parametrize(("length", "asked"), [(3, 3), (0, None)])
def test_the_trainer_predicts_all_in_one_batch_and_leaves_an_empty_one_to_keras(on_numpy, length, asked):
    sizes = []
    on_numpy.model = types.SimpleNamespace(predict=lambda x, batch_size, verbose: sizes.append(batch_size))
    on_numpy.predict(np.ones((length, 2)))
    assert sizes == [asked]
