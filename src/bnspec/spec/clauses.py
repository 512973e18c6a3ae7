"""The clauses: what every implementation must meet."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Clause:
    """A sentence that every implementation must meet."""

    id: str
    sentence: str


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
            "Every number is within the allowance of a sound class (two passes or updating, wide sums, centred or "
            "folded, the type asked for), whatever offset, scale, size and dtype; a worse class is told here, "
            "with the ratio to the best, and only here.",
        ),
        Clause(
            "execution.equivalence",
            "Every execution of a target has the same fingerprint as its default one, the classes of accuracy apart.",
        ),
        Clause(
            "replicas.union",
            "Synchronised over replicas, outputs, stored statistics and input gradients are those of one layer that "
            "was given the union of the shares, weighed as the dialect does.",
        ),
        Clause(
            "replicas.shares",
            "Not synchronised over replicas, every replica's outputs and input gradients are those of one layer that "
            "was given its share alone.",
        ),
    )
}
