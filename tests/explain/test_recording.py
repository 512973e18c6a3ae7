"""What the worker reduces, against the reference."""

import numpy as np
import pytest

from bnspec.reference import moments
from bnspec.reference.statistics import mean_size
from bnspec.worker.explaining.recording import Recorder, channel_moments, positions, sampled, timed

SHAPES = [((50, 7), -1), ((50, 7), 1), ((40, 5, 9), 1), ((40, 9, 5), -1), ((6, 3, 40, 50), 1), ((6, 40, 50, 3), -1),
          ((6, 40, 3, 50), 2), ((2, 3, 4, 5, 6), 1), ((2, 4, 5, 6, 3), -1), ((300, 700, 1), -1)]  # fmt: skip


@pytest.mark.parametrize(("shape", "axis"), SHAPES, ids=str)
@pytest.mark.parametrize("offset", [0.0, 1e5])
def test_moments_are_those_of_the_reference(shape, axis, offset):
    x = (offset + np.random.default_rng(0).standard_normal(shape)).astype(np.float32)
    found, due = channel_moments(x, axis), moments(x, axis=axis)
    assert found["count"] == due.count[0]
    np.testing.assert_allclose(found["mean"], due.mean, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(found["variance"], due.variance, rtol=1e-10)
    np.testing.assert_allclose(found["size"], mean_size(x, axis=axis), rtol=1e-13)


@pytest.mark.parametrize(("shape", "axis"), SHAPES, ids=str)
def test_samples_are_whole_positions_and_the_same_ones_each_time(shape, axis):
    x = np.arange(np.prod(shape)).reshape(shape)
    found = sampled(x, axis, positions(shape, axis))
    every = np.moveaxis(x, axis, -1).reshape(-1, shape[axis])
    assert {tuple(row) for row in found} <= {tuple(row) for row in every}
    assert (found == sampled(x, axis, positions(shape, axis))).all()
    assert len(found) == len(np.unique(found[:, 0])) >= min(4, len(every))


def test_a_large_input_is_sampled_and_nothing_of_its_size_is_kept():
    x = np.zeros((8, 64, 56, 56), np.float32)
    recorder = Recorder(__file__)

    def run():
        record = recorder.begin(1, True)
        recorder.finish(record, x, x, 1)
        recorder.finish(record, x + 1, x + 1, 1)  # a second time it is not looked at

    seconds = {}
    timed(recorder, "training", seconds, run)
    [call] = recorder.calls["training"]
    assert call["x"].nbytes + call["y"].nbytes < x.nbytes / 40
    assert call["mean"].max() == 0
    assert (call["dtype"], call["shape"], call["said"]) == ("float32", [8, 64, 56, 56], True)
    assert recorder.seconds > 0
    assert seconds["training"] >= 0


def test_the_line_of_the_readers_own_code_is_known():
    class Model:
        def call(self, inputs, training=None):
            return recorder.begin(1, None)

    recorder = Recorder(__file__)
    recorder.running = "training"
    site = Model().call(0)["site"]
    assert (site["file"], site["class"], site["function"]) == ("test_recording.py", "Model", "call")
    assert site["takes"] == ["inputs", "training"]


def test_nothing_is_recorded_outside_a_pass_and_within_a_recorded_call():
    recorder = Recorder(__file__)
    assert not recorder.wanted()
    recorder.running = "inference"
    assert recorder.wanted()
    recorder.inside += 1
    assert not recorder.wanted()
