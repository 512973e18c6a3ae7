"""All that `bnspec explain` says of a model: the measured facts, the judged layers, the causes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bnspec.explain.causes import causes
from bnspec.explain.comparing import rms
from bnspec.explain.judged import MATTERS, Judged
from bnspec.explain.reading import judged
from bnspec.explain.wording import Cause, Weight, counted
from bnspec.report.clean import strings, text

STATISTICS = {
    "batch": "the batch's statistics",
    "stored": "the stored statistics",
    "either": "statistics that are the batch's and the stored ones alike",
    "neither": "neither the batch's nor the stored statistics",
}
"""With what a layer normalises, in words."""


@dataclass(frozen=True)
class Explanation:
    """A model explained. path, data: as the reader wrote them; measured: what the worker says, printable."""

    path: str
    data: str
    measured: Mapping[str, Any]
    layers: tuple[Judged, ...]
    causes: tuple[Cause, ...]

    @property
    def findings(self) -> tuple[Cause, ...]:
        """The causes that a person should act on, the gravest first."""
        return tuple(cause for cause in self.causes if cause.weight is Weight.FINDING)

    @property
    def notes(self) -> tuple[Cause, ...]:
        """The causes that are good to know."""
        return tuple(cause for cause in self.causes if cause.weight is Weight.NOTE)

    @cached_property
    def difference(self) -> float | None:
        """How far the model's output in inference is from that in training, in the latter's standard deviations.

        None where it has no output of numbers that both passes gave alike.
        """
        there, here = (
            [np.asarray(part, np.float64) for part in self.measured["outputs"][name]]
            for name in ("training", "inference")
        )
        if not there or [part.shape for part in there] != [part.shape for part in here]:
            return None
        apart = rms(np.concatenate([b - a for a, b in zip(there, here, strict=True)]))
        spread = rms(np.concatenate([a - a.mean() for a in there]))
        return 0.0 if apart == 0 else apart / spread if spread else float("inf")

    @property
    def called(self) -> tuple[Judged, ...]:
        """The layers that both passes came to, in the order of the training pass."""
        return tuple(layer for layer in self.layers if layer.called)

    @cached_property
    def first(self) -> Judged | None:
        """The first layer whose outputs differ between the passes beyond rounding."""
        return next((layer for layer in self.called if layer.difference > 0), None)

    @cached_property
    def first_that_matters(self) -> Judged | None:
        """The first layer whose outputs differ by more than a tenth of their standard deviation."""
        return next((layer for layer in self.called if layer.difference > MATTERS), None)

    @cached_property
    def standing(self) -> tuple[Judged, ...]:
        """The layers that are not folded: those of a finding, those that are off themselves, the first that differ."""
        names = {name for cause in self.findings for name in cause.layers}
        names |= {layer.name for layer in (self.first, self.first_that_matters) if layer}
        return tuple(layer for layer in self.called if layer.name in names or layer.gap > MATTERS)

    @property
    def headline(self) -> str:
        """What is wrong, in one sentence."""
        if self.findings:
            more = f" (and {counted(len(self.findings) - 1, 'more finding')})" if len(self.findings) > 1 else ""
            return self.findings[0].what + more
        number = counted(len(self.called), "layer")
        return f"Nothing wrong found: the statistics of {number} of batch normalization fit this batch."

    @property
    def differing(self) -> str:
        """Where training and inference part, in one or two sentences."""
        if self.first is None:
            return "Training and inference give the same: no layer's output differs between them beyond rounding."
        size = "" if self.difference is None else f" The model's output differs by {short(self.difference)} sd."
        first = f"The outputs differ first in {self.first.name}, by {short(self.first.difference)} sd"
        if self.first_that_matters is None:
            return f"{first}, and nowhere by more than {MATTERS:g} sd.{size}"
        if self.first_that_matters is self.first:
            return f"{first}.{size}"
        later = self.first_that_matters
        return f"{first}, and by more than {MATTERS:g} sd from {later.name} on ({short(later.difference)} sd).{size}"

    @property
    def frozen(self) -> str:
        """What being frozen means in this version, as measured; empty where no layer is frozen."""
        frozen = [layer for layer in self.called if layer.frozen]
        if not frozen:
            return ""
        version = f"{self.measured['framework']} {self.measured['version']}"
        ways = sorted({(STATISTICS[layer.normalises], layer.updates != "none") for layer in frozen})
        said = " or ".join(
            f"with {what}, and a step {'moves' if moves else 'does not move'} the stored ones" for what, moves in ways
        )
        who = "layer is frozen (*): it normalises" if len(frozen) == 1 else "layers are frozen (*): they normalise"
        return f"{len(frozen)} {who} in training, in {version}, {said}."

    @property
    def about(self) -> str:
        """The model, its framework and the batch, in one line."""
        measured = self.measured
        backend = f" on {measured['backend']}" if measured["backend"] else ""
        return (
            f"{measured['model']} · {measured['framework']} {measured['version']}{backend}, Python {measured['python']}"
        )

    @property
    def unchanged(self) -> str:
        """What became of the model's arrays."""
        found = self.measured["unchanged"]
        if found["changed"]:
            return f"Not put back: {', '.join(found['changed'][:6])} differ from before; please report this."
        return f"Nothing was changed: {counted(found['arrays'], 'array')} of the model have the bits that they had."


def explanation(path: str, data: str, measured: Mapping[str, Any]) -> Explanation:
    """Return what there is to say of a measured model."""
    clean: Mapping[str, Any] = strings(dict(measured))
    layers = judged(clean)
    return Explanation(text(path), text(data), clean, layers, causes(clean, layers))


def short(number: float) -> str:
    """Return a number in three digits."""
    if number == 0 or not np.isfinite(number):
        return str(number).replace("inf", "∞").replace("0.0", "0")
    return f"{number:,.0f}" if 1000 <= abs(number) < 1e7 else f"{number:.3g}"
