"""Write the generated parts of README.md from results: the tables, the excerpt of output, the figures.

uv run python tools/readme.py            write them
uv run python tools/readme.py --check    exit 1 where they differ from what stands there
"""

import contextlib
import io
import json
import math
import os
import re
import sys
from pathlib import Path

from bnspec.environments import find
from bnspec.report.score import score
from bnspec.results import Results, read
from bnspec.summary import print_summary

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
RESULTS = ROOT / "reports" / "results"


def results() -> list[Results]:
    """Return the committed results."""
    return [read(path) for path in sorted(RESULTS.glob("*.jsonl"))]


def selftest() -> str:
    """Return the score of the self-test, and some of its mutants with the id that killed them."""
    tested = score(results())
    if tested is None:
        raise SystemExit("no self-test; run: uv run bnspec selftest -o reports/results/selftest.jsonl")
    lines = [f"{tested.sentence}\n", "| wrong on purpose | killed by |", "|---|---|"]
    lines += [f"| {mutant.fault} | `{mutant.ids[0]}` |" for mutant in tested.mutants[::16]]
    return "\n".join(lines) + "\n"


def output() -> str:
    """Return what the README's own command printed at its end, as a block."""
    command = re.search(r"bnspec run (.+) --report", README.read_text("utf-8"))
    if command is None:
        raise SystemExit("README.md has no command `bnspec run … --report`")
    names = [find(name).name for name in command[1].split()]
    os.environ["COLUMNS"] = "150"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        print_summary([read(RESULTS / f"{name}.jsonl") for name in names])
    lines = [line.rstrip() for line in printed.getvalue().splitlines()]
    return "```\n" + "\n".join(lines) + "\n```\n"


def verdicts() -> str:
    """Return the verdicts and what they mean."""
    from bnspec.results import VERDICTS

    return "".join(f"- **{verdict}** {meaning}\n" for verdict, meaning in VERDICTS.items())


def speed() -> str:
    """Return the figures of benchmarks/overhead.py, and those of benchmarks/reference.py on judging, as tables."""
    figures = json.loads((ROOT / "benchmarks" / "figures.json").read_text("utf-8"))
    lines = [
        f"Measured on {figures['cores']} cores of {figures['cpu']}, medians of three runs.\n",
        "| target | command to results | command to report | import + inside the adapter | ratio | goal | cases/s |",
        "|---|---|---|---|---|---|---|",
    ]
    for t in figures["targets"]:
        lines.append(
            f"| {t['name']} | {t['wall']:.2f} s | {t['with_report']:.2f} s | {t['inside']:.2f} s "
            f"| {t['ratio']:.2f} | ≤ {t['goal']} | {t['verdicts'] / t['wall']:.0f} |"
        )
    lines += [
        "",
        "| peers' own tests of batch normalization, same machine | tests | time | tests/s |",
        "|---|---|---|---|",
    ]
    for p in figures["peers"]:
        lines.append(f"| {p['name']} | {p['tests']} | {p['wall']:.1f} s | {p['tests'] / p['wall']:.1f} |")
    r = figures["reference"]
    lines += [
        "",
        f"| judging {math.prod(r['judging_shape']) / 1e6:.0f} million values in float64 "
        "| time | goal | whole process | goal |",
        "|---|---|---|---|---|",
    ]
    for what in ("output", "gradient"):
        lines.append(
            f"| one {what} | {r[f'judging_{what}_seconds']:.1f} s | ≤ {r['judging_goal_seconds']:.0f} s "
            f"| {r[f'judging_{what}_process_megabytes']:,} MB | ≤ {r['judging_goal_megabytes']:,.0f} MB |"
        )
    return "\n".join(lines) + "\n"


PARTS = {"selftest": selftest, "output": output, "verdicts": verdicts, "speed": speed}


def filled(text: str) -> str:
    """Return the README with every generated part made anew."""
    for name, make in PARTS.items():
        begin, end = f"<!-- {name}: made by tools/readme.py -->\n", f"<!-- end of {name} -->"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        if not pattern.search(text):
            raise SystemExit(f"README.md has no part {name!r} (between {begin.strip()} and {end})")
        part = begin + make() + end
        text = pattern.sub(lambda _, part=part: part, text)
    return text


def main() -> None:
    """Write or check."""
    old = README.read_text("utf-8")
    new = filled(old)
    if "--check" in sys.argv:
        if old != new:
            raise SystemExit("README.md is not what the results say; run: uv run python tools/readme.py")
        return
    README.write_text(new, "utf-8")


if __name__ == "__main__":
    main()
