"""What a simulated layer asks its dialect: variants, and the numbers that follow from them."""

from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from bnspec.case import Case, Layer
from bnspec.reference import UNIT, Arithmetic
from bnspec.spec import Dialect

Memory = dict[Hashable, Any]
"""What was computed already: rival dialects of one case share their batches and most of their states."""

FLOOR = 1.001e-5
"""The least ε of TensorFlow's fused kernels (`min_epsilon` in tensorflow/python/ops/nn_impl.py)."""

T = TypeVar("T")


class Asking:
    """A case in a dialect. The dialect is asked as late as can be: what is never needed may stay undecided."""

    def __init__(self, case: Case, dialect: Dialect, memory: Memory, *, formulated: bool = False) -> None:
        self.case, self.dialect, self.memory, self.formulated = case, dialect, memory, formulated

    def of_place(self, axis: str) -> str:
        """Return the answer to an axis for this layer's rank and channel position."""
        return self.dialect.variant(axis, self.case.where)

    def of_types(self, axis: str) -> str:
        """Return the answer to an axis for this layer's place and types."""
        return self.dialect.variant(axis, self.case.typed)

    def of_case(self, axis: str) -> str:
        """Return the answer to an axis in this case's own situation."""
        return self.dialect.variant(axis, self.case.situation)

    def remember(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what was made under this key before, or make it."""
        if key not in self.memory:
            self.memory[key] = make()
        found: T = self.memory[key]
        return found

    @cached_property
    def layer(self) -> Layer:
        """The layer, with the ε that is in effect."""
        layer = self.case.layer
        if self.epsilon == "floored":
            return replace(layer, epsilon=max(layer.epsilon, FLOOR))
        return replace(layer, epsilon=float(np.float32(layer.epsilon))) if self.epsilon == "rounded" else layer

    @cached_property
    def epsilon(self) -> str:
        """What becomes of the ε that was given; asked of inference with the same one, where it is small."""
        given = self.case.layer.epsilon
        if "degenerate.epsilon" in self.case.clauses:
            return self.of_case("degenerate.epsilon")
        if not 0 < given < FLOOR:
            return "exact"
        situation = f"{given:.0e}-infer-{self.case.where}".replace("e-0", "e-")
        return self.dialect.variant("degenerate.epsilon", situation)

    @property
    def rejected(self) -> bool:
        """Whether the layer refuses its ε."""
        return self.epsilon == "rejected"

    @property
    def input_type(self) -> str:
        """The type of the input."""
        return self.case.layer.dtypes["input"]

    @cached_property
    def arithmetic(self) -> Arithmetic:
        """The accuracy classes of the dialect, in the type in which it computes."""
        kind, inside, storage = self.input_type, "float32", 0.0
        if kind == "float64":
            inside = "float64" if self.of_types("precision.float64") == "float64" else "float32"
        elif kind != "float32":
            statistics = self.of_types("precision.half-statistics")
            inside = kind if statistics == "input" else "float32"
            storage = UNIT[kind] if statistics == "rounded" else 0.0
        return Arithmetic(
            unit_roundoff=UNIT[inside],
            moments=self.of_place("precision.moments"),
            accumulation=self.of_place("precision.accumulation"),
            storage=storage,
            centred=self.formulated,  # in training the mean is subtracted first
            formulated=self.formulated,
        )

    @cached_property
    def centred(self) -> Arithmetic:
        """The arithmetic of inference: whether the mean is subtracted before scaling is seen there, in float32."""
        centred = self.input_type == "float32" and self.of_place("precision.centring") == "centred"
        return self.arithmetic if centred == self.arithmetic.centred else replace(self.arithmetic, centred=centred)

    @cached_property
    def moving_arithmetic(self) -> Arithmetic:
        """The arithmetic of the update of the moving statistics, which are held in a type of their own."""
        unit = max(UNIT[self.state_type], self.arithmetic.unit_roundoff if self.input_type == "float64" else 0.0)
        own = self.arithmetic
        return own if unit == own.unit_roundoff else replace(own, unit_roundoff=unit)

    @cached_property
    def output_type(self) -> str:
        """The type of the output."""
        kind = self.input_type
        if "16" not in kind:
            return kind
        return kind if self.of_types("precision.half-output") == "input" else "float32"

    @cached_property
    def state_type(self) -> str:
        """The type of the moving statistics."""
        kind, parameters = self.input_type, self.case.layer.dtypes["parameters"]
        if kind == "float32":
            return parameters
        held = self.of_types("precision.state-dtype")
        return {"parameter": parameters, "input": kind}.get(held, "float32")

    @cached_property
    def passed(self) -> str | None:
        """The half type through which the moving statistics and parameters pass; None where they are held as shown."""
        through = "16" in self.input_type and self.of_types("precision.half-statistics") == "stored-rounded"
        return self.input_type if through else None

    @cached_property
    def keep(self) -> float:
        """The weight of the old statistic, where the average is not cumulative."""
        momentum = self.layer.momentum or {}
        if "keep" in momentum:
            return float(momentum["keep"])
        if "raw" in momentum:
            raw = float(momentum["raw"])
            return raw if self.of_place("stats.momentum-weight") == "old" else 1 - raw
        raise ValueError(f"{self.case.key}: momentum {momentum}; expected keep, raw or cumulative")

    @cached_property
    def averaging(self) -> str:
        """The kind of average."""
        if (self.layer.momentum or {}).get("cumulative"):
            return "cumulative"
        return self.of_place("stats.averaging")
