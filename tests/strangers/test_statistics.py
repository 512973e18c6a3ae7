"""Layers whose moving statistics are other, or wrong: the output in training never is."""

import numpy as np
import pytest

F = np.float32
FORWARD = (
    "forward.training",
    "forward.inference",
    "forward.statistics",
    "inference.pure",
    "training.parameters",
)
UNTOUCHED = (*FORWARD, "gradient")


def test_the_layer_of_the_page_has_no_fault(judge):
    assert not judge().findings()


def test_a_momentum_that_weighs_the_new_is_another_answer_and_breaks_nothing(page, judge):
    class New(page.BatchNorm):
        def update(self, mean, variance, n):
            self.mean = (1 - self.momentum) * self.mean + self.momentum * mean
            self.variance = (1 - self.momentum) * self.variance + self.momentum * variance

    class Translated(page.Layer):
        def __init__(self, layer, **options):
            momentum = dict(layer["momentum"])
            if "keep" in momentum:
                momentum["keep"] = 1 - momentum["keep"]
            super().__init__({**layer, "momentum": momentum}, **options)

    found = judge(New, adapter=Translated)
    assert not found.findings()
    found.answer("stats.momentum-weight", "new")
    found.answer("stats.averaging", "exponential")


def test_an_adapter_that_does_not_translate_the_momentum_is_told_that_it_is_reversed(page, judge):
    class New(page.BatchNorm):
        def update(self, mean, variance, n):
            self.mean = (1 - self.momentum) * self.mean + self.momentum * mean
            self.variance = (1 - self.momentum) * self.variance + self.momentum * variance

    found = judge(New)
    found.violate("stats.closed-form", "stats.extremes", text="the momentum is reversed")
    found.answer("stats.momentum-weight", "new")
    found.conform(*UNTOUCHED, "stats.momentum-weight", "stats.stored-variance", "stats.averaging", "stats.initial")
    for identifier in found.findings():
        assert "the momentum is reversed" in found[identifier].message, identifier


@pytest.mark.parametrize(
    ("variant", "factor"),
    [
        ("sample", lambda n, epsilon: n / (n - 1)),
        ("sample-epsilon", lambda n, epsilon: n / (n - 1 - epsilon)),
        ("sample-twice", lambda n, epsilon: n / (n - 1) * n / (n - 1 - epsilon)),
    ],
)
def test_every_known_estimator_is_told_apart_and_nothing_else_is_touched(page, judge, variant, factor):
    class Corrected(page.BatchNorm):
        def update(self, mean, variance, n):
            super().update(mean, variance * F(factor(n, self.epsilon)) if n > 1 else variance, n)

    found = judge(Corrected)
    assert not found.findings()
    found.answer("stats.stored-variance", variant)


@pytest.mark.parametrize("average", ["debiased", "first-batch", "cumulative"])
def test_every_known_average_is_told_apart(page, judge, average):
    class Averaged(page.BatchNorm):
        steps = 0

        def update(self, mean, variance, n):
            self.steps += 1
            keep = self.momentum
            if average == "cumulative":
                keep = 1 - 1 / self.steps
            elif average == "first-batch":
                keep = 0 if self.steps == 1 else keep
            elif keep < 1:
                keep = 1 - (1 - keep) / (1 - keep**self.steps)
            self.mean = keep * self.mean + (1 - keep) * mean
            self.variance = keep * self.variance + (1 - keep) * variance

    found = judge(Averaged)
    found.answer("stats.averaging", average)
    found.conform(*UNTOUCHED, "stats.averaging", "stats.closed-form", "stats.stored-variance", "stats.initial")
    momentum = {row.verdict for identifier, row in found.items() if identifier.startswith("stats.momentum-weight")}
    assert momentum == {"unsupported"} if average == "cumulative" else {"conforms", "unsupported"}


def test_a_debiased_average_is_not_asked_for_what_its_formula_does_not_define(page, judge):
    class Debiased(page.BatchNorm):
        steps = 0

        def update(self, mean, variance, n):
            self.steps += 1
            with np.errstate(invalid="ignore"):
                weight = F(1 - self.momentum) / F(1 - self.momentum**self.steps)
            self.mean = (1 - weight) * self.mean + weight * mean
            self.variance = (1 - weight) * self.variance + weight * variance

    found = judge(Debiased)
    assert not found.findings()
    row = found["stats.extremes[keep1-rank2]"]
    assert row.verdict == "unsupported"
    assert row.message == "at keep = 1 the weight of a debiased average is 0/0; here the mean became nan"


def test_an_accumulator_behind_the_visible_statistics_is_another_answer(page, judge):
    class Hidden(page.BatchNorm):
        behind = None

        def update(self, mean, variance, n):
            start = self.behind or (np.zeros_like(mean), np.ones_like(variance))
            new = (
                self.momentum * old + (1 - self.momentum) * b for old, b in zip(start, (mean, variance), strict=True)
            )
            self.mean, self.variance = self.behind = tuple(new)

    found = judge(Hidden)
    found.answer("state.complete", "hidden")
    assert not found.findings()


def test_a_start_from_zero_variance_is_another_answer(page, judge):
    class Zero(page.BatchNorm):
        def __init__(self, features, **options):
            super().__init__(features, **options)
            self.variance = np.zeros(features, F)

    found = judge(Zero)
    assert not found.findings()
    found.answer("stats.initial", "zero-zero")


def test_a_layer_without_statistics_before_its_first_step_is_another_answer(page, judge):
    class Unset(page.BatchNorm):
        def __init__(self, features, **options):
            super().__init__(features, **options)
            self.mean = self.variance = None

        def __call__(self, x, training):
            if not training and self.mean is None:
                raise RuntimeError("infer before train")
            return super().__call__(x, training)

        def update(self, mean, variance, n):
            if self.mean is None:
                self.mean, self.variance = mean, variance
            else:
                super().update(mean, variance, n)

    found = judge(Unset, only="stats. and not closed-form and not extremes")
    assert not found.findings()
    found.answer("stats.initial", "unset-raises")
    found.answer("stats.averaging", "first-batch")


def test_an_unknown_estimator_is_violated_with_the_measured_factor(page, judge):
    class AlmostSample(page.BatchNorm):
        def update(self, mean, variance, n):
            super().update(mean, variance * F(n / (n - 1) * 1.01) if n > 1 else variance, n)

    found = judge(AlmostSample)
    found.violate("stats.stored-variance", text="factor of 2.02")
    found.conform(*UNTOUCHED, "stats.momentum-weight", "stats.averaging", "stats.initial")
    assert {row.verdict for row in found.of("stats.closed-form").values()} == {"blocked"}


def test_an_estimator_that_divides_by_n_minus_2_is_violated(page, judge):
    class Two(page.BatchNorm):
        def update(self, mean, variance, n):
            super().update(mean, variance * F(n / max(n - 2, 0.5)) if n > 1 else variance, n)

    found = judge(Two)
    found.violate("stats.stored-variance", text="factor of 4")
    found.conform(*UNTOUCHED, "stats.momentum-weight", "stats.averaging", "stats.initial")


def test_an_update_that_is_made_twice_is_violated_with_its_weights(page, judge):
    class Twice(page.BatchNorm):
        def update(self, mean, variance, n):
            super().update(mean, variance, n)
            super().update(mean, variance, n)

    found = judge(Twice)
    found.violate("stats.averaging", text="0.5625·old + 0.4375·v")
    found.conform(*UNTOUCHED, "stats.initial")
    assert not any(row.verdict == "conforms" for row in found.of("stats.closed-form").values())


def test_a_state_that_is_rounded_to_float16_is_violated(page, judge):
    class Rounded(page.BatchNorm):
        def update(self, mean, variance, n):
            super().update(mean, variance, n)
            self.mean = self.mean.astype(np.float16).astype(F)
            self.variance = self.variance.astype(np.float16).astype(F)

    found = judge(Rounded)
    assert "violates" in {row.verdict for row in found.of("stats.averaging").values()}
    found.violate("stats.closed-form")
    found.conform(*UNTOUCHED)


def test_a_layer_that_updates_in_inference_is_not_pure(page, judge):
    class Impure(page.BatchNorm):
        def __call__(self, x, training):
            if not training:
                self.update(*self.statistics(x), x.size // self.mean.size)
            return super().__call__(x, training)

    found = judge(Impure)
    found.violate("inference.pure")
    found.conform("forward.training", "forward.statistics", "gradient.training", "training.parameters")
    assert not any(row.verdict == "conforms" for row in found.of("modes.toggle").values())


def test_a_layer_that_never_updates_is_violated(page, judge):
    class Stuck(page.BatchNorm):
        def update(self, mean, variance, n):
            pass

    found = judge(Stuck)
    found.violate("stats.averaging")
    found.conform(*UNTOUCHED, "stats.initial")


def test_a_layer_that_updates_only_the_mean_is_violated_in_its_variance(page, judge):
    class MeanOnly(page.BatchNorm):
        def update(self, mean, variance, n):
            super().update(mean, self.variance, n)

    found = judge(MeanOnly)
    found.violate("stats.stored-variance")
    found.conform(*UNTOUCHED, "stats.momentum-weight", "stats.averaging", "stats.initial")


def test_one_value_per_channel_may_leave_the_variance_as_it_is(page, judge):
    class Unchanged(page.BatchNorm):
        def update(self, mean, variance, n):
            super().update(mean, self.variance if n == 1 else variance, n)

    found = judge(Unchanged)
    assert not found.findings()
    found.answer("degenerate.single-update", "unchanged")


def test_a_mean_that_is_lost_with_one_value_per_channel_is_violated(page, judge):
    class Lost(page.BatchNorm):
        def update(self, mean, variance, n):
            if n > 1:
                super().update(mean, variance, n)

    found = judge(Lost)
    assert found.findings() == {row for row in found.findings() if row.startswith("degenerate.")} != set()
