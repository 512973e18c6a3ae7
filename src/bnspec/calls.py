"""Calling a function in an environment: a worker that answers calls, not programs."""

import queue
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bnspec.process import Event, WorkerProcess
from bnspec.results import one_line
from bnspec.worker.calls import pack, unpack
from bnspec.worker.frames import encode

START_SECONDS = 300.0


class CallFailed(Exception):  # noqa: N818 - it is shown as it is, one clear line
    """A call gave nothing. The message says why in one line.

    kind: `start` (the worker does not start), `load` (the function's file does not load), `raised`, `crash`,
    `timeout` or `broken`; error: the class and text of what was raised; trace: where.
    """

    def __init__(self, kind: str, message: str, error: tuple[str, str] = ("", ""), trace: str = "") -> None:
        super().__init__(one_line(message))
        self.kind, self.error, self.trace = kind, error, trace


class Caller:
    """A worker that holds one function; as a context it is killed at the end."""

    def __init__(self, python: Path, function: str, environ: Mapping[str, str]) -> None:
        """Start it.

        function: `package.module:name` or `FILE.py:name`, as the worker can find it. Raises CallFailed where the
        interpreter cannot be run.
        """
        try:
            self.worker = WorkerProcess(python, environ)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise CallFailed("start", f"{python} cannot be run: {reason}") from None
        self.worker.send(encode({"function": function}))

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Kill the worker."""
        self.worker.kill()

    def ready(self, seconds: float = START_SECONDS) -> Mapping[str, Any]:
        """Wait until the function is loaded; return what the worker says of itself. Raises CallFailed."""
        event = self.next_event(seconds)
        header = event.header
        if header.get("event") == "failed":
            raise CallFailed("load", said(header), (str(header.get("class")), str(header.get("text"))), trace(header))
        if header.get("event") != "ready":
            raise CallFailed("start", f"the worker does not start: {event.text or 'it sent something else'}")
        return header

    def call(self, seconds: float, **arguments: Any) -> Any:
        """Return what the function returns. Raises CallFailed where it raises, dies or takes too long."""
        arrays: list[Any] = []
        packed = pack(arguments, arrays)
        self.worker.send(encode({"arguments": packed}, arrays))
        event = self.next_event(seconds)
        header = event.header
        if header.get("event") == "raised":
            raise CallFailed("raised", said(header), (str(header.get("class")), str(header.get("text"))), trace(header))
        try:
            return unpack(header["value"], list(event.arrays))
        except (LookupError, TypeError):
            raise CallFailed("broken", "the worker sent something that is no answer") from None

    def next_event(self, seconds: float) -> Event:
        """Return the worker's next frame. Raises CallFailed where none comes in time."""
        try:
            event = self.worker.events.get(timeout=seconds)
        except queue.Empty:
            self.worker.kill()
            raise CallFailed("timeout", f"no answer after {seconds:g} s") from None
        if event.kind == "ended":
            words = self.worker.last_words()
            raise CallFailed("crash", f"the process {event.text}" + (f"; it printed: {words}" if words else ""))
        if event.kind == "broken":
            self.worker.kill()
            raise CallFailed("broken", f"the worker sent something that is no frame: {event.text}")
        return event


def said(header: Mapping[str, Any]) -> str:
    """Return an exception as it is told."""
    return f"{header.get('class')}: {str(header.get('text'))[:500]}"


def trace(header: Mapping[str, Any]) -> str:
    """Return where an exception was raised."""
    return str(header.get("trace", ""))
