"""A case: a clause, a program on one layer, and its data.

A case never names a framework and holds no expected numbers. Its id, `clause[situation]`, is stable for
ever. An axis case names the rival answers; a joint one asks several axes with one program.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


STRUCTURES = (
    "bare", "model", "nested-model", "user-layer", "user-model", "shared-twice", "plain-list",
    "pinned-train", "pinned-infer",
)  # fmt: skip
"""What may stand around a layer; worker/adapter.py says what each is."""

FLOAT32: Mapping[str, str] = {"input": "float32", "parameters": "float32", "compute": "float32"}
"""The types of an ordinary layer: of its input, of its parameters and statistics, of what it returns."""


@dataclass(frozen=True)
class Layer:
    """What the adapter is asked to build.

    rank: of the input, batch included; axis: the channel axis; features: channels; momentum:
    {"keep": weight of the old statistic}, {"raw": the framework's own number}, {"cumulative": True}, or None
    for the framework's default; epsilon; scale, offset: whether the layer has them; tracked: whether it keeps
    moving statistics; mode, frozen: what the constructor is told of them; dtypes: of input, parameters, compute.
    """

    rank: int = 2
    axis: int = -1
    features: int = 3
    epsilon: float = 1e-3
    scale: bool = True
    offset: bool = True
    momentum: Mapping[str, Any] | None = field(default_factory=lambda: {"keep": 0.75})
    tracked: bool = True
    mode: str | None = None
    frozen: bool = False
    dtypes: Mapping[str, str] = field(default_factory=lambda: FLOAT32)

    def as_json(self) -> dict[str, Any]:
        """Return the form that crosses the pipe."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain["momentum"] = None if self.momentum is None else dict(self.momentum)
        plain["dtypes"] = dict(self.dtypes)
        return plain


@dataclass(frozen=True)
class Step:
    """One step of a program: what to do, the arrays it takes, its options.

    asked: which of the arrays that it shows are judged; None is all of them. What is not the question is
    left out, so that one fault is reported by the clause that it breaks. An error is always judged.
    like: the number of an earlier step; what both show must be equal, bit for bit.
    """

    do: str
    arrays: Mapping[str, Array] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    asked: tuple[str, ...] | None = None
    like: int | None = None


def train(x: Array, mask: Array | None = None, **options: bool | str) -> Step:
    """Call the layer in training mode.

    mask: True where a value counts, of the shape of x without its channel axis. options: `record=False`
    within the framework's own way not to record gradients, `collect=False` without the updates that it hands
    to the caller, `recompute=True` run again for the backward pass, `layout=NAME` with x as such a view
    (Adapter.arrange).
    """
    return Step("train", {"x": x} if mask is None else {"x": x, "mask": mask}, options)


def infer(x: Array, **options: str) -> Step:
    """Call the layer in inference mode. options: `layout=NAME` with x as such a view (Adapter.arrange)."""
    return Step("infer", {"x": x}, options)


def call(x: Array) -> Step:
    """Call the layer without saying a mode."""
    return Step("call", {"x": x})


def attempt(x: Array) -> Step:
    """Call the layer in training mode with what it should not take. Where it takes it, nothing is judged."""
    return Step("attempt", {"x": x})


def backward(dy: Array) -> Step:
    """Take the gradients of the last call."""
    return Step("backward", {"dy": dy})


def freeze(where: str = "layer") -> Step:
    """Freeze the layer, or its `parent`, by the framework's own idiom."""
    return Step("freeze", options={"where": where})


def unfreeze(where: str = "layer") -> Step:
    """Undo `freeze`."""
    return Step("unfreeze", options={"where": where})


def set_mode(mode: str, where: str = "layer") -> Step:
    """Set the layer, or its `parent`, to `train` or `infer`, where modes are set and not said in the call."""
    return Step("set_mode", options={"mode": mode, "where": where})


def untrack(how: str) -> Step:
    """Tell a finished layer to keep no statistics: `switch` the attribute, or `remove` the statistics."""
    return Step("untrack", options={"how": how})


def capture(mode: str, x: Array) -> Step:
    """Trace, script, compile or export the layer in a mode, x the example; later calls go through what was made."""
    return Step("capture", {"x": x}, {"mode": mode})


def set_threads(count: int) -> Step:
    """Let the framework compute with so many threads; the layer may be a fresh one from here on (worker/spares.py)."""
    return Step("set_threads", options={"count": count})


def snapshot() -> Step:
    """Take the framework's own state object and hold it."""
    return Step("snapshot")


def look(*asked: str) -> Step:
    """Show what the state object that was taken holds now."""
    return Step("look", asked=asked or None)


def reload(*missing: str) -> Step:
    """Save in the framework's own format and load into a fresh layer; `missing` parts are not saved."""
    return Step("reload", options={"missing": list(missing)} if missing else {})


def silently(step: Step) -> Step:
    """Do a step for what it leaves behind: what it shows is not the question."""
    return replace(step, asked=())


def like(number: int, step: Step) -> Step:
    """Do a step that must show, bit for bit, what the step of that number (from 0) has shown."""
    return replace(step, like=number)


def read(*asked: str) -> Step:
    """Read the state: mean, variance, the parameters and the counter the layer has, or what is asked of it."""
    return Step("get_state", asked=asked or None)


def write(**state: Array) -> Step:
    """Set parts of the state: mean, variance, scale, offset."""
    return Step("set_state", {name: np.asarray(value, dtype=np.float32) for name, value in state.items()})


def prepare(learning_rate: float = 0.0) -> Step:
    """Compile for the framework's trainer: plain SGD, mean squared error. Otherwise the first fit does it."""
    return Step("prepare", options={"learning_rate": learning_rate})


def fit(x: Array, target: Array, *, steps: int, batches: int = 1, learning_rate: float = 0.0) -> Step:
    """Fit under the framework's trainer: plain SGD, mean squared error, no shuffling.

    steps: epochs, of one reported loss each; batches: the equal parts of x that an epoch goes through.
    """
    options = {"steps": steps, "batches": batches, "learning_rate": learning_rate}
    return Step("fit", {"x": x, "target": target}, options)


def evaluate(x: Array, target: Array) -> Step:
    """Evaluate under the framework's trainer: the loss."""
    return Step("evaluate", {"x": x, "target": target})


def predict(x: Array) -> Step:
    """Predict under the framework's trainer."""
    return Step("predict", {"x": x})


def train_shares(
    *shares: Array, masks: Sequence[Array] = (), dys: Sequence[Array] = (), asked: tuple[str, ...] | None = None
) -> Step:
    """Take a training step of all replicas, each on its share of a batch: x0, x1, …; it shows y0, y1, …

    masks: one per share; dys: one per share, for the gradients of Σ dy·y over all shares: it shows dx0, dx1, … and
    scale0, offset0, …, what data-parallel training leaves every replica with.
    """
    return Step(
        "train_shares", {**numbered("x", shares), **numbered("mask", masks), **numbered("dy", dys)}, asked=asked
    )


def infer_shares(*shares: Array) -> Step:
    """Call every replica in inference mode on its share: x0, x1, …; it shows y0, y1, …"""
    return Step("infer_shares", numbered("x", shares))


def read_shares(*asked: str) -> Step:
    """Read the moving statistics that every replica has: it shows mean0, variance0, mean1, …"""
    return Step("get_shares", asked=asked or None)


def numbered(name: str, arrays: Sequence[Array]) -> dict[str, Array]:
    """Return arrays by a name with their number."""
    return {f"{name}{n}": array for n, array in enumerate(arrays)}


@dataclass(frozen=True)
class Case:
    """A question: a clause (or the axes that one program asks jointly), a situation, a layer, a program.

    rivals: for an axis case, every answer that it tells apart, as axis → variant; empty for a clause.
    without: for a joint case, what it means that an answer says nothing of an axis.
    exact: the data are such that the stored statistics must be equal where the type can hold them.
    why: why these data, for the reader of the case's page.
    replicas: in how many replicas the layer is trained, each on a share of the batch; 1 is an ordinary layer.
    synchronised: whether the replicas are those that compute their statistics together.
    """

    clauses: tuple[str, ...]
    situation: str
    layer: Layer
    program: tuple[Step, ...]
    why: str
    rivals: tuple[Mapping[str, str], ...] = ()
    without: str = ""
    structure: str = "bare"
    exact: bool = False
    replicas: int = 1
    synchronised: bool = False

    @property
    def ids(self) -> tuple[str, ...]:
        """One id per clause that the case decides."""
        return tuple(f"{clause}[{self.situation}]" for clause in self.clauses)

    @property
    def key(self) -> str:
        """The id under which the case is run: that of its first clause."""
        return self.ids[0]

    @cached_property
    def where(self) -> str:
        """The situation of the layer alone (rank and channel position): where axes are looked up."""
        return place(self.layer.rank, self.layer.axis)

    @cached_property
    def typed(self) -> str:
        """The situation of a layer with its types: `rank2`, `bfloat16-mixed-rank2`, `float64-rank4-last`."""
        return "-".join(part for part in (types(self.layer.dtypes), self.where) if part)


def place(rank: int, axis: int) -> str:
    """Return the situation of a layer: `rank2`, `rank4-last`, `rank4-first`, `rank4-axis2`."""
    if rank == 2:
        return "rank2"
    position = axis % rank
    return f"rank{rank}-" + {1: "first", rank - 1: "last"}.get(position, f"axis{position}")


def types(dtypes: Mapping[str, str]) -> str:
    """Return how a situation calls a layer's types: nothing for float32, `float64`, `float16-mixed`, `float16-pure`.

    mixed: the parameters are float32; pure: they are of the input's type.
    """
    kind = dtypes["input"]
    if "16" not in kind:
        return "" if kind == "float32" else kind
    return f"{kind}-{'pure' if dtypes['parameters'] == kind else 'mixed'}"


PLACES: Sequence[tuple[int, int]] = (
    (2, -1), (3, -1), (3, 1), (4, -1), (4, 1), (5, -1), (5, 1), (4, 2), (5, 2), (5, 3),
)  # fmt: skip
"""Rank and channel axis of every place, ranks 2 to 5: each channel axis that is not the batch."""
