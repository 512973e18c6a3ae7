"""DATA.npz: what is a batch, and what is refused in words."""

import numpy as np
import pytest

from bnspec.explain import BadData, read_batch

X = np.ones((4, 3), np.float32)


@pytest.fixture
def saved(tmp_path):
    """Save arrays; return the file."""

    def save(**arrays):
        np.savez(tmp_path / "data.npz", **arrays)
        return tmp_path / "data.npz"

    return save


def test_the_batch_is_x_or_the_only_array_or_the_named_one(saved):
    assert read_batch(saved(x=X, other=X + 1)).x.tolist() == X.tolist()
    assert read_batch(saved(images=X)).x.tolist() == X.tolist()
    assert read_batch(saved(a=X, b=X + 1), x="b").x.tolist() == (X + 1).tolist()


def test_targets_are_y_or_the_named_ones_and_labels_may_be_integers(saved):
    assert read_batch(saved(x=X)).y is None
    labels = np.arange(4)
    assert read_batch(saved(x=X, y=labels)).y.tolist() == [0, 1, 2, 3]
    assert read_batch(saved(images=X, y=labels)).y.tolist() == [0, 1, 2, 3]
    assert read_batch(saved(x=X, labels=labels), y="labels").y.tolist() == [0, 1, 2, 3]


def test_images_may_be_integers(saved):
    assert read_batch(saved(x=np.ones((2, 3), np.uint8))).x.dtype == np.uint8


NAN = np.where(np.arange(12).reshape(4, 3) == 7, np.nan, 1.0)


@pytest.mark.parametrize(
    ("arrays", "names", "words"),
    [
        ({}, {}, "holds no array"),
        ({"a": X, "b": X}, {}, r"has no array 'x'; it has: a, b; name the batch by --x NAME"),
        ({"a": X}, {"x": "b"}, "has no array 'b'; it has: a"),
        ({"x": X}, {"y": "labels"}, "has no array 'labels'; it has: x"),
        ({"x": np.array([{}, {}])}, {}, "'x' holds Python objects, which are not unpickled; save plain numbers"),
        ({"x": np.array([["a"], ["b"]])}, {}, r"shape \(2, 1\) and dtype <U1; expected floating-point numbers or int"),
        ({"x": X.astype(complex)}, {}, "dtype complex128; expected floating-point numbers or integers"),
        ({"x": X.astype(bool)}, {}, "dtype bool; expected"),
        ({"x": np.ones(4)}, {}, r"shape \(4,\) .* expected a batch: samples first, and at least one more axis"),
        ({"x": np.float32(3)}, {}, "expected a batch"),
        ({"x": np.ones((0, 3))}, {}, "it is empty"),
        ({"x": np.ones((1, 3))}, {}, "one sample has no batch statistics; expected two or more"),
        ({"x": NAN}, {}, r"'x' has 1 values that are NaN or infinite, the first at \(2, 1\)"),
        ({"x": X * np.inf}, {}, "'x' has 12 values that are NaN or infinite"),
        ({"x": X, "y": np.arange(3)}, {}, "expected a target for each of the 4 samples"),
        ({"x": X, "y": np.array(["a"] * 4)}, {}, "'y' has shape .4,. and dtype <U1; expected numbers"),
        ({"x": X, "y": np.full(4, np.nan)}, {}, "'y' has NaN or infinite values"),
    ],
    ids=lambda value: "",
)
def test_what_is_no_batch_is_refused_in_words(saved, arrays, names, words):
    with pytest.raises(BadData, match=rf"data\.npz: .*{words}"):
        read_batch(saved(**arrays), **names)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no .npz"),
        (b"junk", "is no .npz"),
        (b"PK\x03\x04 and then nothing of it", "is no .npz"),
        (b"\x80\x04\x95 a pickle", "is no .npz"),
    ],
    ids=lambda value: "",
)
def test_a_file_of_another_kind_is_refused_in_words(tmp_path, content, words):
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with pytest.raises(BadData, match=words):
        read_batch(path)


def test_a_single_array_a_folder_and_no_file_are_refused_in_words(tmp_path):
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(BadData, match="is a single array, not an archive"):
        read_batch(tmp_path / "x.npy")
    with pytest.raises(BadData, match="cannot be read: Is a directory"):
        read_batch(tmp_path)
    with pytest.raises(BadData, match="there is no such file"):
        read_batch(tmp_path / "none.npz")


def test_a_truncated_archive_is_refused_in_words(saved):
    path = saved(x=np.ones((100, 100)))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(BadData, match=r"is no \.npz"):
        read_batch(path)


def test_an_array_that_is_damaged_is_refused_in_words(saved):
    path = saved(x=np.ones((100, 100)))
    data = bytearray(path.read_bytes())
    data[3000:3100] = b"\x07" * 100
    path.write_bytes(data)
    with pytest.raises(BadData, match="'x' cannot be read: Bad CRC"):
        read_batch(path)
