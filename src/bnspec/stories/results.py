"""The results of stories: a JSON file each, written after a run, read for the pages."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bnspec.provenance import provenance
from bnspec.results import ResultsError

FORMAT = 1
KEPT = ("suite", "revision", "date", "os", "cpu", "cores")
"""What of a run's provenance is kept."""
NEEDED = {"environment", "title", "provenance"}
"""What every run has, whether it gave something or not."""


def write(
    path: Path, story: str, runs: Sequence[Mapping[str, Any]], explained: Mapping[str, Any] | None = None
) -> None:
    """Write the runs of a story; those of environments that were not run again stay as they are.

    explained: what explain says of its model; None leaves what is there.
    """
    again = {run["environment"] for run in runs}
    before = read(path) if path.exists() else {"runs": []}
    old = [run for run in before["runs"] if run["environment"] not in again]
    known = provenance(sorted(again), len(runs), None)
    stamped = [{**run, "provenance": {name: known.get(name) for name in KEPT}} for run in runs]
    content = {"format": FORMAT, "story": story, "explained": explained or before.get("explained")}
    content["runs"] = [*old, *stamped]
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def read(path: Path) -> dict[str, Any]:
    """Return the results of a story. Raises ResultsError where the file is none."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ResultsError(f"{path}: is not JSON: {error}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT or not isinstance(content.get("story"), str):
        raise ResultsError(f"{path}: no results of a story; expected what tools/stories.py writes, format {FORMAT}")
    content.setdefault("explained", None)
    runs = content.get("runs")
    if not isinstance(runs, list) or not all(isinstance(run, dict) and set(run) >= NEEDED for run in runs):
        raise ResultsError(f"{path}: its runs are not those of a story; run uv run python tools/stories.py run")
    return content


def in_folder(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the results of the stories in a folder, by name. Raises ResultsError for a file that is none."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        content = read(path)
        found[str(content["story"])] = content
    return found
