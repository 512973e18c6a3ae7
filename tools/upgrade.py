"""Write into README.md, from results, what an upgrade says.

uv run python tools/upgrade.py            write it
uv run python tools/upgrade.py --check    exit 1 where it differs from what stands there
"""

import re
import sys
from pathlib import Path

from bnspec.compare.diff import diff
from bnspec.compare.narrow import Narrowing
from bnspec.compare.text import as_text
from bnspec.report.clean import cleaned
from bnspec.results import read

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "README.md"
RESULTS = ROOT / "reports" / "results"
SIDES = ("py311-tensorflow-2.15.1", "py311-keras-3.15.1-tensorflow-2.21.0")
COMMAND = 'bnspec upgrade "keras==2.15.0" "keras==3.15.1" --rank 4 --channels last --dtype float32 --no-mask'
LAYERS = Narrowing(ranks=(4,), dtypes=("float32",), channels="last", masks=False)
BEGIN, END = "<!-- example: made by tools/upgrade.py -->\n", "<!-- end of example -->"


def example() -> str:
    """Return the command and what it prints, as a block."""
    base, candidate = ([cleaned(read(RESULTS / f"{name}.jsonl"))] for name in SIDES)
    return f"```\n$ {COMMAND}\n{as_text(diff(base, candidate, narrowing=LAYERS)).rstrip()}\n```\n"


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
            raise SystemExit("README.md is not what the results say; run: uv run python tools/upgrade.py")
        return
    PAGE.write_text(new, "utf-8")


if __name__ == "__main__":
    main()
