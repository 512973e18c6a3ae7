"""The answer of a diff: comparisons of pairs of targets, what is allowed, what to know before believing it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bnspec.columns import Column, columns
from bnspec.compare.allow import Allowance, allowances, divided, unused
from bnspec.compare.answers import compare
from bnspec.compare.model import Change, Comparison, Weight
from bnspec.compare.narrow import Narrowing, wanted
from bnspec.compare.pairs import paired
from bnspec.environments import normal, plain
from bnspec.results import Results


class NothingToCompare(Exception):  # noqa: N818 - it is shown as it is, one clear line
    """Two sides without a pair of targets that both ran."""


@dataclass(frozen=True)
class Weighed:
    """One comparison, without the changes that are allowed, and those.

    beside: what else differs between the two environments, nothing if nothing that computes does.
    """

    comparison: Comparison
    allowed: tuple[Change, ...]
    beside: str

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes that are not allowed, of behaviour and facts, the heaviest first."""
        weights = list(Weight)
        every = (*self.comparison.changes, *self.comparison.facts)
        return tuple(sorted(every, key=lambda change: weights.index(change.weight)))

    @property
    def behaviour(self) -> tuple[Change, ...]:
        """The changes that are more than interface."""
        return tuple(change for change in self.changes if change.weight is not Weight.INTERFACE)


@dataclass(frozen=True)
class Diff:
    """What `bnspec diff` has to say.

    warnings: what to know before the numbers; alone: targets without a partner; unused: allowances that
    nothing needed; narrowing: the choice of questions in words, nothing for all.
    """

    comparisons: tuple[Weighed, ...]
    warnings: tuple[str, ...]
    alone: tuple[Column, ...]
    unused: tuple[str, ...]
    narrowing: str

    @property
    def changed(self) -> bool:
        """Whether behaviour changed: more than the interface, and not allowed."""
        return any(one.behaviour for one in self.comparisons)


def diff(
    base: Sequence[Results],
    candidate: Sequence[Results],
    *,
    pairs: Sequence[str] = (),
    allow: Sequence[str] = (),
    narrowing: Narrowing | None = None,
) -> Diff:
    """Return what changed from some results to others; their strings must be clean (report.clean).

    Raises NothingToCompare where no pair of targets ran, NoPair for a pair that is not there, and
    UnknownAllowance for an allowance that names nothing.
    """
    sides = columns(base), columns(candidate)
    found = paired(*sides, pairs)
    ran = [pair for pair in found.pairs if all(column.failed is None for column in pair)]
    failed = [column for pair in found.pairs for column in pair if column.failed is not None]
    if not ran:
        raise NothingToCompare(why_nothing(sides, failed))
    choice = narrowing or Narrowing()
    given = allowances(allow, [column for pair in ran for column in pair])
    compared = [compare(*pair, wanted(choice, pair)) for pair in ran]
    everything = [change for one in compared for change in (*one.changes, *one.facts)]
    return Diff(
        tuple(weighed(one, given) for one in compared),
        (*dict.fromkeys(f"{column.name} did not run: {column.failed}" for column in failed), *warnings(ran)),
        (*found.base_alone, *found.candidate_alone),
        unused(given, everything),
        str(choice),
    )


def weighed(comparison: Comparison, given: Sequence[Allowance]) -> Weighed:
    """Return a comparison without what is allowed."""
    divisions = [[divided(change, given) for change in some] for some in (comparison.changes, comparison.facts)]
    changes, facts = (tuple(left for left, _ in some if left) for some in divisions)
    allowed = tuple(right for some in divisions for _, right in some if right)
    beside = differing_beside(comparison.base, comparison.candidate)
    return Weighed(replace(comparison, changes=changes, facts=facts), allowed, beside)


def why_nothing(sides: Sequence[Sequence[Column]], failed: Sequence[Column]) -> str:
    """Say why no pair of targets can be compared, and what to type."""
    if failed:
        return "; ".join(f"{column.name} did not run: {column.failed}" for column in failed)
    names = [", ".join(column.name for column in side) for side in sides]
    for which, listed in zip(("base", "candidate"), names, strict=True):
        if not listed:
            return f"the {which} holds no target; make one with bnspec run torch -o FILE.jsonl"
    return (
        f"no target of the base ({names[0]}) has a partner of its adapter in the candidate ({names[1]}); "
        "name them: --pair BASE=CANDIDATE"
    )


def warnings(ran: Iterable[tuple[Column, Column]]) -> tuple[str, ...]:
    """Return what to know before believing a comparison: what is partial, and what else differs than the target."""
    said: dict[str, None] = {}
    for pair in ran:
        for which, column in zip(("base", "candidate"), pair, strict=True):
            if not column.complete:
                said[
                    f"The {which} is partial: {column.title} has {len(column.rows)} answers; the rest was not run."
                ] = None
            if column.run.get("selection"):
                said[f"The {which} answers only what matches “{column.run['selection']}”."] = None
        revisions = [str(column.run.get("revision") or column.run.get("suite")) for column in pair]
        if len(set(revisions)) > 1:
            only = [len(set(a.rows) - set(b.rows)) for a, b in (pair, pair[::-1])]
            said[
                f"Two revisions of the suite: {revisions[0]} and {revisions[1]}. What both ask is compared; "
                f"{only[0]} answers are in the base alone, {only[1]} in the candidate alone."
            ] = None
        processors = {str(column.run.get("cpu")) for column in pair}
        if len(processors) > 1:
            said[
                f"Measured on two processors ({', '.join(sorted(processors))}): rounding may differ by that alone."
            ] = None
    return tuple(said)


def differing_beside(base: Column, candidate: Column) -> str:
    """Return what else differs between two environments that computes: other frameworks, NumPy, Python."""
    frameworks = {normal(str(column.info.get("framework", ""))) for column in (base, candidate)}
    own = frameworks if len(frameworks) == 1 else frozenset[str]()
    installed = [
        {plain(normal(name)): version for name, version in column.packages.items()} for column in (base, candidate)
    ]
    for found, column in zip(installed, (base, candidate), strict=True):
        found["python"] = ".".join(str(column.info.get("python", "")).split(".")[:2])
    names = [name for name in COMPUTING if name not in own and all(found.get(name) for found in installed)]
    pairs = [(name, *(found[name] for found in installed)) for name in names]
    return ", ".join(f"{name} {old} → {new}" for name, old, new in pairs if old != new)


COMPUTING = (
    "python",
    "numpy",
    "tensorflow",
    "keras",
    "jax",
    "jaxlib",
    "torch",
    "theano",
    "onnx",
    "onnxruntime",
    "flax",
)
"""What can change the numbers of a layer that stands beside it."""
