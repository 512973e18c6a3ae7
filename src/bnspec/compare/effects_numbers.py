"""What a change of masks, of degenerate input or of arithmetic amounts to."""

from collections.abc import Mapping

import numpy as np

from bnspec.compare.effects import Effect
from bnspec.compare.sizes import Typical, number, percent, plain
from bnspec.reference import UNIT, Arithmetic
from bnspec.simulate.asking import FLOOR

GIVEN = 1e-7
"""An ε below the floor, where nobody gives one."""

OFFSETS = (10.0, 1000.0)
"""Ratios of mean to standard deviation at which an error is told."""

MASKED = 0.25
"""The share of masked zeros for which a mask's effect is told."""

U = UNIT["float32"]


def masks(before: str, after: str, typical: Typical) -> str:
    """Return what masked zeros do to the statistics."""
    if "included" not in (before, after):
        return "a NaN where the mask leaves out makes the channel NaN" if after == "weighted" else ""
    means = {"included": percent(1 - MASKED)}
    was, now = (means.get(variant, "100 %") for variant in (before, after))
    return (
        "with a share p of masked zeros, included means mean·(1−p) and v·(1−p) + mean²·p·(1−p): "
        f"{was} → {now} of the mean at p = {MASKED:g}"
    )


def single(before: str, after: str, typical: Typical) -> str:
    """Return what one value per channel gives."""
    outputs = {"offset": "offset", "input": "x", "nan": "NaN"}
    return f"y = {outputs[before]} → {outputs[after]}" if before in outputs and after in outputs else ""


def single_update(before: str, after: str, typical: Typical) -> str:
    """Return what one value per channel does to the moving variance."""
    factors = {"zero": "× keep", "unchanged": "as it was", "nan": "NaN"}
    if before not in factors or after not in factors:
        return ""
    ten = percent(typical.keep**10)
    return (
        f"the moving variance {factors[before]} → {factors[after]} at each such step: × keep leaves {ten} of it "
        f"after 10 at keep = {typical.keep:g}"
    )


def empty(before: str, after: str, typical: Typical) -> str:
    """Return what an empty batch does to a statistic."""
    if "decayed" not in (before, after):
        return ""
    return (
        f"decayed is × keep for each empty batch: {percent(typical.keep**10)} is left after 10 "
        f"at keep = {typical.keep:g}"
    )


def constant(before: str, after: str, typical: Typical) -> str:
    """Return how large the rounding of a constant becomes."""
    noise = U * 1000 / np.sqrt(typical.epsilon)
    return f"noise is up to u·|x|/√ε: {plain(float(noise))} at x = 1,000 and ε = {typical.epsilon:g} in float32"


def epsilon(before: str, after: str, typical: Typical) -> str:
    """Return what a floor or a rounding of ε does to the output."""
    if {before, after} == {"exact", "floored"}:
        up, down = (1.0, -1.0) if after == "exact" else (-1.0, 1.0)
        given = typical.epsilon if typical.n is not None and typical.epsilon < FLOOR else GIVEN
        factors = (float(((v + FLOOR) ** (up / 2)) * ((v + given) ** (down / 2))) for v in (1.0, 1e-3, 1e-5))
        told = ", ".join(
            f"{share} at variance {v}" for share, v in zip(map(ratio, factors), ("1", "1e-3", "1e-5"), strict=True)
        )
        return f"given ε = {given:g}, the output × √((v+ε₀)/(v+ε₁)): {told}"
    if {before, after} == {"exact", "rounded"}:
        share = abs(float(np.float32(1e-3)) - 1e-3) / 1e-3 / 2
        return f"ε in float32: the output differs by up to {plain(share)} of itself, seen in float64 alone"
    return ""


def ratio(factor: float) -> str:
    """Return a factor with the digits that tell it from 1."""
    digits = 2 if abs(factor - 1) > 0.1 else int(np.ceil(-np.log10(abs(factor - 1)))) + 1
    return f"{factor:.{digits}f}"


def moments(before: str, after: str, typical: Typical) -> str:
    """Return how the error of the variance grows with the offset."""

    def error(variant: str, offset: float) -> float:
        return U * {"two-pass": 1.0, "updating": offset}.get(variant, offset**2)

    growth = {"two-pass": "u", "updating": "u·(mean/sd)"}
    was, now = (growth.get(variant, "u·(mean/sd)²") for variant in (before, after))
    told = " ".join(
        f"{plain(error(before, offset))} → {plain(error(after, offset))} at mean/sd = {number(offset)},"
        for offset in OFFSETS
    )
    text = f"relative error of the variance {was} → {now}: {told.rstrip(',')} in float32"
    worse = growth.get(after) is None and growth.get(before) is not None
    return text + (f"; nothing is left of it from mean/sd = 1/√u = {number(1 / np.sqrt(U))}" if worse else "")


def accumulation(before: str, after: str, typical: Typical) -> str:
    """Return how the error of a sum grows with N."""
    growth = {"wide": "1 + log₂(N)/4", "sequential": "N"}
    was, now = (Arithmetic(accumulation=variant).growth(typical.largest) for variant in (before, after))
    return (
        f"error of a sum up to {growth[before]} → {growth[after]} roundings: {number(was)} → {number(now)} "
        f"at N = {number(typical.largest)}"
    )


def centring(before: str, after: str, typical: Typical) -> str:
    """Return the error that folding the mean into an offset leaves."""
    errors = {"centred": (U, U), "folded": tuple(U * offset for offset in OFFSETS)}
    formulas = {"centred": "u", "folded": "u·|mean|/sd"}
    told = ", ".join(
        f"{plain(was)} → {plain(now)} at mean/sd = {number(offset)}"
        for was, now, offset in zip(errors[before], errors[after], OFFSETS, strict=True)
    )
    return f"error of the normalised output {formulas[before]} → {formulas[after]}: {told} in float32"


def half_statistics(before: str, after: str, typical: Typical) -> str:
    """Return how far a mean is rounded."""
    units = {name: UNIT[name] for name in ("float16", "bfloat16")}
    at_ten = ", ".join(f"{percent(10 * unit)} of the sd in {name}" for name, unit in units.items())
    if "float32" not in (before, after):
        return "every partial sum is rounded to the input's type, or only the result"
    return f"in the input's type the mean is off by up to u·|mean|: {at_ten} at mean/sd = 10; in float32 u = {plain(U)}"


def half_output(before: str, after: str, typical: Typical) -> str:
    """Return what the type of the output means for what follows."""
    return "what follows gets another type: twice the memory, and other rounding, in float32"


def state_dtype(before: str, after: str, typical: Typical) -> str:
    """Return which updates a half type loses."""
    lost = ", ".join(f"{percent(UNIT[name] / (1 - typical.keep))} in {name}" for name in ("float16", "bfloat16"))
    return (
        "a statistic of a half type stands still where the batch differs from it by less than u/(1 − keep): "
        f"{lost} at keep = {typical.keep:g}"
    )


def float64(before: str, after: str, typical: Typical) -> str:
    """Return the rounding of each type."""
    units = {"float64": UNIT["float64"], "float32-inside": U}
    return f"one rounding is {plain(units[before])} → {plain(units[after])} of the number"


NUMBERS: Mapping[str, Effect] = {
    "masks.statistics": masks,
    "degenerate.single": single,
    "degenerate.single-update": single_update,
    "degenerate.empty": empty,
    "degenerate.constant": constant,
    "degenerate.epsilon": epsilon,
    "precision.moments": moments,
    "precision.accumulation": accumulation,
    "precision.centring": centring,
    "precision.half-statistics": half_statistics,
    "precision.half-output": half_output,
    "precision.state-dtype": state_dtype,
    "precision.float64": float64,
}
"""The effect of every axis of numbers for which there is one to compute."""
