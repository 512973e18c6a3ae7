"""Interpreters that exist: what a Python says of itself and of what is installed in it."""

import json
import shutil
import subprocess

from bnspec.environments.model import OLDEST_PYTHON, Environment, EnvironmentProblem, normal


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
    if (major, minor) < OLDEST_PYTHON:
        raise EnvironmentProblem(f"--python {path}: is Python {major}.{minor}; expected 3.6 or later")
    return Environment(resolved, resolved)


def installed(environment: Environment) -> dict[str, str]:
    """Return the distributions of an environment and their versions, without importing any.

    Raises EnvironmentProblem where its Python does not say.
    """
    if environment.pins and len(environment.pins) == len(environment.requirements) and not environment.companions:
        return environment.pins
    probe = (
        "import json, os, sys\n"
        "print(json.dumps([e for p in sys.path if os.path.isdir(p) for e in os.listdir(p)"
        " if e.endswith(('.dist-info', '.egg-info'))]))"
    )
    python = str(environment.interpreter)
    try:
        run = subprocess.run([python, "-I", "-c", probe], capture_output=True, text=True, timeout=60, check=False)
        entries = (entry.rpartition(".")[0].partition("-") for entry in json.loads(run.stdout))
    except (OSError, ValueError, subprocess.SubprocessError):
        again = "give another Python" if environment.exists else f"remove {environment.home} to have it made anew"
        raise EnvironmentProblem(
            f"{environment.name}: {python} does not say what is installed in it; {again}"
        ) from None
    return {normal(name): version.partition("-py")[0] for name, _, version in entries}
