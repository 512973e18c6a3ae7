"""The allowances: correct float32 formulations stay inside, wrong ones do not.

`pytest tests/reference/test_allowance.py -s` prints the table of docs/numerics.md.
"""

from functools import partial

import numpy as np
import pytest

from bnspec.reference import (
    Arithmetic,
    State,
    inference_gradients,
    moments,
    normalize,
    training_gradients,
    training_step,
)
from bnspec.reference import allowance as allow

F = np.float32
QUANTITIES = ("mean", "variance", "y", "stored mean", "stored variance", "dx", "dscale", "doffset", "loss")
SIZES = (2, 3, 4, 5, 8, 16, 31, 64, 127, 200, 256, 1000, 1024, 4096, 10_000, 40_000)
EPSILONS = (1e-3, 1e-5, 1e-8, 0.0)

INSIDE = {
    # row of the table: (class of the moments, of the accumulation, formulation, options of the step)
    "two-pass": ("two-pass", "wide", "two_pass", {}),
    "two-pass, folded, composed": ("two-pass", "wide", "two_pass", {"folded": True, "form": "composed"}),
    "two-pass, sequential sums": ("two-pass", "sequential", "two_pass", {"total": "sequential"}),
    "Chan": ("updating", "wide", "chan", {}),
    "Welford in chains of 64": ("updating", "wide", "blocked_welford", {}),
    "Welford in one chain": ("updating", "sequential", "welford", {"total": "sequential"}),
    "one-pass": ("one-pass", "wide", "one_pass", {}),
    "one-pass, folded, composed": (
        "one-pass",
        "wide",
        "one_pass",
        {"folded": True, "form": "composed-one-pass"},
    ),
    "one-pass, sequential sums": ("one-pass", "sequential", "one_pass", {"total": "sequential"}),
}


# Problems


def problem(formulations, rng, n, epsilon, *, mean=None, sd=None, channels=None):
    """A training step on channels of their own offset (0 to 1e6), sd (1e-6 to 1e4) and tail."""
    channels = channels or int(np.clip(160_000 // n, 6, 100))
    size = (channels, n)
    tails = [
        rng.standard_normal(size),
        rng.standard_t(2, size),
        rng.exponential(1, size),
        rng.uniform(-1, 1, size),
    ]
    z = np.choose(rng.integers(0, 4, channels)[:, None], tails)
    sds = 10 ** rng.uniform(-6, 4, channels) if sd is None else np.full(channels, sd)
    means = 10 ** rng.uniform(-3, 6, channels) * rng.choice([0, 1, -1], channels)
    if mean is not None:
        means = np.full(channels, mean)
    elif epsilon > 0:
        # A tenth lies where the error of E[x²] − E[x]² is as large as ε, and can take the whole variance.
        edge = rng.random(channels) < 0.1
        means = np.where(edge, np.sqrt(epsilon / 2.0**-22 / (6 + np.log2(n) / 2) * rng.uniform(0.1, 1)), means)
        sds = np.where(edge, means * 10 ** rng.uniform(-6, -3, channels), sds)
    dy = rng.standard_normal(size) * 10 ** rng.uniform(-3, 3, (channels, 1)) + rng.choice([0, 1, 10], (channels, 1))
    return formulations.Problem(
        x=(means[:, None] + sds[:, None] * z).astype(F),
        dy=dy.astype(F),
        target=rng.standard_normal(size).astype(F),
        scale=(rng.standard_normal(channels) * 10 ** rng.uniform(-2, 2, channels)).astype(F),
        offset=rng.normal(0, 10, channels).astype(F),
        old_mean=(rng.standard_normal(channels) * means).astype(F),
        old_variance=(rng.uniform(0, 3, channels) * sds**2).astype(F),
        epsilon=float(F(epsilon)),
        keep=float(F(rng.choice([0, 0.1, 0.9, 0.99]))),
    )


def expected(given, arithmetic):
    """Every quantity of a step by the reference, with its allowance and the rounding to float32."""
    n, layer = given.x.shape[1], {"scale": given.scale, "offset": given.offset, "axis": 0}
    old = State(given.old_mean.astype(float), given.old_variance.astype(float))
    step = training_step(given.x, state=old, epsilon=given.epsilon, keep=given.keep, stored_variance="sample", **layer)
    bound = allow.of_moments(given.x, axis=0, arithmetic=arithmetic)
    normal = {"mean": step.batch.mean, "variance": step.batch.variance, "epsilon": given.epsilon, "axis": 0}
    rest = {"mean_allowance": bound.mean, "variance_allowance": bound.variance, "arithmetic": arithmetic}
    xhat = allow.of_normalized(given.x, **normal, **rest)
    y = allow.of_output(normalize(given.x, **normal), xhat, arithmetic=arithmetic, **layer)
    grad = training_gradients(given.x, given.dy, scale=given.scale, epsilon=given.epsilon, axis=0)
    dgrad = allow.of_gradients(given.x, given.dy, grad, scale=given.scale, **normal, **rest)
    update, sample = {"weight": 1 - given.keep, "arithmetic": arithmetic}, n / (n - 1)
    stored = (
        allow.of_stored(old.mean, step.batch.mean, new_allowance=bound.mean, **update),
        allow.of_stored(old.variance, sample * step.batch.variance, new_allowance=sample * bound.variance, **update),
    )
    # Channel by channel: over all of them it would decide nothing where one of them decides nothing.
    loss = ((step.y - given.target) ** 2).mean(axis=1)
    of_loss = np.array(
        [allow.of_loss(*channel, arithmetic=arithmetic) for channel in zip(step.y, y, given.target, strict=True)]
    )
    pairs = [
        (step.batch.mean, bound.mean),
        (step.batch.variance, bound.variance),
        (step.y, y),
        (step.state.mean, stored[0]),
        (step.state.variance, stored[1]),
        (grad.x, dgrad.x),
        (grad.scale, dgrad.scale),
        (grad.offset, dgrad.offset),
        (loss, of_loss),
    ]
    return {
        name: (value, delta + allow.half_ulp(value, F)) for name, (value, delta) in zip(QUANTITIES, pairs, strict=True)
    }


def ratio(observed, value, delta):
    """The largest error in allowances over what decides something, and the share that does."""
    decides = np.isfinite(delta)
    error = np.abs(observed.astype(np.float64) - value)[decides]
    parts = np.divide(error, delta[decides], out=np.zeros_like(error), where=error != 0)
    return float(np.where(np.isnan(parts), np.inf, parts).max(initial=0.0)), float(decides.mean())


def ratios(shown, wanted):
    return {name: ratio(shown[name], *wanted[name])[0] for name in shown}


# Correct formulations


@pytest.fixture(scope="module")
def table(formulations):
    """Row → quantity → the largest ratio of the search; and what share of the outputs was judged."""
    rng, worst, judged = (
        np.random.default_rng(20),
        {row: dict.fromkeys(QUANTITIES, 0.0) for row in INSIDE},
        {},
    )
    with np.errstate(all="ignore"):
        for n in SIZES:
            for epsilon in EPSILONS:
                given, known = problem(formulations, rng, n, epsilon), {}
                for row, (kind, accumulation, name, options) in INSIDE.items():
                    if (kind, accumulation) not in known:
                        known[kind, accumulation] = expected(given, Arithmetic(2.0**-24, kind, accumulation))
                    wanted = known[kind, accumulation]
                    compute, options = getattr(formulations, name), dict(options)
                    if "total" in options:
                        options["total"] = formulations.sequential
                        if name != "welford":
                            compute = partial(compute, total=formulations.sequential)
                    shown = formulations.step(given, compute, **options)
                    for quantity in QUANTITIES:
                        largest, share = ratio(shown[quantity], *wanted[quantity])
                        worst[row][quantity] = max(worst[row][quantity], largest)
                        judged.setdefault((row, quantity), []).append(share)
    print("\n| float32 formulation | judged as | " + " | ".join(QUANTITIES) + " | outputs judged |")
    print("|---|---|" + "---|" * (len(QUANTITIES) + 1))
    for row, (kind, accumulation, _, _) in INSIDE.items():
        numbers = " | ".join(f"{worst[row][quantity]:.2f}" for quantity in QUANTITIES)
        print(f"| {row} | {kind}, {accumulation} | {numbers} | {np.mean(judged[row, 'y']):.0%} |")
    return worst, {key: float(np.mean(shares)) for key, shares in judged.items()}


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("row", INSIDE)
def test_correct_float32_formulations_are_inside_their_allowances(table, row, quantity, record_property):
    worst, judged = table
    record_property("ratio", worst[row][quantity])
    assert 0 < worst[row][quantity] <= 1
    # A bound that is infinite everywhere would be kept as well.
    assert judged[row, quantity] >= 0.5


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("mean", [0.0, 1.0, 1e3, 1e6])
def test_inference_centred_or_folded_is_inside_at_any_mean(formulations, mean, folded):
    """Folding rounds x·scale·r and mean·scale·r, each by a part of u(|x| + |m|)·|scale|·r.

    That much a centred layer is allowed too, whose mean is rounded when it is stored.
    """
    rng, worst = np.random.default_rng(1), 0.0
    for epsilon in EPSILONS:
        given = problem(formulations, rng, 512, epsilon, mean=mean)
        variance = given.old_variance + F(1e-6)
        layer = {"mean": given.old_mean.astype(float), "variance": variance.astype(float), "axis": 0}
        affine = {"scale": given.scale, "offset": given.offset}
        y = normalize(given.x, epsilon=given.epsilon, **layer, **affine)
        bound = allow.of_normalized(given.x, epsilon=given.epsilon, **layer)
        bound = allow.of_output(normalize(given.x, epsilon=given.epsilon, **layer), bound, axis=0, **affine)
        r = F(1) / np.sqrt(variance + F(epsilon))[:, None]
        shown = formulations.output(given, given.old_mean[:, None], r, folded=folded)
        worst = max(worst, ratio(shown, y, bound + allow.half_ulp(y, F))[0])
    assert 0.01 < worst < 0.6


# Wrong formulations


def wrong_ratios(formulations, compute, *, n=64, epsilon=1e-3, mean=1.0, sd=1.0, kind="two-pass", **options):
    given = problem(formulations, np.random.default_rng(3), n, epsilon, mean=mean, sd=sd, channels=8)
    wanted = expected(given, Arithmetic(moments=kind))
    return ratios(formulations.step(given, compute, **options), wanted)


def test_normalising_by_the_sample_variance_is_outside(formulations):
    def sample(x):
        mean, variance = formulations.two_pass(x)
        return mean, variance * F(x.shape[1]) / F(x.shape[1] - 1)

    got = wrong_ratios(formulations, sample, n=1024)
    assert min(got[name] for name in ("variance", "y", "dx", "stored variance", "loss")) > 10


def test_epsilon_outside_the_root_is_outside(formulations):
    def outside(x):
        mean, variance = formulations.two_pass(x)
        return mean, (np.sqrt(variance) + F(1e-3)) ** 2 - F(1e-3)

    got = wrong_ratios(formulations, outside)
    assert min(got[name] for name in ("y", "dx", "dscale")) > 10


def test_statistics_rounded_to_float16_are_outside(formulations):
    def half(x):
        return tuple(part.astype(np.float16).astype(F) for part in formulations.two_pass(x))

    got = wrong_ratios(formulations, half)
    assert min(got[name] for name in ("mean", "variance", "y", "dx", "dscale")) > 10


def test_one_pass_is_outside_the_two_pass_allowance_at_a_mean_of_a_thousand_deviations(formulations):
    arguments = {"mean": 1e3, "sd": 1.0, "n": 1024}
    assert wrong_ratios(formulations, formulations.one_pass, **arguments)["variance"] > 10
    assert wrong_ratios(formulations, formulations.one_pass, kind="one-pass", **arguments)["variance"] <= 1
    assert wrong_ratios(formulations, formulations.one_pass, kind="updating", **arguments)["variance"] > 10


def test_sequential_sums_of_many_values_are_outside_the_wide_allowance(formulations):
    added = partial(formulations.two_pass, total=formulations.sequential)
    got = wrong_ratios(formulations, added, n=40_000, mean=100.0, total=formulations.sequential)
    assert min(got[name] for name in ("mean", "y")) > 2
    assert wrong_ratios(formulations, formulations.two_pass, n=40_000, mean=100.0)["mean"] <= 1


def test_one_chain_of_welford_updates_over_many_values_is_outside_the_wide_allowance(formulations):
    """A step of the mean below half its last bit is lost: with many values the mean stands still."""
    got = wrong_ratios(formulations, formulations.welford, n=40_000, mean=200.0, sd=0.2, kind="updating")
    assert min(got[name] for name in ("mean", "y", "dx")) > 10


def test_a_detached_gradient_is_outside_the_allowance_of_a_gradient_through_the_statistics(formulations):
    given = problem(formulations, np.random.default_rng(3), 64, 1e-3, mean=1.0, sd=1.0, channels=8)
    value, delta = expected(given, Arithmetic())["dx"]
    batch = moments(given.x, axis=0)
    detached = inference_gradients(
        given.x, given.dy, mean=batch.mean, variance=batch.variance, scale=given.scale, epsilon=1e-3, axis=0
    )
    assert ratio(detached.x, value, delta)[0] > 1000
