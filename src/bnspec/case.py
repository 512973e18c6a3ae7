"""A case: a clause, a program on one layer, and its data.

A case never names a framework and holds no expected numbers. Its id, `clause[situation]`, is stable for
ever. An axis case names the rival answers; a joint one asks several axes with one program.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Layer:
    """What the adapter is asked to build.

    rank: of the input, batch included; axis: the channel axis; features: channels; momentum:
    {"keep": weight of the old statistic}, {"raw": the framework's own number}, {"cumulative": True}, or None
    for the framework's default; epsilon; scale, offset: whether the layer has them.
    """

    rank: int = 2
    axis: int = -1
    features: int = 3
    epsilon: float = 1e-3
    scale: bool = True
    offset: bool = True
    momentum: Mapping[str, Any] | None = field(default_factory=lambda: {"keep": 0.75})

    def as_json(self) -> dict[str, Any]:
        """Return the form that crosses the pipe."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain["momentum"] = None if self.momentum is None else dict(self.momentum)
        plain["tracked"] = True
        plain["dtypes"] = {"input": "float32", "parameters": "float32", "compute": "float32"}
        return plain


@dataclass(frozen=True)
class Step:
    """One step of a program: what to do, the arrays it takes, its options.

    asked: which of the arrays that it shows are judged; None is all of them. What is not the question is
    left out, so that one fault is reported by the clause that it breaks. An error is always judged.
    """

    do: str
    arrays: Mapping[str, Array] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    asked: tuple[str, ...] | None = None


def train(x: Array) -> Step:
    """Call the layer in training mode."""
    return Step("train", {"x": x})


def infer(x: Array) -> Step:
    """Call the layer in inference mode."""
    return Step("infer", {"x": x})


def call(x: Array) -> Step:
    """Call the layer without saying a mode."""
    return Step("call", {"x": x})


def backward(dy: Array) -> Step:
    """Take the gradients of the last call."""
    return Step("backward", {"dy": dy})


def freeze() -> Step:
    """Freeze the layer by the framework's own idiom."""
    return Step("freeze")


def unfreeze() -> Step:
    """Undo `freeze`."""
    return Step("unfreeze")


def silently(step: Step) -> Step:
    """Do a step for what it leaves behind: what it shows is not the question."""
    return replace(step, asked=())


def read(*asked: str) -> Step:
    """Read the state: mean, variance, and the parameters the layer has, or only what is asked of it."""
    return Step("get_state", asked=asked or None)


def write(**state: Array) -> Step:
    """Set parts of the state: mean, variance, scale, offset."""
    return Step("set_state", {name: np.asarray(value, dtype=np.float32) for name, value in state.items()})


def fit(x: Array, target: Array, *, steps: int) -> Step:
    """Fit under the framework's trainer: plain SGD of rate 0, mean squared error, one batch a step."""
    return Step("fit", {"x": x, "target": target}, {"steps": steps, "learning_rate": 0.0})


def predict(x: Array) -> Step:
    """Predict under the framework's trainer."""
    return Step("predict", {"x": x})


@dataclass(frozen=True)
class Case:
    """A question: a clause (or the axes that one program asks jointly), a situation, a layer, a program.

    rivals: for an axis case, every answer that it tells apart, as axis → variant; empty for a clause.
    exact: the data are such that the stored statistics must be equal where the type can hold them.
    why: why these data, for the reader of the case's page.
    """

    clauses: tuple[str, ...]
    situation: str
    layer: Layer
    program: tuple[Step, ...]
    why: str
    rivals: tuple[Mapping[str, str], ...] = ()
    structure: str = "bare"
    exact: bool = False

    @property
    def ids(self) -> tuple[str, ...]:
        """One id per clause that the case decides."""
        return tuple(f"{clause}[{self.situation}]" for clause in self.clauses)

    @property
    def key(self) -> str:
        """The id under which the case is run: that of its first clause."""
        return self.ids[0]

    @property
    def where(self) -> str:
        """The situation of the layer alone (rank and channel position): where axes are looked up."""
        return place(self.layer.rank, self.layer.axis)


def place(rank: int, axis: int) -> str:
    """Return the situation of a layer: `rank2`, `rank4-last`, `rank4-first`, `rank4-axis2`."""
    if rank == 2:
        return "rank2"
    position = axis % rank
    return f"rank{rank}-" + {1: "first", rank - 1: "last"}.get(position, f"axis{position}")


PLACES: Sequence[tuple[int, int]] = ((2, -1), (3, -1), (3, 1), (4, -1), (4, 1), (5, -1), (5, 1))
"""Rank and channel axis of every place that is asked as a matter of course."""
