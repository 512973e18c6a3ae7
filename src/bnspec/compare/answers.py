"""Row against row: what became of each answer."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bnspec.columns import Column
from bnspec.compare import facts
from bnspec.compare.effects import STATISTICS
from bnspec.compare.effects_numbers import NUMBERS
from bnspec.compare.effects_replicas import REPLICAS
from bnspec.compare.model import Change, Comparison, Kind, Weight
from bnspec.compare.sizes import Typical, number, typical
from bnspec.compare.weights import CHANCE, RAISING, weight
from bnspec.results import DECIDED
from bnspec.spec import AXES, CLAUSES

ACCURACY = 10.0
"""An error that is imprecise before and after has changed where it is so many times as large or as small."""

DECLINES = "it does not take "
"""How a row begins whose target refused the types of the layer in every call."""

FOLLOWS = ("in the dialect of this layer", "it shows nothing that could tell", "the call that should raise does not",
           "the caller is handed nothing to collect", "at keep = 1")  # fmt: skip
"""How a row begins that was not asked because of another answer of its target, not for want of words."""

SETTLED = frozenset({"conforms", "unsupported"} | {variant for axis in AXES.values() for variant in axis.variants})
"""Answers that, given twice, are the same whatever else their rows say: only these are told apart at once."""

RACE = "which of these shows is chance, for nothing orders the updates: it may be another in the next run"

COUNTER = "counter"
"""How the situations begin in which only the counter is asked, of which no formula speaks."""

NOT_APPLICABLE = "not-applicable"
"""The answer that says that another axis has left nothing to ask."""

Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Pair:
    """The rows of one id on both sides."""

    id: str
    old: Row | None
    new: Row | None

    @property
    def subject(self) -> str:
        """The clause or axis of the id."""
        return self.id.partition("[")[0]

    @property
    def situation(self) -> str:
        """The situation of the id."""
        return self.id.partition("[")[2].removesuffix("]")


def compare(
    base: Column,
    candidate: Column,
    wanted: Callable[[str], bool] | None = None,
    sizes: Typical | None = None,
) -> Comparison:
    """Return what changed from one target to another.

    wanted: the ids to look at, all if None; sizes: of the layer that the formulas are told for, typical ones of
    the base if None. Facts are always compared. Of a row that is missing or decided nothing, and of one that
    could not be asked because of another answer, no difference can be told.
    """
    found: dict[tuple[Any, ...], dict[Pair, Change]] = {}
    kept: dict[str, list[str]] = {}
    same = 0
    for identifier in dict.fromkeys([*base.rows, *candidate.rows]):
        if wanted is not None and not wanted(identifier):
            continue
        pair = Pair(identifier, base.rows.get(identifier), candidate.rows.get(identifier))
        change = between(pair, base, candidate)
        if (change is None and answer(pair.new) != "unsupported") or (change and change.kind is not Kind.INCOMPARABLE):
            kept.setdefault(pair.subject, []).append(pair.situation)
        if change is None:
            same += 1
        else:
            reason = change.reason if change.kind is Kind.INCOMPARABLE else ""
            key = (change.kind, change.subject, change.before, change.after, change.weight, reason)
            found.setdefault(key, {})[pair] = change
    sizes = sizes or typical(base)
    changes = [merged(alike, kept.get(key[1], ()), sizes) for key, alike in found.items()]
    changed_facts, untold = facts.compared(base, candidate)
    return Comparison(
        base,
        candidate,
        changes=ordered(change for change in changes if change.kind is not Kind.INCOMPARABLE),
        facts=ordered(changed_facts),
        incomparable=ordered([*(change for change in changes if change.kind is Kind.INCOMPARABLE), *untold]),
        same=same,
    )


def merged(alike: Mapping[Pair, Change], compared: Iterable[str], sizes: Typical) -> Change:
    """Return one change of pairs of rows that changed alike, with the reason of the worst."""
    pairs = list(alike)
    first = alike[max(pairs, key=worst)]
    situations = tuple(pair.situation for pair in pairs)
    if first.kind is Kind.INCOMPARABLE:
        return replace(first, situations=situations)
    elsewhere = tuple(situation for situation in compared if situation not in situations)
    return replace(first, situations=situations, elsewhere=elsewhere, formula=formula(first, pairs, sizes))


def between(pair: Pair, base: Column, candidate: Column) -> Change | None:
    """Return what became of one answer, without its formula; None where it is the same."""
    before, after = answer(pair.old), answer(pair.new)
    if before == after and before in SETTLED:
        return None
    change = Change(Kind.CHANGED, pair.subject, (pair.situation,), before, after, Weight.OUTPUT)
    reason = undecided(pair.old, base) or undecided(pair.new, candidate)
    if reason:
        return replace(change, kind=Kind.INCOMPARABLE, reason=reason)
    kind = kind_of(pair.subject, before, after, ratio(pair.old), ratio(pair.new))
    if kind is None:
        return None
    if before != after and {before, after} <= CHANCE.get(pair.subject, frozenset()):
        return replace(change, kind=Kind.INCOMPARABLE, reason=RACE)
    for row, column, word in ((pair.old, base, before), (pair.new, candidate, after)):
        if word == "unsupported" and message(row).startswith(FOLLOWS):
            return replace(change, kind=Kind.INCOMPARABLE, reason=f"{column.title}: {message(row)}")
        if word == NOT_APPLICABLE:
            return replace(change, kind=Kind.INCOMPARABLE, reason=f"{column.title}: the call raises")
    if before == "unsupported" and (after == "violates" or after in RAISING):
        silent = (
            f"{base.title} has no words for it, and in {candidate.title} it is wrong or raises: {message(pair.new)}"
        )
        return replace(change, kind=Kind.INCOMPARABLE, reason=silent)
    told = pair.old if kind in (Kind.WORKS, Kind.MENDED) else pair.new
    heavy = weight(kind, pair.subject, pair.situation, before, after)
    return replace(change, kind=kind, weight=heavy, reason="" if kind is Kind.CHANGED else message(told))


def kind_of(subject: str, before: str, after: str, old: float, new: float) -> Kind | None:
    """Return what became of an answer; None where nothing did. old, new: the ratios of the rows."""
    if before == after:
        if after == "imprecise" and max(old, new) > ACCURACY * min(old, new):
            return Kind.TIGHTENED if new < old else Kind.LOOSENED
        return None
    if after == "unsupported":
        return Kind.GONE
    if after == "violates":
        return Kind.VIOLATES
    if before in RAISING and after in RAISING and "refuses" in (before, after):
        return Kind.CHANGED if "crash" in (before, after) else None
    if after in RAISING:
        return Kind.RAISES
    if before in RAISING or before == "unsupported":
        return Kind.WORKS
    if before == "violates":
        return Kind.MENDED
    order = ["conforms", "imprecise"] if subject in CLAUSES else list(AXES[subject].variants) if subject in AXES else []
    if before in order and after in order and (subject in CLAUSES or AXES[subject].accuracy):
        return Kind.TIGHTENED if order.index(after) < order.index(before) else Kind.LOOSENED
    return Kind.CHANGED


def answer(row: Row | None) -> str:
    """Return the answer of a row in one word.

    Its variant; without one its verdict, where `refuses` is also said of a target that does not take the types
    of the layer; nothing for a row that is missing.
    """
    if row is None:
        return ""
    if row["verdict"] == "unsupported" and message(row).startswith(DECLINES):
        return "refuses"
    return str(row["verdict"] if row["verdict"] == "violates" else row.get("variant") or row["verdict"])


def undecided(row: Row | None, column: Column) -> str:
    """Return why a row says nothing about its target, naming this; nothing where it does."""
    if row is None and not column.complete:
        return f"{column.title}: its run is partial and has no such row"
    if row is None and column.run.get("selection"):
        return f"{column.title}: its run asked only for {column.run['selection']}"
    if row is None:
        return f"{column.title}: its suite ({column.run.get('revision') or column.run.get('suite')}) does not ask it"
    if row["verdict"] in DECIDED or row["verdict"] in ("unsupported", "crash"):
        return ""
    return f"{column.title}: {row['verdict']}" + (f", {message(row)}" if message(row) else "")


def message(row: Row | None) -> str:
    """Return what a row says in words."""
    return "" if row is None else str(row.get("message") or "")


def ratio(row: Row | None) -> float:
    """Return the worst error of a row in allowances: 0 where it has none, infinite where it is no number."""
    given = None if row is None else row.get("ratio")
    value = 0.0 if given is None else float(given)
    return math.inf if math.isnan(value) else value


def worst(pair: Pair) -> float:
    """Return the largest error of a pair of rows."""
    return max(ratio(pair.old), ratio(pair.new))


def formula(change: Change, pairs: list[Pair], sizes: Typical) -> str:
    """Return the size of a change: as its axis tells it, or the errors that were measured."""
    before, after = change.before, change.after
    variants = AXES[change.subject].variants if change.subject in AXES else {}
    effect = {**STATISTICS, **NUMBERS, **REPLICAS}.get(change.subject)
    if all(situation.startswith(COUNTER) for situation in change.situations):
        return ""
    if effect and before in variants and after in variants:
        return effect(before, after, sizes)
    if change.kind in (Kind.TIGHTENED, Kind.LOOSENED, Kind.VIOLATES, Kind.MENDED):
        was, now = (max(map(ratio, rows)) for rows in zip(*((pair.old, pair.new) for pair in pairs), strict=True))
        told = [number(error) for error, word in ((was, before), (now, after)) if word not in RAISING]
        if math.isfinite(was) and math.isfinite(now) and (was or now):
            return f"worst error {' → '.join(told)} times what correct arithmetic may lose"
    return ""


def ordered(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Return changes, the heaviest first, then as the specification has them."""
    weights, places = list(Weight), {name: place for place, name in enumerate((*AXES, *CLAUSES))}
    return tuple(sorted(changes, key=lambda c: (weights.index(c.weight), places.get(c.subject, len(places)))))
