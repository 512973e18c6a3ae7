"""Files of arrays that the host reads itself: .npz, which it also writes, and safetensors. No pickle in either."""

import contextlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bnspec.case import Array
from bnspec.convert.layers import BadState
from bnspec.worker.frames import array_bytes, split_body

LIMIT = 1 << 31
"""The bytes that the arrays of batch normalization in one file may have."""

HEADER_LIMIT = 100_000_000
"""The bytes that safetensors itself allows for the JSON of a file."""

META = "__metadata__"
"""The name in that JSON that is no array's."""

KINDS = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32",
    "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip
"""The types of safetensors that a layer's state can have; of another one only the bytes are looked at."""

BROKEN = (ValueError, KeyError, EOFError, OSError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What NumPy and zipfile raise for a file that is not what it should be."""


class Archive(Mapping[str, Array]):
    """The arrays of an .npz by name, each read when it is asked for. Reading raises BadState."""

    def __init__(self, path: Path) -> None:
        """Read the names. Raises BadState where the file is no archive of arrays."""
        self.path, self.left = path, LIMIT
        try:
            self.file = zipfile.ZipFile(path)
        except OSError as error:
            raise BadState(f"{path}: cannot be read: {error.strerror or error}") from None
        except BROKEN:
            raise BadState(f"{path}: is no .npz; expected an archive of arrays, as numpy.savez writes it") from None
        members = self.file.infolist()
        self.members = {m.filename.removesuffix(".npy"): m for m in members if m.filename.endswith(".npy")}
        if len(self.members) < len(members):
            other = next(m.filename for m in members if self.members.get(m.filename.removesuffix(".npy")) is not m)
            raise BadState(f"{path}: is no .npz: {other!r} in it is no array, or is there twice")

    def __getitem__(self, name: str) -> Array:
        member = self.members[name]
        self.left -= member.file_size
        if self.left < 0:
            raise BadState(f"{self.path}: its batch normalization takes more than {LIMIT >> 30} GiB")
        try:
            with self.file.open(member) as stream:
                array: Array = np.lib.format.read_array(stream, allow_pickle=False)
        except BROKEN as error:
            raise BadState(f"{self.path}: {name!r} is no plain array: {error}") from None
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)


class SafeTensors(Mapping[str, Array]):
    """The arrays of a safetensors file by name, each read when it is asked for. Reading raises BadState.

    Eight bytes say how long the JSON is that says where every array lies behind it.
    """

    def __init__(self, path: Path) -> None:
        """Read the names. Raises BadState where the file is none of this format."""
        self.path, self.left, size = path, LIMIT, path.stat().st_size
        try:
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                if not 0 < length <= min(size - 8, HEADER_LIMIT):
                    raise ValueError
                header = json.loads(file.read(length))
            self.start = 8 + length
            self.held = {name: described(entry, size - self.start) for name, entry in header.items() if name != META}
        except (*BROKEN, RecursionError, AttributeError, TypeError):
            raise BadState(f"{path}: is no safetensors file") from None

    def __getitem__(self, name: str) -> Array:
        kind, shape, place = self.held[name]
        array = {"dtype": kind, "shape": shape}
        self.left -= array_bytes(array)
        if self.left < 0:
            raise BadState(f"{self.path}: its batch normalization takes more than {LIMIT >> 30} GiB")
        with self.path.open("rb") as file:
            file.seek(self.start + place)
            found: Array = split_body([array], file.read(array_bytes(array)))[0]
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.held)

    def __len__(self) -> int:
        return len(self.held)


def described(entry: Mapping[str, Any], size: int) -> tuple[str, list[int], int]:
    """Return type, shape and place of an array. Raises ValueError, KeyError or TypeError for what is none."""
    kind, shape, (start, end) = KINDS.get(entry["dtype"], "uint8"), entry["shape"], entry["data_offsets"]
    known = entry["dtype"] in KINDS
    if not all(type(n) is int and n >= 0 for n in (*shape, start, end)) or not start <= end <= size:
        raise ValueError(entry)
    if known and array_bytes({"dtype": kind, "shape": shape}) != end - start:
        raise ValueError(entry)
    return kind, shape if known else [end - start], start


def write_npz(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays as numpy.savez does, in this order; the same arrays give the same file."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array, order="C"), allow_pickle=False)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a file to write to that takes the place of `path` at the end; after an error `path` is as it was."""
    beside = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
