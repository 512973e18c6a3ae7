"""A change in plain words, and changes as lines to read."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from bnspec.compare.diff import Weighed
from bnspec.compare.facts import LONG
from bnspec.compare.model import Change, Comparison, Kind, Weight
from bnspec.compare.places import merged
from bnspec.results import cut
from bnspec.spec import AXES, CLAUSES
from bnspec.spec import sentence as asked

MEANINGS = {
    "conforms": "right",
    "imprecise": "less accurate than a sound class",
    "violates": "wrong: no variant explains it",
    "refuses": "an error",
    "crash": "the process dies",
    "unsupported": "no words for it",
}
"""What a verdict means that stands in the place of a variant."""

CAUSE = 240
"""So many characters of an error are told; the results have all of it."""

BEFORE = frozenset({Kind.WORKS, Kind.MENDED})
"""What these kinds give for a reason was so before."""

STEP = re.compile(r"^(step \d+ \([^)]*\): |it does not take [\w-]+: )?(raised |unsupported: )?")
"""What stands before the cause of an error, which is alike in several questions."""

SHOWN = 6
"""So many subjects of one reason are named, the others counted."""


@dataclass(frozen=True)
class Line:
    """What is read as one: a change, or several that have one reason.

    title: what it is about; where: the places, if not everywhere; became: the answers in one word each;
    sentence: in plain words; size: formula and number; reason: an error or a measurement.
    """

    kind: Kind
    weight: Weight
    title: str
    where: str
    became: str
    sentence: str
    size: str
    reason: str
    changes: tuple[Change, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the cases that show it."""
        return tuple(name for change in self.changes for name in change.ids)

    @property
    def single(self) -> bool:
        """Whether it is about one subject, which is its title."""
        return self.title in {change.subject for change in self.changes}

    @property
    def cause(self) -> str:
        """The reason as a reader needs it: whether it was so before or is so now, and not all of a long one."""
        return f"{'before' if self.kind in BEFORE else 'now'}: {cut(self.reason, CAUSE)}" if self.reason else ""


def sentence(change: Change) -> str:
    """Return a change as one line: the question, what was answered, what is, and where."""
    where = places(change)
    return " ".join(part for part in (plain_words(change), f"({where})" if where else "") if part)


def plain_words(change: Change) -> str:
    """Return the question and what became of its answer."""
    if change.subject in CLAUSES:
        return f"{short(asked(change.subject))}: {became_of(change)}"
    if change.subject in AXES:
        question = asked(change.subject)
        return f"{question}{'' if question.endswith(('?', ':')) else ' …'} {became_of(change)}"
    if change.formula and len(change.before) + len(change.after) > LONG:
        return f"{change.subject}: {change.formula}"
    return f"{change.subject}: {change.before} → {change.after}"


def short(text: str) -> str:
    """Return the sentence of a clause up to its first semicolon, without what stands in brackets."""
    return re.sub(r" \([^)]*\)", "", text.partition(";")[0]).rstrip(".")


def became_of(change: Change) -> str:
    """Return the answers before and after, in words."""
    return f"{meaning(change.subject, change.before)} → {meaning(change.subject, change.after)}"


def meaning(subject: str, answer: str) -> str:
    """Return what an answer means: a variant in the words of its axis, a verdict, or what it says itself."""
    variants = AXES[subject].variants if subject in AXES else {}
    return variants.get(answer) or MEANINGS.get(answer, answer)


def places(change: Change) -> str:
    """Return where a change holds; nothing where it holds wherever both were asked."""
    if not change.elsewhere:
        return ""
    return "; ".join(merged(change.situations, [*change.situations, *change.elsewhere]))


def lines(changes: Iterable[Change]) -> tuple[Line, ...]:
    """Return changes as lines, in their order; those that have one error for their reason are one line."""
    grouped: dict[tuple[object, ...], list[Change]] = {}
    for number, change in enumerate(changes):
        cause = cause_of(change) if change.kind in (Kind.RAISES, Kind.WORKS, Kind.GONE) else ""
        grouped.setdefault((change.kind, change.weight, cause) if cause else (number,), []).append(change)
    return tuple(line(tuple(group)) for group in grouped.values())


def cause_of(change: Change) -> str:
    """Return the error of a change without the step that showed it and without its numbers."""
    return re.sub(r"(?<![A-Za-z])-?\d[\d.]*", "#", STEP.sub("", change.reason))


def line(group: tuple[Change, ...]) -> Line:
    """Return the line of changes that have one reason; a fact that says what a question showed adds nothing."""
    first = group[0]
    behaviour = [change for change in group if change.situations]
    if len(group) > 1 and len(behaviour) != 1:
        subjects = listed(with_places(change) for change in group)
        title = f"{answers(group)} questions"
        return Line(first.kind, first.weight, title, "", "", subjects, "", STEP.sub("", first.reason), group)
    only = behaviour[0] if behaviour else first
    size = only.formula if only.formula not in plain_words(only) else ""
    became = f"{only.before} → {only.after}" if behaviour else ""
    return Line(only.kind, only.weight, only.subject, places(only), became, plain_words(only), size, only.reason, group)


def with_places(change: Change) -> str:
    """Return the subject of a change and where it holds."""
    where = places(change)
    return f"{change.subject} ({where})" if where else change.subject


def listed(names: Iterable[str]) -> str:
    """Return names, each once, those beyond the first few counted."""
    once = list(dict.fromkeys(names))
    rest = len(once) - SHOWN
    return ", ".join(once if rest <= 1 else [*once[:SHOWN], f"{rest} more"])


def reasons(comparison: Comparison) -> dict[str, tuple[Change, ...]]:
    """Return what could not be compared, by its reason, the most frequent first."""
    found: dict[str, list[Change]] = {}
    for change in comparison.incomparable:
        found.setdefault(change.reason, []).append(change)
    return {reason: tuple(found[reason]) for reason in sorted(found, key=lambda reason: -answers(found[reason]))}


def answers(changes: Iterable[Change]) -> int:
    """Return how many answers some changes are about."""
    return sum(len(change.situations) or 1 for change in changes)


def summary(one: Weighed) -> str:
    """Return how many changes there are of each weight, and what did not change."""
    counts = Counter(line.weight for line in lines(one.changes))
    said = ", ".join(f"{weight} ({counts[weight]})" for weight in Weight if counts[weight])
    untold = answers(one.comparison.incomparable)
    parts = [f"{said or 'nothing changed'}; {one.comparison.same} answers are the same"]
    parts += [f"{len(lines(one.allowed))} allowed"] if one.allowed else []
    return "; ".join([*parts, f"{untold} cannot be compared"] if untold else parts) + "."
