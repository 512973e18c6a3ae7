"""How fast the reference is, and how much memory judging takes, on 32×256×56×56 float32 values.

    uv run python benchmarks/reference.py

Naive is the formula as one would write it in NumPy: x as float64, `x.mean`, `x.var`, then
scale·(x − mean)/√(variance + ε) + offset. Writes its figures beside those of benchmarks/overhead.py. Run it on
an idle machine.
"""

import json
import statistics
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
REPEATS = 5
SLOWER, INPUTS, MORE = 2.0, 3.0, 512.0
"""The goals: times the naive formula, times the memory of the input, megabytes beside input and output."""


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


def judging(x: Any) -> dict[str, float]:
    """Return what judging one output and one gradient of this size takes beside them."""
    dy = x[::-1].copy()
    y = naive(x, np.ones(x.shape[AXIS]), np.zeros(x.shape[AXIS])).astype(np.float32)
    found = training_gradients(x, dy, epsilon=EPSILON, axis=AXIS)
    gradients = {name: getattr(found, name).astype(np.float32) for name in ("x", "scale", "offset")}
    layer = Layer(rank=4, axis=AXIS, features=x.shape[AXIS], epsilon=EPSILON)
    output = Case(("forward.training",), "benchmark", layer, (train(x),), "")
    gradient = Case(("gradient.training",), "benchmark", layer, (silently(train(x)), backward(dy)), "")
    shown = Trace("ran", (Shown({"y": y}),)), Trace("ran", (Shown({"y": y}), Shown(gradients)))
    figures = {}
    for name, case, trace in zip(("output", "gradient"), (output, gradient), shown, strict=True):

        def judge(case: Case = case, trace: Trace = trace) -> None:
            assert compare(case, trace, simulate(case, Dialect())).fits

        figures[f"judging_{name}_megabytes"] = round(megabytes(judge))
        figures[f"judging_{name}_seconds"] = round(seconds(judge), 2)
    return figures


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
        **judging(x),
        "judging_goal_megabytes": MORE,
    }
    known = json.loads(FIGURES.read_text("utf-8")) if FIGURES.exists() else {}
    FIGURES.write_text(json.dumps({**known, "reference": figures}, indent=2) + "\n", "utf-8")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
