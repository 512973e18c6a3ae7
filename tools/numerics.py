"""Write the generated parts of docs/numerics.md from results: what kernels compute, and their largest errors.

uv run python tools/numerics.py                   write them from reports/results
uv run python tools/numerics.py RESULTS...        from other results
uv run python tools/numerics.py --check           exit 1 where they differ from what stands there
"""

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bnspec.results import TargetResults, merge, read

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "numerics.md"
RESULTS = ROOT / "reports" / "results"

COLUMNS = {
    "offsets to 10⁶": "offset",
    "inference to 10⁶": "inference",
    "N to 2²⁰": "size",
    "float16": "float16",
    "bfloat16": "bfloat16",
    "float64": "float64",
}
"""Columns of the table of errors, and how the situations of `precision.bound` begin that belong to them,
those of gradients with `gradient-` before."""

OWN = re.compile(r"Within its own class \(.*\): ([^ ]+) of the allowance")


def targets(paths: Iterable[Path]) -> Mapping[str, TargetResults]:
    """Return the targets of some results that have rows of accuracy."""
    found = merge(read(path) for path in paths).targets
    return {name: one for name, one in found.items() if any(verdict(row) for row in bounds(one).values())}


def bounds(target: TargetResults) -> Mapping[str, Mapping[str, Any]]:
    """Return the rows of `precision.bound`, by situation."""
    return {key[len("precision.bound[") : -1]: row for key, row in target.rows.items() if "precision.bound[" in key}


def verdict(row: Mapping[str, Any]) -> str:
    """Return the verdict of a row that judged numbers."""
    return str(row["verdict"]) if row["verdict"] in ("conforms", "imprecise") else ""


def classes(found: Mapping[str, TargetResults]) -> str:
    """Return the classes that every target shows, and where."""
    axes = ("accumulation", "moments", "centring", "half-statistics", "float64")
    lines = ["| target | " + " | ".join(axes) + " |", "|---|" + "---|" * len(axes)]
    for name, target in found.items():
        cells = []
        for axis in axes:
            places: dict[str, list[str]] = {}
            for key, row in target.rows.items():
                if key.startswith(f"precision.{axis}[") and row.get("variant"):
                    places.setdefault(row["variant"], []).append(key[len(f"precision.{axis}[") : -1])
            cells.append("; ".join(variant if len(places) == 1 else f"{variant}: {', '.join(where)}"
                                   for variant, where in places.items()))  # fmt: skip
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def errors(found: Mapping[str, TargetResults]) -> str:
    """Return the largest error of every target in its own class, and in the best one where that is over 1."""
    lines = ["| target | " + " | ".join(COLUMNS) + " |", "|---|" + "---|" * len(COLUMNS)]
    for name, target in found.items():
        cells = []
        for start in COLUMNS.values():
            ours = re.compile(f"(gradient-)?{start}")
            rows = [row for key, row in bounds(target).items() if ours.match(key) and verdict(row)]
            own = max((own_ratio(row) for row in rows), default=None)
            best = max((row["ratio"] for row in rows if verdict(row) == "imprecise"), default=None, key=number)
            cells.append("" if own is None else f"{own:.2g}" + (f" ({number(best):.2g})" if best is not None else ""))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def own_ratio(row: Mapping[str, Any]) -> float:
    """Return the largest error of a row in allowances of its own class."""
    said = OWN.search(row.get("message") or "")
    return float(said[1]) if said else number(row["ratio"])


def number(ratio: Any) -> float:
    """Return a ratio as results hold it: a number, or a word for infinity."""
    return float(ratio)


PARTS = {"classes": classes, "errors": errors}


def filled(text: str, found: Mapping[str, TargetResults]) -> str:
    """Return the page with every generated part made anew."""
    for name, make in PARTS.items():
        begin, end = f"<!-- {name}: made by tools/numerics.py -->\n", f"<!-- end of {name} -->"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        if not pattern.search(text):
            raise SystemExit(f"docs/numerics.md has no part {name!r} (between {begin.strip()} and {end})")
        part = begin + make(found) + end
        text = pattern.sub(lambda _, part=part: part, text)
    return text


def main() -> None:
    """Write or check."""
    given = [Path(name) for name in sys.argv[1:] if not name.startswith("-")]
    found = targets(given or sorted(RESULTS.glob("*.jsonl")))
    old = PAGE.read_text("utf-8")
    new = filled(old, found)
    if "--check" in sys.argv:
        if old != new:
            raise SystemExit("docs/numerics.md is not what the results say; run: uv run python tools/numerics.py")
        return
    PAGE.write_text(new, "utf-8")


if __name__ == "__main__":
    main()
