"""Facts against facts: defaults, names and order, types, and what is accepted."""

import functools
import re
from collections.abc import Mapping
from itertools import chain
from typing import Any

from bnspec.columns import Column
from bnspec.compare.model import Change, Kind, Weight
from bnspec.compare.sizes import kept, percent, signed
from bnspec.facts import probes

WEIGHTS: Mapping[str, Weight] = {
    "momentum": Weight.STATISTICS,
    "epsilon": Weight.OUTPUT,
    "axis": Weight.OUTPUT,
    "training": Weight.OUTPUT,
    "initialisers": Weight.OUTPUT,
    "initial values": Weight.OUTPUT,
    "parameters dtype": Weight.ROUNDING,
    "state dtypes": Weight.ROUNDING,
}
"""What another value of a fact means. Every other one (names, their order, arguments) is interface."""

OF_THE_MACHINE = frozenset({"threads", "not known"})
"""Facts that say nothing of the implementation."""

ABSENT = "absent"

LONG = 90
"""Of two lists of more characters together, only what differs is written out."""

VERSION = re.compile(r"\d+\.\d+\.\d")


def compared(base: Column, candidate: Column) -> tuple[list[Change], list[Change]]:
    """Return the facts that changed, and those that one of two targets does not tell."""
    old, new = base.facts, candidate.facts
    installed = chain.from_iterable(column.packages for column in (base, candidate))
    left_out = OF_THE_MACHINE.union(installed)
    changed, missing = [], []
    for name in dict.fromkeys([*old, *new]):
        if name in left_out or versions(old.get(name), new.get(name)):
            continue
        if name not in old or name not in new:
            silent = candidate if name in old else base
            missing.append(incomparable(name, old.get(name), new.get(name), f"{silent.title} does not tell it"))
        elif name in probed_names():
            changed += probed(name, str(old[name]), str(new[name]))
        elif old[name] != new[name]:
            changed += different(name, old[name], new[name], base, candidate)
    return changed, missing


def versions(before: Any, after: Any) -> bool:
    """Return whether a fact is the version of something beside the framework."""
    values = [value for value in (before, after) if value is not None]
    return all(isinstance(value, str) and VERSION.match(value) for value in values)


@functools.cache
def probed_names() -> frozenset[str]:
    """Return the facts that say what was accepted, and the error where it was not."""
    return frozenset(probe.situation for probe in probes())


def incomparable(name: str, before: Any, after: Any, reason: str) -> Change:
    """Return a fact that is there on one side alone."""
    return Change(Kind.INCOMPARABLE, name, (), text(before), text(after), Weight.INTERFACE, reason=reason)


def probed(name: str, before: str, after: str) -> list[Change]:
    """Return what became of a call: accepted, refused with a class of error, or not to be said at all."""
    was, now = outcome(before), outcome(after)
    if was == now:
        return []
    if now == "unsupported":
        return [Change(Kind.GONE, name, (), was, now, Weight.ERRORS, reason=after)]
    if was == "unsupported":
        return [Change(Kind.WORKS, name, (), was, now, Weight.INTERFACE, reason=before)] if now == "accepted" else []
    kinds = {"accepted": Kind.RAISES} if now != "accepted" else {}
    kind = kinds.get(was, Kind.WORKS if now == "accepted" else Kind.CHANGED)
    return [Change(kind, name, (), was, now, Weight.ERRORS, reason=before if now == "accepted" else after)]


def outcome(found: str) -> str:
    """Return `accepted`, `unsupported`, or the class of the error: its text may change with every release."""
    return found.partition(":")[0]


def different(name: str, before: Any, after: Any, base: Column, candidate: Column) -> list[Change]:
    """Return the changes of one fact: of an object or a list of names, what differs in it."""
    weight = WEIGHTS.get(name, Weight.INTERFACE)
    if isinstance(before, dict) and isinstance(after, dict):
        every = dict.fromkeys([*before, *after])
        names = [key for key in every if before.get(key, ABSENT) != after.get(key, ABSENT)]
        was, now = (", ".join(f"{key} {text(some.get(key, ABSENT))}" for key in names) for some in (before, after))
        return [Change(Kind.CHANGED, name, (), was, now, weight)]
    formula = ""
    if name == "momentum":
        old, new = kept(base, before), kept(candidate, after)
        if old is not None and old == new:
            return [Change(Kind.CHANGED, name, (), text(before), text(after), Weight.INTERFACE, same_keep(old))]
        formula = momentum(old, new)
    elif name == "epsilon":
        formula = epsilon(before, after)
    elif isinstance(before, list) and isinstance(after, list):
        long = len(text(before)) + len(text(after)) > LONG
        formula = names_apart(before, after) if long else ""
    return [Change(Kind.CHANGED, name, (), text(before), text(after), weight, formula)]


def same_keep(keep: float) -> str:
    """Return that two numbers mean the same."""
    return f"both keep {percent(keep)} of the old statistic: the number multiplies the other one"


def momentum(was: float | None, now: float | None) -> str:
    """Return what another default momentum does, where it is known what the number multiplies."""
    if was is None or now is None or not (0 < was < 1 and 0 < now < 1):
        return ""
    weighs, left = (" → ".join(map(percent, pair)) for pair in ((1 - was, 1 - now), (was**10, now**10)))
    return f"a batch weighs {weighs}; of the start, 10 steps leave {left}"


def epsilon(before: Any, after: Any) -> str:
    """Return what another default ε does to the output."""
    if not all(isinstance(value, int | float) and value >= 0 for value in (before, after)):
        return ""
    told = ", ".join(
        f"{signed(((v + before) / (v + after)) ** 0.5 - 1)} at variance {v:g}" for v in (1.0, 0.01, 0.0001)
    )
    return f"output × √((v+ε₀)/(v+ε₁)): {told}"


def names_apart(before: list[Any], after: list[Any]) -> str:
    """Return what two lists of names have each alone, or that their order differs."""
    gone, new = (
        [text(name) for name in some if name not in other] for some, other in ((before, after), (after, before))
    )
    parts = [f"without {', '.join(gone)}"] * bool(gone) + [f"new: {', '.join(new)}"] * bool(new)
    return "; ".join(parts) or "in another order"


def text(value: Any) -> str:
    """Return a fact's value as one text."""
    if value is None:
        return "none"
    if isinstance(value, list):
        return ", ".join(map(text, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {text(item)}" for key, item in value.items()) or "none"
    return str(value)
