"""The environments of a run: made while the cores run others, shared by their targets, discarded after the last."""

import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from bnspec.environments import Environment, EnvironmentProblem, discard, discard_left_over, make
from bnspec.results import one_line
from bnspec.targets import Target

POLL_SECONDS = 0.1


class Supply:
    """Hands out the targets of a run, those of an environment together, as their environments are ready.

    Those that are there already come first. The others are made one after the other: making is downloading, of
    which uv does several at a time itself. At most one more than the targets that run at a time is made and not
    yet done with, so that a small disk is enough where they are discarded.
    """

    def __init__(
        self, targets: Sequence[Target], *, jobs: int, discard: bool = False, stopped: Callable[[], bool]
    ) -> None:
        """Make nothing yet. discard: whether to remove what is made here; stopped: asked whether to give up."""
        self.groups: dict[Environment, list[Target]] = {}
        for target in targets:
            self.groups.setdefault(target.environment, []).append(target)
        self.left = {environment: len(group) for environment, group in self.groups.items()}
        self.discard, self.stopped = discard, stopped
        self.free = threading.Semaphore(jobs + 1)
        self.guard = threading.Lock()
        self.made: set[Environment] = set()

    def ready(self, making: Callable[[Target], None]) -> Iterator[tuple[Sequence[Target], str]]:
        """Yield the targets of every environment, with the reason where it could not be made.

        making: told the first target of an environment that is being made. Where the run is stopped, it ends.
        """
        self.sweep()
        there = [environment for environment in self.groups if environment.made]
        for environment in there:
            yield self.groups[environment], self.problem(environment)
        for environment, group in self.groups.items():
            if environment in there:
                continue
            while not self.free.acquire(timeout=POLL_SECONDS):
                if self.stopped():
                    return
            if self.stopped():
                return
            with self.guard:
                self.made.add(environment)
            making(group[0])
            yield group, self.problem(environment)

    def problem(self, environment: Environment) -> str:
        """Make an environment, or see that nobody removes it; return why that cannot be, if it cannot."""
        try:
            make(environment, self.stopped, keep=not self.discard)
        except EnvironmentProblem as problem:
            return str(problem)
        except Exception as fault:
            return described(fault)
        return ""

    def done(self, target: Target) -> None:
        """Take note that a target needs its environment no longer."""
        with self.guard:
            self.left[target.environment] -= 1
            over = not self.left[target.environment]
        if over:
            self.give_up(target.environment)

    def give_up(self, environment: Environment) -> None:
        """Make room for another environment, where this one is not to be kept: by this run or one that was killed."""
        with self.guard:
            own = environment in self.made
            self.made.discard(environment)
        if self.discard:
            with suppress(OSError):  # its mark stays, and the next run tries again
                discard(environment)
        if own:
            self.free.release()

    def sweep(self) -> None:
        """Remove what killed runs left over, where this run discards."""
        if self.discard:
            with suppress(OSError):
                discard_left_over()

    def close(self) -> None:
        """Give up what is still there after an interruption, and what a killed run's last processes still held."""
        for environment in tuple(self.made):
            self.give_up(environment)
        self.sweep()


def described(fault: Exception) -> str:
    """Say where bnspec itself failed."""
    last = traceback.extract_tb(fault.__traceback__)[-1]
    where = f"{Path(last.filename).name}:{last.lineno}"
    return one_line(f"a fault of bnspec at {where}: {type(fault).__name__}: {fault}")
