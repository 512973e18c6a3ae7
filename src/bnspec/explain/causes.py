"""What follows from the judged layers: causes, the gravest first, each with what to do about it."""

from collections.abc import Mapping, Sequence
from typing import Any

from bnspec.explain.averaging import (
    few_values,
    moves_otherwise,
    moves_twice,
    never_kept,
    never_updated,
    one_batch,
    too_few_steps,
)  # fmt: skip
from bnspec.explain.fitting import frozen_far, frozen_moves, not_finite, other_data, shared_layers, untracked
from bnspec.explain.judged import Judged
from bnspec.explain.reaching import (
    inference_not_reached,
    left_in_training,
    never_called,
    training_not_reached,
    updates_lost,
)  # fmt: skip
from bnspec.explain.wording import Cause, Rule, Weight


def causes(measured: Mapping[str, Any], layers: Sequence[Judged]) -> tuple[Cause, ...]:
    """Return all causes, findings before notes, in the order of the rules.

    A layer that a finding explains is not in those after it: statistics that no step reaches are far off, too.
    """
    found: list[Cause] = []
    explained: set[str] = set()
    called = [layer for layer in layers if layer.called]
    for rule in RULES:
        left = [layer for layer in called if layer.name not in explained]
        for cause in rule(measured, left):
            found.append(cause)
            if cause.weight is Weight.FINDING:
                explained |= set(cause.layers)
    left = [layer for layer in layers if layer.name not in explained]
    found += [cause for rule in NOTES for cause in rule(measured, left)]
    return tuple(sorted(found, key=lambda cause: cause.weight is Weight.NOTE))


RULES: tuple[Rule, ...] = (
    not_finite, inference_not_reached, training_not_reached, updates_lost, never_kept, never_updated, too_few_steps,
    frozen_far, moves_twice, shared_layers, one_batch, untracked, moves_otherwise, other_data,
)  # fmt: skip
"""The rules of findings, the gravest first."""

NOTES: tuple[Rule, ...] = (left_in_training, frozen_moves, few_values, never_called)
"""The rules of notes, which look at the layers that no finding explains."""
