"""What an environment is: a Python and its packages, and where it is kept."""

import hashlib
import re
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bnspec.paths import cache_folder

REFERENCE = "numpy"
OLDEST_PYTHON = (3, 6)
DAY = 24 * 60 * 60


class EnvironmentProblem(Exception):  # noqa: N818 - it is shown as it is, one clear line
    """An environment that does not exist or cannot be made; says what was given, expected, and to type."""


@dataclass(frozen=True)
class Environment:
    """A Python and its packages.

    name: as the user gives it; python: `3.11`, or the path of an interpreter that exists; requirements: what
    to install there, none for an interpreter that exists; families: the frameworks, the main one first;
    preferred: whether the name of its framework alone means it, though there are newer ones; companions: those of
    the requirements that nobody asked for, whose versions give way to what was.
    """

    name: str
    python: str
    requirements: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    preferred: bool = False
    companions: tuple[str, ...] = ()

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
        """Whether it is ready to use. One for a range of versions is, for a day: there may be a newer one then."""
        if self.exists:
            return True
        try:
            age = time.time() - (self.home / "bnspec.json").stat().st_mtime
        except OSError:
            return False
        return self.interpreter.exists() and not (self.is_range and age > DAY)

    @property
    def is_range(self) -> bool:
        """Whether somebody asked for a range of versions, such as `torch>2.9.1`: it means the newest of them."""
        asked = set(self.requirements) - set(self.companions)
        return bool(self.companions) and any("==" not in requirement for requirement in asked)

    @cached_property
    def pins(self) -> dict[str, str]:
        """The versions that its requirements fix."""
        pairs = (requirement.partition("==") for requirement in self.requirements)
        return {normal(name): version.strip() for name, equals, version in pairs if equals and "," not in version}

    def pinned(self, family: str) -> str | None:
        """Return the version of a framework, the build for CPUs alone included; None where none is fixed."""
        return self.pins.get(family) or self.pins.get(f"{family}-cpu")


def normal(name: str) -> str:
    """Return a distribution's name without extras, as metadata spells it."""
    return re.sub(r"[-_.]+", "-", name.partition("[")[0].strip()).lower()


def plain(distribution: str) -> str:
    """Return the framework of a distribution: `tensorflow` of `tensorflow-cpu`."""
    return distribution.removesuffix("-cpu")
