"""Saved models as files: .npz and safetensors are read and written bit by bit, and what is neither is refused."""

import contextlib
import io
import json
import zipfile

import numpy as np
import pytest
from states import TORCH, bits, model

from bnspec.convert import BadState
from bnspec.convert import files as files_module
from bnspec.convert.files import Archive, SafeTensors, replacing, write_npz
from bnspec.convert.layers import layers_in


def test_an_npz_is_read_as_numpy_wrote_it_and_written_as_numpy_reads_it(tmp_path):
    np.savez(tmp_path / "a.npz", **model())
    archive = Archive(tmp_path / "a.npz")
    assert list(archive) == list(model())
    write_npz(tmp_path / "b.npz", archive)
    with np.load(tmp_path / "b.npz", allow_pickle=False) as again:
        assert again.files == list(model())
        for name, array in model().items():
            assert bits(again[name]) == bits(array)


def test_the_same_arrays_give_the_same_file(tmp_path):
    for name in ("a.npz", "b.npz"):
        write_npz(tmp_path / name, model())
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


class Mark:
    """What unpickling would leave behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_pickled_object_in_an_npz_is_refused_and_never_made(tmp_path):
    np.savez(tmp_path / "a.npz", **{**model(), "last.bias": np.array([Mark(tmp_path / "made")], dtype=object)})
    with pytest.raises(BadState, match=r"a\.npz: 'last\.bias' is no plain array"):
        layers_in(Archive(tmp_path / "a.npz"), TORCH)
    assert not (tmp_path / "made").exists()


def zipped(**members):
    """Return the bytes of a zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def huge():
    """Return the bytes of an array that says that it has a million million numbers."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (10**12,)})
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no .npz"),
        (b"junk", "is no .npz"),
        (b"\x93NUMPY\x01\x00", "is no .npz"),
        (zipped(**{"archive/data.pkl": b"x"}), "'archive/data.pkl' in it is no array"),
        (zipped(**{"bn.running_mean.npy": b"junk", "bn.running_var.npy": b""}), "'bn.running_mean' is no plain array"),
        (zipped(**{"bn.running_mean.npy": huge(), "bn.running_var.npy": b""}), "'bn.running_mean' is no plain array"),
    ],
    ids=["empty", "junk", "npy", "torch", "no-arrays", "huge"],
)
def test_what_is_no_npz_of_plain_arrays_is_refused_in_words(tmp_path, content, words):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(BadState) as refused:
        layers_in(Archive(path), TORCH)
    assert words in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_small_file_that_would_become_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files_module, "LIMIT", 1000)
    np.savez_compressed(tmp_path / "a.npz", **{"bn.running_mean": np.zeros(10_000), "bn.running_var": np.zeros(10_000)})
    with pytest.raises(BadState, match="takes more than"):
        layers_in(Archive(tmp_path / "a.npz"), TORCH)


def safe(arrays, **changes):
    """Return the bytes of a safetensors file; changes: of the entry of the running mean."""
    header, body = {"__metadata__": {"format": "pt"}}, b""
    kinds = {"float32": "F32", "float64": "F64", "int64": "I64", "float16": "F16"}
    for name, array in arrays.items():
        end = len(body) + array.nbytes
        header[name] = {
            "dtype": kinds[array.dtype.name], "shape": list(array.shape), "data_offsets": [len(body), end]
        }  # fmt: skip
        body += array.tobytes()
    header.get("last.running_mean", {}).update(changes)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def test_a_safetensors_file_is_read_with_every_bit(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(safe(model()))
    found = SafeTensors(tmp_path / "a.safetensors")
    assert list(found) == list(model())
    for name, array in model().items():
        assert bits(found[name]) == bits(array)


def test_a_bfloat16_becomes_the_float32_of_the_same_value(tmp_path):
    halves = np.float32([1, -2.5, 3, 0.125, 7]).view(np.uint32) >> 16
    arrays = {"last.running_mean": halves.astype("<u2").view(np.float16), "last.running_var": np.ones(5, np.float32)}
    (tmp_path / "a.safetensors").write_bytes(safe(arrays, dtype="BF16"))
    assert SafeTensors(tmp_path / "a.safetensors")["last.running_mean"].tolist() == [1, -2.5, 3, 0.125, 7]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"junk of more than eight bytes",
        (10**15).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (4).to_bytes(8, "little") + b"\xff{}}",
        safe(model(), data_offsets=[0, 10**12]),
        safe(model(), data_offsets=[-20, 0]),
        safe(model(), data_offsets=7),
        safe(model(), shape=[10**9]),
        safe(model(), shape=[-5]),
        safe(model(), shape="abc"),
        safe(model(), dtype=["F32"]),
    ],
    ids=lambda value: "",
)
def test_what_is_no_safetensors_file_is_refused_in_words(tmp_path, content):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(BadState, match=r"a\.safetensors: is no safetensors file"):
        SafeTensors(path)


def test_an_array_of_a_type_that_no_state_has_is_left_where_it_is(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(safe(model(), dtype="F8_E4M3"))
    with pytest.raises(BadState, match=r"last\.running_mean (has shape \(20,\)|is of type uint8)"):
        layers_in(SafeTensors(tmp_path / "a.safetensors"), TORCH)


def test_only_the_arrays_of_the_layers_are_read(tmp_path):
    np.savez(tmp_path / "a.npz", **{**model(), "text": np.array(["a"], dtype=object)})
    found, left = layers_in(Archive(tmp_path / "a.npz"), TORCH)
    assert (len(found), left[-1]) == (3, "text")


def test_a_file_is_replaced_at_the_end_and_kept_after_an_error(tmp_path):
    path = tmp_path / "a.npz"
    path.write_text("old")
    with contextlib.suppress(RuntimeError), replacing(path) as beside:
        beside.write_text("new")
        raise RuntimeError
    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])
    with replacing(path) as beside:
        beside.write_text("new")
    assert (path.read_text(), list(tmp_path.iterdir())) == ("new", [path])
