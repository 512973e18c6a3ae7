"""Columns: the targets of some results, and how they are called."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.version import InvalidVersion, Version

from bnspec.results import Results


@dataclass(frozen=True)
class Column:
    """One target: its name, how it is called on the page, and what its run said.

    label: framework and version; apart: what its name says that others with this label do not (adapter,
    backend); detail: device and execution; run: the provenance of its own run; rows: results rows by id;
    complete: whether its last case was reached.
    """

    name: str
    label: str
    apart: str
    detail: str
    info: Mapping[str, Any]
    run: Mapping[str, Any]
    rows: Mapping[str, Mapping[str, Any]]
    complete: bool

    @property
    def title(self) -> str:
        """Framework and version, and what tells it from others of both: how a sentence calls the target."""
        return f"{self.label} ({self.apart})" if self.apart else self.label

    @property
    def asked(self) -> str:
        """Device and execution where the target's name tells them, for they were asked for; empty for the default."""
        return self.name.partition("/")[2].partition("@")[2]

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the target tells of itself; nothing where its results hold none."""
        return mapping(self.info.get("facts"))

    @property
    def packages(self) -> Mapping[str, str]:
        """What is installed beside it, with versions."""
        return {str(name): str(version) for name, version in mapping(self.info.get("packages")).items()}

    def variants(self, axis: str) -> frozenset[str]:
        """Return every answer that it gives to an axis somewhere."""
        found = (row.get("variant") for id, row in self.rows.items() if id.startswith(f"{axis}["))
        return frozenset(str(variant) for variant in found if variant)

    @property
    def failed(self) -> str | None:
        """Why the target could not start, if it could not."""
        reason = self.info.get("failed")
        return None if reason is None else str(reason)


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a field of a record that should be an object; nothing where it is none."""
    return value if isinstance(value, Mapping) else {}


def columns(files: Iterable[Results]) -> tuple[Column, ...]:
    """Return the targets of all files, a framework's versions side by side in order; a later file wins."""
    latest = {name: (results, target) for results in files for name, target in results.targets.items()}
    labels = {name: label(name, target.info) for name, (_, target) in latest.items()}
    called = {shown: [name for name in labels if labels[name] == shown] for shown in labels.values()}
    apart = {name: word for names in called.values() for name, word in zip(names, told_apart(names), strict=True)}
    found = [
        Column(
            name, labels[name], apart[name], detail(target.info), target.info, results.run, target.rows, target.complete
        )
        for name, (results, target) in latest.items()
    ]
    frameworks = list(dict.fromkeys(column.info.get("framework") for column in found))
    return tuple(sorted(found, key=lambda c: (frameworks.index(c.info.get("framework")), version_key(c.info))))


def label(name: str, info: Mapping[str, Any]) -> str:
    """Return framework and version, or the name of a target that did not get to say them."""
    return f"{info.get('framework', '')} {info.get('version', '')}".strip() or name


def detail(info: Mapping[str, Any]) -> str:
    """Return device and execution."""
    return " · ".join(str(info[key]) for key in ("device", "execution") if info.get(key, "default") != "default")


def told_apart(names: Sequence[str]) -> list[str]:
    """Return what is left of each name without the parts that all begin or end with; nothing for a single name.

    A version keeps its package.
    """
    if len(names) == 1:
        return [""]
    parts = [re.split(r"(?<=[-/@])", name) for name in names]
    begin = alike(parts)
    while begin and any(part[begin][:1].isdigit() for part in parts if begin < len(part)):
        begin -= 1
    end = alike([part[begin:][::-1] for part in parts])
    left = ["".join(part[begin : len(part) - end]).strip("-/@") for part in parts]
    return left if all(left) else list(names)


def alike(lists: Sequence[Sequence[str]]) -> int:
    """Return with how many elements all the lists begin."""
    same = [len(set(elements)) == 1 for elements in zip(*lists, strict=False)]
    return [*same, False].index(False)


def version_key(info: Mapping[str, Any]) -> tuple[int, Version]:
    """Return what sorts versions in order, and those that are none of PEP 440 last."""
    try:
        return 0, Version(str(info.get("version", "")))
    except InvalidVersion:
        return 1, Version("0")
