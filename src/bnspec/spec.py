"""The specification: axes and their variants, clauses, and the dialect that answers the axes.

Ids are public and stable for ever: results, reports and claims use them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Axis:
    """A question where implementations legitimately differ; the first variant is assumed until asked.

    by_place: the answer may depend on where the layer stands (rank, channel position, dtype) and is looked up
    there by every other case; otherwise a situation is a case of its own and decides nothing elsewhere.
    accuracy: the variants are classes of accuracy, the tightest first: each allows what the one before does
    and more, so the first that fits is the answer.
    """

    id: str
    question: str
    variants: Mapping[str, str]
    by_place: bool = True
    accuracy: bool = False

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
            "stats.timing",
            "When does the state change in a training step?",
            {
                "forward": "in the call",
                "backward": "when the gradient is taken",
                "collected": "not by itself: the caller gets new state or update operations",
            },
            by_place=False,
        ),
        Axis(
            "stats.uncollected",
            "Updates that the caller had to collect and did not:",
            {"raises": "the call raises", "lost-silently": "they are lost without a word"},
            by_place=False,
        ),
        Axis(
            "stats.shared-layer",
            "One layer called twice in a step: what are the moving statistics afterwards?",
            {
                "each-call": "updated by each call in turn",
                "last-call": "updated by the last call alone",
                "once": "updated by the first call alone",
                "summed": "both updates computed from the old value, both applied",
            },
            by_place=False,
        ),
        Axis(
            "stats.no-gradient",
            "A training-mode call without gradient recording:",
            {"updates": "moves the statistics", "skips": "leaves them"},
            by_place=False,
        ),
        Axis(
            "stats.recompute",
            "A call that is recomputed for the backward pass (checkpointing) moves the statistics",
            {"once": "once", "twice": "twice"},
            by_place=False,
        ),
        Axis(
            "stats.untracked-training",
            "A layer without moving statistics, or told to keep none: does training change any?",
            {"none": "no", "updates": "yes: they are still moved"},
            by_place=False,
        ),
        Axis(
            "stats.untracked-inference",
            "A layer without moving statistics, or told to keep none: inference is normalised by",
            {
                "batch": "the batch's statistics",
                "running": "the moving statistics, which are still there",
                "batch-and-updates": "the batch's statistics, and the moving ones change",
                "raises": "an error",
            },
            by_place=False,
        ),
        Axis(
            "state.snapshot",
            "A state that was taken earlier, after further training:",
            {"independent": "as it was taken", "aliased": "it has changed with the layer"},
            by_place=False,
        ),
        Axis(
            "state.missing-counter",
            "A checkpoint without the counter of training steps, loaded into a layer that has one:",
            {"kept": "the layer's counter stays", "reset": "it starts from 0", "raises": "an error"},
            by_place=False,
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
            by_place=False,
        ),
        Axis(
            "modes.pinned",
            "The user pins a mode where the layer is called, then fits, evaluates and predicts:",
            {
                "respected": "the pinned mode holds everywhere; pinned training moves the statistics everywhere",
                "respected-fit-only": "the pinned mode holds, but only fit moves the statistics",
                "overridden": "the trainer's mode holds",
            },
            by_place=False,
        ),
        Axis(
            "modes.override",
            "A layer set to inference, then its parent set to training: the layer",
            {"overridden": "trains", "kept": "stays in inference"},
            by_place=False,
        ),
        Axis(
            "modes.reach",
            "A layer in a plain list of its parent: does the parent's mode reach it?",
            {"yes": "yes", "no": "no: it does what it does when nobody says a mode"},
            by_place=False,
        ),
        Axis(
            "modes.conflict",
            "The constructor says one mode and the call another:",
            {"raises": "an error", "call": "the call's holds", "constructor": "the constructor's holds"},
            by_place=False,
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
            "frozen.timing",
            "Frozen or unfrozen at this moment, a layer changes",
            {
                "at-once": "at once",
                "at-compile": "when it is compiled again",
                "never": "not any more",
                "raises": "with an error",
            },
            by_place=False,
        ),
        Axis(
            "frozen.reach",
            "Freezing the parent freezes the layer in it:",
            {"yes": "yes", "no": "no"},
            by_place=False,
        ),
        Axis(
            "gradient.statistics",
            "Does the training gradient go through the batch statistics?",
            {"through": "yes, the full derivative", "detached": "no, they are treated as constants"},
        ),
        Axis(
            "trainer.reported-loss",
            "The loss that fit reports for a batch is computed",
            {
                "before-update": "before the parameters change",
                "after-update": "after the parameters have changed",
            },
            by_place=False,
        ),
        Axis(
            "trainer.loss-scope",
            "The loss that fit reports for an epoch is over",
            {"running-mean": "all its batches, the mean of their losses", "batch": "its last batch alone"},
            by_place=False,
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
            "degenerate.empty",
            "An empty batch (or one that is masked whole): what happens to this quantity?",
            {
                "unchanged": "it stays",
                "decayed": "it moves towards 0, as if the batch's statistic were 0",
                "nan": "it becomes NaN",
                "zeros": "it is 0",
                "none": "there is nothing: an empty output, no gradient",
                "counted": "it counts, as after any batch",
                "raises": "an error",
            },
            by_place=False,
        ),
        Axis(
            "degenerate.constant",
            "A constant channel in training: the output is",
            {
                "offset": "the offset, exactly",
                "noise": "the offset and the rounding of the mean, times 1/√ε",
                "nan": "NaN",
            },
            by_place=False,
        ),
        Axis(
            "degenerate.epsilon",
            "The ε in effect:",
            {
                "exact": "what was given",
                "floored": "at least 1.001e-5, TensorFlow's floor for cuDNN",
                "rejected": "none: the layer raises",
            },
            by_place=False,
        ),
        Axis(
            "degenerate.nan",
            "A NaN or an infinity in one channel reaches",
            {"channel": "that channel", "all": "every channel"},
            by_place=False,
        ),
        Axis(
            "degenerate.nan-recovery",
            "After a batch with a NaN, do the moving statistics of that channel recover?",
            {"never": "no, they stay NaN", "skipped": "they never changed: that batch did not enter them"},
            by_place=False,
        ),
        Axis(
            "masks.statistics",
            "Positions that a mask leaves out: do they enter the statistics?",
            {
                "excluded": "no",
                "weighted": "no, but a NaN there does: they are multiplied by 0",
                "included": "yes: the mask is ignored",
            },
            by_place=False,
        ),
        Axis(
            "precision.accumulation",
            "Does the error grow with N?",
            {
                "wide": "with log N at most: pairwise, blocked or a wider type",
                "sequential": "with N: one by one in the type itself",
            },
            accuracy=True,
        ),
        Axis(
            "precision.moments",
            "How is the variance computed, seen from its error at large mean/sd?",
            {
                "two-pass": "mean first, then Σ(x − mean)²/N",
                "updating": "Welford or Chan: one pass that updates mean and variance",
                "one-pass-clamped": "max(E[x²] − E[x]², 0)",
                "one-pass": "E[x²] − E[x]², which may be negative",
            },
            accuracy=True,
        ),
        Axis(
            "precision.centring",
            "Inference with given statistics: is the mean subtracted before scaling?",
            {
                "centred": "yes: (x − mean)·r",
                "folded": "no: x·k + b with k = scale·r, b = offset − mean·k",
            },
            accuracy=True,
        ),
        Axis(
            "precision.half-statistics",
            "Half-precision input: the batch's statistics are computed in",
            {
                "float32": "float32, and used so",
                "rounded": "float32, and rounded to the input's type before they are used",
                "input": "the input's own type",
            },
            accuracy=True,
        ),
        Axis(
            "precision.half-output",
            "Half-precision input: the type of the output is",
            {"input": "the input's", "float32": "float32"},
        ),
        Axis(
            "precision.state-dtype",
            "The type of the stored statistics, where input and parameters differ, is that of",
            {
                "parameter": "the parameters",
                "input": "the input",
                "promoted": "neither: float32, to which both are promoted",
            },
        ),
        Axis(
            "precision.float64",
            "A layer asked for float64 computes in",
            {"float64": "float64", "float32-inside": "float32, and only returns float64"},
            accuracy=True,
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
        Clause("errors.atomic", "A call that raises changes no state and no counter."),
        Clause(
            "state.round-trip",
            "Saved with the framework's own format and loaded into a fresh layer, output, state, next update and "
            "counter are the same, bit for bit.",
        ),
        Clause(
            "gradient.training",
            "In training, dx, dscale and doffset are the gradients of the forward of the dialect.",
        ),
        Clause(
            "gradient.inference",
            "With stored statistics, dx = scale·dy/√(v + ε); dscale and doffset accordingly.",
        ),
        Clause(
            "precision.bound",
            "Every number is within the allowance of the best class (two passes, wide sums, the type asked for), "
            "whatever offset, scale, size and dtype; a worse class is told here, with the ratio, and only here.",
        ),
    )
}


class SuiteError(Exception):
    """A case that breaks a rule of the suite; the message names it."""


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

    def most_accurate(self) -> "Dialect":
        """Return this dialect with the best class wherever an axis asks for accuracy."""
        best = {
            (axis, situation): AXES[axis].default if AXES[axis].accuracy else variant
            for (axis, situation), variant in self.answers.items()
        }
        return Dialect(best, frozenset(asked for asked in self.undecided if not AXES[asked[0]].accuracy))

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
