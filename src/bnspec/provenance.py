"""Where results come from: the suite's revision, the machine, the command."""

import datetime
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bnspec import __version__
from bnspec.data import SEED
from bnspec.paths import suite_folder
from bnspec.results import SCHEMA_VERSION


def provenance(targets: Sequence[str], cases: int, expression: str | None, *, large: bool = False) -> dict[str, Any]:
    """Return the fields of the run record. cases: how many ids are asked, which an expression may have selected."""
    return {
        "schema": SCHEMA_VERSION,
        "suite": __version__,
        "revision": revision(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": ["bnspec", *sys.argv[1:]],
        "selection": expression,
        **({"large": True} if large else {}),
        "os": platform.platform(),
        "cpu": cpu_name(),
        **({"gpu": graphics} if (graphics := gpus()) else {}),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        "seed": SEED,
        "targets": list(targets),
        "cases": cases,
    }


def revision() -> str | None:
    """Return the last git revision that changed the package or the cases, or None in a wheel.

    It ends in `-dirty` where they differ from it; the other files decide no verdict.
    """
    package, cases = Path(__file__).parent, suite_folder()
    if not (cases.parent / ".git").exists():
        return None

    def git(*arguments: str) -> str:
        command = ["git", *arguments, "--", str(package), str(cases)]
        return subprocess.run(command, cwd=cases, capture_output=True, text=True, timeout=10, check=True).stdout

    try:
        commit, changed = git("log", "-1", "--format=%H"), git("status", "--porcelain")
    except (OSError, subprocess.SubprocessError):
        return None
    return commit[:12] + ("-dirty" if changed else "") if commit else None


def gpus() -> str:
    """Return name, driver and memory of every GPU, as NVIDIA's own tool tells them; empty where there is none."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        told = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    return "; ".join(line.strip() for line in told.splitlines() if line.strip())[:500]


def cpu_name() -> str:
    """Return the processor's name where the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
