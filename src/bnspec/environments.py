"""Environments: finding them by name, making them with uv, keeping them for the next run."""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bnspec.paths import cache_folder, suite_folder, uv_environ

REFERENCE = "numpy"
POLL_SECONDS = 0.1
FILE_NAME = re.compile(r"py(?P<major>\d)(?P<minor>\d+)-(?P<families>[a-z].*)")


AFTER_INSTALL = "BNSPEC_AFTER_INSTALL"

FINDING_UV = threading.Lock()


class EnvironmentProblem(Exception):  # noqa: N818 - it is shown as it is, one clear line
    """An environment that does not exist or cannot be made; says what was given, expected, and to type."""


@dataclass(frozen=True)
class Environment:
    """A Python and its packages.

    name: as the user gives it; python: `3.11`, or the path of an interpreter that exists; requirements: what
    to install there, none for an interpreter that exists; families: the frameworks, the main one first.
    """

    name: str
    python: str
    requirements: tuple[str, ...] = ()
    families: tuple[str, ...] = ()

    @property
    def exists(self) -> bool:
        """Whether it is an interpreter of somebody else's, used as it is."""
        return not self.requirements

    @property
    def home(self) -> Path:
        """Where it is kept once made: a folder named after what it holds."""
        content = "\n".join((self.python, *self.requirements))
        digest = hashlib.sha256(content.encode()).hexdigest()[:10]
        return cache_folder() / "environments" / f"{re.sub(r'[^A-Za-z0-9.=-]+', '_', self.name)[:60]}-{digest}"

    @property
    def interpreter(self) -> Path:
        """The Python of it."""
        return Path(self.python) if self.exists else self.home / "bin" / "python"

    @property
    def made(self) -> bool:
        """Whether it is ready to use."""
        return self.exists or ((self.home / "bnspec.json").exists() and self.interpreter.exists())

    @property
    def pins(self) -> dict[str, str]:
        """The versions that its requirements fix."""
        pairs = (requirement.partition("==") for requirement in self.requirements)
        return {normal(name): version.strip() for name, equals, version in pairs if equals and "," not in version}


def normal(name: str) -> str:
    """Return a distribution's name without extras, as metadata spells it."""
    return re.sub(r"[-_.]+", "-", name.partition("[")[0].strip()).lower()


def listed() -> list[Environment]:
    """Return the environments of `conformance/environments`, by name."""
    return [from_file(path) for path in sorted((suite_folder() / "environments").glob("*.txt"))]


def from_file(path: Path) -> Environment:
    """Read one requirements file named `py311-torch-2.13.0.txt`. Raises EnvironmentProblem for another name."""
    found = FILE_NAME.fullmatch(path.stem)
    if not found:
        raise EnvironmentProblem(f"{path.name}: expected a name like py311-torch-2.13.0.txt")
    lines = (line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines())
    families = re.findall(r"(?:^|-)([a-z_]+)(?=-\d)", found["families"])
    requirements = tuple(line for line in lines if line)
    return Environment(path.stem, f"{found['major']}.{found['minor']}", requirements, tuple(families))


def reference() -> Environment:
    """Return the environment of the reference: this very interpreter."""
    return Environment(REFERENCE, sys.executable, families=(REFERENCE,))


def frameworks() -> dict[str, Environment]:
    """Return the newest listed environment of every framework, by the framework's name.

    Keras has backends: of equal ones it is that on TensorFlow, its own default.
    """
    from packaging.version import Version

    def version(environment: Environment) -> Version:
        found = re.search(r"-(\d[\d.]*)", environment.name)
        return Version(found[1] if found else "0")

    newest: dict[str, Environment] = {REFERENCE: reference()}
    for environment in sorted(listed(), key=lambda e: (e.families[0], version(e), "tensorflow" in e.families)):
        newest[environment.families[0]] = environment
    return newest


def find(text: str) -> Environment:
    """Return the environment that a user names: a framework, (a part of) a listed name, or requirements.

    Requirements are joined by `+`: "keras==3.14.0 + tensorflow-cpu==2.20.0". Raises EnvironmentProblem for
    anything else.
    """
    known = frameworks()
    by_name = {environment.name: environment for environment in listed()}
    if text in known or text in by_name:
        return known.get(text) or by_name[text]
    partly = [name for name in by_name if text and text in name]
    if len(partly) == 1:
        return by_name[partly[0]]
    if partly:
        raise EnvironmentProblem(f"{text!r} is a part of several names; expected more of one of {', '.join(partly)}.")
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirements = [Requirement(part) for part in text.split("+")]
    except InvalidRequirement:
        requirements = []
    if not requirements or not any(requirement.specifier for requirement in requirements):
        names = ", ".join(known)
        raise EnvironmentProblem(
            f"{text!r} is no environment. Expected a framework ({names}), a name that `bnspec environments` "
            'lists, or a requirement such as "torch==2.9.1".'
        )
    return from_requirements(text, [str(requirement) for requirement in requirements], known)


def from_requirements(text: str, requirements: list[str], known: Mapping[str, Environment]) -> Environment:
    """Return an environment for requirements: a listed one with these pins, or a new one on this Python.

    The framework's companions (a backend, numpy) come along without a version where they are not given.
    """
    wanted = {normal(r.partition("==")[0]): r.partition("==")[2] for r in requirements}
    everything = [*known.values(), *listed()]
    for environment in everything:
        if wanted.items() <= environment.pins.items() and normal(next(iter(wanted))) == environment.families[0]:
            return environment
    family = next((name for name in wanted if name in known), next(iter(wanted)).removesuffix("-cpu"))
    alike = [e for e in everything if e.families[0] == family] or [e for e in everything if family in e.families]
    like = max(alike, key=lambda e: len(wanted.keys() & e.pins.keys()), default=None)
    companions = [normal(requirement.partition("==")[0]) for requirement in like.requirements] if like else []
    given = {name.removesuffix("-cpu") for name in wanted}
    missing = [name for name in [*companions, "numpy"] if name.removesuffix("-cpu") not in given]
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Environment(text, python, tuple(requirements) + tuple(dict.fromkeys(missing)), (family,))


def at_python(path: str) -> Environment:
    """Return the environment of an interpreter that exists. Raises EnvironmentProblem where it is none."""
    resolved = shutil.which(path) or path
    probe = "import sys; print('%d %d' % sys.version_info[:2])"
    try:
        # Not -I, which a Python 2 does not know: it is to be named for what it is.
        run = subprocess.run([resolved, "-ESs", "-c", probe], capture_output=True, text=True, timeout=60, check=False)
        major, minor = map(int, run.stdout.split())
    except FileNotFoundError:
        raise EnvironmentProblem(f"--python {path}: there is no such file; give the path of a Python") from None
    except (OSError, ValueError, subprocess.SubprocessError):
        raise EnvironmentProblem(
            f"--python {path}: is not a Python interpreter (it did not answer as one); expected 3.6 or later"
        ) from None
    if (major, minor) < (3, 6):
        raise EnvironmentProblem(f"--python {path}: is Python {major}.{minor}; expected 3.6 or later")
    return Environment(resolved, resolved)


def installed(environment: Environment) -> dict[str, str]:
    """Return the distributions of an environment and their versions, without importing any."""
    if environment.pins and len(environment.pins) == len(environment.requirements):
        return environment.pins
    probe = (
        "import json, os, sys\n"
        "print(json.dumps([e for p in sys.path if os.path.isdir(p) for e in os.listdir(p)"
        " if e.endswith(('.dist-info', '.egg-info'))]))"
    )
    run = subprocess.run(
        [str(environment.interpreter), "-I", "-c", probe], capture_output=True, text=True, timeout=60, check=True
    )
    entries = (entry.rpartition(".")[0].partition("-") for entry in json.loads(run.stdout))
    return {normal(name): version.partition("-py")[0] for name, _, version in entries}


def make(environment: Environment, stopped: Callable[[], bool] = lambda: False) -> None:
    """Make an environment with uv where it is not made yet; another process making it is waited for.

    stopped: asked now and then whether to give up. Raises EnvironmentProblem where there is no such Python,
    the requirements do not install, the cache cannot be written, or it was stopped.
    """
    if environment.made:
        return
    home = environment.home
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentProblem(
            f"{home.parent} cannot be made: {error.strerror}; set BNSPEC_CACHE to another folder"
        ) from None
    with locked(home.with_name(home.name + ".lock"), stopped):
        if environment.made:
            return
        shutil.rmtree(home, ignore_errors=True)
        create(environment, home, stopped)
        install(environment, home, stopped)
        after_install(environment, home)
        content = {"name": environment.name, "python": environment.python, "requirements": environment.requirements}
        (home / "bnspec.json").write_text(json.dumps(content), "utf-8")


def create(environment: Environment, home: Path, stopped: Callable[[], bool]) -> None:
    """Make the empty environment."""
    run = uv("venv", "--quiet", "--no-project", "--python", environment.python, str(home), stopped=stopped)
    if run.returncode and "No space left" in run.stderr:
        raise EnvironmentProblem(f"{home} cannot be made: {said(run.stderr)}")
    if run.returncode:
        raise EnvironmentProblem(
            f"{environment.name}: needs Python {environment.python}, which was not found"
            f"{downloads_note()}. Install it (`uv python install {environment.python}`, or pyenv) and put it on "
            "PATH, or give one with --python PATH."
        )


def downloads_note() -> str:
    """Say what uv was allowed to do about a Python that is not there."""
    return " (downloads are switched off)" if os.environ.get("UV_PYTHON_DOWNLOADS") == "never" else ""


def install(environment: Environment, home: Path, stopped: Callable[[], bool]) -> None:
    """Install the requirements."""
    python = str(home / "bin" / "python")
    run = uv("pip", "install", "--quiet", "--python", python, *environment.requirements, stopped=stopped)
    if run.returncode:
        shutil.rmtree(home, ignore_errors=True)
        raise EnvironmentProblem(
            f"{environment.name}: {' '.join(environment.requirements)} cannot be installed on Python "
            f"{environment.python}. uv says: {said(run.stderr)}"
        )


def after_install(environment: Environment, home: Path) -> None:
    """Run the user's own command on what was installed, where $BNSPEC_AFTER_INSTALL names one.

    It is given to a shell and finds the environment's folder in $BNSPEC_ENVIRONMENT.
    """
    if not (command := os.environ.get(AFTER_INSTALL)):
        return
    environ = {**uv_environ(), "BNSPEC_ENVIRONMENT": str(home)}
    run = subprocess.run(command, shell=True, env=environ, capture_output=True, text=True, check=False)
    if run.returncode:
        shutil.rmtree(home, ignore_errors=True)
        raise EnvironmentProblem(
            f"{environment.name}: ${AFTER_INSTALL} ended with {run.returncode}: {said(run.stderr or run.stdout)}"
        )


def said(stderr: str) -> str:
    """Return what uv said in one line."""
    return " ".join(line.strip(" ╰─▶├×│") for line in stderr.strip().splitlines()[:6])[:600]


def uv_binary() -> str:
    """Return the path of uv.

    Python's sysconfig, which finds it, is not ready for two threads that ask it first at the same time.
    """
    from uv import find_uv_bin

    with FINDING_UV:
        return find_uv_bin()


def uv(*arguments: str, stopped: Callable[[], bool]) -> subprocess.CompletedProcess[str]:
    """Run uv; raises EnvironmentProblem where it was stopped."""
    with subprocess.Popen(
        [uv_binary(), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
        text=True, env=uv_environ(), start_new_session=True,
    ) as process:  # fmt: skip
        while True:
            try:
                output, errors = process.communicate(timeout=POLL_SECONDS)
                return subprocess.CompletedProcess(arguments, process.returncode, output, errors)
            except subprocess.TimeoutExpired:
                if stopped():
                    os.killpg(process.pid, signal.SIGKILL)
                    raise EnvironmentProblem("stopped while its environment was made") from None


@contextlib.contextmanager
def locked(path: Path, stopped: Callable[[], bool]) -> Iterator[None]:
    """Hold a lock between processes; raises EnvironmentProblem where it was stopped before it had it."""
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if stopped():
                    raise EnvironmentProblem("stopped while another process made its environment") from None
                time.sleep(POLL_SECONDS)
        yield
