"""Driving the worker of a target through programs: what is sent, what comes back, what is lost."""

import math
import queue
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bnspec.answers import FACTS, count_of, frame, parse_facts, parse_trace
from bnspec.case import Case
from bnspec.claims import held_to
from bnspec.difference import Trace
from bnspec.equivalence import Answers
from bnspec.facts import fact
from bnspec.process import Event, WorkerProcess
from bnspec.results import Row, one_line
from bnspec.targets import Target
from bnspec.worker.frames import encode

Jobs = Mapping[str, Case | None]
"""What to run, by key; no case is the question for the facts."""

IN_FLIGHT_BYTES = 32 << 20

MEASURED = 50
"""After so many answers it is known how fast a worker is; twice as many programs are in flight before that."""

SLOW_SECONDS = 0.1
SLOW_IN_FLIGHT = 4
"""A worker that takes so long for a case on average has so few in flight: what it was not sent, another may take."""

DEATHS_IN_A_ROW = 3


@dataclass(frozen=True)
class Timeouts:
    """Seconds that a worker may take to start, for its first case, and for any other."""

    start: float = 300.0
    first: float = 180.0
    case: float = 60.0


class TargetFailed(Exception):  # noqa: N818 - it is shown as it is, one clear line
    """The worker of a target does not start: the reason, in one line."""


class LackingExecution(TargetFailed):
    """A build or device that cannot run an execution: the reason, in one line."""


@dataclass
class Session:
    """A running worker, what it was asked, and what it is at."""

    worker: WorkerProcess
    asked: deque[str] = field(default_factory=deque)
    sizes: deque[int] = field(default_factory=deque)
    current: str | None = None
    since: float = field(default_factory=time.monotonic)
    answered: int = 0
    busy: float = 0.0
    compilations: int | None = None

    @property
    def pace(self) -> float | None:
        """The seconds that it takes for a case on average; None while that is not known."""
        return self.busy / self.answered if self.answered >= MEASURED else None

    @property
    def slow(self) -> bool:
        """Whether it is known to be slow."""
        return self.pace is not None and self.pace >= SLOW_SECONDS

    @property
    def full(self) -> bool:
        """Whether enough was sent that is not answered."""
        few = SLOW_IN_FLIGHT if self.slow else 2 * MEASURED if self.pace is None else math.inf
        return len(self.asked) >= few or sum(self.sizes) >= IN_FLIGHT_BYTES


class Driver:
    """Runs programs in a target's worker; a worker that dies costs the one case that it was at."""

    def __init__(
        self,
        target: Target,
        timeouts: Timeouts,
        started: WorkerProcess | None = None,
        probes: Sequence[Case] = (),
    ) -> None:
        """Start the worker at once, so that it imports the framework while the host gets ready.

        started: its process, where that was started even earlier; probes: what to find out beside the cases.
        """
        self.target, self.timeouts, self.environ = target, timeouts, target.environ
        self.ready: Mapping[str, Any] = {}
        self.facts: dict[str, Any] = {}
        self.probes = probes
        self.facts_seconds = 0.0
        self.probed = {probe.key: probe.situation for probe in probes}
        self.answers: Answers | None = None
        self.compiled: list[int | None] = []
        self.deaths = 0
        self.starting_seconds = 0.0
        self.stopped = False
        self.failure = ""
        self.start(started)

    @property
    def default(self) -> bool:
        """Whether the target runs in the adapter's default execution."""
        executions = self.ready.get("executions")
        return self.target.execution is None or (
            isinstance(executions, list) and executions[:1] == [self.target.execution]
        )

    @property
    def compilations(self) -> int | None:
        """How many times its workers, one after the other, have compiled, traced or captured; None without a count."""
        return added([*self.compiled, self.session.compilations])

    def stop(self) -> None:
        """Kill the worker and start no other; the cases that are left get no trace."""
        self.stopped = True
        self.session.worker.kill()

    def start(self, started: WorkerProcess | None = None) -> None:
        """Start a worker."""
        target = self.target
        try:
            worker = started or WorkerProcess(target.environment.interpreter, self.environ)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise TargetFailed(f"{target.environment.interpreter} cannot be run: {reason}") from None
        hello = {"adapter": target.path, "device": target.device, "execution": target.execution}
        worker.send(encode(hello))
        self.session, self.began = Session(worker), time.monotonic()
        if self.stopped:  # by another thread, which may not have seen this worker
            worker.kill()

    def connect(self) -> None:
        """Wait for the worker to be ready. Raises TargetFailed where it does not get there."""
        event = self.next_event(self.timeouts.start)
        reason, lacking = self.not_ready(event), "" if event is None else self.lacking(event)
        if reason or lacking:
            self.session.worker.kill()
            raise TargetFailed(one_line(reason)) if reason else LackingExecution(one_line(lacking))
        assert event is not None
        self.ready = event.header
        self.session.since = time.monotonic()
        self.starting_seconds = self.session.since - self.began

    def not_ready(self, event: Event | None) -> str:
        """Say why the first that came of a worker does not make it one to go on with; nothing if it does."""
        if event is None:
            return f"not ready after {self.timeouts.start:g} s"
        header = event.header
        if header.get("event") == "failed":
            return f"the adapter does not load: {header.get('class')}: {str(header.get('text'))[:500]}"
        if header.get("event") != "ready":
            words = self.session.worker.last_words()
            said = f"; it printed: {words}" if words else ""
            return f"the worker does not start: {event.text or 'it sent something else'}{said}"
        if header.get("device") is False:
            return f"the framework sees no device {self.target.device!r} here; without --device it runs on the CPU"
        asked, known = self.target.execution, header.get("executions")
        if not isinstance(known, list):
            return "the worker does not start: it does not say how it can run"
        if asked is not None and asked not in known:
            return f"the adapter has no execution {asked!r}; it has {', '.join(map(str, known))}"
        return ""

    def lacking(self, event: Event) -> str:
        """Say what this build or device lacks for the execution that is asked; nothing if it can run it."""
        asked, lacking = self.target.execution, event.header.get("lacking")
        if asked is None or not isinstance(lacking, dict) or not lacking.get(asked):
            return ""
        return f"it cannot run {asked} here: {str(lacking[asked])[:500]}"

    def next_event(self, seconds: float) -> Event | None:
        """Return the next event, or None if none comes in time."""
        try:
            return self.session.worker.events.get(timeout=max(seconds, 0.001))
        except queue.Empty:
            return None

    def traces(
        self, cases: Sequence[Case], meanwhile: Callable[[], bool] = lambda: False
    ) -> Generator[tuple[str, Trace]]:
        """Run the cases; yield a trace for each as it finishes. Call `connect` first; closing it kills the worker.

        The facts come first; `self.probes` are run after them and become facts too. meanwhile: does a little work
        while the worker has nothing to tell, and says whether it did any.
        """
        jobs: Jobs = {FACTS: None, **{case.key: case for case in (*self.probes, *cases)}}
        waiting = deque(jobs)
        try:
            yield from self.work(waiting, jobs, meanwhile)
        finally:
            self.session.worker.kill()

    def work(
        self, waiting: deque[str], jobs: Jobs, meanwhile: Callable[[], bool] = lambda: False
    ) -> Iterator[tuple[str, Trace]]:
        """Run what waits until none is left; yield a trace for each as it finishes."""
        while waiting or self.session.asked:
            self.fill(waiting, jobs)
            while self.session.worker.events.empty() and time.monotonic() < self.deadline() and meanwhile():
                pass
            event = self.next_event(self.deadline() - time.monotonic())
            if event is None:
                limit = self.limit()
                yield from self.lost("timeout", f"not finished after {limit:g} s", waiting)
            elif event.kind == "ended":
                words = self.session.worker.last_words()
                said = f"; it printed: {words}" if words else ""
                yield from self.lost("crash", event.text + said, waiting)
            elif event.kind == "broken":
                what = f"the worker sent something that is no frame: {event.text}"
                yield from self.lost("error", what, waiting)
            else:
                yield from self.take(event, waiting)

    def fill(self, waiting: deque[str], jobs: Jobs) -> None:
        """Keep several programs in flight. A frame is made when it is sent: all at once may be a gigabyte."""
        session = self.session
        while (not session.asked or not session.full) and (key := self.take_one(waiting)):
            if not session.asked:
                session.since = time.monotonic()  # the worker was idle while the host judged
            data = self.frame(jobs[key])
            session.worker.send(data)
            session.asked.append(key)
            session.sizes.append(len(data))

    def take_one(self, waiting: deque[str]) -> str | None:
        """Take the next program, if there is any."""
        try:
            return waiting.popleft()
        except IndexError:
            return None

    def give_back(self, keys: Sequence[str], waiting: deque[str]) -> None:
        """Put programs back where they were taken."""
        waiting.extendleft(reversed(keys))

    def frame(self, case: Case | None) -> bytes:
        """Return the frame of a case."""
        return frame(case)

    def limit(self) -> float:
        """Return how long the current case may take."""
        return self.timeouts.case if self.session.answered > 1 else self.timeouts.first

    def deadline(self) -> float:
        """Return when the current case, or the wait for one, is over."""
        return self.session.since + self.limit()

    def take(self, event: Event, waiting: deque[str]) -> Iterator[tuple[str, Trace]]:
        """Take one frame of the worker."""
        session, header = self.session, event.header
        identifier, kind = header.get("id"), header.get("event")
        if kind == "started" and session.asked and identifier == session.asked[0] and session.current is None:
            session.current, session.since = str(identifier), event.at
        elif kind == "trace" and identifier == session.current and identifier is not None:
            session.asked.popleft()
            session.sizes.popleft()
            session.busy += event.at - session.since
            session.current, session.since = None, event.at
            session.answered += 1
            self.deaths = 0
            session.compilations = count_of(header.get("compilations"), session.compilations)
            yield from self.told(str(identifier), header, parse_trace(header, event.arrays))
        else:
            yield from self.lost("error", f"the worker sent an answer to nothing: {str(header)[:200]}", waiting)

    def held_to_claims(self, row: Row) -> Row:
        """Return a row with what the framework documents: a variant that is another one drifts from it.

        Documents speak of the default; any other execution is held to that one instead.
        """
        if not self.default:
            return row
        framework, version = (str(self.ready.get(name, "")) for name in ("package", "version"))
        return held_to(row, framework, version, self.target.adapter)

    def told(self, key: str, header: Mapping[str, Any], trace: Trace) -> Iterator[tuple[str, Trace]]:
        """Keep an answer that is a fact; yield one that is the trace of a case."""
        if key == FACTS or key in self.probed:
            self.facts_seconds += trace.seconds
        if key == FACTS:
            self.facts.update(
                parse_facts(header) if header else {"not known": one_line(f"{trace.status}: {trace.reason}")}
            )
        elif key in self.probed:
            self.facts[self.probed[key]] = one_line(fact(trace))
        else:
            yield key, trace

    def lost(self, status: str, reason: str, waiting: deque[str]) -> Iterator[tuple[str, Trace]]:
        """Give up a worker: the case it was at is lost, those behind it go to a fresh one."""
        session = self.session
        session.worker.kill()
        self.compiled.append(session.compilations)
        session.compilations = None
        behind = list(session.asked)
        # A worker that was not at any case (it died or babbled between two of them) costs none at first.
        self.deaths = self.deaths + 1 if session.current is None else 0
        if behind and (session.current is not None or status == "timeout" or self.deaths >= DEATHS_IN_A_ROW):
            yield from self.told(behind.pop(0), {}, Trace(status, reason=one_line(reason)))
        self.give_back(behind, waiting)
        if self.stopped:
            waiting.clear()
        if waiting:
            self.start()
            self.connect()
        else:
            session.asked.clear()
            session.sizes.clear()


def added(counts: Iterable[int | None]) -> int | None:
    """Return the sum of the counts that are known; None where none is."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
