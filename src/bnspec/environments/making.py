"""Making environments with uv, keeping them for the next run, and removing those that a run made for itself.

Beside the folder of an environment lie a lock and, for one that is to be discarded, a mark. Whoever makes or
removes it holds the lock alone; every process that uses it shares the lock as long as it lives.
"""

import fcntl
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from bnspec.environments.explain import closest, explained, named
from bnspec.environments.model import Environment, EnvironmentProblem
from bnspec.environments.uv import POLL_SECONDS, pythons, said, uv
from bnspec.paths import cache_folder, uv_environ

AFTER_INSTALL = "BNSPEC_AFTER_INSTALL"

CLAIMS: dict[Path, TextIO] = {}
"""The shared locks of this process, by the environment's folder."""

CLAIMING = threading.Lock()


def never() -> bool:
    """Do not stop."""
    return False


def make(environment: Environment, stopped: Callable[[], bool] = never, *, keep: bool = True) -> None:
    """Make an environment with uv where it is not made yet; another process making it is waited for.

    stopped: asked now and then whether to give up; keep: whether it is to stay for the next run. Raises
    EnvironmentProblem where there is no such Python, the requirements do not install, the cache cannot be
    written, or it was stopped: nothing half made is left then.
    """
    if environment.exists:
        return
    home = environment.home
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentProblem(
            f"{home.parent} cannot be made: {error.strerror}; set BNSPEC_CACHE to another folder"
        ) from None
    while not (environment.made and claimed(environment)):
        unclaim(environment)
        lock = locked(beside(home, ".lock"), fcntl.LOCK_EX)
        if lock is None:
            if stopped():
                raise EnvironmentProblem("stopped while another process made its environment")
            time.sleep(POLL_SECONDS)
            continue
        with lock:
            if not environment.made:
                build(environment, stopped, lock, keep=keep)


def discard(environment: Environment) -> None:
    """Remove an environment that was made not to be kept, unless another process uses it."""
    unclaim(environment)
    if beside(environment.home, ".discard").exists():
        remove_unused(environment.home)


def discard_left_over() -> None:
    """Remove what runs that were killed had made not to be kept."""
    for mark in (cache_folder() / "environments").glob("*.discard"):
        remove_unused(mark.with_suffix(""))


def remove_unused(home: Path) -> None:
    """Remove an environment's folder and its mark, unless a process makes or uses it."""
    if lock := locked(beside(home, ".lock"), fcntl.LOCK_EX):
        with lock:
            remove(home)
            beside(home, ".discard").unlink(missing_ok=True)


def beside(home: Path, suffix: str) -> Path:
    """Return the path of the lock or the mark of an environment."""
    return home.with_name(home.name + suffix)


def claimed(environment: Environment) -> bool:
    """Share the lock of a made environment, so that nobody removes it; whether it was still there then."""
    home = environment.home
    with CLAIMING:
        if home in CLAIMS:
            return True
        try:
            claim = locked(beside(home, ".lock"), fcntl.LOCK_SH)
        except OSError:
            return True  # a cache that cannot be written to is one from which nothing is removed
        if claim is None:
            return False
        if not environment.made:
            claim.close()
            return False
        CLAIMS[home] = claim
        return True


def unclaim(environment: Environment) -> None:
    """Share the lock no longer."""
    with CLAIMING:
        if claim := CLAIMS.pop(environment.home, None):
            claim.close()


def locked(path: Path, how: int) -> TextIO | None:
    """Return a locked file, None where others hold it."""
    file = path.open("w")
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def build(environment: Environment, stopped: Callable[[], bool], lock: TextIO, *, keep: bool) -> None:
    """Make it, whatever there is of it; or leave nothing."""
    home, mark = environment.home, beside(environment.home, ".discard")
    remove(home)
    if keep:
        mark.unlink(missing_ok=True)
    else:
        mark.touch()
    try:
        create(environment, stopped, lock)
        install(environment, stopped, lock, keep=keep)
        after_install(environment, lock)
        content = {"name": environment.name, "python": environment.python, "requirements": environment.requirements}
        (home / "bnspec.json").write_text(json.dumps(content), "utf-8")
    except BaseException:
        remove(home)
        mark.unlink(missing_ok=True)
        raise


def remove(folder: Path) -> None:
    """Remove a folder; a process that is just being killed may still write to it."""
    for _ in range(5):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(POLL_SECONDS)


def create(environment: Environment, stopped: Callable[[], bool], lock: TextIO) -> None:
    """Make the empty environment."""
    home, python = environment.home, environment.python
    run = uv("venv", "--quiet", "--no-project", "--python", python, str(home), stopped=stopped, lock=lock)
    if run.returncode and "No space left" in run.stderr:
        raise EnvironmentProblem(f"{home} cannot be made: {said(run.stderr)}")
    if run.returncode:
        here = pythons()
        best = closest(python, here)
        other = f'"{environment.requirements[0]} + python=={best}"' if best else "--python PATH"
        raise EnvironmentProblem(
            f"{environment.name}: needs Python {python}, which was not found{downloads_note()}. Install it "
            f"(`uv python install {python}`, or pyenv) and put it on PATH; or take one of those that are here "
            f"({', '.join(here) or 'none'}) by {other}."
        )


def downloads_note() -> str:
    """Say what uv was allowed to do about a Python that is not there."""
    return " (downloads are switched off)" if os.environ.get("UV_PYTHON_DOWNLOADS") == "never" else ""


def install(environment: Environment, stopped: Callable[[], bool], lock: TextIO, *, keep: bool) -> None:
    """Install the requirements; the versions of companions with which they do not resolve give way.

    What is not kept goes past uv's cache: its files would stay there, for the environment's are links to them.
    The files of a cache within the environment are links all the same, and nothing is copied.
    """
    cache = environment.home / "uv-cache"
    environ = {} if keep else {"UV_CACHE_DIR": str(cache)}
    options = ("--quiet", "--python", str(environment.interpreter))
    firm = environment.requirements
    while True:
        run = uv("pip", "install", *options, *firm, stopped=stopped, lock=lock, environ=environ)
        loose = named(environment.companions, run.stderr) if run.returncode else []
        if not set(loose) & set(firm):
            break
        firm = tuple(pin.partition("==")[0] if pin in loose else pin for pin in firm)
    if run.returncode:
        raise EnvironmentProblem(
            f"{environment.name}: {' '.join(environment.requirements)} cannot be installed on Python "
            f"{environment.python}: {explained(environment, run.stderr)}"
        )
    remove(cache)


def after_install(environment: Environment, lock: TextIO) -> None:
    """Run the user's own command on what was installed, where $BNSPEC_AFTER_INSTALL names one.

    It is given to a shell and finds the environment's folder in $BNSPEC_ENVIRONMENT.
    """
    if not (command := os.environ.get(AFTER_INSTALL)):
        return
    run = subprocess.run(
        command, shell=True, env={**uv_environ(), "BNSPEC_ENVIRONMENT": str(environment.home)},
        capture_output=True, text=True, check=False, pass_fds=[lock.fileno()],
    )  # fmt: skip
    if run.returncode:
        raise EnvironmentProblem(
            f"{environment.name}: ${AFTER_INSTALL} ended with {run.returncode}: {said(run.stderr or run.stdout)}"
        )
