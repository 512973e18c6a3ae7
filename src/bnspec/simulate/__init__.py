"""The reference, run through a program in a dialect: what every step should show."""

from collections.abc import Iterator
from contextlib import suppress

from bnspec.case import Case
from bnspec.expectation import Expectation
from bnspec.simulate.asking import Asking, Memory
from bnspec.simulate.replicas import STEPS as SHARES
from bnspec.simulate.replicas import SimulatedReplicas
from bnspec.simulate.trainer import STEPS, SimulatedTrainer
from bnspec.spec import Dialect, UndefinedError

__all__ = ["SHARES", "STEPS", "Memory", "Recorder", "questions", "simulate", "simulated"]


def simulate(
    case: Case, dialect: Dialect, memory: Memory | None = None, *, formulated: bool = False
) -> tuple[Expectation, ...]:
    """Return what each step of the case's program shows in a dialect.

    formulated: batch statistics and outputs with the errors of the dialect's accuracy classes, as an
    implementation of these computes them, in place of what is right.

    Raises UndecidedError where the expectation depends on an axis that the dialect leaves open, and
    UndefinedError where the dialect's own formula has no value.
    """
    return tuple(simulated(case, dialect, memory, formulated=formulated))


def simulated(
    case: Case, dialect: Dialect, memory: Memory | None = None, *, formulated: bool = False
) -> Iterator[Expectation]:
    """Yield what `simulate` returns, step by step: who has seen enough does not go on."""
    asking = Asking(case, dialect, {} if memory is None else memory, formulated=formulated)
    layer = SimulatedTrainer(asking) if case.replicas == 1 else SimulatedReplicas(asking)
    return map(layer.run, case.program)


class Recorder(Dialect):
    """A dialect that notes which axes were asked, where."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__(dialect.answers, dialect.undecided)
        object.__setattr__(self, "dialect", dialect)
        object.__setattr__(self, "asked", set())

    dialect: Dialect
    asked: set[tuple[str, str]]

    def variant(self, axis: str, situation: str) -> str:
        """Return the answer, and note the question."""
        self.asked.add((axis, situation))
        return self.dialect.variant(axis, situation)


def questions(case: Case, dialect: Dialect, memory: Memory | None = None) -> frozenset[tuple[str, str]]:
    """Return the axes, with their situations, that the expectation of a case depends on in a dialect.

    memory: of what was simulated of this case before.
    """
    recorder = Recorder(dialect)
    with suppress(UndefinedError):
        simulate(case, recorder, memory)
    return frozenset(recorder.asked)
