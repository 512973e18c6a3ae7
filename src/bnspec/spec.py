"""The specification: axes and their variants, clauses, and the dialect that answers the axes.

Ids are public and stable for ever: results, reports and claims use them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Axis:
    """A question where implementations legitimately differ; the first variant is assumed until asked."""

    id: str
    question: str
    variants: Mapping[str, str]

    @property
    def default(self) -> str:
        """The variant assumed where the axis was not asked."""
        return next(iter(self.variants))


@dataclass(frozen=True)
class Clause:
    """A sentence that every implementation must meet."""

    id: str
    sentence: str


AXES: Mapping[str, Axis] = {
    axis.id: axis
    for axis in (
        Axis(
            "stats.momentum-weight",
            "What does the constructor's momentum number multiply in the update?",
            {
                "old": "the old statistic: new = momentum·old + (1 − momentum)·batch",
                "new": "the batch statistic: new = (1 − momentum)·old + momentum·batch",
            },
        ),
        Axis(
            "stats.stored-variance",
            "Which estimator of the batch variance v enters the moving variance?",
            {
                "population": "v (divided by N)",
                "sample": "v·N/(N−1)",
                "sample-epsilon": "v·N/(N−1−ε)",
                "sample-twice": "v·N/(N−1)·N/(N−1−ε)",
            },
        ),
        Axis(
            "stats.averaging",
            "What average are the moving statistics?",
            {
                "exponential": "(1 − w)·old + w·batch from the starting value on",
                "debiased": "exponential without its starting value: w = (1 − keep)/(1 − keepᵏ), 0/0 at keep = 1",
                "first-batch": "the first batch is copied, then exponential",
                "cumulative": "all batches weigh the same: w = 1/k",
            },
        ),
        Axis(
            "stats.initial",
            "What are the moving statistics before any step, and what does inference do then?",
            {
                "zero-one": "mean 0, variance 1",
                "zero-zero": "mean 0, variance 0",
                "unset-raises": "there are none, and inference raises",
                "unset-garbage": "there are none, and inference returns numbers all the same",
            },
        ),
        Axis(
            "state.complete",
            "Do the visible moving statistics determine the next update?",
            {
                "complete": "yes: statistics that were written are what the next update starts from",
                "hidden": "no: the next update ignores what was written and goes on from an accumulator of its own",
            },
        ),
        Axis(
            "forward.statistics",
            "Which statistics normalise the output in training?",
            {"batch": "the batch's", "running": "the moving statistics, after their update"},
        ),
        Axis(
            "modes.unstated",
            "The caller says neither training nor inference: what does a fresh layer do?",
            {
                "infer": "inference: moving statistics, no update",
                "train": "training: batch statistics and an update",
                "raises": "an error",
            },
        ),
        Axis(
            "modes.nested",
            "A layer inside a user's layer or model that does not pass the mode on: what mode does it get?",
            {
                "inherits": "the outer mode: trains in training, infers in inference",
                "inherits-no-update": "the outer mode, but its moving statistics never change",
                "fixed-infer": "always inference",
                "fixed-train": "always training",
                "raises": "an error",
            },
        ),
        Axis(
            "frozen.normalisation",
            "A layer frozen by the framework's own idiom, in training mode: normalised by which statistics?",
            {"moving": "the moving statistics, as in inference", "batch": "the batch's, as in training"},
        ),
        Axis(
            "frozen.update",
            "A layer frozen by the framework's own idiom, in training mode: do its moving statistics change?",
            {"none": "no", "updates": "yes, as in training"},
        ),
        Axis(
            "gradient.statistics",
            "Does the training gradient go through the batch statistics?",
            {"through": "yes, the full derivative", "detached": "no, they are treated as constants"},
        ),
        Axis(
            "degenerate.single",
            "One value per channel in training: what is the output?",
            {
                "offset": "the offset: (x − x)·r·scale + offset",
                "raises": "an error",
                "input": "the input, unchanged",
                "nan": "NaN",
            },
        ),
        Axis(
            "degenerate.single-update",
            "One value per channel in training: what enters the moving variance?",
            {
                "zero": "0, the population variance of one value",
                "unchanged": "nothing: the moving variance stays",
                "nan": "NaN",
                "not-applicable": "the call raised",
            },
        ),
        Axis(
            "precision.moments",
            "How is the variance computed, seen from its error at large mean/sd?",
            {
                "two-pass": "mean first, then Σ(x − mean)²/N",
                "updating": "Welford or Chan",
                "one-pass": "E[x²] − E[x]²",
            },
        ),
        Axis(
            "precision.accumulation",
            "Does the error grow with N?",
            {"wide": "with log N: pairwise, blocked or a wider type", "sequential": "with N"},
        ),
    )
}

CLAUSES: Mapping[str, Clause] = {
    clause.id: clause
    for clause in (
        Clause(
            "forward.training",
            "In training, y = scale·(x − μ)/√(σ² + ε) + offset with the statistics and ε of the dialect; "
            "batch statistics use the population variance (1/N), ε inside the root.",
        ),
        Clause("forward.inference", "In inference, the same formula with the stored mean and variance."),
        Clause(
            "forward.affine",
            "Without scale the scale is 1, without offset the offset is 0, each alone or both; nothing else changes.",
        ),
        Clause(
            "forward.channels",
            "Statistics are per channel, over every other axis, for every rank from 2 to 5 and every channel "
            "axis that the API takes; a channel's result does not depend on another's, for any number of "
            "channels.",
        ),
        Clause(
            "forward.permutation",
            "Permuting samples permutes outputs and leaves statistics within rounding.",
        ),
        Clause(
            "inference.pure",
            "Inference of a layer with stored statistics changes no state, and a sample's output does not "
            "depend on the other samples.",
        ),
        Clause("training.parameters", "A training call changes no parameter: scale and offset stay."),
        Clause(
            "stats.closed-form",
            "After k steps the moving statistics equal the closed form of the dialect, from any starting state.",
        ),
        Clause(
            "stats.extremes",
            "For an exponential average, keep = 0 stores the batch statistic and keep = 1 leaves the old one "
            "bit-equal; another average follows its own formula.",
        ),
        Clause(
            "modes.toggle",
            "Train, infer, freeze, unfreeze in any order: each step does what its mode says, and nothing is "
            "remembered but the state.",
        ),
        Clause(
            "gradient.training",
            "In training, dx, dscale and doffset are the gradients of the forward of the dialect.",
        ),
        Clause(
            "gradient.inference",
            "With stored statistics, dx = scale·dy/√(v + ε); dscale and doffset accordingly.",
        ),
    )
}


class UndecidedError(Exception):
    """The answer to an axis that an expectation needs was not decided."""

    def __init__(self, axis: str, situation: str) -> None:
        super().__init__(f"{axis}[{situation}]")
        self.axis = axis


class UndefinedError(Exception):
    """A dialect's own formula has no value here: whatever a layer gives, it is not wrong."""


@dataclass(frozen=True)
class Dialect:
    """(axis, situation) → variant: what turns the reference into one implementation's expected behaviour.

    undecided: the axes and situations that were asked without a single variant fitting.
    """

    answers: Mapping[tuple[str, str], str] = field(default_factory=dict)
    undecided: frozenset[tuple[str, str]] = frozenset()

    def variant(self, axis: str, situation: str) -> str:
        """Return the answer to `axis` in `situation`.

        Where the axis was not asked in that situation: its answer elsewhere, if all situations agree; its
        default, if it was asked nowhere. Raises UndecidedError where it was asked and not decided, or where
        other situations disagree.
        """
        if (axis, situation) in self.undecided:
            raise UndecidedError(axis, situation)
        if (axis, situation) in self.answers:
            return self.answers[axis, situation]
        elsewhere = {variant for (asked, _), variant in self.answers.items() if asked == axis}
        if len(elsewhere) > 1 or (not elsewhere and any(asked == axis for asked, _ in self.undecided)):
            raise UndecidedError(axis, situation)
        return elsewhere.pop() if elsewhere else AXES[axis].default

    def answering(self, answers: Mapping[str, str], situation: str) -> "Dialect":
        """Return this dialect with other answers in one situation."""
        changed = {(axis, situation): variant for axis, variant in answers.items()}
        return Dialect({**self.answers, **changed}, self.undecided - changed.keys())

    def not_deciding(self, axes: Iterable[str], situation: str) -> "Dialect":
        """Return this dialect with axes that were asked in a situation and not decided."""
        return Dialect(self.answers, self.undecided | {(axis, situation) for axis in axes})


def family(clause: str) -> str:
    """Return the family of a clause or axis: `stats` of `stats.initial`."""
    return clause.partition(".")[0]


def sentence(clause: str) -> str:
    """Return the sentence of a clause, or the question of an axis. Raises KeyError for another id."""
    return CLAUSES[clause].sentence if clause in CLAUSES else AXES[clause].question
