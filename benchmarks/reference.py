"""How fast the reference is on 26 million values, and what judging 51 million takes in time and memory.

    uv run python benchmarks/reference.py

Naive is the formula as one would write it in NumPy: x as float64, `x.mean`, `x.var`, then
scale·(x − mean)/√(variance + ε) + offset. Judging is simulating a case and comparing a trace with it, one output or
one gradient, each in a process of its own: wall and processor time, the most memory that NumPy and Python hold at a
time beside the case and the trace, and the most that the process has in RAM, these and the interpreter included.
Writes its figures beside those of benchmarks/overhead.py. Run it on an idle Linux machine.
"""

import json
import re
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bnspec.case import Case, Layer, backward, silently, train
from bnspec.difference import Shown, Trace, compare
from bnspec.reference import State, training_gradients, training_step
from bnspec.simulate import simulate
from bnspec.spec import Dialect

FIGURES = Path(__file__).with_name("figures.json")
SHAPE, AXIS, EPSILON = (32, 256, 56, 56), 1, 1e-3
JUDGED = (32, 512, 56, 56)
REPEATS = 5
SLOWER, INPUTS = 2.0, 3.0
"""The goals of the reference: times the naive formula, times the memory of the input."""

SECONDS, MEGABYTES = 5.0, 2048.0
"""The goals of judging 51 million values: of wall time, and of the whole process in RAM."""


def naive(x: Any, scale: Any, offset: Any) -> Any:
    """Training output by the formula as it stands."""
    wide = x.astype(np.float64)
    axes, shape = (0, 2, 3), (1, -1, 1, 1)
    mean, variance = wide.mean(axis=axes).reshape(shape), wide.var(axis=axes).reshape(shape)
    return scale.reshape(shape) * (wide - mean) / np.sqrt(variance + EPSILON) + offset.reshape(shape)


def reference(x: Any, scale: Any, offset: Any) -> Any:
    """Training output and statistics by bnspec's reference."""
    state = State(np.zeros(x.shape[AXIS]), np.ones(x.shape[AXIS]))
    return training_step(x, state=state, scale=scale, offset=offset, epsilon=EPSILON, keep=0.9, axis=AXIS)


def seconds(work: Callable[[], Any]) -> float:
    """Return the median time of a piece of work."""
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def megabytes(work: Callable[[], Any]) -> float:
    """Return the most memory that a piece of work holds at a time, its result included."""
    tracemalloc.start()
    kept = work()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    del kept
    return most / 2**20


def question(what: str) -> tuple[Case, Trace]:
    """Return a case with one large batch, and a trace that is right: of the `output`, or of the `gradient`."""
    x = np.random.default_rng(0).standard_normal(JUDGED, dtype=np.float32)
    layer = Layer(rank=4, axis=AXIS, features=x.shape[AXIS], epsilon=EPSILON)
    if what == "output":
        y = reference(x, None, None).y.astype(np.float32)
        case = Case(("forward.training",), "benchmark", layer, (train(x),), "")
        return case, Trace("ran", (Shown({"y": y}),))
    dy = x[::-1].copy()
    found = training_gradients(x, dy, epsilon=EPSILON, axis=AXIS)
    gradients = {name: getattr(found, name).astype(np.float32) for name in ("x", "scale", "offset")}
    case = Case(("gradient.training",), "benchmark", layer, (silently(train(x)), backward(dy)), "")
    return case, Trace("ran", (Shown(), Shown(gradients)))


def judging(what: str) -> dict[str, float]:
    """Return what judging an `output` or a `gradient` takes in this process."""
    case, trace = question(what)

    def judge() -> None:
        assert compare(case, trace, simulate(case, Dialect())).fits

    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before, wall = time.process_time(), seconds(judge)
    cpu = (time.process_time() - before) / REPEATS
    peak = int(re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("utf-8"))[0])
    return {
        "seconds": round(wall, 2),
        "cpu_seconds": round(cpu, 2),
        "megabytes": round(megabytes(judge)),
        "process_megabytes": round(peak / 1024),
    }


def elsewhere(what: str) -> dict[str, float]:
    """Return what judging takes in a process of its own: the peak of another must not count."""
    told = subprocess.run([sys.executable, __file__, what], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {f"judging_{what}_{name}": figure for name, figure in json.loads(told).items()}


def main() -> None:
    generator = np.random.default_rng(0)
    x = generator.standard_normal(SHAPE, dtype=np.float32)
    scale, offset = generator.standard_normal((2, SHAPE[AXIS]))
    np.testing.assert_allclose(reference(x, scale, offset).y, naive(x, scale, offset), rtol=1e-9, atol=1e-9)
    own, other = seconds(lambda: reference(x, scale, offset)), seconds(lambda: naive(x, scale, offset))
    inputs = megabytes(lambda: reference(x, scale, offset)) / (x.nbytes / 2**20)
    figures = {
        "shape": list(SHAPE),
        "seconds": round(own, 3),
        "naive_seconds": round(other, 3),
        "ratio": round(own / other, 2),
        "goal": SLOWER,
        "memory_in_inputs": round(inputs, 2),
        "memory_goal": INPUTS,
        "judging_shape": list(JUDGED),
        **elsewhere("output"),
        **elsewhere("gradient"),
        "judging_goal_seconds": SECONDS,
        "judging_goal_megabytes": MEGABYTES,
    }
    known = json.loads(FIGURES.read_text("utf-8")) if FIGURES.exists() else {}
    FIGURES.write_text(json.dumps({**known, "reference": figures}, indent=2) + "\n", "utf-8")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(judging(sys.argv[1])))
    else:
        main()
