"""Write into docs/explain.md what `bnspec explain` prints of a model that is wrong on purpose, and what it costs.

uv run python tools/explain.py            write it
uv run python tools/explain.py --check    exit 1 where it differs from what stands there

It runs the command, in the environment that the name of the framework means; the figures are those of
benchmarks/explain.py.
"""

import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "explain.md"
MODEL = ROOT / "conformance" / "models" / "keras_models.py"
COMMAND = "bnspec explain keras_models.py:custom_model data.npz --environment keras"
FIGURES = ROOT / "benchmarks" / "figures.json"
BEGIN, END = "<!-- example: made by tools/explain.py -->\n", "<!-- end of example -->"
COST, END_OF_COST = "<!-- cost: made by tools/explain.py -->\n", "<!-- end of cost -->"


def example() -> str:
    """Return the command and what it prints, as a block."""
    x = 1 + 2 * np.random.default_rng(7).standard_normal((64, 8, 8, 3))
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(MODEL, folder)
        np.savez(Path(folder) / "data.npz", x=x.astype(np.float32))
        program, *arguments = shlex.split(COMMAND)
        command = [Path(sys.executable).with_name(program), *arguments]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if run.returncode != 1:
        raise SystemExit(f"{COMMAND}: {run.stderr or 'found nothing'}")
    return f"```\n$ {COMMAND}\n{run.stdout.rstrip()}\n```\n"


def cost(figure: dict[str, Any]) -> str:
    """Return what an explanation costs in one framework, as a line of a table."""
    seconds = " | ".join(f"{figure[name]:.0f} s" for name in ("passes", "wall", "beyond"))
    return f"| {figure['name']} | {figure['layers']} | {seconds} |\n"


def costs() -> str:
    """Return the table of what it costs."""
    known = json.loads(FIGURES.read_text("utf-8"))
    heads = ("environment", "layers", "the framework’s two forward passes", "bnspec explain, all of it", "beyond")
    lines = [f"| {' | '.join(heads)} |\n", "|---|---|---|---|---|\n", *map(cost, known["explain"])]
    return f"On {known['cores']} cores of an {known['cpu']}:\n\n{''.join(lines)}"


def filled(text: str) -> str:
    """Return the page with its generated parts made anew."""
    for begin, make, end in ((BEGIN, example, END), (COST, costs, END_OF_COST)):
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}{make()}{end}{rest.partition(end)[2]}"
    return text


def main() -> None:
    """Write or check."""
    old = PAGE.read_text("utf-8")
    new = filled(old)
    if "--check" in sys.argv:
        if old != new:
            raise SystemExit("docs/explain.md is not what the command prints; run: uv run python tools/explain.py")
        return
    PAGE.write_text(new, "utf-8")


if __name__ == "__main__":
    main()
