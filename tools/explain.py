"""Write into docs/explain.md what `bnspec explain` prints of a model that is wrong on purpose.

uv run python tools/explain.py            write it
uv run python tools/explain.py --check    exit 1 where it differs from what stands there

It runs the command, in the environment that the name of the framework means.
"""

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "explain.md"
MODEL = ROOT / "conformance" / "models" / "keras_models.py"
COMMAND = "bnspec explain keras_models.py:custom_model data.npz --environment keras"
BEGIN, END = "<!-- example: made by tools/explain.py -->\n", "<!-- end of example -->"


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


def filled(text: str) -> str:
    """Return the page with its generated part made anew."""
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    return pattern.sub(lambda _: BEGIN + example() + END, text)


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
