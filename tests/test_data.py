"""Data made for a question."""

import numpy as np
import pytest

from bnspec.case import PLACES, place
from bnspec.data import UNEVEN, batch, channels, exact_batch, shape


@pytest.mark.parametrize(("rank", "axis"), PLACES)
def test_a_shape_has_its_channels_at_the_axis(rank, axis):
    size = shape(rank, axis, 5)
    assert len(size) == rank
    assert size[axis] == 5
    assert size[0] == 8


def test_the_same_seed_gives_the_same_bits_and_another_seed_other_data():
    one, same, other = (batch((8, 3), -1, seed=seed) for seed in (1, 1, 2))
    assert (one == same).all()
    assert not (one == other).any()


def test_the_moments_of_a_batch_are_known_and_never_round():
    x = batch((8, 4, 2, 3), -1, seed=3, mean=0.5, deviation=2.0, spread=0.25).astype(np.float64)
    rows = x.reshape(-1, 3)
    factor = UNEVEN * np.array([1.0, 1.125, 1.25])
    np.testing.assert_allclose(rows.mean(axis=0), 0.5 * factor, rtol=1e-6)
    np.testing.assert_allclose(rows.std(axis=0), 2.0 * factor, rtol=1e-6)
    halves = np.concatenate([rows.mean(axis=0), rows.var(axis=0)])
    assert (halves.astype(np.float16) != halves.astype(np.float32)).all()


def test_exact_data_have_exact_moments():
    x = exact_batch((8, 3), -1, mean=0.25, deviation=0.5)
    assert (x.mean(axis=0) == np.array([0.25, 0.5, 1.0], np.float32)).all()
    assert (x.var(axis=0) == np.array([0.25, 1.0, 4.0], np.float32)).all()


def test_channels_cycle_through_the_values():
    assert list(channels(5, 1.0, 2.0)) == [1, 2, 1, 2, 1]
    assert channels(5, 1.0).dtype == np.float32


def test_a_place_names_rank_and_channel_position():
    assert [place(rank, axis) for rank, axis in PLACES] == [
        "rank2", "rank3-last", "rank3-first", "rank4-last", "rank4-first", "rank5-last", "rank5-first",
        "rank4-axis2", "rank5-axis2", "rank5-axis3",
    ]  # fmt: skip
    assert place(5, 1) == "rank5-first"
