"""Programs and answers: the frames that cross the pipe, as the host makes and reads them. Nothing is trusted."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bnspec.case import Case, Layer
from bnspec.difference import Shown, Trace
from bnspec.results import one_line
from bnspec.worker.frames import encode

FACTS = "facts"
"""The answer that tells what an adapter says of itself."""

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
"""What frameworks put into their errors to colour a terminal."""

FOLDERS = re.compile(r"/[^\s\"':]*/(?=lib/python3|bnspec/worker/)|(?<=File \")/[^\"]*$")
"""Where environments and this package lie: an error that names a line need not say on whose disk.

A long text may be cut within a path.
"""

FACTS_LENGTH = 20_000
LONG_SECONDS = 1e9  # the most that the schema of results takes


def frame(case: Case | None) -> bytes:
    """Return the frame of a case's program, without expected values; for no case, that which asks for facts."""
    if case is None:
        return encode({"id": FACTS, "facts": True, "layer": Layer(momentum=None, axis=1).as_json()})
    arrays: list[Any] = []
    steps: list[Any] = []
    for step in case.program:
        steps.append(
            {
                "do": step.do,
                "arrays": {name: len(arrays) + n for n, name in enumerate(step.arrays)},
                "options": dict(step.options),
            }
        )
        arrays.extend(step.arrays.values())
    header: dict[str, Any] = {
        "id": case.key,
        "layer": case.layer.as_json(),
        "structure": case.structure,
        "steps": steps,
    }
    if case.replicas > 1:
        header["replicas"] = {"count": case.replicas, "synchronised": case.synchronised}
    return encode(header, arrays)


def parse_facts(header: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the facts that an answer holds; what is too long to be facts is not kept."""
    facts = header.get("facts")
    if not isinstance(facts, dict):
        return {"not known": one_line(str(header.get("reason", "the adapter gave none")))}
    if len(str(facts)) > FACTS_LENGTH:
        return {"not known": "the adapter gave too many"}
    return facts


def parse_trace(header: Mapping[str, Any], arrays: Sequence[Any]) -> Trace:
    """Return the trace that an answer holds; a malformed one is a trace of status `error`."""
    spent = parse_seconds(header.get("seconds"))
    status = header.get("status")
    if status in ("unsupported", "error", "crash", "timeout", "not-run"):
        return Trace(str(status), reason=str(header.get("reason", ""))[:2000], seconds=spent)
    try:
        if status != "ran":
            raise ValueError
        types = [str(array["dtype"]) for array in header["arrays"]]
        steps = tuple(parse_step(step, arrays, types) for step in header["steps"])
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return Trace("error", reason=f"the worker sent no readable trace: {str(header)[:200]}", seconds=spent)
    return Trace("ran", steps, seconds=spent)


def count_of(given: Any, before: int | None) -> int | None:
    """Return a number of compilations; what was known before for what cannot be one."""
    return given if isinstance(given, int) and 0 <= given < LONG_SECONDS else before


def parse_seconds(seconds: Any) -> float:
    """Return a number of seconds, 0 for what cannot be one."""
    return float(seconds) if isinstance(seconds, (int, float)) and 0 <= seconds < LONG_SECONDS else 0.0


def parse_step(step: Mapping[str, Any], arrays: Sequence[Any], types: Sequence[str]) -> Shown:
    """Return what one step showed. Raises KeyError, IndexError, TypeError or ValueError where it is malformed."""
    if "error" in step:
        text = FOLDERS.sub("", COLOURS.sub("", str(step["error"]["text"])[:2000]))
        return Shown(error=(str(step["error"]["class"])[:200], text))
    places = {str(name): index for name, index in step["arrays"].items()}
    shown = {name: arrays[index] for name, index in places.items()}
    return Shown(shown, dtypes={name: types[index] for name, index in places.items()})
