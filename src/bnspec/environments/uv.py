"""Running uv, and its words in one line."""

import functools
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from bnspec.environments.model import EnvironmentProblem
from bnspec.paths import uv_environ

POLL_SECONDS = 0.1
FINDING_UV = threading.Lock()


def uv_binary() -> str:
    """Return the path of uv.

    Python's sysconfig, which finds it, is not ready for two threads that ask it first at the same time.
    """
    from uv import find_uv_bin

    with FINDING_UV:
        return find_uv_bin()


def uv(
    *arguments: str,
    stopped: Callable[[], bool] = lambda: False,
    lock: TextIO | None = None,
    environ: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run uv; raises EnvironmentProblem where it was stopped.

    lock: a file that is locked as long as uv runs, even if this process is killed; environ: variables beside ours.
    """
    with subprocess.Popen(
        [uv_binary(), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
        text=True, env={**uv_environ(), **(environ or {})}, start_new_session=True,
        pass_fds=[lock.fileno()] if lock else [],
    ) as process:  # fmt: skip
        while True:
            try:
                output, errors = process.communicate(timeout=POLL_SECONDS)
                return subprocess.CompletedProcess(arguments, process.returncode, output, errors)
            except subprocess.TimeoutExpired:
                if stopped():
                    os.killpg(process.pid, signal.SIGKILL)
                    raise EnvironmentProblem("stopped while its environment was made") from None


def said(words: str, length: int = 600) -> str:
    """Return what a program said in one line, without the arrows that it is drawn with."""
    bare = (line.strip(" ╰─▶├×│") for line in words.removeprefix("error: ").splitlines())
    return " ".join(" ".join(bare).split())[:length]


@functools.cache
def pythons() -> tuple[str, ...]:
    """Return the versions of Python, such as 3.11, that uv finds on this machine, the oldest first."""
    # The shims of pyenv are slow, and its Pythons are on the path themselves.
    path = [folder for folder in uv_environ()["PATH"].split(os.pathsep) if Path(folder).name != "shims"]
    listing = ("python", "list", "--only-installed", "--output-format", "json")
    run = uv(*listing, environ={"PATH": os.pathsep.join(path)})
    try:
        parts = [found["version_parts"] for found in json.loads(run.stdout)]
        return tuple(f"3.{minor}" for minor in sorted({part["minor"] for part in parts if part["major"] == 3}))
    except (ValueError, KeyError, TypeError):
        return ()
