"""The axes of behaviour: moving statistics, state, modes, freezing, gradient, trainer."""

from bnspec.spec.axis import Axis

BEHAVIOUR = (
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
            "sample-epsilon-padded": "(v + ε)·N/(N−1−ε): the ε of the root is in it",
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
            "reversed": "updated by each call, the last one first",
            "unordered": "any of these, from step to step another: the updates run in no order",
        },
        by_place=False,
        otherwise="unordered",
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
        assumed=True,
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
        "modes.remembered",
        "The caller says no mode, after a call that said one: what does the layer do?",
        {
            "infer": "inference: moving statistics, no update",
            "train": "training: batch statistics and an update",
            "raises": "an error",
        },
        by_place=False,
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
        {
            "yes": "yes",
            "yes-no-update": "yes, but its moving statistics never change",
            "no": "no: it does what it does when nobody says a mode",
            "raises": "an error",
        },
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
        {
            "yes": "yes",
            "update-only": "by half: its moving statistics stay, but the batch's still normalise",
            "no": "no",
        },
        by_place=False,
        otherwise="update-only",
    ),
    Axis(
        "gradient.statistics",
        "Does the training gradient go through the batch statistics?",
        {"through": "yes, the full derivative", "detached": "no, they are treated as constants"},
        assumed=True,
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
)
