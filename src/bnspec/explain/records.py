"""An explanation as JSON. docs/explain.md documents the keys; a changed meaning is a new `format`."""

import math
from typing import Any

from bnspec.explain.explanation import Explanation
from bnspec.explain.judged import Judged

FORMAT = 1


def as_json(found: Explanation) -> dict[str, Any]:
    """Return an explanation as what json.dumps takes; a number that is not finite is None, "never" for steps."""
    measured = found.measured
    return {
        "format": FORMAT,
        "model": found.path,
        "data": found.data,
        "class": measured["model"],
        **{name: measured[name] for name in ("framework", "version", "backend", "python", "trainer", "mode", "steps")},
        "headline": found.headline,
        "causes": [
            {
                "id": cause.id,
                "weight": str(cause.weight),
                "layers": list(cause.layers),
                "what": cause.what,
                "todo": cause.todo,
            }
            for cause in found.causes
        ],
        "notes": list(measured["notes"]),
        "output_difference": plain(found.difference),
        "first_differing": found.first.name if found.first else None,
        "first_that_matters": found.first_that_matters.name if found.first_that_matters else None,
        "layers": [layer_record(layer) for layer in found.layers],
        "unchanged": dict(measured["unchanged"]),
        "seconds": dict(measured["seconds"]),
    }


def layer_record(layer: Judged) -> dict[str, Any]:
    """Return one layer; of one that was not called only what is known without."""
    known = {
        "name": layer.name,
        "kind": layer.kind,
        "epsilon": layer.epsilon,
        "momentum": layer.momentum,
        "keep": layer.keep,
        "frozen": layer.frozen,
        "mode": layer.found,
        "reached": list(layer.reached) if layer.reached else None,
        "steps_counted": layer.count,
        "called": layer.called,
    }
    if not layer.called:
        return known
    known |= {
        "calls": len(layer.training),
        "site": dict(layer.call.site) if layer.call.site else None,
        "told_training": layer.call.said,
        "values_per_channel": layer.call.count,
        "training": layer.normalises,
        "inference": layer.infers,
        "updates": layer.updates,
        "estimator": layer.estimator,
        "difference": plain(layer.difference),
    }
    if layer.stored is None:
        return known
    left = layer.steps_left
    return known | {
        "mean_distance": plain(layer.distance),
        "variance_ratio": plain(layer.ratio),
        "variance_ratios": [plain(float(layer.ratios.min())), plain(float(layer.ratios.max()))],
        "gap": plain(layer.gap),
        "far": layer.far,
        "weight_of_start": plain(layer.start_left),
        "steps_to_1_percent": "never" if left == math.inf else left,
    }


def plain(number: float | None) -> float | None:
    """Return a number that JSON has."""
    return number if number is not None and math.isfinite(number) else None
