"""Frames: what goes in comes out, however it is cut; anything else is a BrokenFrame and nothing worse."""

import json

import numpy as np
import pytest

from bnspec.worker.frames import BODY_LIMIT, DEPTH_LIMIT, DTYPES, HEADER_LIMIT, BrokenFrame, Decoder, encode


def through(*arrays):
    """Return arrays after a journey."""
    [(_, arrived)] = Decoder().feed(encode({"id": "x"}, arrays))
    return arrived


def header(**array):
    return json.dumps({"arrays": [array]}).encode() + b"\n"


@pytest.mark.parametrize("dtype", sorted(DTYPES))
def test_every_type_arrives_as_it_was(dtype):
    sent = (np.arange(24).reshape(2, 3, 4) % 7 - 3).astype(dtype)
    [arrived] = through(sent)
    assert arrived.dtype == sent.dtype
    assert np.array_equal(arrived, sent)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_special_numbers_arrive_bit_by_bit(dtype):
    kind = np.finfo(dtype)
    sent = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, kind.tiny, kind.smallest_subnormal, kind.max], dtype=dtype)
    assert through(sent)[0].tobytes() == sent.tobytes()


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0, 2), (), (1,), (1,) * 32])
def test_empty_and_scalar_arrays_keep_their_shape(shape):
    sent = np.ones(shape, dtype=np.float32)
    [arrived] = through(sent)
    assert arrived.shape == shape
    assert np.array_equal(arrived, sent)


def test_arrays_that_do_not_lie_in_order_arrive_in_order():
    sent = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    for view in (sent.T, sent[:, ::2], sent[::-1], np.asfortranarray(sent), np.broadcast_to(sent[0, 0], (5, 4))):
        assert np.array_equal(through(view)[0], view)


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">f2", ">i2", ">u8"])
def test_big_endian_numbers_arrive_as_the_same_numbers(dtype):
    sent = np.arange(5).astype(dtype)
    [arrived] = through(sent)
    assert np.array_equal(arrived, sent)
    assert arrived.dtype == sent.dtype.newbyteorder("=")


def test_bfloat16_arrives_as_the_float32_of_the_same_value():
    values = np.array([1.0, -2.5, 0.0, np.inf, 2.0**-126], dtype=np.float32)
    bits = (values.view(np.uint32) >> 16).astype("<u2")
    [(_, [arrived])] = Decoder().feed(header(dtype="bfloat16", shape=[5]) + bits.tobytes())
    assert arrived.dtype == np.float32
    assert np.array_equal(arrived, values)


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([None]), np.complex64([1]), np.longdouble([1]), "text"])
def test_what_is_no_real_number_is_refused_by_the_sender(array):
    with pytest.raises(TypeError, match="cannot be sent"):
        encode({}, [array])


def test_two_frames_arrive_wherever_the_stream_is_cut():
    x, y = np.arange(3, dtype=np.float32), np.arange(2, dtype=np.int8)
    stream = encode({"id": "one"}, [x, y]) + encode({"id": "two \n \N{SNOWMAN}"}, [])
    for cut in range(len(stream) + 1):
        decoder = Decoder()
        frames = [*decoder.feed(stream[:cut]), *decoder.feed(stream[cut:])]
        assert [frame[0]["id"] for frame in frames] == ["one", "two \n \N{SNOWMAN}"]
        assert np.array_equal(frames[0][1][0], x)
        assert np.array_equal(frames[0][1][1], y)


def test_a_stream_may_come_byte_by_byte():
    decoder, stream = Decoder(), encode({"id": "one"}, [np.arange(3)]) * 2
    frames = [frame for byte in stream for frame in decoder.feed(bytes([byte]))]
    assert [frame[0]["id"] for frame in frames] == ["one", "one"]


def test_frames_before_a_broken_one_still_arrive():
    coming = Decoder().feed(encode({"id": "good"}) + b"garbage\n")
    assert next(coming)[0]["id"] == "good"
    with pytest.raises(BrokenFrame, match="not a JSON header"):
        next(coming)


@pytest.mark.parametrize(
    "stream",
    [
        b"\n",
        b"garbage\n",
        b"\xff\xfe\n",
        b"{}\n",
        b"[]\n",
        b"null\n",
        b'{"arrays": {}}\n',
        b'{"arrays": [3]}\n',
        b'{"arrays": [' + b"[" * 100_000 + b"\n",
        b'{"arrays": [], "x": 1' + b"0" * 10_000 + b"}\n",
        header(dtype="float32"),
        header(dtype="object", shape=[1]),
        header(dtype="O", shape=[1]),
        header(dtype=["float32"], shape=[1]),
        header(dtype={"float32": 1}, shape=[1]),
        header(dtype=None, shape=[1]),
        header(dtype="float32", shape=3),
        header(dtype="float32", shape=[-1]),
        header(dtype="float32", shape=[1.5]),
        header(dtype="float32", shape=[True]),
        header(dtype="float32", shape=["3"]),
        header(dtype="float32", shape=[None]),
        header(dtype="uint8", shape=[BODY_LIMIT + 1]),
        header(dtype="uint8", shape=[10**30, 10**30]),
        header(dtype="uint8", shape=[0, 10**30]),
        header(dtype="uint8", shape=[0, 2**33, 2**33, 2**33]),
        header(dtype="uint8", shape=[1] * 1000) + b"x",
        json.dumps({"arrays": [{"dtype": "uint8", "shape": [BODY_LIMIT]}] * 2}).encode() + b"\n",
        b'{"arrays": [], "x": ' + b"[" * (DEPTH_LIMIT + 1) + b"]" * (DEPTH_LIMIT + 1) + b"}\n",
        b"x" * HEADER_LIMIT,
    ],
    ids=lambda stream: repr(stream[:60]),
)
def test_anything_else_is_a_broken_frame_with_a_short_message(stream):
    with pytest.raises(BrokenFrame) as broken:
        list(Decoder().feed(stream))
    assert len(str(broken.value)) < 500


def test_a_header_that_claims_much_takes_no_memory_before_it_comes():
    decoder = Decoder()
    assert list(decoder.feed(header(dtype="uint8", shape=[3_000_000_000]) + b"few")) == []
    assert len(decoder.buffer) == 3
