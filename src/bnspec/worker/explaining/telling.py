"""What every framework's measurement is told as."""

import traceback
from typing import Any, Dict, List

from bnspec.worker.explaining.recording import PASSES, Recorder

STATE = ("mean", "variance", "scale", "offset")


class CannotExplain(Exception):  # noqa: N818 - the host shows it as it is, one clear line
    """There is nothing to measure; the message says what was given, what was expected, and what to do."""


def layers_of(recorder: Recorder, described: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Return the layers, each with its calls, those that were called first in training first.

    described: every layer, its `id` among what is told of it.
    """
    order = {}  # type: Dict[int, int]
    for name in PASSES:
        for call in recorder.calls[name]:
            order.setdefault(call["layer"], len(order))
    described.sort(key=lambda layer: order.get(layer["id"], len(order)))
    for layer in described:
        calls = {name: [call for call in recorder.calls[name] if call["layer"] == layer["id"]] for name in PASSES}
        layer["calls"] = {
            name: [{key: value for key, value in call.items() if key not in ("layer", "pass")} for call in calls[name]]
            for name in PASSES
        }
    return [{key: value for key, value in layer.items() if key != "id"} for layer in described]


def outside(layer: Any, others: int) -> str:
    """Return how a layer is called that a call came to and the model does not hold. others: so many came before."""
    name = "%s outside the model" % type(layer).__name__
    return "%s#%d" % (name, others + 1) if others else name


def named(layers: Any) -> List[str]:
    """Return the names of (name, layer) pairs, a number behind those that come again."""
    seen, found = {}, []  # type: Any, List[str]
    for name, _ in layers:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else "%s#%d" % (name, seen[name]))
    return found


def told(error: BaseException) -> str:
    """Return an exception in one line, with the last line of its trace that is the reader's own."""
    text = " ".join(str(error).split())[:500]
    return "%s: %s" % (type(error).__name__, text) if text else type(error).__name__


def refused(error: BaseException, x: Any, mode: str, types: Any) -> CannotExplain:
    """Return what to raise where a model does not take the batch. types: of its parameters."""
    kinds = sorted(set(types))
    other = kinds[0] if len(kinds) == 1 and kinds[0] != str(x.dtype) else ""
    advice = "; its parameters are %s: save x as %s" % (other, other) if "float" in other else ""
    return CannotExplain(
        "the model does not take x of shape %s and dtype %s in %s: %s%s"
        % (tuple(x.shape), x.dtype, mode, told(error), advice)
    )


def where(error: BaseException, file: str) -> str:
    """Return the line of a file in which an exception was raised, in words; nothing where none was."""
    lines = [int(entry.lineno or 0) for entry in traceback.extract_tb(error.__traceback__) if entry.filename == file]
    return " (line %d)" % lines[-1] if lines else ""


def compared(before: Dict[str, str], after: Dict[str, str]) -> Dict[str, Any]:
    """Return how many arrays have the bits that they had, and the names of those that have not."""
    changed = [name for name in before if after.get(name) != before[name]]
    return {"arrays": len(before), "changed": changed + [name for name in after if name not in before]}
