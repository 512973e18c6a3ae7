"""What `bnspec explain` takes beyond the framework's own two forward passes: ResNet-50, 32 images of 224×224×3.

    uv run python benchmarks/explain.py

The two passes are timed in a process of their own, without bnspec; the command from its start to its end, importing
the framework and building the model included. Writes its figures into benchmarks/figures.json. Run it on an idle
machine.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bnspec.environments import find, make
from bnspec.targets import choose

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "benchmarks" / "figures.json"
MODELS = ROOT / "benchmarks" / "models"
SHAPE = (32, 224, 224, 3)
REPEATS = 3
GOAL = 30.0
"""Seconds beyond the two passes."""

PASSES = {
    "torch": """
import sys, time, numpy, torch
sys.path.insert(0, sys.argv[1])
from resnet_torch import make_model
model, x = make_model(), torch.from_numpy(numpy.load(sys.argv[2])["x"])
started = time.perf_counter()
with torch.no_grad():
    model.train()(x)
    model.eval()(x)
print(time.perf_counter() - started)
""",
    "keras": """
import sys, time, numpy
sys.path.insert(0, sys.argv[1])
from resnet_keras import make_model
model, x = make_model(), numpy.load(sys.argv[2])["x"]
started = time.perf_counter()
model(x, training=True)
model(x, training=False)
print(time.perf_counter() - started)
""",
}
"""The framework alone, by the name of what `bnspec explain --environment` takes."""


def figures(name: str, data: Path) -> dict[str, float | str]:
    """Time both, one after the other, several times; return the medians."""
    environment = find(name)
    make(environment)
    environ = {**os.environ, **choose(environment, None, "cpu").environ}
    script = [environment.interpreter, "-c", PASSES[name], MODELS, data]
    model = f"{MODELS / f'resnet_{name}.py'}:make_model"
    command = [Path(sys.executable).with_name("bnspec"), "explain", model, data, "--environment", name]
    passes, walls, layers = [], [], 0
    for _ in range(REPEATS):
        run = subprocess.run(script, env=environ, capture_output=True, text=True, check=True)
        passes.append(float(run.stdout.split()[-1]))
        started = time.perf_counter()
        told = subprocess.run([*command, "--format", "json"], capture_output=True, text=True, check=False)
        walls.append(time.perf_counter() - started)
        if told.returncode != 1:
            raise SystemExit(f"{name}: {told.stderr}")
        layers = len(json.loads(told.stdout)["layers"])
    two, wall = statistics.median(passes), statistics.median(walls)
    return {
        "name": environment.name,
        "layers": layers,
        "passes": round(two, 2),
        "wall": round(wall, 2),
        "beyond": round(wall - two, 2),
        "goal": GOAL,
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        x = np.random.default_rng(0).standard_normal(SHAPE, dtype=np.float32)
        last, first = Path(folder) / "last.npz", Path(folder) / "first.npz"
        np.savez(last, x=x)
        np.savez(first, x=np.ascontiguousarray(np.moveaxis(x, -1, 1)))
        found = [figures("torch", first), figures("keras", last)]
    known = json.loads(FIGURES.read_text("utf-8"))
    FIGURES.write_text(json.dumps({**known, "explain": found}, indent=2) + "\n", "utf-8")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
