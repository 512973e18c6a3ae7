"""Where the numbers come from: runs of one suite on one machine together, with all their commands."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bnspec.results import Results

SAME = ("suite", "revision", "os", "cpu", "gpu", "cores", "seed", "cases")
"""What runs have alike that are told together."""


@dataclass(frozen=True)
class Runs:
    """Runs of one suite on one machine: what they have alike, their dates in order, their commands."""

    alike: Mapping[str, Any]
    dates: tuple[str, ...]
    commands: tuple[str, ...]

    @property
    def date(self) -> str:
        """The date, or the first and the last."""
        first, last = self.dates[0], self.dates[-1]
        return first if first == last else f"{first} … {last}"


def runs_of(files: Iterable[Results]) -> tuple[Runs, ...]:
    """Return the runs of some results files, those of one suite on one machine together."""
    found: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for results in files:
        found.setdefault(tuple(str(results.run.get(name)) for name in SAME), []).append(results.run)
    return tuple(
        Runs(
            runs[0],
            tuple(sorted(str(run["date"]) for run in runs)),
            tuple(dict.fromkeys(" ".join(run["command"]) for run in runs)),
        )
        for runs in found.values()
    )
