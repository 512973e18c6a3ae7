"""What makes workers follow a script."""

from collections.abc import Callable

import pytest
from scripted import Script, Scripted

import bnspec.driver


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., type[Scripted]]:
    """Make every worker follow a script."""

    def make(given: Script) -> type[Scripted]:
        class Following(Scripted):
            script = staticmethod(given)  # type: ignore[assignment]
            started: list[Scripted] = []  # noqa: RUF012 - a class of its own for every test

        monkeypatch.setattr(bnspec.driver, "WorkerProcess", Following)
        return Following

    return make


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a worker for slow after two answers."""
    monkeypatch.setattr(bnspec.driver, "MEASURED", 2)
    monkeypatch.setattr(bnspec.driver, "SLOW_SECONDS", 0.005)
