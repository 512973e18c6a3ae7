"""The size of a difference: each number is what the reference computes, or what a plain loop does."""

import re
from itertools import permutations

import numpy as np
import pytest

from bnspec.compare.effects import STATISTICS
from bnspec.compare.effects_numbers import FLOOR, MASKED, NUMBERS
from bnspec.compare.effects_replicas import REPLICAS
from bnspec.compare.sizes import CONVOLUTION, DENSE, STEPS, Typical, number, percent, plain, signed, typical
from bnspec.compare.weights import RAISING
from bnspec.reference import (
    UNIT,
    State,
    estimate_variance,
    formulations,
    moments,
    normalize,
    training_gradients,
    training_step,
)
from bnspec.reference.allowance import Arithmetic
from bnspec.spec import AXES

T = Typical()
K = Typical(keep=0.9, epsilon=1e-5)


def effect(axis, before, after, sizes=T):
    """Return the text of an effect."""
    return {**STATISTICS, **NUMBERS}[axis](before, after, sizes)


def numbers(text):
    """Return the numbers of a text."""
    found = re.findall(r"[−+-]?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?", text)
    return [float(one.replace(",", "").replace("−", "-")) for one in found]


def percentages(text):
    """Return the percentages of a text."""
    return [float(one.replace("−", "-")) for one in re.findall(r"([−+]?[\d.]+(?:e-?\d+)?) %", text)]


def stored(variant, n, epsilon):
    """Return the moving variance after a step that keeps nothing."""
    x = np.random.default_rng(n).normal(size=(n, 1))
    x /= x.std()
    start = State(np.zeros(1), np.ones(1))
    return training_step(x, state=start, epsilon=epsilon, keep=0.0, stored_variance=variant).state.variance[0]


@pytest.mark.parametrize(("before", "after"), [*permutations(AXES["stats.stored-variance"].variants, 2)])
def test_the_factor_between_two_estimators_is_what_the_reference_stores(before, after):
    text = effect("stats.stored-variance", before, after)
    dense, convolution = (stored(after, n, T.epsilon) / stored(before, n, T.epsilon) - 1 for n in (DENSE, CONVOLUTION))
    assert percentages(text) == [float(signed(x).rstrip(" %").replace("−", "-")) for x in (dense, convolution)]


def test_the_factor_is_written_as_its_formula():
    texts = {
        ("population", "sample"): "variance × N/(N−1): +3.2 % at N = 32, +0.016 % at N = 6,272 (32×14×14)",
        ("sample", "population"): "variance × (N−1)/N: −3.1 % at N = 32, −0.016 % at N = 6,272 (32×14×14)",
        ("sample", "sample-twice"): "variance × N/(N−1−ε): ",
        ("sample-twice", "population"): "variance × ((N−1)(N−1−ε))/N²: ",
        ("sample-epsilon", "sample"): "variance × (N−1−ε)/(N−1): ",
    }
    for pair, text in texts.items():
        assert effect("stats.stored-variance", *pair).startswith(text)


@pytest.mark.parametrize("sizes", [T, K])
def test_the_same_momentum_under_the_other_rule_is_told_by_what_is_left_of_the_start(sizes):
    def left(keep):
        state = State(np.ones(1), np.ones(1))
        for _ in range(10):
            state = training_step(np.zeros((4, 1)), state=state, epsilon=1e-3, keep=keep).state
        return 100 * state.mean[0]

    new, old, now, was = percentages(effect("stats.momentum-weight", "old", "new", sizes))
    assert (new, old) == pytest.approx((100 * sizes.keep, 100 * (1 - sizes.keep)))
    assert now == pytest.approx(left(1 - sizes.keep), rel=0.02)
    assert was == pytest.approx(left(sizes.keep), rel=0.02)


@pytest.mark.parametrize(("before", "after"), [*permutations(AXES["stats.averaging"].variants, 2)])
def test_what_start_and_last_batch_weigh_in_an_average_is_what_the_reference_gives(before, after):
    def weights(averaging):
        start = last = State(np.zeros(1), np.ones(1))
        start = State(np.ones(1), np.ones(1))
        for step in range(1, STEPS + 1):
            given = {"epsilon": 1e-3, "keep": T.keep, "averaging": averaging}
            start = training_step(np.zeros((4, 1)), state=start, **given).state
            last = training_step(np.full((4, 1), float(step == STEPS)), state=last, **given).state
        return 100 * start.mean[0], 100 * last.mean[0]

    was, now, was_last, now_last = percentages(effect("stats.averaging", before, after))
    assert (was, was_last) == pytest.approx(weights(before), rel=0.05, abs=1e-9)
    assert (now, now_last) == pytest.approx(weights(after), rel=0.05, abs=1e-9)


@pytest.mark.parametrize("sizes", [T, K])
def test_inference_from_another_start_is_the_ratio_that_the_reference_gives(sizes):
    outputs = [normalize(np.ones((1, 1)), mean=[0], variance=[v], epsilon=sizes.epsilon).item() for v in (1, 0)]
    factor = numbers(effect("stats.initial", "zero-one", "zero-zero", sizes).partition("ε₀")[0].partition("): ")[2])[0]
    assert factor == pytest.approx(outputs[1] / outputs[0], rel=0.02)


def test_the_weights_of_two_calls_in_a_step_are_those_of_two_blends():
    keep, new = T.keep, 1 - T.keep
    rules = {
        "each-call": lambda old, a, b: keep * (keep * old + new * a) + new * b,
        "last-call": lambda old, a, b: keep * old + new * b,
        "once": lambda old, a, b: keep * old + new * a,
        "summed": lambda old, a, b: old + (keep * old + new * a - old) + (keep * old + new * b - old),
        "reversed": lambda old, a, b: keep * (keep * old + new * b) + new * a,
    }
    assert set(rules) == set(AXES["stats.shared-layer"].variants) - {"unordered"}
    assert effect("stats.shared-layer", "once", "unordered") == ""
    for before, after in permutations(rules, 2):
        told = numbers(effect("stats.shared-layer", before, after).partition(" at keep")[0])
        blended = [rules[variant](*unit) for variant in (before, after) for unit in np.eye(3)]
        assert told == pytest.approx(blended, rel=1e-3)


def test_a_batch_that_enters_twice_weighs_as_two_steps_of_it():
    twice = 1 - (1 - (1 - T.keep)) ** 2
    assert percentages(effect("stats.recompute", "once", "twice")) == pytest.approx([1.0, 100 * twice], rel=1e-2)
    assert effect("stats.recompute", "twice", "once").startswith("a batch weighs 1 − keep² → 1 − keep: 1.99 % → 1 %")


@pytest.mark.parametrize("sizes", [T, K])
def test_how_far_moving_statistics_go_is_what_the_reference_steps_give(sizes):
    state = State(np.zeros(1), np.ones(1))
    for _ in range(STEPS):
        state = training_step(np.ones((4, 1)), state=state, epsilon=1e-3, keep=sizes.keep).state
    for axis, before, after in (
        ("frozen.update", "updates", "none"),
        ("stats.no-gradient", "skips", "updates"),
        ("stats.untracked-training", "updates", "none"),
        ("state.snapshot", "aliased", "independent"),
        ("modes.nested", "inherits", "inherits-no-update"),
        ("frozen.timing", "at-compile", "at-once"),
    ):
        text = effect(axis, before, after, sizes)
        assert f"{percent(state.mean[0])} after {STEPS} steps at keep = {sizes.keep:g}" in text, text
    assert "no longer go" in effect("frozen.update", "updates", "none")
    assert "now go" in effect("frozen.update", "none", "updates")


def test_a_batch_s_mean_is_off_by_what_many_batches_show():
    draws = np.random.default_rng(7).normal(size=(20_000, DENSE))
    spread = float(draws.mean(axis=1).std())
    for axis, before, after in (
        ("frozen.normalisation", "batch", "moving"),
        ("modes.pinned", "respected", "overridden"),
        ("modes.reach", "yes", "no"),
        ("stats.untracked-inference", "running", "batch"),
    ):
        text = effect(axis, before, after)
        dense, convolution = (float(one) for one in re.findall(r"([\d.]+) sd at N", text))
        assert dense == pytest.approx(spread, rel=0.03)
        assert convolution == pytest.approx(dense * np.sqrt(DENSE / CONVOLUTION), rel=0.05)


def test_a_layer_that_only_infers_from_the_start_does_not_normalise():
    assert "it never normalises" in effect("modes.nested", "inherits", "fixed-infer")
    assert "it never normalises" in effect("modes.unstated", "train", "infer")
    assert "it never normalises" not in effect("frozen.normalisation", "batch", "moving")
    x = np.array([[3.0], [5.0]])
    assert normalize(x, mean=[0], variance=[1], epsilon=1e-3) == pytest.approx(x / np.sqrt(1 + 1e-3))


def test_the_part_of_the_gradient_through_the_statistics_is_that_of_random_gradients():
    random = np.random.default_rng(3)
    shares = []
    for _ in range(400):
        x, dy = random.normal(size=(2, DENSE, 8))
        through, detached = (training_gradients(x, dy, epsilon=1e-3, statistics=s).x for s in ("through", "detached"))
        shares.append(np.linalg.norm(through - detached) / np.linalg.norm(detached))
    dense, convolution = percentages(effect("gradient.statistics", "through", "detached"))
    assert dense == pytest.approx(100 * np.mean(shares), rel=0.03)
    assert convolution == pytest.approx(100 * np.sqrt(2 / CONVOLUTION), rel=0.02)
    assert effect("gradient.statistics", "detached", "through").startswith("dx regains")


def test_masked_zeros_change_the_statistics_as_the_reference_says():
    x = np.random.default_rng(5).normal(2.0, 3.0, size=(64, 1))
    kept = moments(x[: int(64 * (1 - MASKED))])
    x[int(64 * (1 - MASKED)) :] = 0
    everything = moments(x)
    share = everything.mean[0] / kept.mean[0]
    p = MASKED
    assert everything.variance[0] == pytest.approx(kept.variance[0] * (1 - p) + kept.mean[0] ** 2 * p * (1 - p))
    text = effect("masks.statistics", "included", "excluded")
    assert percentages(text) == [pytest.approx(100 * share), 100.0]
    assert percentages(effect("masks.statistics", "weighted", "included")) == [100.0, pytest.approx(100 * share)]


@pytest.mark.parametrize(("before", "after"), [("exact", "floored"), ("floored", "exact")])
def test_another_epsilon_changes_the_output_as_the_reference_says(before, after):
    epsilons = {"exact": 1e-7, "floored": FLOOR}
    told = numbers(effect("degenerate.epsilon", before, after).partition("₁)): ")[2])[::2]
    for value, variance in zip(told, (1.0, 1e-3, 1e-5), strict=True):
        was, now = (
            normalize(np.ones((1, 1)), mean=[0], variance=[variance], epsilon=epsilons[variant]).item()
            for variant in (before, after)
        )
        assert value == pytest.approx(now / was, rel=2e-3)
        assert value - 1 == pytest.approx(now / was - 1, rel=0.06)


def test_epsilon_rounded_to_float32_is_told_by_what_the_reference_shows():
    was, now = (
        normalize(np.ones((1, 1)), mean=[0], variance=[0], epsilon=epsilon).item()
        for epsilon in (1e-3, float(np.float32(1e-3)))
    )
    [share] = [
        float(one) for one in re.findall(r"by up to ([\d.e-]+) of", effect("degenerate.epsilon", "exact", "rounded"))
    ]
    assert share == pytest.approx(abs(now / was - 1), rel=0.05)


@pytest.mark.parametrize("offset", [10.0, 1000.0])
def test_one_pass_loses_what_its_formulation_loses(offset):
    random = np.random.default_rng(11)
    x = (offset + random.normal(size=(256, 64))).astype(np.float32)
    shown = formulations.moments(x, axis=-1, arithmetic=Arithmetic(moments="one-pass", formulated=True))
    right = moments(x)
    error = np.abs(shown.variance / right.variance - 1).max()
    text = effect("precision.moments", "two-pass", "one-pass")
    found = re.search(rf"→ ([\d.e-]+) at mean/sd = {number(offset)}", text)
    assert found
    assert error / 10 < float(found[1]) < 30 * error
    assert "mean/sd = 1/√u = 4,096" in text
    assert "mean/sd = 1/√u" not in effect("precision.moments", "one-pass", "two-pass")


def test_folding_loses_what_its_formulation_loses():
    x = (1000 + np.random.default_rng(2).normal(size=(256, 8))).astype(np.float32)
    given = {"mean": np.full(8, 1000.0), "variance": np.full(8, 1.1), "epsilon": 0.0, "axis": -1}
    folded = formulations.output(x, arithmetic=Arithmetic(formulated=True), **given)
    error = np.abs(folded - normalize(x, **given)).max()
    found = re.search(r"→ ([\d.e-]+) at mean/sd = 1,000", effect("precision.centring", "centred", "folded"))
    assert found
    assert error / 10 < float(found[1]) < 10 * error


def test_sums_grow_as_the_reference_allows():
    text = effect("precision.accumulation", "wide", "sequential")
    growth = [Arithmetic(accumulation=kind).growth(CONVOLUTION) for kind in ("wide", "sequential")]
    assert f"{plain(growth[0])} → {number(growth[1])} at N" in text


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_a_half_statistic_stands_still_below_the_difference_that_is_told(kind):
    text = effect("precision.state-dtype", "parameter", "input")
    [share] = [float(one) / 100 for one in re.findall(rf"([\d.]+) % in {kind}", text)]
    step = 2 * UNIT[kind]

    def moved(difference):
        value = T.keep * 1.0 + (1 - T.keep) * (1 + difference)
        return round((value - 1) / step) > 0

    assert not moved(0.97 * share)
    assert moved(1.03 * share)


def test_a_constant_is_rounded_to_what_the_noise_is_told_to_be():
    text = effect("degenerate.constant", "offset", "noise")
    found = re.search(r"√ε: ([\d.e-]+) at", text)
    assert found
    assert float(found[1]) == pytest.approx(UNIT["float32"] * 1000 / np.sqrt(T.epsilon), rel=0.03)


def test_a_single_value_leaves_what_keep_leaves_of_the_moving_variance():
    state = State(np.zeros(1), np.ones(1))
    for _ in range(10):
        state = training_step(np.zeros((1, 1)), state=state, epsilon=1e-3, keep=T.keep).state
    assert percent(state.variance[0]) in effect("degenerate.single-update", "zero", "unchanged")
    assert percent(state.variance[0]) in effect("degenerate.empty", "decayed", "unchanged")


def test_a_loaded_statistic_is_kept_or_lost_by_the_next_step():
    assert percentages(effect("state.complete", "complete", "hidden")) == [99.0, 0.0]
    assert percentages(effect("state.missing-counter", "kept", "reset")) == [1.0, 100.0]


@pytest.mark.parametrize("axis", AXES)
def test_every_effect_can_be_told_of_every_pair_of_variants(axis):
    for before, after in permutations(AXES[axis].variants, 2):
        tell = {**STATISTICS, **NUMBERS}.get(axis)
        text = tell(before, after, T) if tell else ""
        assert "nan" not in text
        assert not re.search(r"\d\.\d{8}", text)


def test_every_axis_has_an_effect_but_those_whose_answers_have_no_size():
    without = {
        "stats.uncollected", "modes.conflict", "degenerate.nan", "degenerate.nan-recovery", "forward.statistics",
        "execution.mode-baked", "execution.determinism",
    }  # fmt: skip
    assert set(AXES) - set(STATISTICS) - set(NUMBERS) - set(REPLICAS) == without
    assert set(STATISTICS) | set(NUMBERS) | set(REPLICAS) <= set(AXES)
    assert "refuses" in RAISING


# Replicas


def test_effects_of_replicas_are_those_of_four_equal_shares():
    told = REPLICAS["replicas.moments"]("pooled", "local", T)
    assert "off by sd·√((R − 1)/N)" in told
    assert f"{plain(float(np.sqrt(3 / 32)))} sd at N = 32" in told
    assert "small weigh as much" in REPLICAS["replicas.moments"]("pooled", "averaged", T)
    assert f"{percent(abs((32 / 31) / (8 / 7) - 1))} at N = 32" in REPLICAS["replicas.stored-variance"](
        "local", "global", T
    )
    assert "4-fold" in REPLICAS["replicas.gradient"]("summed", "averaged", T)
    assert "has to begin" in REPLICAS["replicas.gradient"]("summed", "own", T)
    assert "what is saved is the same" in REPLICAS["replicas.plain"]("averaged", "averaged-when-read", T)
    off = np.sqrt((1 - T.keep) / (1 + T.keep) * 3 / 32)
    assert f"{plain(float(off))} sd at N = 32" in REPLICAS["replicas.plain"]("averaged-when-read", "first-when-read", T)


# Numbers as they are written


def test_numbers_are_written_in_two_digits():
    assert [plain(x) for x in (0, 12.5, 0.125, 0.00012, 6e-8, 2.5, 0.1767)] == [
        "0", "13", "0.13", "0.00012", "6.0e-8", "2.5", "0.18",
    ]  # fmt: skip
    assert [percent(x) for x in (0, 0.1, 1, 0.99997, 0.634, 1e-10)] == [
        "0 %", "10 %", "100 %", "99.997 %", "63 %", "1.0e-8 %",
    ]  # fmt: skip
    assert [number(x) for x in (6272, 4096.0, 31.6, 2655.65, float("inf"))] == ["6,272", "4,096", "32", "2,656", "∞"]
    assert [signed(x) for x in (0.03226, -0.000159)] == ["+3.2 %", "−0.016 %"]


def test_keep_and_epsilon_are_those_of_the_framework_s_defaults(make):
    old = {"stats.momentum-weight[rank2]": "old"}
    new = {"stats.momentum-weight[rank2]": "new"}
    assert typical(make(old, facts={"momentum": 0.99, "epsilon": 1e-3})) == Typical(0.99, 1e-3)
    assert typical(make(new, facts={"momentum": 0.1, "epsilon": 1e-5})) == Typical(0.9, 1e-5)
    assert typical(make(facts={"momentum": 0.1, "epsilon": "required"})) == Typical()
    assert typical(make(new, facts=["not", "an object"])) == Typical()
    assert estimate_variance(moments([[0.0], [2.0]]), stored_variance="sample") == pytest.approx([2.0])
