"""The made-up frameworks as targets; `results.jsonl` holds the fingerprints that the suite finds in them."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from bnspec.columns import Column, columns
from bnspec.environments import find
from bnspec.results import read
from bnspec.targets import Target

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def frameworks() -> ModuleType:
    """The module of the made-up frameworks."""
    spec = importlib.util.spec_from_file_location("ported_frameworks", HERE / "frameworks.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def target() -> Callable[[str], Target]:
    """Return the target of a made-up framework, by the name of its class."""
    return lambda name: Target(find("numpy"), f"frameworks.py:{name}", f"{HERE / 'frameworks.py'}:{name}")


@pytest.fixture(scope="session")
def there_and_here() -> tuple[Column, Column]:
    """The two frameworks, as results."""
    here, there = sorted(columns([read(HERE / "results.jsonl")]), key=lambda column: column.label)
    return there, here
