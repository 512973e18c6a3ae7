"""Environments by name: those that are listed, what a framework's name means, and what requirements make."""

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnspec.environments.model import OLDEST_PYTHON, REFERENCE, Environment, EnvironmentProblem, normal, plain
from bnspec.paths import suite_folder

if TYPE_CHECKING:
    from packaging.requirements import Requirement

FILE_NAME = re.compile(r"py(?P<major>\d)(?P<minor>\d+)-(?P<families>[a-z].*)")
PREFERRED = re.compile(r"^# preferred: \S", re.MULTILINE)
"""The comment in a requirements file that makes a framework's name mean it, and says why."""

NAMED = 8  # how many names an error lists


def listed() -> list[Environment]:
    """Return the environments of `conformance/environments`, by name."""
    return [from_file(path) for path in sorted((suite_folder() / "environments").glob("*.txt"))]


def from_file(path: Path) -> Environment:
    """Read one requirements file named `py311-torch-2.13.0.txt`. Raises EnvironmentProblem for another name."""
    found = FILE_NAME.fullmatch(path.stem)
    if not found:
        raise EnvironmentProblem(f"{path.name}: expected a name like py311-torch-2.13.0.txt")
    text = path.read_text("utf-8")
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    families = map(normal, re.findall(r"(?:^|-)([a-z_]+)(?=-\d)", found["families"]))
    requirements = tuple(line for line in lines if line)
    python = f"{found['major']}.{found['minor']}"
    return Environment(path.stem, python, requirements, tuple(families), bool(PREFERRED.search(text)))


def reference() -> Environment:
    """Return the environment of the reference: this very interpreter."""
    return Environment(REFERENCE, sys.executable, families=(REFERENCE,))


def frameworks() -> dict[str, Environment]:
    """Return what the name of a framework means: the preferred one of its listed environments, else the newest."""
    everything = listed()
    names = sorted({environment.families[0] for environment in everything})
    own = {name: [one for one in everything if one.families[0] == name] for name in names}
    return {REFERENCE: reference(), **{name: newest(name, environments) for name, environments in own.items()}}


def newest(family: str, environments: Iterable[Environment]) -> Environment:
    """Return the newest of some environments that have a framework, unless one is preferred.

    One that is named after it comes before one in which it is beside another. Keras has backends: of equal ones it
    is that on TensorFlow, its own default, the newest of these.
    """

    def rank(environment: Environment) -> Any:
        first, *others = (number(environment.pinned(name) or "0") for name in (family, *environment.families))
        named = family == environment.families[0], family in environment.families
        return named, environment.preferred, first, "tensorflow" in environment.families, others

    return max(environments, key=rank)


def number(version: str) -> Any:
    """Return a version as one that can be compared. Raises InvalidVersion."""
    from packaging.version import Version

    return Version(version)


def find(text: str) -> Environment:
    """Return the environment that a user names: a framework, (a part of) a listed name, or requirements.

    Requirements are joined by `+`, a Python among them if it matters: "torch==1.7.1 + python==3.8". Raises
    EnvironmentProblem for anything else.
    """
    known, everything = frameworks(), listed()
    by_name = {environment.name: environment for environment in everything}
    if text in known or text in by_name:
        return known.get(text) or by_name[text]
    if beside := [environment for environment in everything if text in environment.families]:
        return newest(text, beside)
    if partly := of_part(text, everything):
        return partly
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirements = [Requirement(part) for part in text.split("+")]
    except InvalidRequirement:
        requirements = []
    wanted = {normal(requirement.name): requirement for requirement in requirements}
    python = wanted.pop("python", None)
    if not any(requirement.specifier for requirement in wanted.values()):
        raise EnvironmentProblem(
            f"{text!r} is no environment. Expected a framework ({', '.join(known)}), a name that "
            '`bnspec environments` lists, or a requirement such as "torch==2.9.1", with a Python where that '
            'matters: "torch==2.9.1 + python==3.12".'
        )
    if len(wanted) + bool(python) < len(requirements):
        raise EnvironmentProblem(f"{text!r} names a package twice; expected each once")
    return from_requirements(text, wanted, python_version(python) if python else None, everything)


def of_part(text: str, environments: Iterable[Environment]) -> Environment | None:
    """Return the environment whose name a text is a part of; those that begin with it, behind the Python, come first.

    Of several that differ only in what is beside the framework it is the newest. Raises EnvironmentProblem where
    they differ in more.
    """
    partly = [environment for environment in environments if text and text in environment.name]
    partly = [one for one in partly if one.name.partition("-")[2].startswith(text)] or partly
    if len({(one.families[0], one.pinned(one.families[0])) for one in partly}) > 1:
        names = ", ".join(one.name for one in partly[:NAMED]) + (", …" if len(partly) > NAMED else "")
        raise EnvironmentProblem(f"{text!r} is a part of {len(partly)} names; expected more of one of {names}.")
    return newest(partly[0].families[0], partly) if partly else None


def python_version(requirement: "Requirement") -> str:
    """Return the version that `python==3.8` gives. Raises EnvironmentProblem for anything else."""
    found = re.fullmatch(r"==\s*(3\.\d+)(\.\d+)?", str(requirement.specifier))
    if not found:
        raise EnvironmentProblem(f"{requirement}: expected a version of Python such as python==3.8")
    if tuple(map(int, found[1].split("."))) < OLDEST_PYTHON:
        raise EnvironmentProblem(f"{requirement}: expected python==3.6 or later")
    return found[1] + (found[2] or "")


def from_requirements(
    text: str, wanted: Mapping[str, "Requirement"], python: str | None, environments: Iterable[Environment]
) -> Environment:
    """Return an environment for requirements: a listed one that has these pins, or a new one.

    A new one takes its Python, and what the framework wants beside it, from the listed one of this framework that
    is nearest by version. What is given wins.
    """
    families = {family for environment in environments for family in environment.families}
    leading = {environment.families[0] for environment in environments}
    given = {plain(name) for name in wanted}
    main = next((name for name in wanted if plain(name) in families), next(iter(wanted)))
    family = plain(main)

    def meant(environment: Environment) -> bool:
        # torch alone does not mean Keras on torch; Keras 2.15 means TensorFlow 2.15, which has it inside.
        return environment.families[0] in given or family not in leading.intersection(environment.families)

    alike = [one for one in environments if family in families and one.pinned(family)]
    for_python = [one for one in alike if python is None or python.startswith(one.python)]
    if pinned := [one for one in for_python if has(one, wanted) and meant(one)]:
        return newest(family, pinned)
    like = nearest(family, exact(wanted[main]), wanted, for_python or alike)
    beside = {plain(normal(pin.partition("==")[0])): pin for pin in like.requirements} if like else {}
    companions = tuple(pin for name, pin in {"numpy": "numpy", **beside}.items() if name not in given)
    host = f"{sys.version_info.major}.{sys.version_info.minor}"
    requirements = (*map(str, wanted.values()), *companions)
    return Environment(text, python or (like.python if like else host), requirements, (family,), companions=companions)


def exact(requirement: "Requirement") -> str | None:
    """Return the one version that a requirement allows, None where it allows several or wants extras."""
    found = re.fullmatch(r"==\s*([\w.!+]+)", str(requirement.specifier))
    return found[1] if found and not requirement.extras else None


def has(environment: Environment, wanted: Mapping[str, "Requirement"]) -> bool:
    """Return whether an environment pins all that is wanted, at the versions that are."""
    return all(
        exact(requirement) and name in environment.pins and requirement.specifier.contains(environment.pins[name])
        for name, requirement in wanted.items()
    )


def nearest(
    family: str, version: str | None, wanted: Iterable[str], environments: Iterable[Environment]
) -> Environment | None:
    """Return the environment whose version of a framework is next to the one wanted; the newest for no version.

    One that has the other frameworks which are wanted comes first, then one on TensorFlow, Keras' own default.
    """

    def distance(environment: Environment) -> Any:
        others = sum(plain(name) in environment.families for name in wanted if plain(name) != family)
        steps = abs(steps_of(environment.pinned(family) or "0") - steps_of(version)) if version else 0
        return -others, "tensorflow" not in environment.families, steps

    closest = min(map(distance, environments), default=None)
    return newest(family, [one for one in environments if distance(one) == closest]) if closest else None


def steps_of(version: str) -> int:
    """Return a version as a number in which a minor version is far more than any patch."""
    major, minor, patch = [*map(int, number(version).release), 0, 0][:3]
    return (major * 1000 + minor) * 1000 + patch
