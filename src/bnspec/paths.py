"""Where things are: the suite, the cache, the Pythons. Imports nothing but the standard library."""

import functools
import os
from pathlib import Path


@functools.cache
def suite_folder() -> Path:
    """Return the folder `conformance`: beside `src` in a checkout, inside the package in a wheel.

    Raises FileNotFoundError where there is neither.
    """
    package = Path(__file__).parent
    for candidate in (package / "conformance", package.parent.parent / "conformance"):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"no folder `conformance` beside {package}; reinstall bnspec")


@functools.cache
def mutants_folder() -> Path:
    """Return the folder of the implementations for the self-test: `tests/mutants`, or `mutants` in a wheel.

    Raises FileNotFoundError where there is neither.
    """
    package = Path(__file__).parent
    for candidate in (package / "mutants", package.parent.parent / "tests" / "mutants"):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"no folder `mutants` beside {package}; reinstall bnspec")


def cache_folder() -> Path:
    """Return the folder for environments and unnamed results: $BNSPEC_CACHE, or the user's cache folder."""
    if given := os.environ.get("BNSPEC_CACHE"):
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_cache_dir("bnspec"))


def pyenv_pythons() -> list[str]:
    """Return the folders of pyenv's Pythons: its shims answer only for the versions that are switched on."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return sorted(str(path) for path in root.glob("versions/3*/bin"))


INHERITED = ("VIRTUAL_ENV", "UV_INTERNAL__PARENT_INTERPRETER")
"""Left by `python -m uv run`: an inner uv would take them for the environment to install into."""


def uv_environ() -> dict[str, str]:
    """Return the environment variables for uv: the Pythons of pyenv, and the wheels that pip is told to find."""
    environ = {name: value for name, value in os.environ.items() if name not in INHERITED}
    environ["PATH"] = os.pathsep.join([environ.get("PATH", os.defpath), *pyenv_pythons()])
    if links := environ.get("PIP_FIND_LINKS"):
        environ.setdefault("UV_FIND_LINKS", links)
    return environ
