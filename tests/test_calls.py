"""A function called in a worker: what comes back, and what each failure is told as."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from bnspec.calls import Caller, CallFailed
from bnspec.worker.calls import pack, unpack

PYTHON = Path(sys.executable)

FUNCTION = """
import os, sys, time
import beside

def call(what, **given):
    print("printed")
    if what == "raises":
        raise ValueError("no such luck")
    if what == "dies":
        print("last words", file=sys.stderr, flush=True)
        os.kill(os.getpid(), 9)
    if what == "hangs":
        time.sleep(60)
    if what == "object":
        return object()
    return {"twice": [beside.twice(one) for one in given["arrays"]], "text": "é\\n", "none": None, "flag": True}
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "beside.py").write_text("def twice(x): return 2 * x\n", "utf-8")
    path = tmp_path / "function.py"
    path.write_text(FUNCTION, "utf-8")
    return path


@pytest.fixture
def caller(file):
    with Caller(PYTHON, f"{file}:call", {}) as running:
        running.ready(30)
        yield running


def test_arrays_and_values_travel_both_ways(caller):
    arrays = [np.arange(6, dtype=np.float32).reshape(2, 3), np.array([1, 2]), np.zeros((0, 3))]
    for _ in range(2):
        value = caller.call(30, what="ok", arrays=arrays)
        for given, twice in zip(arrays, value["twice"], strict=True):
            assert twice.dtype == given.dtype
            np.testing.assert_array_equal(twice, 2 * given)
        assert (value["text"], value["none"], value["flag"]) == ("é\n", None, True)


def test_the_worker_says_what_is_installed(file):
    with Caller(PYTHON, f"{file}:call", {}) as running:
        ready = running.ready(30)
    assert "numpy" in ready["packages"]
    assert ready["python"] == sys.version.split()[0]


@pytest.mark.parametrize(
    ("what", "kind", "said"),
    [
        ("raises", "raised", "ValueError: no such luck"),
        ("object", "raised", "cannot be sent"),
        ("dies", "crash", "killed by SIGKILL, as the system does where memory is out; it printed: last words"),
    ],
)
def test_what_goes_wrong_is_told(caller, what, kind, said):
    with pytest.raises(CallFailed, match=said) as failed:
        caller.call(30, what=what)
    assert failed.value.kind == kind
    assert ("function.py" in failed.value.trace) == (what == "raises")


def test_after_an_exception_the_function_can_be_called_again(caller):
    with pytest.raises(CallFailed):
        caller.call(30, what="raises")
    assert caller.call(30, what="ok", arrays=[])["twice"] == []


def test_a_call_that_takes_too_long_is_given_up_and_its_process_killed(caller):
    with pytest.raises(CallFailed, match=r"no answer after 0\.2 s") as failed:
        caller.call(0.2, what="hangs")
    assert failed.value.kind == "timeout"
    caller.worker.process.wait(10)


@pytest.mark.parametrize(
    ("text", "error"),
    [("import nothing_of_the_kind", "ModuleNotFoundError"), ("def call(:", "SyntaxError"), ("x = 1", "AttributeError")],
)
def test_a_file_that_does_not_load_is_told(file, text, error):
    file.write_text(text, "utf-8")
    with Caller(PYTHON, f"{file}:call", {}) as running, pytest.raises(CallFailed) as failed:
        running.ready(30)
    assert failed.value.kind == "load"
    assert failed.value.error[0] == error


def test_an_interpreter_that_is_none_is_told(tmp_path):
    with pytest.raises(CallFailed, match="cannot be run: No such file"):
        Caller(tmp_path / "python", "x.py:call", {})


def test_a_process_that_is_no_worker_is_told(tmp_path):
    no_python = tmp_path / "python"
    no_python.write_text("#!/bin/sh\necho hello\n", "utf-8")
    os.chmod(no_python, 0o755)
    with Caller(no_python, "x.py:call", {}) as running, pytest.raises(CallFailed) as failed:
        running.ready(30)
    assert failed.value.kind == "broken"


def test_what_was_packed_is_unpacked():
    arrays = []
    packed = pack({"a": np.ones(2), "b": [np.float32(1.5), (1, "x")]}, arrays)
    assert packed == {"a": {"array": 0}, "b": [1.5, [1, "x"]]}
    assert unpack(packed, arrays)["b"] == [1.5, [1, "x"]]
    assert unpack(packed, arrays)["a"] is arrays[0]
