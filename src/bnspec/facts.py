"""Facts that no adapter has to tell: what a layer takes, and what it says to wrong input.

A probe is a program whose trace is not judged: `accepted`, or the error in the framework's words.
"""

from collections.abc import Iterator

import numpy as np

from bnspec.case import FLOAT32, Array, Case, Layer, Step, place, train
from bnspec.data import batch, shape
from bnspec.difference import Trace

FAMILY = "facts"
TEXT = 300


def probes() -> tuple[Case, ...]:
    """Return the probes; each is named, in brackets, as the fact is called."""
    return tuple(found())


def found() -> Iterator[Case]:
    """Yield the probes."""
    x = batch(shape(2, -1, 3), -1, seed=1)
    for rank, axis in ((2, -1), (3, -1), (3, 1), (4, -1), (4, 1), (5, -1), (5, 1)):
        given = batch(shape(rank, axis, 3), axis, seed=1)
        yield probe(f"takes {place(rank, axis)}", Layer(rank=rank, axis=axis), given)
    for kind in ("float16", "bfloat16", "float64"):
        layer = Layer(dtypes=dict.fromkeys(FLOAT32, kind))
        yield probe(f"takes {kind}", layer, x if kind == "bfloat16" else x.astype(kind))
    yield probe("given another rank", Layer(), np.ones((2,) * 7, dtype=np.float32))
    yield probe("given another number of channels", Layer(), batch((8, 4), -1, seed=1))
    integers = Layer(dtypes={"input": "int32", "parameters": "float32", "compute": "int32"})
    yield probe("given integers", integers, np.arange(24, dtype=np.int32).reshape(8, 3))
    for number in (-0.5, 1.5):
        yield probe(f"momentum {number}", Layer(momentum={"raw": number}), x)
    for number in (0.0, -1e-3):
        yield probe(f"epsilon {number:g}", Layer(epsilon=number), x)


def probe(name: str, layer: Layer, x: Array) -> Case:
    """Return a probe: one call in training mode."""
    program: tuple[Step, ...] = (train(x),)
    return Case(clauses=(FAMILY,), situation=name, layer=layer, program=program, why="")


def fact(trace: Trace) -> str:
    """Return what a probe found, in one line."""
    if trace.status != "ran":
        return f"{trace.status}: {trace.reason}"[:TEXT]
    error = next((shown.error for shown in trace.steps if shown.error), None)
    return "accepted" if error is None else f"{error[0]}: {' '.join(error[1].split())}"[:TEXT]
