"""How much of a run is ours: wall time of `bnspec run` ÷ (import of the framework + time inside the adapter).

    uv run python benchmarks/overhead.py

Runs every target three times with its environment made, beside what peers' own batch normalization tests
take on this machine, and writes benchmarks/figures.json, from which `tools/readme.py` makes the README's
table. Run it on an idle machine.
"""

import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bnspec.environments import Environment, find, make
from bnspec.provenance import cpu_name
from bnspec.results import read

ROOT = Path(__file__).parent.parent
REPEATS = 3
TARGETS = {"torch": 1.3, "keras": 1.1, "flax": 1.1}
"""Targets and the goal of each."""

ENVIRON = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""As a user has it: byte code is written by the first run. Without any, compiling bnspec takes 0.4 s of every run."""

KERAS_TEST = "lib/python3.11/site-packages/keras/src/layers/normalization/batch_normalization_test.py"
ONNX_CASES = """
import onnx.backend.test, onnxruntime.backend, unittest
suite = onnx.backend.test.BackendTest(onnxruntime.backend, __name__)
tests = [
    case(name)
    for case in suite.test_cases.values()
    for name in dir(case)
    if "batchnorm" in name.lower() and name.endswith("_cpu")
]
result = unittest.TextTestRunner(verbosity=0).run(unittest.TestSuite(tests))
print(result.testsRun, "run")
"""


def measure(name: str) -> dict[str, float]:
    """Time one target from command to report, and take its own times from the results."""
    with tempfile.TemporaryDirectory() as folder:
        results, page = Path(folder) / "results.jsonl", Path(folder) / "page.html"
        started = time.perf_counter()
        subprocess.run(
            [Path(sys.executable).with_name("bnspec"), "run", name, "-o", results, "--report", page],
            check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRON,
        )  # fmt: skip
        with_report = time.perf_counter() - started
        started = time.perf_counter()
        subprocess.run(
            [Path(sys.executable).with_name("bnspec"), "run", name, "-o", results],
            check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRON,
        )  # fmt: skip
        wall = time.perf_counter() - started
        (target,) = read(results).targets.values()
        if not target.complete:
            raise SystemExit(f"{name} did not run to its end")
        inside = target.info["import_seconds"] + sum(row.get("seconds", 0.0) for row in target.rows.values())
        return {
            "wall": wall,
            "with_report": with_report,
            "inside": inside,
            "ratio": wall / inside,
            "verdicts": len(target.rows),
        }


def target_figures(name: str, goal: float) -> dict[str, float | str]:
    """Return the medians of one target."""
    make(find(name))
    measure(name)  # the first run of all writes byte code and fills the disk's cache
    runs = [measure(name) for _ in range(REPEATS)]
    medians = {key: round(statistics.median(run[key] for run in runs), 3) for key in runs[0]}
    return {"name": name, "goal": goal, **medians}


def peer(name: str, command: list[str | Path]) -> dict[str, float | str]:
    """Time a peer's own tests, which print `N passed` or `N run`."""
    started = time.perf_counter()
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tempfile.gettempdir())
    wall = time.perf_counter() - started
    found = re.search(r"(\d+) (passed|run)", run.stdout)
    if run.returncode or not found:
        raise SystemExit(f"{name} failed:\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
    return {"name": name, "tests": int(found[1]), "wall": round(wall, 2)}


def peers() -> list[dict[str, float | str]]:
    """Time Keras's own test file and ONNX's backend cases, each in an environment of its own."""
    newest = find("keras")
    keras = Environment("benchmark-keras", newest.python, (*newest.requirements, "pytest"))
    onnx = Environment("benchmark-onnx", "3.12", ("onnx==1.23.2", "onnxruntime==1.31.1", "numpy==2.3.3"))
    make(keras)
    make(onnx)
    os.environ["KERAS_BACKEND"] = "tensorflow"
    test = keras.home / KERAS_TEST
    warm = []
    for _ in range(2):  # the second time counts
        warm = [
            peer("Keras: batch_normalization_test.py", [keras.interpreter, "-m", "pytest", "-q", test]),
            peer("ONNX: backend cases on ONNX Runtime, which has no opset 6", [onnx.interpreter, "-c", ONNX_CASES]),
        ]
    return warm


def main() -> None:
    figures = {
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "targets": [target_figures(name, goal) for name, goal in TARGETS.items()],
        "peers": peers(),
    }
    path = ROOT / "benchmarks" / "figures.json"
    known = json.loads(path.read_text("utf-8")) if path.exists() else {}
    path.write_text(json.dumps({**known, **figures}, indent=2) + "\n", "utf-8")  # benchmarks/reference.py adds to it
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
