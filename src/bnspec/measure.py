"""What was measured where no variant explains it: coefficients, a factor and an offset, the ε in effect.

Each function fits the formula of its clause, with free numbers, to what a trace shows, and says the numbers in a
sentence; empty where the program shows too little, or where the form itself does not fit.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from bnspec.case import Array, Case, Step
from bnspec.difference import Trace
from bnspec.reference import moments
from bnspec.reference.statistics import Floats, rows

SAME = 1e-3
"""Numbers of several channels, or a fit and what it fits, count as one within this relative distance."""


FITS = 1e-5
"""Slopes of float32 follow a formula of two free numbers within this relative distance."""


@dataclass(frozen=True)
class Called:
    """A call with what is known of it: y, the statistics that the formula asks for, scale and offset, (channels,)."""

    x: Floats
    y: Floats
    mean: Floats
    variance: Floats
    scale: Floats
    offset: Floats


def update(case: Case, trace: Trace) -> str:
    """Fit moving = a·old + b·batch + c, over all steps and channels, for the mean and the variance.

    Where there are too few numbers, but the weight is known: the factor on the batch's own.
    """
    found = []
    for name in ("mean", "variance"):
        symbol = "v" if name == "variance" else "m"
        fitted = fit_update(case, trace, name)
        if fitted is None:
            if times := entered(case, trace, name):
                found.append(f"{times:.4g}·{symbol} entered the moving {name}, {symbol} that of all values")
        else:
            a, b, c, residual = fitted
            factor = ""
            if abs(1 - a) > SAME:
                factor = f", a factor of {b / (1 - a):.6g} on {symbol} and an offset of {c / (1 - a):.3g}"
            found.append(f"moving {name} = {a:.6g}·old + {b:.6g}·{symbol} + {c:.3g}{factor}, residual {residual:.2g}")
    return f"Measured: {'; '.join(found)}" if found else ""


def fit_update(case: Case, trace: Trace, name: str) -> tuple[float, float, float, float] | None:
    """Return a, b, c and the largest residual of the fit of one statistic; None where there is too little."""
    moves = list(updates(case, trace, name))
    if not moves or not all(np.isfinite(numbers).all() for move in moves for numbers in move):
        return None
    matrix = np.concatenate([np.stack([old, batch, np.ones_like(old)], axis=1) for old, batch, _ in moves])
    target = np.concatenate([new for _, _, new in moves])
    solution, _, rank, _ = np.linalg.lstsq(matrix, target, rcond=None)
    if rank < 3 or len(target) < 4:
        return None
    a, b, c = (float(s) for s in solution)
    return a, b, c, float(np.abs(matrix @ solution - target).max())


def entered(case: Case, trace: Trace, name: str) -> float | None:
    """Return the one factor on the batch's statistic with which it entered, where the weight of the old is given.

    None where there is none, and where it is 1.
    """
    keep = (case.layer.momentum or {}).get("keep", 1.0)
    for old, batch, new in updates(case, trace, name):
        with np.errstate(all="ignore"):
            factors = (new - keep * old) / ((1 - keep) * batch)
        if spread(factors) <= SAME and abs(factors.mean() - 1) > SAME:
            return float(factors.mean())
    return None


def updates(case: Case, trace: Trace, name: str) -> Iterator[tuple[Floats, Floats, Floats]]:
    """Yield, for every step that shows one of the moving statistics, its old value, the batch's, and the new one."""
    old: Floats | None = None
    batch: Floats | None = None
    for step, shown in zip(case.program, trace.steps, strict=False):
        if step.do == "train":
            batch = getattr(moments(step.arrays["x"], axis=case.layer.axis), name)
        elif step.do == "set_state" and name in step.arrays:
            old, batch = step.arrays[name].astype(np.float64), None
        elif step.do == "get_state" and name in shown.arrays:
            new = shown.arrays[name].astype(np.float64)
            if old is not None and batch is not None and new.shape == old.shape == batch.shape:
                yield old, batch, new
            old, batch = new, None


def output(case: Case, trace: Trace) -> str:
    """Fit y = k·(x − m) + b per channel: the factor on the slope, or the ε or the variance in effect."""
    for call in calls(case, trace):
        k, b, fits = lines(call)
        if not fits or not k.all():
            continue
        with np.errstate(all="ignore"):
            inner = (call.scale / k) ** 2
            readings = {
                "the ε in effect is {:.4g}": inner - call.variance,
                "the slope has a factor of {:.4g}": k * np.sqrt(call.variance + case.layer.epsilon) / call.scale,
                "the variance in effect has a factor of {:.4g}": (inner - case.layer.epsilon) / call.variance,
            }
        words, numbers = min(readings.items(), key=lambda reading: spread(reading[1]))
        extra = b - call.offset
        shift = f", and {listed(extra)} is added" if np.abs(extra).max() > SAME else ""
        a, c = weights(inner, call.variance)
        nothing = 0.01 * abs(case.layer.epsilon) + FITS * call.variance.min()
        if abs(a - 1) > SAME and min(abs(c - case.layer.epsilon), abs(c / a - case.layer.epsilon)) > nothing:
            said = f"the slope is {a**-0.5:.4g}·scale/√(v + ε), where the ε in effect is {c / a:.4g}"
            return f"Measured: y is linear in x; {said}{shift}"
        if spread(numbers) <= SAME:
            return f"Measured: y is linear in x; {words.format(numbers.mean())}{shift}"
        return f"Measured: y is linear in x, slopes {listed(k)}, offsets {listed(b)}"
    return ""


def weights(inner: Floats, variance: Floats) -> tuple[float, float]:
    """Fit (scale/slope)² = a·v + c over the channels; return a and c, nan where these do not tell."""
    nothing = float("nan"), float("nan")
    if len(inner) < 3 or not inner.all() or not np.isfinite(inner).all():
        return nothing
    matrix = np.stack([variance, np.ones_like(variance)], axis=1) / inner[:, None]
    (a, c), _, rank, _ = np.linalg.lstsq(matrix, np.ones_like(inner), rcond=None)
    if rank < 2 or a <= 0 or np.abs(matrix @ np.array([a, c]) - 1).max() > FITS:
        return nothing
    return float(a), float(c)


def lines(call: Called) -> tuple[Floats, Floats, bool]:
    """Return slope and height (at the mean) of y over x per channel, and whether lines fit."""
    if not np.isfinite(call.x).all() or not np.isfinite(call.y).all():
        return call.scale, call.offset, False
    centred = call.x - call.x.mean(axis=0)
    square = (centred**2).sum(axis=0)
    if not square.all():
        return square, square, False
    k = (centred * call.y).sum(axis=0) / square
    b = call.y.mean(axis=0) + k * (call.mean - call.x.mean(axis=0))
    residual = np.abs(call.y - (k * (call.x - call.mean) + b)).max()
    return k, b, bool(residual <= SAME * max(np.abs(call.y).max(), 1e-300))


def calls(case: Case, trace: Trace) -> Iterator[Called]:
    """Yield the calls whose output shows, and of which it is known which statistics they should use."""
    parameters = {"scale": np.ones(case.layer.features), "offset": np.zeros(case.layer.features)}
    stored: dict[str, Floats] = {}
    for step, shown in zip(case.program, trace.steps, strict=False):
        if step.do == "set_state":
            given = {name: array.astype(np.float64) for name, array in step.arrays.items()}
            parameters.update((name, given[name]) for name in parameters if name in given)
            stored.update((name, given[name]) for name in ("mean", "variance") if name in given)
        statistics = used(case, step, stored)
        if step.do in ("train", "fit"):
            stored = {}
        y = shown.arrays.get("y")
        if statistics is not None and y is not None and y.shape == step.arrays["x"].shape and y.size:
            x = rows(step.arrays["x"], case.layer.axis)
            yield Called(x, rows(y, case.layer.axis), *statistics, parameters["scale"], parameters["offset"])


def used(case: Case, step: Step, stored: Mapping[str, Floats]) -> tuple[Floats, Floats] | None:
    """Return the mean and the variance that a call should use: the batch's, or those that were written."""
    if step.do == "train" and step.arrays["x"].size > case.layer.features:
        batch = moments(step.arrays["x"], axis=case.layer.axis)
        return batch.mean, batch.variance
    if step.do == "infer" and stored.keys() == {"mean", "variance"}:
        return stored["mean"], stored["variance"]
    return None


def gradient(case: Case, trace: Trace) -> str:
    """Fit dx = scale·r·(p·dy + q·mean(dy) + s·x̂·mean(dy·x̂)) over all channels; right is 1, −1, −1."""
    scale = np.ones(case.layer.features)
    batch: Array | None = None
    for step, shown in zip(case.program, trace.steps, strict=False):
        if step.do == "set_state" and "scale" in step.arrays:
            scale = step.arrays["scale"].astype(np.float64)
        if step.do in ("train", "infer"):
            batch = step.arrays["x"] if step.do == "train" else None
        dx = shown.arrays.get("x") if step.do == "backward" else None
        if dx is None or batch is None or dx.shape != batch.shape or not np.isfinite(dx).all():
            continue
        found = moments(batch, axis=case.layer.axis)
        r = 1 / np.sqrt(found.variance + case.layer.epsilon)
        normalized = (rows(batch, case.layer.axis) - found.mean) * r
        dy = rows(step.arrays["dy"], case.layer.axis)
        terms = (dy, np.broadcast_to(dy.mean(axis=0), dy.shape), normalized * (dy * normalized).mean(axis=0))
        matrix = np.stack([(scale * r * term).ravel() for term in terms], axis=1)
        target = rows(dx, case.layer.axis).ravel()
        solution, _, rank, _ = np.linalg.lstsq(matrix, target, rcond=None)
        if rank == 3 and np.abs(matrix @ solution - target).max() <= SAME * np.abs(target).max():
            p, q, s = (float(number) for number in solution)
            return f"Measured: dx = scale·r·({p:.4g}·dy + {q:.4g}·mean(dy) + {s:.4g}·x̂·mean(dy·x̂)); right is 1, −1, −1"
    return ""


def spread(numbers: Floats) -> float:
    """Return how far the numbers of all channels are from being one, relative to it; infinite if they are not."""
    middle = abs(float(numbers.mean())) if np.isfinite(numbers).all() else 0.0
    return float(np.abs(numbers - numbers.mean()).max() / middle) if 0 < middle < np.inf else float("inf")


def listed(numbers: Floats) -> str:
    """Return a few numbers in words."""
    shown = ", ".join(f"{number:.4g}" for number in numbers[:4])
    return f"{shown}, …" if len(numbers) > 4 else shown
