"""The axes of executions: what a trace, a compiler, a thread or another device does to the layer."""

from bnspec.spec.axis import Axis

CAPTURE_STEPS = {"no": 0, "once": 1, "twice": 2, "thrice": 3, "four-times": 4, "five-times": 5}
"""How many training steps a variant of `execution.capture-updates` is."""

EXECUTIONS = (
    Axis(
        "execution.mode-baked",
        "Traced, scripted, compiled or exported in one mode, then called in the other: what is called",
        {
            "follows": "follows the mode of the call",
            "baked": "keeps the mode in which it was made, without a word",
            "raises": "raises",
        },
        by_place=False,
    ),
    Axis(
        "execution.capture-updates",
        "Tracing, scripting, compiling or exporting in training mode by itself moves the statistics",
        {
            "no": "not at all",
            "once": "as one training step does",
            "twice": "as two training steps do",
            "thrice": "as three training steps do",
            "four-times": "as four training steps do",
            "five-times": "as five training steps do",
        },
        by_place=False,
    ),
    Axis(
        "execution.determinism",
        "The same call on the same state once more, in the same way or with another number of threads: the bits are",
        {
            "same-bits": "the same",
            "run-dependent": "others: the same call does not repeat itself",
            "thread-dependent": "others: they depend on the number of threads",
        },
        by_place=False,
    ),
)
