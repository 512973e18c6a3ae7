"""What batch normalization layers were given and gave, reduced while they are called."""

import hashlib
import os
import sys
import tempfile
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

CHUNK = 1 << 16
"""Values that are worked on at a time: half a megabyte of float64, which a core's cache holds."""

SAMPLE = 1 << 14
"""Values of an input and of an output that are kept, whole positions with all their channels."""

LEAST = 4
"""So many positions are kept however many channels there are."""

OTHERS = (os.path.dirname(os.__file__), os.path.dirname(os.path.dirname(__file__)), tempfile.gettempdir())
"""Where files lie that are no reader's: Python's own, the worker's, and code that a framework has written."""

PASSES = ("training", "inference")


class Recorder:
    """Every call of a layer during a pass, in order; what it takes is timed apart.

    calls: what each call showed, by pass; seconds: what the recording itself took.
    """

    def __init__(self, model_file: str) -> None:
        self.folder = os.path.dirname(os.path.abspath(model_file))
        self.calls = {name: [] for name in PASSES}  # type: Dict[str, List[Dict[str, Any]]]
        self.running = None  # type: Optional[str]
        self.inside = 0
        self.seconds = 0.0

    def wanted(self) -> bool:
        """Return whether a call is to be recorded: in a pass, and not inside what records for itself."""
        return self.running is not None and not self.inside

    def begin(self, key: Any, said: Optional[bool]) -> Dict[str, Any]:
        """Note a call of a layer, known by a key, and the mode that it is told: True for training, None for nothing."""
        record = {"layer": key, "pass": self.running, "said": said, "site": self.site()}  # type: Dict[str, Any]
        self.calls[str(self.running)].append(record)
        return record

    def finish(
        self, record: Dict[str, Any], x: Any, y: Any, axis: int, arrays: Callable[[Any], Any] = np.asarray
    ) -> None:
        """Reduce what a call was given and gave, tensors that `arrays` makes arrays of.

        A call that a transformation repeats is recorded once.
        """
        started = time.perf_counter()
        if "shape" not in record:
            record.update(dtype=type_of(x), output_dtype=type_of(y))
            x, y = plain(arrays(x)), plain(arrays(y))
            rows = positions(x.shape, axis)
            record.update(shape=list(x.shape), x=sampled(x, axis, rows), y=sampled(y, axis, rows))
            record.update(channel_moments(x, axis))
        self.seconds += time.perf_counter() - started

    def is_readers(self, file: str) -> bool:
        """Return whether a file is the reader's: beside the model's, or of no package, Python or ours."""
        path = os.path.abspath(file)
        if os.path.dirname(path) == self.folder:
            return True
        return os.path.isfile(path) and "-packages" not in path and not path.startswith(OTHERS)

    def site(self) -> Optional[Dict[str, Any]]:
        """Return the line of the reader's own code from which a layer is called; None where there is none."""
        frame = sys._getframe(1)  # type: Any
        while frame is not None:
            code = frame.f_code
            if self.is_readers(code.co_filename):
                owner = type(frame.f_locals["self"]).__name__ if "self" in frame.f_locals else None
                arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
                return {
                    "file": os.path.basename(code.co_filename),
                    "line": frame.f_lineno,
                    "function": code.co_name,
                    "class": owner,
                    "takes": [name for name in arguments if name != "self"],
                }
            frame = frame.f_back
        return None


def type_of(tensor: Any) -> str:
    """Return the name of a tensor's type, as NumPy calls it."""
    return str(getattr(tensor.dtype, "name", tensor.dtype)).rpartition(".")[2]


def plain(array: Any) -> Any:
    """Return an array of a type that NumPy computes with: what it has no type for becomes float32."""
    found = np.asarray(array)
    return found if found.dtype.kind in "fiub" and found.dtype.name in vars(np) else found.astype(np.float32)


def positions(shape: Tuple[int, ...], axis: int) -> Any:
    """Return some positions of an array, the channel axis left out: the same ones for the same shape."""
    places = [length for place, length in enumerate(shape) if place != axis % len(shape)]
    total = int(np.prod(places, dtype=np.int64))
    wanted = max(SAMPLE // max(shape[axis], 1), LEAST)
    some = np.arange(total) if total <= wanted else np.unique(np.random.RandomState(0).randint(0, total, wanted))
    return np.unravel_index(some, places)


def sampled(x: Any, axis: int, rows: Any) -> Any:
    """Return the values at some positions, of shape (positions, channels)."""
    place = axis % x.ndim
    # Indices that stand apart come first in what they give, as one does that stands before the channels.
    return np.ascontiguousarray(x[(*rows[:place], slice(None), *rows[place:])])


def channel_moments(x: Any, axis: int) -> Dict[str, Any]:
    """Return mean, population variance, mean |x| and count of every channel, in float64.

    Two passes over each chunk, and the chunks put together as Chan, Golub and LeVeque (1979) do: the data are read
    from memory once.
    """
    channels = x.shape[axis]
    mean, squares, size, count = np.zeros(channels), np.zeros(channels), np.zeros(channels), 0
    for part in chunks(x, axis):
        block = part.astype(np.float64)
        apart = (0, 2) if block.ndim == 3 else (0,)
        along = (None, slice(None), None) if block.ndim == 3 else (None, slice(None))
        own = block.size // max(channels, 1)
        own_mean = block.sum(axis=apart) / own
        size += np.abs(block).sum(axis=apart)
        block -= own_mean[along]
        own_squares = np.square(block, out=block).sum(axis=apart)
        step = own_mean - mean
        total = count + own
        mean += step * (own / total)
        squares += own_squares + step**2 * (float(count) * own / total)
        count = total
    if not count:
        return {"mean": mean * np.nan, "variance": mean * np.nan, "size": mean * np.nan, "count": 0}
    return {"mean": mean, "variance": squares / count, "size": size / count, "count": count}


def chunks(x: Any, axis: int) -> Any:
    """Yield the parts of an array: (samples, channels, positions), or (positions, channels) where these lie so."""
    place = axis % x.ndim
    if place == 1 and x.ndim > 2:
        parts = x.reshape(x.shape[0], x.shape[1], -1)
    else:
        parts = np.moveaxis(x, place, -1).reshape(-1, x.shape[place])
    step = max(CHUNK * len(parts) // max(parts.size, 1), 1)
    for start in range(0, len(parts), step):
        yield parts[start : start + step]


def digests(arrays: Dict[str, Any]) -> Dict[str, str]:
    """Return a digest of the bits of every array."""
    return {name: hashlib.blake2b(np.ascontiguousarray(value).tobytes()).hexdigest() for name, value in arrays.items()}


def outputs(y: Any) -> List[Any]:
    """Return some values of every array that a model gives, those of whole samples."""
    found = []
    for array in flat(y):
        array = plain(array)
        if array.ndim and array.dtype.kind == "f" and array.size:
            found.append(np.array(array.reshape(len(array), -1).ravel()[: SAMPLE * LEAST]))
    return found


def flat(value: Any) -> List[Any]:
    """Return the leaves of nested lists, tuples and dictionaries."""
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in flat(item)]
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in flat(item)]
    return [] if value is None else [value]


def timed(recorder: Recorder, name: str, seconds: Dict[str, float], run: Callable[[], Any]) -> Any:
    """Return what a pass gives, recorded under its name; what it took without the recording goes to `seconds`."""
    recorder.running = name
    started, inside = time.perf_counter(), recorder.seconds
    try:
        return run()
    finally:
        recorder.running = None
        seconds[name] = time.perf_counter() - started - (recorder.seconds - inside)
