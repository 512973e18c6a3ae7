"""Situations as a reader says them: `rank4` for all of rank 4, `float16: rank4` for its types together."""

import re
from collections.abc import Iterable, Sequence

NAMED = 4
"""So many places are named, the others counted."""

PLACE = re.compile(r"(?:^|-)(rank\d(?:-(?:first|last|axis\d))?)$")
TYPE = re.compile(r"(^|-)(float16|bfloat16)-(?:mixed|pure)$")


def merged(situations: Sequence[str], everywhere: Iterable[str]) -> tuple[str, ...]:
    """Return situations together where they are all there is of a rank, of a type, or of a question.

    everywhere: all situations among which these are some. Questions beyond the first few are counted.
    """
    all_places, places = by_question(everywhere), by_question(situations)
    told: dict[tuple[bool, tuple[str, ...]], list[str]] = {}
    for question, some in places.items():
        told.setdefault((bool(question), ranks(some, all_places.get(question, some))), []).append(question)
    names = []
    for (_, some_places), questions in told.items():
        where, what = ", ".join(some_places), counted(types(questions, all_places))
        names.append(": ".join(part for part in (what, where) if part) or "every rank")
    return tuple(names)


def counted(names: Sequence[str]) -> str:
    """Return names, those beyond the first few counted."""
    return ", ".join(names if len(names) <= NAMED + 1 else [*names[:NAMED], f"{len(names) - NAMED} more"])


def by_question(situations: Iterable[str]) -> dict[str, list[str]]:
    """Return the places of situations by what stands before them: `float16-pure-rank2` is `float16-pure` at `rank2`."""
    found: dict[str, list[str]] = {}
    for situation in situations:
        place = PLACE.search(situation)
        found.setdefault(situation[: place.start()] if place else situation, []).append(place[1] if place else "")
    return found


def ranks(places: Sequence[str], everywhere: Sequence[str]) -> tuple[str, ...]:
    """Return places by their rank alone where every place of the rank is among them; none where all places are."""
    if set(places) >= set(everywhere) and len(everywhere) > 1:
        return ()
    short = []
    for place in places:
        rank = place.partition("-")[0]
        alike = [other for other in everywhere if other.partition("-")[0] == rank]
        short.append(rank if len(alike) > 1 and set(alike) <= set(places) else place)
    return tuple(place for place in dict.fromkeys(short) if place)


def types(questions: Sequence[str], everywhere: Iterable[str]) -> tuple[str, ...]:
    """Return `float16-mixed` and `float16-pure` as `float16` where there are no others."""
    short = []
    for question in questions:
        general = TYPE.sub(r"\1\2", question)
        alike = [other for other in everywhere if TYPE.sub(r"\1\2", other) == general]
        short.append(general if len(alike) > 1 and set(alike) <= set(questions) else question)
    return tuple(dict.fromkeys(short))
