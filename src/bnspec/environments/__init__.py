"""Environments: finding them by name, making them with uv, keeping them for the next run."""

from bnspec.environments.interpreters import at_python, installed
from bnspec.environments.making import discard, discard_left_over, make
from bnspec.environments.model import REFERENCE, Environment, EnvironmentProblem, normal, plain
from bnspec.environments.names import find, frameworks, from_file, listed, newest, reference

__all__ = [
    "REFERENCE", "Environment", "EnvironmentProblem", "at_python", "discard", "discard_left_over", "find",
    "frameworks", "from_file", "installed", "listed", "make", "newest", "normal", "plain", "reference",
]  # fmt: skip
