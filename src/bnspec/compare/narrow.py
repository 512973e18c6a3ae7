"""Only what my layers use: the choice of cases by rank, type, place, freezing, masks and trainer.

A question is kept where my layers could meet it. One that is asked at several ranks (or types, or channel
positions) is kept at mine; one that is asked of a single layer for all, such as what a mode does to a layer
inside a model, is kept whatever that layer's rank and type are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bnspec.case import Case, types
from bnspec.columns import Column
from bnspec.suite import load_cases

TRAINER = frozenset({"prepare", "fit", "evaluate", "predict"})
"""The steps of a framework's own trainer."""

FREEZING = frozenset({"freeze", "unfreeze"})

OF_TRAINING = (
    "stats.momentum-weight", "stats.stored-variance", "stats.averaging", "stats.timing", "stats.uncollected",
    "stats.shared-layer", "stats.no-gradient", "stats.recompute", "stats.untracked-training", "stats.closed-form",
    "stats.extremes", "forward.statistics", "forward.training", "gradient.statistics", "gradient.training",
    "training.parameters", "modes.toggle", "masks.statistics", "degenerate.single", "degenerate.single-update",
    "degenerate.constant", "degenerate.nan-recovery", "precision.accumulation", "precision.moments",
    "precision.half-statistics",
)  # fmt: skip
"""The axes and clauses about what a layer does that trains: a frozen one meets them only where it still trains."""


@dataclass(frozen=True)
class Narrowing:
    """What my layers are; an empty choice is any.

    frozen: True where all are frozen, False where none ever is; masks, trainer: whether they are used.
    """

    ranks: Sequence[int] = ()
    dtypes: Sequence[str] = ()
    channels: str | None = None
    frozen: bool | None = None
    masks: bool = True
    trainer: bool = True

    def __str__(self) -> str:
        """Return the choice as the options say it; nothing where everything is looked at."""
        said = [f"rank {rank}" for rank in self.ranks] + list(self.dtypes)
        said += [f"channels {self.channels}"] if self.channels else []
        said += [] if self.frozen is None else ["frozen" if self.frozen else "never frozen"]
        said += ["no masks"] if not self.masks else []
        return ", ".join([*said, "no trainer"] if not self.trainer else said)


def wanted(choice: Narrowing, sides: Sequence[Column]) -> Callable[[str], bool] | None:
    """Return which ids my layers could meet, None for all. An id that the suite does not know is kept.

    sides: the targets: where one of them trains a frozen layer, frozen layers meet the questions of training.
    """
    if not str(choice):
        return None
    cases = load_cases()
    kept = {clause: [case for case in cases if clause in case.clauses] for case in cases for clause in case.clauses}
    trains = any(trains_frozen(column) for column in sides)
    dropped = {
        f"{clause}[{case.situation}]"
        for clause, alike in kept.items()
        for case in alike
        if not meets(choice, clause, case, alike, trains)
    }
    return lambda identifier: identifier not in dropped


def trains_frozen(column: Column) -> bool:
    """Return whether a target's frozen layers train: normalise by the batch, or move their statistics."""
    trained = {"frozen.normalisation": "batch", "frozen.update": "updates"}
    return any(row.get("variant") == trained.get(name.partition("[")[0], "") for name, row in column.rows.items())


def meets(choice: Narrowing, clause: str, case: Case, alike: Sequence[Case], trains: bool) -> bool:
    """Return whether my layers could meet a case. alike: the cases of its clause, itself among them."""
    steps = {step.do for step in case.program}
    if not choice.trainer and steps & TRAINER:
        return False
    if not choice.masks and any(name.startswith("mask") for step in case.program for name in step.arrays):
        return False
    about_freezing = bool(steps & FREEZING) or case.layer.frozen
    if choice.frozen is False and about_freezing:
        return False
    if choice.frozen and not about_freezing and clause in OF_TRAINING and not trains:
        return False
    return of_type(choice, case, alike) and of_place(choice, case, alike)


def of_type(choice: Narrowing, case: Case, alike: Sequence[Case]) -> bool:
    """Return whether a case is asked of my types, or of float32 for all types."""
    if not choice.dtypes or is_mine(choice.dtypes, case):
        return True
    if types(case.layer.dtypes):
        return False
    own = before(case, case.where)
    return not any(is_mine(choice.dtypes, other) and before(other, other.typed) == own for other in alike)


def is_mine(dtypes: Sequence[str], case: Case) -> bool:
    """Return whether the layer of a case has one of these types."""
    return bool({case.layer.dtypes["input"], types(case.layer.dtypes)} & {*dtypes})


def of_place(choice: Narrowing, case: Case, alike: Sequence[Case]) -> bool:
    """Return whether a case is asked at my rank and channel position, or at one place for all."""

    def mine(other: Case) -> bool:
        rank, axis = other.layer.rank, other.layer.axis % other.layer.rank
        position = {"first": 1, "last": rank - 1}.get(choice.channels or "", axis)
        return (not choice.ranks or rank in choice.ranks) and (axis == position or rank == 2)

    if mine(case) or not case.situation.endswith(case.where):
        return True
    if case.structure == "bare":
        return False
    own = before(case, case.where)
    return not any(mine(other) and before(other, other.where) == own for other in alike)


def before(case: Case, end: str) -> str | None:
    """Return what stands in a case's situation before the name of its place; None where it does not name it."""
    return case.situation.removesuffix(end) if case.situation.endswith(end) else None
