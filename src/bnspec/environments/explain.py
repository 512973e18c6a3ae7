"""Why requirements cannot be installed, from uv's words: the versions there are, pins that conflict, the Python."""

import re
from collections.abc import Sequence

from bnspec.environments.model import Environment, normal
from bnspec.environments.uv import pythons, said, uv

WORDS = 20_000  # of uv, that are searched

NO_VERSION = re.compile(r"there is no version of (?P<name>[\w.-]+)==(?P<version>[\w.!+]+)")
NO_WHEEL = re.compile(r"(?P<what>[\w.-]+[<>=!~][\w.,<>=!~*+]+) has no wheels with a matching Python \w+ tag")
TAGS = re.compile(r"\bcp(?P<major>\d)(?P<minor>\d+)")
OTHER_PYTHON = re.compile(
    r"does not satisfy Python(?P<wanted>[\d.,<>=!~*]+) and (?P<what>\S+) depends on Python"
    r"|(?P<that>\S+) requires Python (?P<needed>[\d.,<>=!~*]+)"
)
ONLY = re.compile(r"Because only (?P<there>\S+) is available and you require (?P<what>\S+),")
NO_PACKAGE = re.compile(r"Because (?P<name>[\w.-]+) was not found in the package registry")
DEPENDS = re.compile(r"(?P<what>[\w.-]+(?:==[\w.!+]+)?) depends? on (?P<on>[\w.-]+(?:[<>=!~][\w.,<>=!~*+]*)?)")


def explained(environment: Environment, words: str) -> str:
    """Return in one line why the requirements of an environment, whose Python is made, cannot be installed."""
    text = said(words, WORDS)
    if found := OTHER_PYTHON.search(text):
        what, wanted = found["what"] or found["that"], found["wanted"] or found["needed"]
        return wants_python(environment, what, f"Python{wanted}", satisfying(wanted))
    if found := NO_WHEEL.search(text):
        tags = [(int(tag["major"]), int(tag["minor"])) for tag in TAGS.finditer(text.partition("hint:")[2])]
        there = [f"{major}.{minor}" for major, minor in sorted(set(tags[1:]))]  # the first is that of this Python
        return wants_python(environment, found["what"], f"Python {', '.join(there)}", there)
    if found := NO_VERSION.search(text):
        return f"there is no {found['name']} {found['version']}{near(environment, found['name'], found['version'])}"
    if found := ONLY.search(text):
        return f"there is no {found['what']}, only {found['there']}"
    if found := NO_PACKAGE.search(text):
        return f"the package index has no {found['name']}"
    return conflict(environment, text) or f"uv says: {said(words)}"


def satisfying(wanted: str) -> list[str]:
    """Return the Pythons of this machine that a specifier takes."""
    from packaging.specifiers import SpecifierSet

    return [version for version in pythons() if SpecifierSet(wanted).contains(f"{version}.99")]


def wants_python(environment: Environment, what: str, wanted: str, would_do: Sequence[str]) -> str:
    """Say which Python something wants, and what to type for it."""
    here, main = pythons(), environment.requirements[0]
    told = f"{what} wants {wanted}"
    if normal(re.split("[<>=!~]", what)[0]) != normal(re.split("[<>=!~]", main)[0]):
        return f"{told}; take another version of it, or another Python"
    if best := closest(environment.python, [version for version in would_do if version in here]):
        return f'{told}; type "{main} + python=={best}"'
    get = f"`uv python install {would_do[-1] if would_do else 'VERSION'}`"
    return f"{told}, and none of these is here ({', '.join(here)} are); get one with {get} or pyenv"


def closest(python: str, others: Sequence[str]) -> str | None:
    """Return the version of Python that is next to a given one, None where there is no other."""
    given = minor(python)
    return min(others, key=lambda other: (abs(minor(other) - given), -minor(other)), default=None)


def minor(python: str) -> int:
    """Return the 11 of 3.11.7."""
    return int(python.split(".")[1])


def near(environment: Environment, name: str, version: str) -> str:
    """Say which versions of a package lie next to one that does not exist, as far as uv finds any for this Python."""
    python = str(environment.interpreter)
    dry = ("pip", "install", "--dry-run", "--no-deps", "--color", "never", "--python", python)
    runs = (
        uv(*dry, f"{name}<{version}"),
        uv(*dry, "--resolution", "lowest", f"{name}>{version}"),
    )
    found = [re.search(rf"^ \+ {re.escape(name)}==(\S+)$", run.stdout + run.stderr, re.MULTILINE) for run in runs]
    versions = [one[1] for one in found if one]
    return f"; near it {'are' if len(versions) > 1 else 'is'} {' and '.join(versions)}" if versions else ""


def conflict(environment: Environment, text: str) -> str:
    """Say which pins do not go together, and why; nothing where uv names none of ours."""
    pins = named(environment.requirements, text)
    reasons = dict.fromkeys(f"{one['what']} depends on {one['on'].rstrip(',.')}" for one in DEPENDS.finditer(text))
    if not reasons or not pins:
        return ""
    why = " and ".join(reasons)
    return f"{' and '.join(pins)} do not go together: {why}" if len(pins) > 1 else f"{pins[0]} does not fit: {why}"


def named(requirements: Sequence[str], words: str) -> list[str]:
    """Return those of some requirements that uv speaks of."""
    tokens = {token.strip(",.") for token in words.split()}
    return [requirement for requirement in requirements if spelled(requirement) in tokens]


def spelled(requirement: str) -> str:
    """Return a requirement as uv spells it."""
    name, equals, version = requirement.partition("==")
    return f"{normal(name)}{equals}{version.strip()}"
