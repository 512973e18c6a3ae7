"""What to write: arguments, the names of the state, the code that builds the layer."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bnspec.columns import Column
from bnspec.porting.model import Absent, Argument, Name
from bnspec.porting.numbers import axis, fact, weighs

SWITCHES = {
    "both": "scale and offset",
    "scale": "a scale alone",
    "offset": "an offset alone",
    "neither": "neither scale nor offset",
}
"""What a layer may have of parameters, by the names that the facts have for it."""


def arguments(source: Column, target: Column, numbers: Mapping[str, tuple[float, float]]) -> Iterator[Argument]:
    """Yield what to say to the layer: numbers, channel axis, parameters, modes."""
    there, here = fact(source, "argument names"), fact(target, "argument names")
    notes = {"momentum": momentum_note(source, target)}
    for name, (old, new) in numbers.items():
        note = notes.get(name, "")
        if target.facts.get(name) not in (None, new):
            note = "; ".join(filter(None, (note, f"must be said: the default is {target.facts[name]}")))
        yield Argument(name, spelled(there, name, old), spelled(here, name, new), note)
    yield channel_axis(source, target)
    switches, others = fact(source, "parameter switches"), fact(target, "parameter switches")
    for name, words in SWITCHES.items():
        if name in switches or name in others:
            yield Argument(words, switch(switches, name), switch(others, name))
    modes, others = fact(source, "mode words"), fact(target, "mode words")
    for what, mode in (("training", "train"), ("inference", "infer")):
        yield Argument(what, str(modes.get(mode, "")), str(others.get(mode, "")))


def untold(column: Column) -> Iterator[Absent]:
    """Yield that a target's facts do not say how it is written, if so."""
    missing = tuple(name for name in ("argument names", "state paths") if not fact(column, name))
    if missing:
        older = f"results of an older suite may be why: bnspec run {column.name}"
        yield Absent(f"{column.title} does not tell how it is written; {older}", missing)


def spelled(spelling: Mapping[str, Any], name: str, value: Any) -> str:
    """Return an argument as it is written, or nothing where the constructor has none."""
    return f"{spelling[name]}={value!r}" if name in spelling else ""


def momentum_note(source: Column, target: Column) -> str:
    """Say what the two momentum numbers weigh, where that differs."""
    there, here = weighs(source), weighs(target)
    return "" if there == here else f"it weighs the {there} statistic there, the {here} one here: 1 − momentum"


def switch(switches: Mapping[str, Any], name: str) -> str:
    """Return the arguments that say which parameters there are."""
    written = switches.get(name)
    if not isinstance(written, Mapping):
        return ""
    return ", ".join(f"{argument}={value!r}" for argument, value in written.items())


def channel_axis(source: Column, target: Column) -> Argument:
    """Return where the channels are."""
    there, here = axis(source), axis(target)
    spelling = fact(target, "argument names")
    note = ""
    if there is not None and here is not None and there != here:
        places: Mapping[int, str | int] = {1: "first", -1: "last"}
        note = f"the channels are {places.get(there, there)} there and {places.get(here, here)} here: move them"
        note += f", or write {spelled(spelling, 'axis', there)}" if "axis" in spelling else ""
    return Argument("channel axis", said_axis(source), said_axis(target), note)


def said_axis(column: Column) -> str:
    """Return how a target says its channel axis."""
    own = axis(column)
    return "" if own is None else spelled(fact(column, "argument names"), "axis", own) or f"always {own}"


def names(source: Column, target: Column) -> tuple[Name, ...]:
    """Return the parts of the state by their names, in the target's order; then what only the source has."""
    there, here = fact(source, "state paths"), fact(target, "state paths")
    ordered = [Name(part, bare(there.get(part)), bare(here[part]), place) for place, part in enumerate(here, 1)]
    return (*ordered, *(Name(part, bare(there[part]), None, 0) for part in there if part not in here))


def bare(path: Any) -> str | None:
    """Return the name of a part in the file of a single layer: `*.weight` is `weight`."""
    return None if path is None else re.sub(r"\*\W", "", str(path))


def code(target: Column, numbers: Mapping[str, float], rank: int) -> str:
    """Return code that builds the layer, its features to be filled in; nothing where the facts do not say how."""
    constructor = target.facts.get("constructor")
    if isinstance(constructor, Mapping):
        constructor = constructor.get(f"rank{rank}")
    if not isinstance(constructor, str):
        return ""
    spelling = fact(target, "argument names")
    said = [spelled(spelling, name, value) for name, value in numbers.items()]
    features = [f"{spelling['features']}=features"] if "features" in spelling else []
    return constructor.replace("{arguments}", ", ".join(filter(None, [*features, *said])))
