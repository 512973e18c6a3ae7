"""The check before an upgrade: what its two sides are, to be run or read from results."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bnspec.environments import Environment, EnvironmentProblem, at_python
from bnspec.report.clean import cleaned
from bnspec.results import Results, read
from bnspec.targets import Target, choose, parse

HERE = "here"
"""What a side is called that is this very Python."""

VERSION = re.compile(r"3\.\d+(\.\d+)?")


class NoSide(Exception):  # noqa: N818 - it is shown as it is, one clear line
    """A side that is none; the message says what was given, expected, and what to type."""


@dataclass(frozen=True)
class Wish:
    """What the user says of one side.

    which: base or candidate; text: requirements, the name of an environment, results or `here`; python: a version
    for requirements, or the path of a Python to use as it is.
    """

    which: str
    text: str | None
    python: str | None

    @property
    def own(self) -> bool:
        """Whether it is an interpreter that exists, of which nobody knows what it is for."""
        return self.text in (None, HERE)

    @property
    def files(self) -> tuple[Path, ...]:
        """The results files that it names; empty where it names something else."""
        if self.text is None:
            return ()
        path = Path(self.text)
        return tuple(sorted(path.glob("*.jsonl"))) if path.is_dir() else (path,) if self.text.endswith(".jsonl") else ()


@dataclass(frozen=True)
class Side:
    """One side: a target to run, or results that are there."""

    target: Target | None
    results: tuple[Results, ...] = ()


@dataclass(frozen=True)
class How:
    """What holds for every side that is run."""

    adapter: str | None
    device: str
    execution: str | None


def sides(base: Wish, candidate: Wish, how: How) -> tuple[Side, Side]:
    """Return both sides; one that does not say its adapter has that of the other, where it can.

    Raises NoSide, ResultsError and EnvironmentProblem.
    """
    for wish in (base, candidate):
        if wish.text is None and wish.python is None:
            raise NoSide(
                f"the {wish.which} is missing; give two versions, such as "
                '"torch==2.9.1" "torch==2.10.0", or --here and one'
            )
    there = {wish: recorded(wish) for wish in (base, candidate)}
    if all(there.values()):
        raise NoSide("both sides are results; compare them with bnspec diff BASE CANDIDATE")
    hint = how.adapter or next(filter(None, [*map(said, there.values()), *map(suffix, there)]), None)
    found = {wish: Side(None, results) for wish, results in there.items() if results}
    for wish in sorted(there.keys() - found.keys(), key=lambda wish: (wish.own, wish.which)):
        target = chosen(wish, how, hint)
        found[wish] = Side(target)
        hint = hint or (target.adapter if candidate.own or base.own else None)
    names = [side.target.name for side in found.values() if side.target]
    if len(set(names)) < len(names):
        raise NoSide(f"both sides are {names[0]}; give two versions to compare")
    return found[base], found[candidate]


def recorded(wish: Wish) -> tuple[Results, ...]:
    """Return the results that a side names, their strings clean; none where it names something to run."""
    if wish.text and wish.text.endswith(".jsonl") and not Path(wish.text).exists():
        raise NoSide(f"{wish.text}: there is no such file; make it with bnspec run torch -o {wish.text}")
    if wish.files and wish.python:
        raise NoSide(f"--{wish.which}-python does not go with results; they say which Python they are from")
    return tuple(cleaned(read(file)) for file in wish.files)


def said(results: Sequence[Results]) -> str | None:
    """Return the adapter of recorded results, where they have one."""
    adapters = {str(target.info.get("adapter")) for one in results for target in one.targets.values()}
    return adapters.pop() if len(adapters) == 1 else None


def suffix(wish: Wish) -> str | None:
    """Return the adapter that `ENVIRONMENT/ADAPTER` names."""
    return wish.text.partition("/")[2] or None if wish.text and not wish.files else None


def chosen(wish: Wish, how: How, adapter: str | None) -> Target:
    """Return the target of a side, in an adapter or, where it has that one not and nobody insists, in its own."""
    try:
        return target(wish, how, adapter)
    except EnvironmentProblem:
        if how.adapter or adapter is None or suffix(wish):
            raise
        return target(wish, how, None)


def target(wish: Wish, how: How, adapter: str | None) -> Target:
    """Return the target that a side names. Raises EnvironmentProblem and NoSide where there is none."""
    existing = interpreter(wish)
    if existing:
        return choose(existing, adapter, how.device, how.execution)
    text = str(wish.text)
    if wish.python:
        name, slash, own_adapter = text.partition("/")
        text = f"{name} + python=={wish.python}{slash}{own_adapter}"
    if "/" in text:
        adapter = None
    return parse(text, adapter=adapter, device=how.device, execution=how.execution)


def interpreter(wish: Wish) -> Environment | None:
    """Return the interpreter that a side names, if it names one that exists. Raises NoSide for half a side."""
    version = wish.python is not None and VERSION.fullmatch(wish.python)
    if wish.text is None and wish.python is None:
        raise NoSide(
            f'the {wish.which} is missing; give two versions, such as "torch==2.9.1" "torch==2.10.0", or --here and one'
        )
    if wish.text is None and version:
        raise NoSide(f"--{wish.which}-python {wish.python} is a version; say what to install there, or give a path")
    if wish.text is not None and wish.python and not version:
        raise NoSide(
            f"--{wish.which}-python {wish.python} is no version such as 3.12; a Python at a path is used as it is, "
            f"without {wish.text!r}"
        )
    if wish.text == HERE:
        return Environment(HERE, sys.executable)
    return at_python(str(wish.python)) if wish.text is None else None


def beside_each_other(base: Sequence[Results], candidate: Sequence[Results]) -> list[Results]:
    """Return the results of both sides for one page, where a target of one name on both would show the later alone."""
    taken = {name for one in candidate for name in one.targets}
    apart = [
        replace(
            one, targets={f"{name} (base)" if name in taken else name: target for name, target in one.targets.items()}
        )
        for one in base
    ]
    return [*apart, *candidate]
