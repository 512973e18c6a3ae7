"""Environments of a test's own: a cache, an index, a folder of requirements files."""

import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

import bnspec.environments.names


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    """Environments are made in a cache of the test's own, by Pythons that are there."""
    monkeypatch.setenv("BNSPEC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    monkeypatch.delenv("BNSPEC_AFTER_INSTALL", raising=False)


@pytest.fixture
def packages(index, monkeypatch):
    """An index of the test's own, which this process uses."""
    for name, value in index.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("UV_EXTRA_INDEX_URL", raising=False)
    return index


@pytest.fixture
def silent_index(monkeypatch) -> Iterator[None]:
    """A package index that takes every question and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://127.0.0.1:{server.getsockname()[1]}/simple")
        monkeypatch.setenv("UV_NO_CACHE", "1")
        monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
        yield


@pytest.fixture
def matrix(tmp_path: Path, monkeypatch) -> Callable[[Mapping[str, str]], None]:
    """Put requirements files, by their names, in the place of those that are listed."""
    folder = tmp_path / "suite"

    def write(files: Mapping[str, str]) -> None:
        (folder / "environments").mkdir(parents=True)
        for name, requirements in files.items():
            (folder / "environments" / f"{name}.txt").write_text("\n".join(requirements.split(" ")), "utf-8")
        monkeypatch.setattr(bnspec.environments.names, "suite_folder", lambda: folder)

    return write
