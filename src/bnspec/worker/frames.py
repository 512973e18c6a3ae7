"""Frames: one JSON header line, then raw little-endian array bytes. No pickle, ever.

Both ends use this module. bfloat16, which NumPy does not have, travels as its bits and arrives as the
float32 of the same value.
"""

import json
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Tuple

import numpy as np

HEADER_LIMIT = 1 << 22
BODY_LIMIT = 1 << 33
DEPTH_LIMIT = 20
DTYPES = frozenset(
    ["bool", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
)
TRAVELLING = DTYPES | {"bfloat16"}
BFLOAT16 = np.dtype([("bfloat16", "<u2")])
"""How an adapter marks the bits of bfloat16 numbers, where its framework brings NumPy no type for them."""

Frame = Tuple[Dict[str, Any], List[Any]]


class BrokenFrame(Exception):  # noqa: N818 - it names the fault
    """The bytes are not a frame."""


def encode(header: Mapping[str, Any], arrays: Sequence[Any] = ()) -> bytes:
    """Return the bytes of a frame. Raises TypeError for an array of a type that cannot travel."""
    described, bodies = [], []
    for array in arrays:
        value = np.asarray(array)
        name = "bfloat16" if value.dtype == BFLOAT16 else value.dtype.name
        if name == "bfloat16":
            value = value.view(np.uint16)
        elif name not in TRAVELLING:
            raise TypeError("an array of dtype %s cannot be sent; expected a real number type" % name)
        if value.dtype.byteorder == ">":
            value = value.astype(value.dtype.newbyteorder("<"))
        described.append({"dtype": name, "shape": list(value.shape)})
        bodies.append(value.tobytes())
    line = json.dumps(dict(header, arrays=described)).encode("ascii")
    return b"".join([line, b"\n", *bodies])


class Decoder:
    """Turns a stream of bytes into frames, however the stream is cut."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.header = None  # type: Any
        self.length = 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take more bytes and yield the frames that are complete. Raises BrokenFrame for what comes after them."""
        self.buffer += data
        while True:
            if self.header is None:
                end = self.buffer.find(b"\n", 0, HEADER_LIMIT)
                if end < 0:
                    if len(self.buffer) >= HEADER_LIMIT:
                        raise BrokenFrame("no header line in %d bytes" % len(self.buffer))
                    return
                self.header, self.length = parse_header(bytes(self.buffer[:end]))
                del self.buffer[: end + 1]
            if len(self.buffer) < self.length:
                return
            header, body = self.header, bytes(self.buffer[: self.length])
            del self.buffer[: self.length]
            self.header = None
            yield header, split_body(header["arrays"], body)


def parse_header(line: bytes) -> Tuple[Dict[str, Any], int]:
    """Return a header and the length of its body. Raises BrokenFrame where it is none."""
    try:
        header = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        raise BrokenFrame("not a JSON header: %r" % line[:80])
    if not isinstance(header, dict) or not isinstance(header.get("arrays"), list):
        raise BrokenFrame("a header without arrays: %r" % line[:80])
    if too_deep(header):
        raise BrokenFrame("a header nested deeper than %d: %r" % (DEPTH_LIMIT, line[:80]))
    total = 0
    for array in header["arrays"]:
        if not isinstance(array, dict) or str(array.get("dtype")) not in TRAVELLING:
            raise BrokenFrame("an array of unknown dtype: %.200r" % (array,))
        shape = array.get("shape")
        if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
            raise BrokenFrame("an array of broken shape: %.200r" % (array,))
        total += array_bytes(array)
    if total > BODY_LIMIT:
        raise BrokenFrame("a body of %d bytes" % total)
    return header, total


def too_deep(value: Any) -> bool:
    """Return whether a JSON value is nested so deep that code that walks it could run out of stack."""
    level = [value]
    for _ in range(DEPTH_LIMIT):
        inner = [item.values() if isinstance(item, dict) else item for item in level if isinstance(item, (dict, list))]
        level = [item for items in inner for item in items]
    return bool(level)


def array_bytes(array: Mapping[str, Any]) -> int:
    """Return how many bytes a described array takes."""
    size = 2 if array["dtype"] == "bfloat16" else np.dtype(array["dtype"]).itemsize
    for n in array["shape"]:
        size *= n
    return int(size)


def split_body(described: Sequence[Mapping[str, Any]], body: bytes) -> List[Any]:
    """Return the arrays that a body holds. Raises BrokenFrame for a shape that NumPy cannot make."""
    arrays, start = [], 0
    for array in described:
        stop = start + array_bytes(array)
        if array["dtype"] == "bfloat16":
            bits = np.frombuffer(body[start:stop], dtype="<u2").astype(np.uint32) << 16
            value = bits.view(np.float32)
        else:
            value = np.frombuffer(body[start:stop], dtype=np.dtype(array["dtype"]).newbyteorder("<"))
        try:
            arrays.append(value.reshape(array["shape"]))
        except (ValueError, OverflowError):  # more dimensions than NumPy has, or a size that only a zero hides
            raise BrokenFrame("an array of impossible shape: %.200r" % (array,))
        start = stop
    return arrays
