"""What a change of statistics, modes or freezing amounts to: a formula, and its number at a typical size."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bnspec.compare.sizes import STEPS, Typical, at_sizes, number, percent, plain, signed
from bnspec.reference import Moments, estimate_variance, new_weight
from bnspec.spec import CAPTURE_STEPS

Effect = Callable[[str, str, Typical], str]
"""Of the answers before and after and typical layers; nothing where there is nothing to compute."""


def stored_variance(before: str, after: str, typical: Typical) -> str:
    """Return the factor between two estimators of the variance."""
    top, bottom = (
        [*FACTORS[after][0], *FACTORS[before][1]],
        [*FACTORS[after][1], *FACTORS[before][0]],
    )
    for factor in list(top):
        if factor in bottom:
            top.remove(factor)
            bottom.remove(factor)

    def told(n: int) -> str:
        return signed(factor_at(n, before, after, typical) - 1) if n > 1 else "no number"

    return at_sizes(f"variance × {product(top)}/{product(bottom)}", told, typical)


PADDED = "(1+ε/v)"
FACTORS: Mapping[str, tuple[list[str], list[str]]] = {
    "population": ([], []),
    "sample": (["N"], ["(N−1)"]),
    "sample-epsilon": (["N"], ["(N−1−ε)"]),
    "sample-twice": (["N", "N"], ["(N−1)", "(N−1−ε)"]),
    "sample-epsilon-padded": ([PADDED, "N"], ["(N−1−ε)"]),
}
"""What multiplies the population variance v in each estimator, and what divides it."""


def product(factors: list[str]) -> str:
    """Return factors as they are written beside each other."""
    if factors == ["N", "N"]:
        return "N²"
    text = "".join(factors) or "1"
    return f"({text})" if len(factors) > 1 else text


def factor_at(n: int, before: str, after: str, typical: Typical) -> float:
    """Return the estimate after, divided by the estimate before, of n values of variance 1."""
    one = Moments(np.zeros(1), np.ones(1), np.array([n]))
    was, now = (
        float(estimate_variance(one, stored_variance=kind, epsilon=typical.epsilon)[0]) for kind in (before, after)
    )
    return now / was


def momentum_weight(before: str, after: str, typical: Typical) -> str:
    """Return what the same number means under the other rule."""
    momentum = typical.keep if before == "old" else 1 - typical.keep
    was, now = percent(1 - typical.keep), percent(typical.keep)
    return (
        f"write 1 − momentum in its place: left at {momentum:g}, a batch weighs {now} instead of {was}, and of "
        f"the start keepᵏ is left: {percent((1 - typical.keep) ** 10)} instead of {percent(typical.keep**10)} "
        "after 10 steps"
    )


def averaging(before: str, after: str, typical: Typical) -> str:
    """Return how much the starting value and the last batch weigh after some steps."""

    def weights(kind: str) -> tuple[float, float]:
        start, weight = 1.0, 0.0
        for step in range(1, STEPS + 1):
            weight = new_weight(step, keep=typical.keep, averaging=kind)
            start *= 1 - weight
        return start, weight

    (start, last), (new_start, new_last) = weights(before), weights(after)
    return (
        f"after {STEPS} steps at keep = {typical.keep:g} the starting value weighs {percent(start)} → "
        f"{percent(new_start)}, the last batch {percent(last)} → {percent(new_last)}"
    )


def initial(before: str, after: str, typical: Typical) -> str:
    """Return what inference before any step does with another start."""
    variances = {"zero-one": 1.0, "zero-zero": 0.0}
    if before not in variances or after not in variances:
        return ""
    factor = float(np.sqrt((variances[before] + typical.epsilon) / (variances[after] + typical.epsilon)))
    return (
        f"inference before any step × √((v₀+ε)/(v₁+ε)): {number(factor)} at ε = {typical.epsilon:g}; after k steps "
        f"keepᵏ of the start is left: {percent(typical.keep**STEPS)} after {STEPS} at keep = {typical.keep:g}"
    )


def complete(before: str, after: str, typical: Typical) -> str:
    """Return what one step leaves of statistics that were loaded."""
    left = {"complete": typical.keep, "hidden": 0.0}
    return (
        f"of statistics that are loaded, one step leaves {percent(left[before])} → {percent(left[after])} "
        f"at keep = {typical.keep:g}"
    )


def shared_layer(before: str, after: str, typical: Typical) -> str:
    """Return the weights of the old statistic and of the two calls."""
    keep, new = typical.keep, 1 - typical.keep
    weights = {
        "each-call": (keep**2, keep * new, new),
        "last-call": (keep, 0.0, new),
        "once": (keep, new, 0.0),
        "summed": (1 - 2 * new, new, new),
        "reversed": (keep**2, new, keep * new),
    }
    if before not in weights or after not in weights:
        return ""
    was, now = (" : ".join(f"{weight:.4g}" for weight in weights[variant]) for variant in (before, after))
    return f"old value : first call : second call weigh {was} → {now} at keep = {keep:g}"


def captured(before: str, after: str, typical: Typical) -> str:
    """Return how far the statistics have gone to the example's when the layer is captured."""
    there, here = (1 - typical.keep ** CAPTURE_STEPS[variant] for variant in (before, after))
    return (
        f"once captured, the statistics are 1 − keepⁿ of the way to those of the example: {percent3(there)} → "
        f"{percent3(here)} at keep = {typical.keep:g}"
    )


def recompute(before: str, after: str, typical: Typical) -> str:
    """Return the weight of a batch that enters once or twice."""
    weights = {"once": 1 - typical.keep, "twice": 1 - typical.keep**2}
    formulas = {"once": "1 − keep", "twice": "1 − keep²"}
    return (
        f"a batch weighs {formulas[before]} → {formulas[after]}: {percent3(weights[before])} → "
        f"{percent3(weights[after])} at keep = {typical.keep:g}"
    )


def percent3(share: float) -> str:
    """Return a share in percent, in three digits: 1 − keep² is close to 2·(1 − keep)."""
    return f"{100 * share:.3g} %"


def timing(before: str, after: str, typical: Typical) -> str:
    """Return what a state is behind that is read at the wrong moment."""
    if "collected" in (before, after):
        return moving(before != "collected", after != "collected", typical) + ", if nobody collects"
    return (
        f"between call and gradient the state differs by one update: {percent(1 - typical.keep)} of the way to "
        f"the batch at keep = {typical.keep:g}"
    )


def snapshot(before: str, after: str, typical: Typical) -> str:
    """Return how far a state that follows its layer goes."""
    return moving(before == "aliased", after == "aliased", typical)


def missing_counter(before: str, after: str, typical: Typical) -> str:
    """Return the weight of the next batch of a cumulative average."""
    if {before, after} != {"kept", "reset"}:
        return ""
    kept = percent(new_weight(STEPS, keep=typical.keep, averaging="cumulative"))
    weights = {"kept": kept, "reset": "100 %"}
    return (
        f"in a cumulative average the next batch weighs 1/(k+1) or 1: {weights[before]} → {weights[after]} "
        f"after k = {STEPS - 1} steps"
    )


@dataclass(frozen=True)
class Mode:
    """What a layer does in training and in inference: by which statistics it normalises, whether they move."""

    training: str = "batch"
    moves: bool = True
    inference: str = "moving"
    moves_in_inference: bool = False


INFERS = Mode("moving", False)
MODES: Mapping[str, Mapping[str, Mode]] = {
    "modes.unstated": {"infer": INFERS, "train": Mode()},
    "modes.remembered": {"infer": INFERS, "train": Mode()},
    "modes.nested": {
        "inherits": Mode(),
        "inherits-no-update": Mode(moves=False),
        "fixed-infer": INFERS,
        "fixed-train": Mode(inference="batch", moves_in_inference=True),
    },
    "modes.override": {"overridden": Mode(), "kept": INFERS},
    "modes.reach": {"yes": Mode(), "yes-no-update": Mode(moves=False)},
    "frozen.normalisation": {"moving": Mode("moving"), "batch": Mode()},
    "frozen.update": {"none": Mode(moves=False), "updates": Mode()},
    "stats.no-gradient": {"updates": Mode(), "skips": Mode(moves=False)},
    "stats.untracked-training": {"none": Mode(moves=False), "updates": Mode()},
    "stats.untracked-inference": {
        "batch": Mode(inference="batch"),
        "running": Mode(),
        "batch-and-updates": Mode(inference="batch", moves_in_inference=True),
    },
}
"""The axes whose variants are modes, and what each does."""


def mode(modes: Mapping[str, Mode]) -> Effect:
    """Return the effect of an axis whose variants are modes."""

    def effect(before: str, after: str, typical: Typical) -> str:
        if before not in modes or after not in modes:
            return ""
        was, now = modes[before], modes[after]
        parts = []
        if (was.training, was.moves) != (now.training, now.moves) and not now.moves and now.training == "moving":
            return untouched(typical)
        if was.training != now.training or was.inference != now.inference:
            parts.append(normalised(typical))
        if was.moves != now.moves:
            parts.append(moving(was.moves, now.moves, typical))
        elif was.moves_in_inference != now.moves_in_inference:
            parts.append(moving(was.moves_in_inference, now.moves_in_inference, typical, "calls in inference"))
        return "; ".join(parts)

    return effect


def untouched(typical: Typical) -> str:
    """Return what a layer does that only ever infers."""
    return "trained so from the start, it never normalises: y = scale·x/√(1 + ε) + offset; " + normalised(typical)


def normalised(typical: Typical) -> str:
    """Return how far a batch's mean is from that of the data, which the moving one estimates."""
    what = "a batch's mean is off by sd/√N from the data's"
    return at_sizes(what, lambda n: f"{plain(float(1 / np.sqrt(n)))} sd", typical)


def moving(before: bool, after: bool, typical: Typical, what: str = "steps") -> str:
    """Return how far statistics go that move, where they did not before or do not any more."""
    if before == after:
        return ""
    now = "now go" if after else "no longer go"
    share = percent(1 - typical.keep**STEPS)
    return (
        f"the moving statistics {now} 1 − keepᵏ of the way to the batches': {share} after {STEPS} {what} "
        f"at keep = {typical.keep:g}"
    )


def reached(before: str, after: str, typical: Typical) -> str:
    """Return what it means that a layer is left alone in the mode that it has."""
    return normalised(typical) if "no" in (before, after) else mode(MODES["modes.reach"])(before, after, typical)


def frozen_place(before: str, after: str, typical: Typical) -> str:
    """Return what a layer does that is taken for frozen and trains, or the other way round."""
    if "raises" in (before, after):
        return ""
    share = percent(1 - typical.keep**STEPS)
    return (
        f"where one side is frozen and the other trains, moving statistics differ by 1 − keepᵏ of the way to the "
        f"batches': {share} after {STEPS} steps at keep = {typical.keep:g}"
    )


def pinned(before: str, after: str, typical: Typical) -> str:
    """Return what it means that a pinned mode does not hold."""
    if "overridden" not in (before, after):
        return moving(before == "respected", after == "respected", typical, "calls in inference")
    return normalised(typical)


def through(before: str, after: str, typical: Typical) -> str:
    """Return the part of the gradient that goes through the statistics."""
    verb = "misses" if after == "detached" else "regains"
    return at_sizes(
        f"dx {verb} scale·r·(Σdy + x̂·Σdy·x̂)/N, of its size about √(2/N) where dy is independent of x",
        lambda n: percent(float(np.sqrt(2 / n))),
        typical,
    )


def reported_loss(before: str, after: str, typical: Typical) -> str:
    """Return how far the reported loss moves."""
    sign = "−" if after == "after-update" else "+"
    return f"the reported loss moves by {sign}rate·|gradient|² to first order; the training is the same"


def loss_scope(before: str, after: str, typical: Typical) -> str:
    """Return what the reported loss leaves out."""
    return "the reported number only: with K batches an epoch, the mean of K losses or the last of them"


STATISTICS: Mapping[str, Effect] = {
    "stats.momentum-weight": momentum_weight,
    "stats.stored-variance": stored_variance,
    "stats.averaging": averaging,
    "stats.initial": initial,
    "state.complete": complete,
    "stats.timing": timing,
    "stats.shared-layer": shared_layer,
    "stats.recompute": recompute,
    "execution.capture-updates": captured,
    "state.snapshot": snapshot,
    "state.missing-counter": missing_counter,
    **{axis: mode(modes) for axis, modes in MODES.items()},
    "modes.pinned": pinned,
    "modes.reach": reached,
    "frozen.timing": frozen_place,
    "frozen.reach": frozen_place,
    "gradient.statistics": through,
    "trainer.reported-loss": reported_loss,
    "trainer.loss-scope": loss_scope,
}
"""The effect of every axis of behaviour for which there is one to compute."""
