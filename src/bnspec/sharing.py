"""Two workers of one target: where cases are slow and a processor is free, a helper takes a part of them."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from bnspec.case import Case
from bnspec.difference import Trace
from bnspec.driver import Driver, Jobs, TargetFailed, Timeouts, added
from bnspec.process import WorkerProcess
from bnspec.targets import Target

WORTH_STARTS = 4.0
"""A helper is started where what is left takes so many times as long as starting a worker."""


class Seats:
    """How many workers may run at the same time, and how many targets are still to come that want a seat."""

    def __init__(self, number: int = 1, targets: int = 0) -> None:
        """All seats are free, no target has begun."""
        self.free, self.targets = number, targets
        self.guard = threading.Lock()

    def begin(self) -> None:
        """A target begins."""
        with self.guard:
            self.targets -= 1
            self.free -= 1

    def take_spare(self) -> bool:
        """Take a seat that no target will want; return whether there is one."""
        with self.guard:
            if self.targets > 0 or self.free < 1:
                return False
            self.free -= 1
            return True

    def leave(self) -> None:
        """Give a seat back."""
        with self.guard:
            self.free += 1


class SharingDriver(Driver):
    """A driver that gets a helper where cases are slow and a seat is spare."""

    def __init__(
        self,
        target: Target,
        timeouts: Timeouts,
        seats: Seats,
        started: WorkerProcess | None = None,
        probes: Sequence[Case] = (),
    ) -> None:
        """Start the worker; see Driver. seats: where a helper may find one."""
        self.seats = seats
        self.helper: Helper | None = None
        super().__init__(target, timeouts, started, probes)

    @property
    def workers(self) -> int:
        """How many have run at the same time."""
        return 2 if self.helper else 1

    @property
    def compilations(self) -> int | None:
        """How many times its workers and the helper's have compiled, traced or captured; None without a count."""
        return added([super().compilations, self.helper.compilations if self.helper else None])

    def stop(self) -> None:
        """Kill the workers and start no other; the cases that are left get no trace."""
        super().stop()
        if self.helper:
            self.helper.stop()

    def work(
        self, waiting: deque[str], jobs: Jobs, meanwhile: Callable[[], bool] = lambda: False
    ) -> Iterator[tuple[str, Trace]]:
        """Run what waits, alone or with a helper, until none is left; yield a trace for each as it is known."""
        try:
            while waiting or self.session.asked:
                for found in super().work(waiting, jobs, meanwhile):
                    yield found
                    if self.helper is None and self.pays(waiting) and self.seats.take_spare():
                        self.helper = Helper(self, waiting, jobs)
                        if self.stopped:  # by another thread, which may not have seen this helper
                            self.helper.stop()
                if self.helper:
                    yield from self.helper.found()
        except TargetFailed:  # the helper, where there is one, takes what is left
            if self.helper:
                yield from self.helper.found()
            if waiting or not self.helper:
                raise
        finally:
            if self.helper:
                self.helper.stop()
                self.helper.thread.join()

    def pays(self, waiting: deque[str]) -> bool:
        """Return whether cases are so slow that a helper would save time."""
        pace = self.session.pace or 0.0
        return self.session.slow and len(waiting) * pace > WORTH_STARTS * self.starting_seconds


class FromTheEnd(Driver):
    """A driver that takes what waits from the end."""

    def take_one(self, waiting: deque[str]) -> str | None:
        """Take the last program, if there is any."""
        try:
            return waiting.pop()
        except IndexError:
            return None

    def give_back(self, keys: Sequence[str], waiting: deque[str]) -> None:
        """Put programs back where they were taken."""
        waiting.extend(reversed(keys))


class Helper:
    """A second worker of a target, on a seat of its own: it takes what waits from the end, until nothing is left.

    Its thread starts its process and sees it through. Where it does not start, or dies for good, what it had not
    answered waits again.
    """

    def __init__(self, helped: SharingDriver, waiting: deque[str], jobs: Jobs) -> None:
        """Start the thread."""
        self.helped, self.waiting, self.jobs = helped, waiting, jobs
        self.box: queue.SimpleQueue[tuple[str, Trace] | None] = queue.SimpleQueue()
        self.driver: Driver | None = None
        self.fault: Exception | None = None
        self.stopped = self.over = False
        self.thread = threading.Thread(target=self.help, daemon=True)
        self.thread.start()

    @property
    def compilations(self) -> int | None:
        """How many times its worker has compiled; None where that does not count, or is not there."""
        return self.driver.compilations if self.driver else None

    def help(self) -> None:
        """Run programs until none is left."""
        try:
            self.driver = driver = FromTheEnd(self.helped.target, self.helped.timeouts, probes=self.helped.probes)
            driver.facts = self.helped.facts
            if self.stopped:  # by another thread, which may not have seen this driver
                driver.stop()
            driver.connect()
            for found in driver.work(self.waiting, self.jobs):
                self.box.put(found)
        except TargetFailed:  # the one that is helped does without
            pass
        except Exception as fault:  # of ours: it must not vanish in a thread
            self.fault = fault
        finally:
            self.box.put(None)
            self.helped.seats.leave()

    def found(self) -> Iterator[tuple[str, Trace]]:
        """Yield what it finds until it is over. Raises what a fault of ours in its thread raised."""
        while not self.over:
            found = self.box.get()
            if found is None:
                self.over = True
            else:
                yield found
        if self.fault:
            raise self.fault

    def stop(self) -> None:
        """Kill its worker; its thread ends."""
        self.stopped = True
        if self.driver:
            self.driver.stop()
