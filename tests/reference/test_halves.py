"""The allowances of float16 and bfloat16: correct arithmetic stays inside, each class outside the better one.

`pytest tests/reference/test_halves.py -s` prints the table of docs/numerics.md.
"""

import numpy as np
import pytest

from bnspec.reference import UNIT, Arithmetic, inference_gradients, moments, normalize, training_gradients
from bnspec.reference import allowance as allow
from bnspec.reference import formulations as formula

QUANTITIES = ("mean", "variance", "y", "dx", "dscale", "doffset")
SIZES = (2, 3, 8, 32, 64, 100)
RATIOS = {"float16": 1024.0, "bfloat16": 128.0}
"""The largest mean/sd: there the sd is one last bit of the values."""

ROWS = {
    # row of the table: (type of the arithmetic, what is rounded to the half before use, parts of dx apart)
    "float32": ("float32", "", False),
    "float32, composed": ("float32", "", True),
    "mean and variance rounded": ("float32", "variance", False),
    "mean and 1/√(v + ε) rounded": ("float32", "r", False),
    "all in halves": ("half", "", False),
    "all in halves, composed": ("half", "", True),
}


def problem(rng, n, kind, channels=48):
    """x, dy, scale and offset that the half holds; every channel of its own mean/sd, sd and sizes."""
    z = rng.standard_normal((channels, n))
    z[:, :2] = 1, -1
    sd = 2.0 ** rng.integers(-3, 0, channels)[:, None]  # nothing overflows, and no variance is subnormal
    ratio = RATIOS[kind] ** rng.uniform(0, 1, channels)[:, None] * rng.choice([0, 1, -1], channels)[:, None]
    x = formula.rounded(sd * (ratio + z), kind)
    dy = formula.rounded(rng.standard_normal((channels, n)) + rng.choice([0, 1], channels)[:, None], kind)
    scale, offset = (formula.rounded(rng.normal(0, 2, channels), kind) for _ in range(2))
    return x, dy, scale, offset


def shown(given, epsilon, kind, row):
    """Everything that a training step shows; what is not asked in float32 rounded to the half."""
    inside, held, apart = ROWS[row]
    x, dy, scale, offset = given
    dtype = kind if inside == "half" else "float32"
    mean, variance = formula.row_moments(x, "two-pass", "wide", dtype)
    r = formula.inverse(variance, epsilon, dtype)
    if held:
        mean = formula.rounded(mean, kind)
        variance = formula.rounded(variance, kind) if held == "variance" else variance
        r = formula.rounded(r, kind) if held == "r" else formula.inverse(variance, epsilon, dtype)
    normalized = formula.rounded(formula.rounded(x - mean[:, None], dtype) * r[:, None], dtype)
    y = formula.rounded(formula.rounded(normalized * scale[:, None], dtype) + offset[:, None], dtype)
    dx, dscale, doffset = formula.row_gradients(
        x, dy, mean, r, scale, accumulation="wide", dtype=dtype, shown=kind, apart=apart
    )
    numbers = (mean, variance, formula.rounded(y, kind), dx, dscale, doffset)
    return dict(zip(QUANTITIES, numbers, strict=True))


def arithmetic(kind, row):
    inside, held, _ = ROWS[row]
    return Arithmetic(UNIT[kind if inside == "half" else "float32"], storage=UNIT[kind] if held else 0.0)


def expected(given, epsilon, kind, how):
    """Every quantity by the reference, with its allowance; y and dx are returned as halves."""
    x, dy, scale, offset = given
    batch, bound = moments(x, axis=0), allow.of_moments(x, axis=0, arithmetic=how)
    normal = {"mean": batch.mean, "variance": batch.variance, "epsilon": epsilon, "axis": 0}
    rest = {"mean_allowance": bound.mean, "variance_allowance": bound.variance, "arithmetic": how}
    xhat = allow.of_normalized(x, **normal, **rest)
    y = normalize(x, scale=scale, offset=offset, **normal)
    of_y = allow.of_output(normalize(x, **normal), xhat, scale=scale, offset=offset, axis=0, arithmetic=how)
    grad = training_gradients(x, dy, scale=scale, epsilon=epsilon, axis=0)
    of_grad = allow.of_gradients(x, dy, grad, scale=scale, half=UNIT[kind], **normal, **rest)
    pairs = [
        (batch.mean, bound.mean, "float32"),
        (batch.variance, bound.variance, "float32"),
        (y, of_y, kind),
        (grad.x, of_grad.x, kind),
        (grad.scale, of_grad.scale, "float32"),
        (grad.offset, of_grad.offset, "float32"),
    ]
    return {
        name: (value, delta + allow.half_ulp(value, dtype))
        for name, (value, delta, dtype) in zip(QUANTITIES, pairs, strict=True)
    }


def ratios(numbers, wanted):
    """The largest error in allowances, over what decides something."""
    found = {}
    for name, (value, delta) in wanted.items():
        with np.errstate(all="ignore"):
            ratio = np.abs(numbers[name].astype(np.float64) - value) / delta
        found[name] = float(np.nan_to_num(ratio[np.isfinite(delta)], nan=0.0).max(initial=0.0))
    return found


@pytest.fixture(scope="module", params=["float16", "bfloat16"])
def table(request):
    kind, rng = request.param, np.random.default_rng(16)
    worst = {row: dict.fromkeys(QUANTITIES, 0.0) for row in ROWS}
    for n in SIZES:
        for epsilon in (1e-3, 1e-5):
            given = problem(rng, n, kind)
            for row in ROWS:
                found = ratios(shown(given, epsilon, kind, row), expected(given, epsilon, kind, arithmetic(kind, row)))
                worst[row] = {name: max(worst[row][name], found[name]) for name in QUANTITIES}
    print(f"\n| {kind} | " + " | ".join(QUANTITIES) + " |")
    print("|---|" + "---|" * len(QUANTITIES))
    for row, numbers in worst.items():
        print(f"| {row} | " + " | ".join(f"{number:.2f}" for number in numbers.values()) + " |")
    return worst


@pytest.mark.parametrize("row", ROWS)
def test_correct_arithmetic_on_halves_is_inside_its_allowances(table, row):
    assert max(table[row].values()) <= 1, table[row]
    assert min(table[row][name] for name in ("mean", "y", "dx", "dscale")) > 0.01


# Wrong ones


def outside(kind, row, judged):
    """The ratios of one class, judged as another, where the mean is many deviations."""
    x, dy, scale, offset = problem(np.random.default_rng(17), 32, kind)
    data = (formula.rounded(x - x.mean(axis=1, keepdims=True) + RATIOS[kind] / 16, kind), dy, scale, offset)
    wanted = expected(data, 1e-3, kind, arithmetic(kind, judged))
    return ratios(shown(data, 1e-3, kind, row), wanted), wanted, data


@pytest.mark.parametrize("kind", RATIOS)
def test_rounded_statistics_are_outside_the_allowance_of_float32_ones(kind):
    found, _, _ = outside(kind, "mean and variance rounded", "float32")
    assert min(found[name] for name in ("mean", "variance", "y")) > 10


@pytest.mark.parametrize("kind", RATIOS)
def test_a_detached_gradient_of_halves_is_outside_its_allowance(kind):
    _, wanted, (x, dy, scale, _) = outside(kind, "float32", "float32")
    batch = moments(x, axis=0)
    through = {"mean": batch.mean, "variance": batch.variance, "scale": scale, "epsilon": 1e-3, "axis": 0}
    value, delta = wanted["dx"]
    assert np.max(np.abs(inference_gradients(x, dy, **through).x - value) / delta) > 10
