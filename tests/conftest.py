"""Running cases without a process: the worker's own loop and frames, in this interpreter."""

import http.server
import importlib.util
import re
import signal
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bnspec.answers import frame, parse_trace
from bnspec.case import Case
from bnspec.difference import Trace
from bnspec.results import Row
from bnspec.runner import judged
from bnspec.suite import load_cases, select
from bnspec.worker.frames import Decoder, encode
from bnspec.worker.loop import run

ADAPTERS_PAGE = Path(__file__).parent.parent / "docs" / "adapters.md"


def trace_of(case: Case, adapter: Any) -> Trace:
    """Run a program on an adapter; both ways over the bytes that would cross the pipe."""
    [(job, arrays)] = Decoder().feed(frame(case))
    answer, results = run(adapter, job, arrays, {})
    [(header, shown)] = Decoder().feed(encode(answer, results))
    return parse_trace(header, shown)


class InProcess:
    """In the place of a Driver."""

    def __init__(self, adapter: Any) -> None:
        self.adapter = adapter

    def traces(self, cases: Sequence[Case], meanwhile: Callable[[], bool]) -> Iterator[tuple[str, Trace]]:
        return ((case.key, trace_of(case, self.adapter)) for case in cases)

    def held_to_claims(self, row: Row) -> Row:
        return row


@pytest.fixture(scope="session")
def perform() -> Callable[[Case, Any], Trace]:
    """Run one program on an adapter class."""
    return trace_of


@pytest.fixture(scope="session")
def verdicts() -> Callable[..., Mapping[str, Row]]:
    """Run and judge the suite, or a selection, on an adapter class: rows by id."""

    def rows(adapter: Any, selection: str | None = None) -> Mapping[str, Row]:
        cases, reported = select(load_cases(), selection)
        found = {row.id: row for row in judged(InProcess(adapter), cases)}  # type: ignore[arg-type]
        return {identifier: row for identifier, row in found.items() if identifier in reported}

    return rows


@pytest.fixture(scope="session")
def case_of() -> Callable[[str], Case]:
    """Return the case that an id belongs to."""
    cases = {identifier: case for case in load_cases() for identifier in case.ids}
    return cases.__getitem__


@pytest.fixture(scope="session")
def page_text() -> str:
    """docs/adapters.md."""
    return ADAPTERS_PAGE.read_text("utf-8")


@pytest.fixture(scope="session")
def page_file(page_text: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code of docs/adapters.md as a file, as a reader would save it."""
    found = re.search(r"```python\n(import numpy.*?)```", page_text, re.DOTALL)
    assert found
    path = tmp_path_factory.mktemp("page") / "mine.py"
    path.write_text(found[1], "utf-8")
    return path


@pytest.fixture(scope="session")
def page(page_file: Path) -> ModuleType:
    """The module of docs/adapters.md: BatchNorm, the layer, and Layer, its adapter."""
    spec = importlib.util.spec_from_file_location("bnspec_page", page_file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session", autouse=True)
def _an_interruption_interrupts() -> None:
    """A shell starts what it puts into the background deaf to Ctrl-C, and so would we and all we start be."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Index:
    """A package index of a test's own, and the variables that make uv and bnspec use it and nothing else."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder
        self.environ = {
            "UV_DEFAULT_INDEX": address, "UV_FIND_LINKS": "", "UV_CACHE_DIR": str(folder / "uv-cache"),
            "UV_PYTHON_DOWNLOADS": "never", "BNSPEC_CACHE": str(folder / "cache"),
        }  # fmt: skip

    def add(
        self, name: str, version: str, *requires: str, python: str = ">=3.6", tag: str = "py3-none-any", size: int = 0
    ) -> None:
        """Add a wheel with one file of some size, and what it requires."""
        info = f"{name}-{version}.dist-info"
        needs = "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
        content = {
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            f"Requires-Python: {python}\n{needs}",
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n",
            f"{name}.bin": "x" * size,
        }
        content[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in (*content, f"{info}/RECORD"))
        place = self.folder / "index" / name
        place.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(place / f"{name}-{version}-{tag}.whl", "w") as wheel:
            for file, text in content.items():
                wheel.writestr(file, text)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """An index that has numpy by name alone, for that is in every environment."""
    folder = tmp_path / "index"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        index = Index(tmp_path, f"http://127.0.0.1:{server.server_port}")
        index.add("numpy", "1.0")
        yield index
        server.shutdown()
