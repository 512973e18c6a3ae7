"""Run everything that makes sense on a GPU, with what this Python has installed: no network, no environment is made.

    python3 tools/gpu.py FOLDER                     every framework there is, on --device cuda, at most 8 minutes
    python3 tools/gpu.py FOLDER --device cpu        the same on the CPU, to try the script
    python3 tools/gpu.py FOLDER --minutes 4         less time

Results go to one folder, a file for each target and execution. What does not finish in its time is killed; what it
finished is in its file, a partial run that says so. Started again on the same folder it goes on where it was. Of
bnspec only `src` and `conformance` are needed, with its dependencies (click, fastjsonschema, jinja2, markupsafe,
numpy, packaging, platformdirs, rich), all pure Python but NumPy.
"""

import argparse
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEEDED = ("click", "fastjsonschema", "jinja2", "numpy", "packaging", "platformdirs", "rich")
PROGRAM = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); from bnspec.cli import main; main()"

PLAN = (
    ("torch", ("run", "--here", "--adapter", "torch.nn", "--execution", "all")),
    ("jax flax", ("run", "--here", "--adapter", "flax.linen", "--execution", "all")),
    ("torch", ("run", "--here", "--adapter", "torch.nn", "--large", "-k", "layer")),
    ("torch", ("run", "--here", "--adapter", "torch.functional", "--execution", "all")),
    ("jax flax", ("run", "--here", "--adapter", "flax.nnx", "--execution", "jit")),
    ("keras torch", ("run", "--here", "--adapter", "keras-torch")),
    ("keras jax", ("run", "--here", "--adapter", "keras-jax")),
    ("tensorflow", ("run", "--here", "--adapter", "tf.nn.fused")),
    ("keras tensorflow", ("run", "--here", "--adapter", "keras")),
)
"""What is run, the most telling first: the packages that it needs, and the words of the command."""

APART = ("-k", "--large")
"""A run of a part of the cases has a folder of its own: another selection is another run."""


def main() -> None:
    """Go through the plan until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--minutes", type=float, default=8.0)
    given = parser.parse_args()
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise SystemExit(
            f"this Python lacks {', '.join(missing)}; unpack their wheels and name the folder in PYTHONPATH"
        )
    if given.device == "cuda" and shutil.which("nvidia-smi") is None:
        raise SystemExit("no nvidia-smi: there is no NVIDIA GPU here; --device cpu tries the script without one")
    given.folder.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * given.minutes
    benchmark = (
        sys.executable,
        str(ROOT / "benchmarks" / "kernels.py"),
        str(given.folder / "kernels.json"),
        given.device,
    )
    carry_out(benchmark, min(60.0, 60 * given.minutes / 4))
    for packages, words in PLAN:
        lacking = [name for name in packages.split() if importlib.util.find_spec(name) is None]
        if lacking:
            print(f"not run: bnspec {' '.join(words)}: this Python has no {', '.join(lacking)}", flush=True)
            continue
        left = end - time.monotonic()
        if left < 5:
            print(f"not run: bnspec {' '.join(words)}: the time is over", flush=True)
            continue
        place = given.folder / ("large" if set(APART) & set(words) else "all")
        place.mkdir(exist_ok=True)
        command = [
            sys.executable,
            "-c",
            PROGRAM,
            *words,
            "--device",
            given.device,
            "-o",
            f"{place}{os.sep}",
            "--resume",
        ]
        print(f"bnspec {' '.join(words)} ({left:.0f} s left)", flush=True)
        carry_out(command, left)


def carry_out(command: "list[str] | tuple[str, ...]", seconds: float) -> None:
    """Run a command for so long at most; kill all that it started."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        print("  not finished in its time", flush=True)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
