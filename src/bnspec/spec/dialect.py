"""The dialect of one implementation, and what it leaves open."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from bnspec.spec.axis import Axis
from bnspec.spec.behaviour import BEHAVIOUR
from bnspec.spec.executions import EXECUTIONS
from bnspec.spec.numbers import NUMBERS
from bnspec.spec.replicas import REPLICAS

AXES: Mapping[str, Axis] = {axis.id: axis for axis in (*BEHAVIOUR, *NUMBERS, *EXECUTIONS, *REPLICAS)}


class SuiteError(Exception):
    """A case that breaks a rule of the suite; the message names it."""


class UndecidedError(Exception):
    """The answer to an axis that an expectation needs was not decided."""

    def __init__(self, axis: str, situation: str) -> None:
        super().__init__(f"{axis}[{situation}]")
        self.axis = axis


class UndefinedError(Exception):
    """A dialect's own formula has no value here: whatever a layer gives, it is not wrong."""


@dataclass(frozen=True)
class Dialect:
    """(axis, situation) → variant: what turns the reference into one implementation's expected behaviour.

    undecided: the axes and situations that were asked without a single variant fitting.
    """

    answers: Mapping[tuple[str, str], str] = field(default_factory=dict)
    undecided: frozenset[tuple[str, str]] = frozenset()

    def variant(self, axis: str, situation: str) -> str:
        """Return the answer to `axis` in `situation`.

        Where the axis was not asked in that situation: its answer elsewhere, if all situations agree; its
        default, if it was asked nowhere. Raises UndecidedError where it was asked and not decided, or where
        other situations disagree.
        """
        if (axis, situation) in self.undecided:
            raise UndecidedError(axis, situation)
        if (axis, situation) in self.answers:
            return self.answers[axis, situation]
        told = self.by_axis.get(axis, ())
        elsewhere = {variant for _, variant in told if variant is not None}
        if len(elsewhere) > 1 or (told and not elsewhere):
            raise UndecidedError(axis, situation)
        return elsewhere.pop() if elsewhere else AXES[axis].default

    def said(self, axes: Iterable[str]) -> Hashable:
        """Return all that this dialect says of some axes: where it is equal, so is every `variant` of them."""
        return frozenset((axis, frozenset(self.by_axis[axis])) for axis in axes if axis in self.by_axis)

    @cached_property
    def by_axis(self) -> Mapping[str, list[tuple[str, str | None]]]:
        """Per axis that was asked: every situation with its answer, None where it was not decided."""
        found: dict[str, list[tuple[str, str | None]]] = {}
        for (axis, situation), variant in self.answers.items():
            found.setdefault(axis, []).append((situation, variant))
        for axis, situation in self.undecided:
            found.setdefault(axis, []).append((situation, None))
        return found

    @cached_property
    def most_accurate(self) -> "Dialect":
        """This dialect with the best class wherever an axis asks for accuracy."""
        return self.with_classes(lambda axis, variant: axis.default)

    def least_accurate(self, asked: Iterable[tuple[str, str]]) -> "Dialect":
        """Return this dialect with the worst class in each of these axes and situations that asks for accuracy."""
        worst = {(axis, where): list(AXES[axis].variants)[-1] for axis, where in asked if AXES[axis].accuracy}
        return Dialect({**self.answers, **worst}, self.undecided - worst.keys())

    @cached_property
    def sound(self) -> "Dialect":
        """This dialect with a sound class wherever its own class of accuracy is worse than that."""
        return self.with_classes(lambda axis, variant: variant if variant in axis.sound else axis.sound[-1])

    def with_classes(self, choose: Callable[[Axis, str], str]) -> "Dialect":
        """Return this dialect with its answers to the axes of accuracy replaced; what they left open is closed."""
        answers = {
            (axis, situation): choose(AXES[axis], variant) if AXES[axis].accuracy else variant
            for (axis, situation), variant in self.answers.items()
        }
        return Dialect(answers, frozenset(asked for asked in self.undecided if not AXES[asked[0]].accuracy))

    def answering(self, answers: Mapping[str, str], situation: str) -> "Dialect":
        """Return this dialect with other answers in one situation."""
        changed = {(axis, situation): variant for axis, variant in answers.items()}
        return Dialect({**self.answers, **changed}, self.undecided - changed.keys())

    def not_deciding(self, axes: Iterable[str], situation: str) -> "Dialect":
        """Return this dialect with axes that were asked in a situation and not decided.

        Those whose answer is assumed then (Axis.assumed) leave nothing open.
        """
        left = {(axis, situation) for axis in axes if not (AXES[axis].accuracy or AXES[axis].assumed)}
        return Dialect(self.answers, self.undecided | left)
