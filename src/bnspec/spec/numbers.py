"""The axes of numbers: masks, degenerate input, precision."""

from bnspec.spec.axis import Axis

NUMBERS = (
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
            "rounded": "what was given, rounded to float32",
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
        classes=2,
    ),
    Axis(
        "precision.centring",
        "Inference with given statistics: is the mean subtracted before scaling?",
        {
            "centred": "yes: (x − mean)·r",
            "folded": "no: x·k + b with k = scale·r, b = offset − mean·k",
        },
        accuracy=True,
        classes=2,
    ),
    Axis(
        "precision.half-statistics",
        "Half-precision input: the batch's statistics are computed in",
        {
            "float32": "float32, and used so",
            "stored-rounded": "float32, and used so; what is stored, and parameters, pass through the input's type",
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
            "float32": "neither: float32, although float64 was asked for",
        },
    ),
    Axis(
        "precision.float64",
        "A layer asked for float64 computes in",
        {"float64": "float64", "float32-inside": "float32, and only returns float64"},
        accuracy=True,
    ),
)
