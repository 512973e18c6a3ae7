"""Processes of the worker that are bound to some of the processors, for frameworks whose threads cannot be changed.

TensorFlow, JAX and ONNX Runtime settle with their first computation on how many threads they compute: one for every
processor that the process may use. A spare is forked when the framework is imported and has not computed yet (4 to
17 ms, where importing once more would take seconds), waits until it is asked, and is kept for all cases. A framework
whose import starts threads (OpenVINO) must not be forked: of five runs that forked it two hung for ever. Its spares
import it once more, when they are asked for.

JAX keeps what it compiled for one number of processors and uses it with another. With that switched off four releases
(0.4.30 to 0.12) gave the same answers about threads.
"""

import json
import os
import socket
import subprocess
import sys
import warnings
from typing import Any, Callable, Dict, Iterator, List, Mapping, Sequence, Tuple

from bnspec.worker.adapter import Adapter, Unsupported
from bnspec.worker.frames import BrokenFrame, Decoder, Frame, encode
from bnspec.worker.lost import Lost

SPARES = 2
"""So many numbers of processors can be asked for."""

BOOTSTRAP = (
    "import json, sys, types; m = types.ModuleType('bnspec'); m.__path__ = [sys.argv[1]]; sys.modules['bnspec'] = m; "
    "from bnspec.worker.loop import answer_frames, load_adapter; hello = json.loads(sys.argv[2]); "
    "answer_frames(load_adapter(hello['adapter']), hello, int(sys.argv[3]), int(sys.argv[3]))"
)
"""What a spare runs that is not forked."""


class SpareFault(Exception):  # noqa: N818 - it names the fault
    """A spare that could not do its part: the reason, in its own words."""


class Spares:
    """The spares of a worker; each is bound to the first number of processors that it is asked for."""

    def __init__(self, waiting: Sequence["Spare"], make: Callable[[], "Spare"]) -> None:
        """Take those that were forked; make: starts another one, while there are fewer than SPARES."""
        self.waiting = list(waiting)
        self.make = make
        self.bound = {}  # type: Dict[int, Spare]
        self.lost = {}  # type: Dict[int, str]

    def run_steps(self, job: Mapping[str, Any], arrays: Sequence[Any], results: List[Any]) -> List[Dict[str, Any]]:
        """Run a program of which every part begins with `set_threads`; append what it shows to `results`.

        Each part has a layer of its own, made by the spare. Raises Unsupported, Lost or SpareFault.
        """
        shown = []  # type: List[Dict[str, Any]]
        for count, steps in parts(job["steps"]):
            answer, found = self.ask(count, dict(job, steps=steps, threads=count), arrays)
            status, reason = str(answer.get("status")), str(answer.get("reason"))
            if status == "unsupported":
                raise Unsupported(reason)
            if status == "not-run":
                raise Lost(status, reason)
            if status != "ran":
                raise SpareFault(reason)
            shown.append({"arrays": {}})
            for step in answer["steps"]:
                here = {name: len(results) + place for name, place in step.get("arrays", {}).items()}
                shown.append(step if "error" in step else {"arrays": here})
            results.extend(found)
        return shown

    def ask(self, count: int, job: Mapping[str, Any], arrays: Sequence[Any]) -> Frame:
        """Return a spare's answer. Raises Unsupported without so many processors, Lost where the spare ends."""
        if count in self.lost:
            raise Lost("not-run", "not tried again, for in an earlier case %s" % self.lost[count])
        if count not in self.bound:
            allowed = len(os.sched_getaffinity(0))
            if allowed < count:
                raise Unsupported("%d threads need as many processors; this process may use %d" % (count, allowed))
            if len(self.bound) == SPARES:
                raise Unsupported("%d numbers of threads were asked for before this one" % SPARES)
            self.bound[count] = self.waiting.pop() if self.waiting else self.make()
        try:
            return self.bound[count].ask(job, arrays)
        except (OSError, EOFError, BrokenFrame) as error:
            self.lost[count] = "the process bound to %d of the processors ended: %s" % (count, error)
            raise Lost("crash", self.lost[count])


def wanted(adapter: Any, device: str) -> bool:
    """Return whether an adapter needs spares, and this system can bind processes to processors.

    It needs them where it cannot change its threads itself; what a GPU computes has nothing to do with them.
    """
    own = getattr(adapter, "set_threads", Adapter.set_threads)
    return own is Adapter.set_threads and device == "cpu" and hasattr(os, "sched_setaffinity")


def threads() -> int:
    """Return how many threads this process has; 0 where the system does not tell."""
    return len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 0


def asked_by(job: Mapping[str, Any]) -> bool:
    """Return whether a program sets the number of threads."""
    return any(step["do"] == "set_threads" for step in job.get("steps", ()))


def parts(steps: Sequence[Mapping[str, Any]]) -> Iterator[Tuple[int, List[Mapping[str, Any]]]]:
    """Yield the steps that follow each `set_threads`, with its number. Raises SpareFault for steps before the first."""
    places = [place for place, step in enumerate(steps) if step["do"] == "set_threads"]
    if places[0]:
        raise SpareFault("a program that sets the number of threads begins with that")
    for place, end in zip(places, [*places[1:], len(steps)]):
        yield int(steps[place]["options"]["count"]), list(steps[place + 1 : end])


def bind(count: int) -> None:
    """Bind this process to so many of the processors that it may use."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


class Spare:
    """One of them, seen from the worker."""

    def __init__(self, own: socket.socket) -> None:
        self.own = own
        self.decoder = Decoder()

    def ask(self, job: Mapping[str, Any], arrays: Sequence[Any]) -> Frame:
        """Send a frame and return the answer. Raises OSError or EOFError where the process ends, BrokenFrame."""
        self.own.sendall(encode(job, arrays))
        while True:
            data = self.own.recv(1 << 20)
            if not data:
                raise EOFError("it said nothing more")
            for answer in self.decoder.feed(data):
                return answer


def started(hello: Mapping[str, Any]) -> Spare:
    """Start a process that imports the framework and serves one end of a socket; return it, seen from the other end."""
    own, its = socket.socketpair()
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    subprocess.Popen(
        [sys.executable, "-I", "-c", BOOTSTRAP, folder, json.dumps(hello), str(its.fileno())],
        pass_fds=[its.fileno()],
        stdin=subprocess.DEVNULL,
    )
    its.close()
    return Spare(own)


def forked(serve: Callable[[int, int], None], ours: Sequence[int]) -> Spare:
    """Fork a process that serves one end of a socket; return it, seen from the other end."""
    own, its = socket.socketpair()
    with warnings.catch_warnings():
        # A process with threads is not to be forked, say Python 3.12 and JAX: those threads compute nothing yet.
        warnings.simplefilter("ignore")
        child = os.fork()
    if child:
        its.close()
        return Spare(own)
    try:
        own.close()
        for number in ours:
            os.close(number)
        serve(its.fileno(), its.fileno())
    finally:
        os._exit(0)
