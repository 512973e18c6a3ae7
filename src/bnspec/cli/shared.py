"""What the commands share: the error that is shown as one line, files in and out, the targets that are named."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bnspec.compare.diff import Diff
    from bnspec.environments import Environment
    from bnspec.results import Results
    from bnspec.stories.page import Page
    from bnspec.targets import Target

FILE = click.Path(path_type=Path)


class CannotDo(Exception):  # noqa: N818 - it is shown as it is, one clear line, exit status 2
    """The command cannot be carried out; the message says what was given, expected, and what to type."""


def choose_targets(
    names: Sequence[str],
    all_of_them: bool,
    here: bool,
    python: str | None,
    adapter: str | None,
    executions: Sequence[str],
    device: str,
) -> list["Target"]:
    """Return the targets that the arguments name. Raises EnvironmentProblem or CannotDo."""
    from bnspec.targets import every_execution, in_execution, slow_executions

    named = in_default_execution(names, all_of_them, here, python, adapter, device)
    chosen: dict[str, Target] = {}
    for one in named:
        for name in executions or ("",):
            found = every_execution(one) if name == "all" else [in_execution(one, name) if name else one]
            chosen.update((target.name, target) for target in found)
        left_out = [name for name in slow_executions(one) if name not in executions] if "all" in executions else []
        if left_out:
            say = f"{one.name}: not among all, for they take minutes: {', '.join(left_out)}"
            click.echo(f"{say} (--execution all --execution {left_out[0]} has it too)", err=True)
    return list(chosen.values())


def in_default_execution(
    names: Sequence[str], all_of_them: bool, here: bool, python: str | None, adapter: str | None, device: str
) -> list["Target"]:
    """Return the targets that the arguments name, in their default executions. Raises as above."""
    from bnspec.targets import choose, everything, parse

    if sum((bool(names), all_of_them, here, python is not None)) > 1:
        raise CannotDo("give environments, or --all, or --here, or --python PATH: one of them")
    if all_of_them:
        if adapter is not None:
            raise CannotDo("--all runs every adapter; name environments to run them with --adapter")
        return everything(device=device)
    existing = own_environment(here, python)
    if existing:
        return [choose(existing, adapter, device)]
    if not names:
        if adapter is None:
            raise CannotDo("name a target: bnspec run torch keras flax (or --all, or --here, or --python PATH)")
        names = ["numpy"]
    found = [parse(name, adapter=adapter, device=device) for name in names]
    doubled = {target.name for target in found if [t.name for t in found].count(target.name) > 1}
    if doubled:
        raise CannotDo(f"{', '.join(sorted(doubled))} is named twice")
    return found


def own_environment(here: bool, python: str | None) -> "Environment | None":
    """Return the environment of an interpreter that exists, if one was asked for."""
    from bnspec.environments import Environment, at_python

    if here:
        return Environment("here", sys.executable)
    return at_python(python) if python is not None else None


def place(output: str | None) -> Path:
    """Return where results go: a file, or a folder, which is made where the name ends like one's."""
    if output is None:
        return default_output()
    path = Path(output)
    if output.endswith(os.sep):
        try:
            path.mkdir(exist_ok=True)
        except OSError as error:
            raise CannotDo(f"{output} cannot be made: {error.strerror}; name another folder") from None
    return path


def default_output() -> Path:
    """Return where a results stream goes that nobody named."""
    from bnspec.paths import cache_folder

    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotDo(f"{folder} cannot be made: {error.strerror}; set BNSPEC_CACHE to another folder") from None
    return folder / "last-run.jsonl"


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_writable(path: Path) -> None:
    """Raise CannotDo, before any work, where a file cannot be written; leaves what is there as it is."""
    try:
        existed = path.exists()
        if existed and not (path.is_file() or path.is_dir()):
            raise CannotDo(f"{path} is no regular file; name another file")
        with path.open("ab"):
            pass
    except OSError as error:
        raise CannotDo(f"{path} cannot be written: {error.strerror}; name another file") from None
    if not existed:
        path.unlink()


def results_files(paths: Sequence[Path]) -> list[Path]:
    """Return results files, those of folders among them. Raises CannotDo for a folder without any."""
    files = [file for path in paths for file in (sorted(path.glob("*.jsonl")) if path.is_dir() else [path])]
    if not files:
        raise CannotDo(f"{', '.join(map(str, paths))}: no *.jsonl there; make one with bnspec run torch -o FILE.jsonl")
    return files


def write_report(
    results: Sequence["Results"], path: Path, changes: "Diff | None" = None, stories: Sequence["Page"] = ()
) -> None:
    """Write the page of some results; changes: what it begins with; stories: told on it as well."""
    from bnspec.report import build
    from bnspec.suite import load_cases

    cases = {identifier: case for case in load_cases() for identifier in case.ids}
    path.write_text(build(results, cases, changes, stories), "utf-8")
