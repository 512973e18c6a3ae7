"""Workers that follow a script, and the small cases that they are asked."""

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bnspec.answers import FACTS
from bnspec.case import Case, Layer, infer
from bnspec.driver import Driver
from bnspec.environments import reference
from bnspec.process import Event
from bnspec.targets import Target
from bnspec.worker.frames import Decoder

TARGET = Target(reference(), "scripted", "scripted:Scripted")
NAMES = "abcdefghijkl"

Script = Callable[["Scripted", str], None]


class Scripted:
    """In the place of a WorkerProcess: it answers at once, as its script says."""

    script: Script
    started: list["Scripted"]

    def __init__(self, python: object, environ: object) -> None:
        self.events: queue.Queue[Event] = queue.Queue()
        self.asked: list[str] = []
        self.killed = False
        self.started.append(self)
        self.inbox: queue.Queue[str] = queue.Queue()
        self.answered = 0

    @property
    def number(self) -> int:
        """Whether it is the first that was started, or a later one."""
        return self.started.index(self)

    @property
    def names(self) -> str:
        """The cases that it was asked, in this order."""
        return "".join(key[-2] for key in self.asked if key != FACTS)

    def send(self, frame: bytes) -> None:
        [(header, _)] = Decoder().feed(frame)
        if "adapter" in header:
            self.put("frame", {"event": "ready", "executions": ["eager"]})
        elif not self.killed:
            self.asked.append(header["id"])
            type(self).script(self, header["id"])

    def put(self, kind: str, header: dict[str, Any] | None = None, text: str = "") -> None:
        self.events.put(Event(kind, time.monotonic(), header or {}, text=text))

    def begin(self, case: str) -> None:
        self.put("frame", {"event": "started", "id": case})

    def answer(self, case: str, **more: Any) -> None:
        self.begin(case)
        self.end(case, **more)

    def end(self, case: str, **more: Any) -> None:
        self.put("frame", {"event": "trace", "id": case, "status": "unsupported", "reason": "scripted", **more})

    def last_words(self) -> str:
        return "last words"

    def die(self) -> None:
        if not self.killed:
            self.killed = True
            self.put("ended", text="exited with status 9")

    kill = die


def slowly(worker: Scripted, key: str, deadly: str = "", victim: int = -1) -> None:
    """Answer after a while, one case after the other, as a process does; the victim dies of the deadly case."""
    worker.inbox.put(key)
    if len(worker.asked) > 1:
        return

    def serve() -> None:
        while not worker.killed:
            key = worker.inbox.get()
            worker.begin(key)
            time.sleep(0.02)
            if f"[{deadly}]" in key and worker.number == victim:
                worker.die()
            else:
                worker.answered += 1
                worker.end(key, compilations=worker.answered)

    threading.Thread(target=serve, daemon=True).start()


def case(name: str) -> Case:
    x = np.ones((4, 3), dtype=np.float32)
    return Case(("forward.inference",), name, Layer(), (infer(x),), "small")


def statuses(driver: Driver, names: str) -> dict[str, str]:
    """Return the status of every case's trace, by situation."""
    return {key[len("forward.inference[") : -1]: trace.status for key, trace in driver.traces([case(n) for n in names])}
