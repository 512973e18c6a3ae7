"""How heavy a change of each axis and clause is: the one table of it."""

from collections.abc import Mapping

from bnspec.compare.model import Kind, Weight

OUTPUT, STATISTICS, ERRORS, ROUNDING = Weight.OUTPUT, Weight.STATISTICS, Weight.ERRORS, Weight.ROUNDING

WEIGHTS: Mapping[str, Weight] = {
    "stats.momentum-weight": STATISTICS,
    "stats.stored-variance": STATISTICS,
    "stats.averaging": STATISTICS,
    "stats.initial": STATISTICS,
    "stats.timing": STATISTICS,
    "stats.uncollected": STATISTICS,
    "stats.shared-layer": STATISTICS,
    "stats.no-gradient": STATISTICS,
    "stats.recompute": STATISTICS,
    "stats.untracked-training": STATISTICS,
    "stats.untracked-inference": OUTPUT,
    "stats.closed-form": STATISTICS,
    "stats.extremes": STATISTICS,
    "state.complete": STATISTICS,
    "state.snapshot": STATISTICS,
    "state.missing-counter": STATISTICS,
    "state.round-trip": OUTPUT,
    "forward.statistics": OUTPUT,
    "forward.training": OUTPUT,
    "forward.inference": OUTPUT,
    "forward.affine": OUTPUT,
    "forward.channels": OUTPUT,
    "forward.permutation": OUTPUT,
    "inference.pure": STATISTICS,
    "training.parameters": OUTPUT,
    "modes.unstated": OUTPUT,
    "modes.remembered": OUTPUT,
    "modes.nested": OUTPUT,
    "modes.pinned": OUTPUT,
    "modes.override": OUTPUT,
    "modes.reach": OUTPUT,
    "modes.conflict": OUTPUT,
    "modes.toggle": OUTPUT,
    "frozen.normalisation": OUTPUT,
    "frozen.update": STATISTICS,
    "frozen.timing": OUTPUT,
    "frozen.reach": OUTPUT,
    "gradient.statistics": OUTPUT,
    "gradient.training": OUTPUT,
    "gradient.inference": OUTPUT,
    "trainer.reported-loss": OUTPUT,
    "trainer.loss-scope": OUTPUT,
    "masks.statistics": OUTPUT,
    "degenerate.single": OUTPUT,
    "degenerate.single-update": STATISTICS,
    "degenerate.empty": OUTPUT,
    "degenerate.constant": ROUNDING,
    "degenerate.epsilon": OUTPUT,
    "degenerate.nan": OUTPUT,
    "degenerate.nan-recovery": STATISTICS,
    "precision.accumulation": ROUNDING,
    "precision.moments": ROUNDING,
    "precision.centring": ROUNDING,
    "precision.half-statistics": ROUNDING,
    "precision.half-output": OUTPUT,
    "precision.state-dtype": STATISTICS,
    "precision.float64": ROUNDING,
    "precision.bound": ROUNDING,
    "errors.atomic": ERRORS,
    "execution.mode-baked": OUTPUT,
    "execution.capture-updates": STATISTICS,
    "execution.determinism": ROUNDING,
    "execution.equivalence": OUTPUT,
    "replicas.plain": STATISTICS,
    "replicas.moments": OUTPUT,
    "replicas.stored-variance": STATISTICS,
    "replicas.gradient": OUTPUT,
    "replicas.union": OUTPUT,
    "replicas.shares": OUTPUT,
}
"""Of every axis and clause, when its answer changes; `weight` says where a pair of answers weighs otherwise."""

PAIRS: Mapping[tuple[str, frozenset[str]], Weight] = {
    ("stats.untracked-inference", frozenset({"batch", "batch-and-updates"})): STATISTICS,
    ("modes.nested", frozenset({"inherits", "inherits-no-update"})): STATISTICS,
    ("modes.pinned", frozenset({"respected", "respected-fit-only"})): STATISTICS,
    ("modes.reach", frozenset({"yes", "yes-no-update"})): STATISTICS,
    ("frozen.reach", frozenset({"update-only", "no"})): STATISTICS,
    ("degenerate.constant", frozenset({"offset", "nan"})): OUTPUT,
    ("degenerate.constant", frozenset({"noise", "nan"})): OUTPUT,
    ("degenerate.epsilon", frozenset({"exact", "rounded"})): ROUNDING,
}
"""The pairs of answers between which another weight holds."""

OF_STATE: Mapping[str, tuple[str, ...]] = {"degenerate.empty": ("mean", "variance", "counter", "masked")}
"""The situations, by their beginning, in which only what is stored is asked."""

CHANCE: Mapping[str, frozenset[str]] = {"stats.shared-layer": frozenset({"unordered", "summed", "reversed"})}
"""Of an axis: the answers of which one run may show this and the next run that, for nothing orders the updates."""

RAISING = frozenset({"raises", "rejected", "unset-raises", "refuses", "crash"})
"""The answers that are an error, or the end of the process."""


def weight(kind: Kind, subject: str, situation: str, before: str, after: str) -> Weight:
    """Return how heavy a change is; what the specification does not know weighs most."""
    if kind is Kind.WORKS and before == "unsupported":
        return Weight.INTERFACE
    if kind in (Kind.RAISES, Kind.WORKS, Kind.GONE) or {before, after} <= RAISING:
        return Weight.ERRORS
    if (subject, frozenset({before, after})) in PAIRS:
        return PAIRS[subject, frozenset({before, after})]
    if situation.startswith(OF_STATE.get(subject, ())):
        return Weight.STATISTICS
    return WEIGHTS.get(subject, Weight.OUTPUT)
