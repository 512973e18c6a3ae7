"""`pytest conformance --environment NAME` (or `--python PATH`): the cases as pytest tests, through the same engine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bnspec.driver import Driver, TargetFailed, Timeouts
from bnspec.environments import EnvironmentProblem, at_python, make
from bnspec.results import ResultsError, Row, read
from bnspec.runner import judged
from bnspec.suite import load_cases, with_axes
from bnspec.targets import Target, choose, parse


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say which target is tested; without either option it is the reference itself."""
    group = parser.getgroup("bnspec")
    group.addoption("--environment", default=None, metavar="NAME[/ADAPTER]", help="as in `bnspec run`")
    group.addoption("--python", default=None, metavar="PATH", help="an interpreter that has the environment, made")
    group.addoption("--adapter", default=None, metavar="A", help="a built-in adapter or FILE.py:Class")
    group.addoption("--device", default="cpu", choices=["cpu", "cuda"])
    group.addoption("--known", default=None, metavar="FILE", help="results: findings that are in it are expected")


def pytest_configure(config: pytest.Config) -> None:
    """Find the target before anything is collected: a wrong name is one clear line."""
    python, name, device = (config.getoption(f"--{option}") for option in ("python", "environment", "device"))
    adapter = config.getoption("--adapter")
    try:
        if python:
            # What is beside a framework may be one as well; the name says which is meant.
            adapter = adapter or (parse(name).adapter if name else None)
            target = choose(at_python(python), adapter, device, None)
        else:
            target = parse(name or "numpy", adapter=adapter, device=device)
    except EnvironmentProblem as problem:
        raise pytest.UsageError(str(problem)) from None
    config.stash[TARGET] = target
    config.stash[KNOWN] = known_rows(config.getoption("--known"), target.adapter)


TARGET = pytest.StashKey[Target]()
Known = Mapping[str, Mapping[str, Any]] | None
KNOWN = pytest.StashKey[Known]()


def known_rows(file: str | None, adapter: str) -> Known:
    """Return the rows of an adapter in a results file, by id, None without a file; it must have that adapter."""
    if file is None:
        return None
    if not Path(file).exists():
        raise pytest.UsageError(f"--known {file}: there is no such file; make it with bnspec run NAME -o {file}")
    try:
        targets = read(Path(file)).targets.values()
    except ResultsError as problem:
        raise pytest.UsageError(str(problem)) from None
    rows = next((target.rows for target in targets if target.info["adapter"] == adapter), None)
    if rows is None:
        raise pytest.UsageError(f"--known {file}: no results of {adapter} in it")
    return rows


def pytest_report_header(config: pytest.Config) -> str:
    """Name the target."""
    return f"bnspec target: {config.stash[TARGET].name}"


class Verdicts:
    """The rows of the target, run as the tests ask for them."""

    def __init__(self, target: Target, reported: set[str]) -> None:
        """Start the target. Raises EnvironmentProblem or TargetFailed where it does not start."""
        self.target = target
        make(target.environment)
        self.driver = Driver(target, Timeouts())
        self.driver.connect()
        self.coming = judged(self.driver, with_axes(load_cases(), reported))
        self.rows: dict[str, Row] = {}

    def of(self, identifier: str) -> Row:
        """Return the row of an id, running what comes before it."""
        while identifier not in self.rows:
            row = next(self.coming)
            self.rows[row.id] = row
        return self.rows[identifier]


@pytest.fixture(scope="session")
def verdicts(request: pytest.FixtureRequest):
    """The verdicts on the target, for the ids that are collected."""
    params = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    reported = {own["identifier"] for own in params if "identifier" in own}
    try:
        running = Verdicts(request.config.stash[TARGET], reported)
    except (EnvironmentProblem, TargetFailed) as problem:
        pytest.exit(str(problem), returncode=2)
    yield running
    running.driver.stop()


@pytest.fixture(scope="session")
def tested(request: pytest.FixtureRequest) -> Target:
    """The target."""
    return request.config.stash[TARGET]


@pytest.fixture(scope="session")
def known(request: pytest.FixtureRequest) -> Known:
    """The results rows that are expected, by id; None where nothing is known."""
    return request.config.stash[KNOWN]


@pytest.fixture
def reproducer(request: pytest.FixtureRequest):
    """The command that runs one id again on this target."""
    target, python = request.config.stash[TARGET], request.config.getoption("--python")

    def command(identifier: str) -> str:
        where = f"--python {python}" if python else f"{target.environment.name}/{target.adapter}"
        own = f" --adapter {target.adapter}" if python or ":" in target.adapter else ""
        return f"bnspec run {where}{own} -k '{identifier}'"

    return command
