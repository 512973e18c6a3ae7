"""Replicas in child processes of the worker: started when they are first asked for, kept for all cases, killed whole.

A framework's replicas may be processes (torch.distributed), or devices that must be there before it starts (JAX,
TensorFlow). A hang costs the case that it happens in: the children are a session of their own, which is killed.
"""

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from bnspec.worker.adapter import Arrays, Unsupported
from bnspec.worker.frames import BrokenFrame, Decoder, encode
from bnspec.worker.lost import Lost
from bnspec.worker.replicas import Replicas

BOOTSTRAP = (
    "import sys, types; m = types.ModuleType('bnspec'); m.__path__ = [sys.argv[1]]; sys.modules['bnspec'] = m; "
    "from bnspec.worker.children import main; main(sys.argv[2], sys.argv[3], [int(fd) for fd in sys.argv[4:]])"
)
"""Makes `bnspec` a package of our folder alone, as in the worker itself."""

START_SECONDS = 45.0
STEP_SECONDS = 15.0
OTHERS_SECONDS = 3.0
"""How long a child may take to start, and for a step; and the others where one has raised and they may wait for it."""


class Children:
    """The child processes of one class of replicas, in a session of their own; each has a socket."""

    def __init__(self, path: str, processes: int, environ: Mapping[str, str]) -> None:
        """Start them: one process imports the framework, the others are forked from it. path: of the Replicas class."""
        pairs = [socket.socketpair() for _ in range(processes)]
        self.sockets = [ours for ours, _ in pairs]
        theirs = [other.fileno() for _, other in pairs]
        self.folder = tempfile.mkdtemp(prefix="bnspec-replicas-")
        package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", BOOTSTRAP, package, path, self.folder, *map(str, theirs)],
            stdin=subprocess.DEVNULL,
            env=dict(os.environ, **environ),
            pass_fds=theirs,
            start_new_session=True,
        )
        for _, other in pairs:
            other.close()
        self.decoders = [Decoder() for _ in pairs]
        self.answers(list(range(processes)), START_SECONDS, "the start")
        # Where they met; a worker that is killed could not remove it later.
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, parts: Sequence[Tuple[Mapping[str, Any], Sequence[Any]]]) -> List[Tuple[Dict[str, Any], List[Any]]]:
        """Send the first children a frame each and return their answers. Raises Lost where one gives none."""
        for own, (header, arrays) in zip(self.sockets, parts):
            with contextlib.suppress(OSError):  # it has ended: so will the wait for its answer
                own.sendall(encode(header, arrays))
        return self.answers(list(range(len(parts))), STEP_SECONDS, str(parts[0][0]["do"]))

    def answers(self, waiting: List[int], seconds: float, what: str) -> List[Tuple[Dict[str, Any], List[Any]]]:
        """Return an answer of each of some children. Raises Lost, and kills them all, where one gives none."""
        found = {}  # type: Dict[int, Tuple[Dict[str, Any], List[Any]]]
        asked, until = list(waiting), time.monotonic() + seconds
        while waiting:
            readable, _, _ = select.select([self.sockets[n] for n in waiting], [], [], max(until - time.monotonic(), 0))
            if not readable:
                self.kill()
                if any("error" in header for header, _ in found.values()):
                    return [found[n] for n in asked if n in found]  # the others wait for the one that raised
                raise Lost("timeout", "the replicas did not finish %s within %g s; they were killed" % (what, seconds))
            for n in [n for n in waiting if self.sockets[n] in readable]:
                try:
                    data = self.sockets[n].recv(1 << 20)
                    frames = list(self.decoders[n].feed(data))
                except (OSError, BrokenFrame):
                    data, frames = b"", []
                if not data:
                    self.kill()
                    raise Lost("crash", "replica %d ended during %s" % (n, what))
                if frames:
                    found[n] = frames[0]
                    waiting.remove(n)
                    if "error" in frames[0][0]:
                        until = min(until, time.monotonic() + OTHERS_SECONDS)
        return [found[n] for n in asked]

    def kill(self) -> None:
        """Kill all of them, and what they started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for own in self.sockets:
            own.close()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Elsewhere(Replicas):
    """Replicas in child processes: this class speaks for them.

    path: `module:Class` of the Replicas that a child makes of its part; processes: how many there are, of one replica
    each, or 1 for all; executions: in which the replicas can be run; environ: what their environment has beside the
    worker's.
    """

    path = ""
    processes = 1
    executions: Tuple[str, ...] = ("eager",)
    environ: Mapping[str, str] = {}
    children: Optional[Children] = None
    hung: Mapping[bool, str] = {}

    def __init__(
        self, layer: Mapping[str, Any], *, count: int, synchronised: bool, execution: str, device: str
    ) -> None:
        super().__init__(layer, count=count, synchronised=synchronised, execution=execution, device=device)
        kind = type(self)
        if execution not in kind.executions:
            raise Unsupported("replicas are run in the execution %s only" % " or ".join(kind.executions))
        if synchronised in kind.hung:
            raise Lost("not-run", "not tried again, for in an earlier case %s" % kind.hung[synchronised])
        if kind.children is None:
            try:
                kind.children = Children(self.path, self.processes, self.environ)
            except Lost as lost:
                kind.hung = {True: str(lost), False: str(lost)}  # what does not start now will not start then
                raise
        how = {"layer": layer, "count": count, "synchronised": synchronised}
        self.ask("build", dict(how, execution=execution, device=device))

    def ask(self, do: str, options: Mapping[str, Any], **named: Sequence[Any]) -> List[List[Arrays]]:
        """Do one step in all children; return the arrays of each replica in them. named: lists of one per replica."""
        kind, parts = type(self), []
        places = [range(self.count)] if self.processes == 1 else [range(n, n + 1) for n in range(self.count)]
        for place in places:
            arrays = [(name, several[n]) for name, several in named.items() for n in place]
            header = dict(options, do=do, names=[name for name, _ in arrays])
            parts.append((header, [array for _, array in arrays]))
        children = kind.children
        if children is None:
            raise RuntimeError("the replicas were killed: one had raised, and the others waited for it")
        try:
            answers = children.ask(parts)
        except Lost as lost:
            kind.children = None
            if lost.status == "timeout":
                kind.hung = {**kind.hung, self.synchronised: str(lost)}
            raise
        if len(answers) < len(parts):
            kind.children = None  # they were killed
        for header, _ in answers:
            check(header)
        return [split(header, arrays) for header, arrays in answers]

    def train(
        self, shares: Sequence[Any], masks: Optional[Sequence[Any]] = None, dys: Optional[Sequence[Any]] = None
    ) -> Sequence[Arrays]:
        """Train."""
        given = {name: arrays for name, arrays in (("masks", masks), ("dys", dys)) if arrays}
        return [one for part in self.ask("train", {}, shares=shares, **given) for one in part]

    def infer(self, shares: Sequence[Any]) -> Sequence[Any]:
        """Infer."""
        return [one["y"] for part in self.ask("infer", {}, shares=shares) for one in part]

    def get_state(self) -> Sequence[Arrays]:
        """Read the state."""
        return [one for part in self.ask("get_state", {}) for one in part]

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Set the state."""
        self.ask("set_state", {}, **{name: [array] * self.count for name, array in state.items()})


def check(header: Mapping[str, Any]) -> None:
    """Raise what a child raised: its class and text, or that it has no words for the step, or that it is at fault."""
    from bnspec.worker.loop import AdapterFault

    if "unsupported" in header:
        raise Unsupported(header["unsupported"])
    if "fault" in header:
        raise AdapterFault(header["fault"])
    if "error" in header:
        raise type(str(header["error"]["class"]), (Exception,), {})(header["error"]["text"])


def split(header: Mapping[str, Any], arrays: Sequence[Any]) -> List[Arrays]:
    """Return the arrays of an answer, one dictionary per replica."""
    found = [{} for _ in range(header["replicas"])]  # type: List[Arrays]
    for (n, name), array in zip(header["names"], arrays):
        found[n][name] = array
    return found


# In the child


def main(path: str, folder: str, sockets: Sequence[int]) -> None:
    """Make a process of every socket and answer what comes through it, until that is closed.

    The class may have `prepare()`, which does before the processes are forked what each would do after it.
    """
    from bnspec.worker.loop import die_with_host, load_adapter

    die_with_host()
    kind = load_adapter(path)
    getattr(kind, "prepare", lambda: None)()
    for rank in range(len(sockets)) if len(sockets) > 1 else ():
        if os.fork() == 0:
            die_with_host()
            for n, other in enumerate(sockets):
                if n != rank:
                    os.close(other)
            serve(kind, folder, rank, len(sockets), sockets[rank])
            os._exit(0)
    if len(sockets) == 1:
        serve(kind, folder, 0, 1, sockets[0])
        os._exit(0)
    for own in sockets:
        os.close(own)
    for _ in sockets:
        os.wait()


def serve(kind: Any, folder: str, rank: int, processes: int, number: int) -> None:
    """Answer frames: build the replicas of this process, let them do a step.

    The class may have `join(rank, processes, folder)`, by which the processes find each other.
    """
    own = socket.socket(fileno=number)
    decoder, made = Decoder(), {}  # type: Decoder, Dict[str, Any]
    getattr(kind, "join", lambda *where: None)(rank, processes, folder)
    own.sendall(encode({"ready": True}))
    while True:
        data = own.recv(1 << 20)
        if not data:
            return
        for header, arrays in decoder.feed(data):
            answer, results = answered(kind, header, arrays, made)
            own.sendall(encode(answer, results))


def answered(
    kind: Any, header: Mapping[str, Any], arrays: Sequence[Any], made: Dict[str, Any]
) -> Tuple[Dict[str, Any], List[Any]]:
    """Do one step with the replicas of this process; return the answer's header and its arrays."""
    from bnspec.worker.loop import AdapterFault, check_fault, shown_error

    try:
        shown = do_step(kind, header, arrays, made)
    except Unsupported as why:
        return {"unsupported": str(why)}, []
    except Exception as error:
        try:
            check_fault(kind, error)
        except AdapterFault as fault:
            return {"fault": str(fault)}, []
        return {"error": shown_error(error)}, []
    names = [(n, name) for n, one in enumerate(shown) for name in one]
    return {"names": names, "replicas": len(shown)}, [shown[n][name] for n, name in names]


def do_step(
    kind: Any, header: Mapping[str, Any], arrays: Sequence[Any], made: Dict[str, Any]
) -> Sequence[Mapping[str, Any]]:
    """Do one step; return the arrays of every replica of this process."""
    do = header["do"]
    given = {}  # type: Dict[str, List[Any]]
    for name, array in zip(header["names"], arrays):
        given.setdefault(name, []).append(array)
    if do == "build":
        if made:
            made.pop("replicas").close()
        how = {name: header[name] for name in ("count", "synchronised", "execution", "device")}
        made["replicas"] = kind(header["layer"], **how)
        return []
    replicas = made["replicas"]
    if do == "set_state":
        replicas.set_state({name: several[0] for name, several in given.items()})
        return []
    if do == "infer":
        return [{"y": y} for y in replicas.infer(**given)]
    return list(replicas.train(**given) if do == "train" else replicas.get_state())
