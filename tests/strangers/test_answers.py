"""Layers that are other and not wrong: the axis is answered as it is, and there is no finding."""

import numpy as np
import pytest

from bnspec.worker.adapters.reference import Reference

F = np.float32


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

    found = judge(
        "stats.momentum-weight[rank2 or stats.averaging[rank2 or stats.closed-form[k3", New, adapter=Translated
    )
    assert not found.findings()
    found.answer("stats.momentum-weight", "new")
    found.answer("stats.averaging", "exponential")
    found.conform("stats.closed-form")


@pytest.mark.parametrize(
    ("variant", "factor"),
    [
        ("sample", lambda n, epsilon: n / (n - 1)),
        ("sample-epsilon", lambda n, epsilon: n / (n - 1 - epsilon)),
        ("sample-twice", lambda n, epsilon: n / (n - 1) * n / (n - 1 - epsilon)),
    ],
)
def test_every_known_estimator_is_told_apart(page, judge, variant, factor):
    class Corrected(page.BatchNorm):
        def update(self, mean, variance, n):
            super().update(mean, variance * F(factor(n, self.epsilon)) if n > 1 else variance, n)

    found = judge("stats.stored-variance[rank2 or stats.closed-form[k3", Corrected)
    assert not found.findings()
    found.answer("stats.stored-variance", variant)
    found.conform("stats.closed-form")


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

    found = judge("stats.averaging[rank2 or stats.momentum-weight[rank2 or stats.closed-form[k3", Averaged)
    assert not found.findings()
    found.answer("stats.averaging", average)
    found.conform("stats.closed-form")
    momentum = {row.verdict for identifier, row in found.items() if identifier.startswith("stats.momentum-weight")}
    assert momentum == {"unsupported" if average == "cumulative" else "conforms"}


def test_a_debiased_average_is_not_asked_for_what_its_formula_does_not_define(page, judge):
    class Debiased(page.BatchNorm):
        steps = 0

        def update(self, mean, variance, n):
            self.steps += 1
            with np.errstate(invalid="ignore"):
                weight = F(1 - self.momentum) / F(1 - self.momentum**self.steps)
            self.mean = (1 - weight) * self.mean + weight * mean
            self.variance = (1 - weight) * self.variance + weight * variance

    found = judge("stats.extremes[keep1-rank2]", Debiased)
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

    found = judge("state.complete[rank2 or stats.closed-form[k3", Hidden)
    found.answer("state.complete", "hidden")
    assert not found.findings()


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

    found = judge("stats.initial[rank2 or stats.averaging[rank2", Unset)
    assert not found.findings()
    found.answer("stats.initial", "unset-raises")
    found.answer("stats.averaging", "first-batch")


def test_output_from_the_moving_statistics_is_another_answer(page, judge):
    class Running(page.BatchNorm):
        def normalise(self, x, mean, variance):
            return super().normalise(x, self.mean, self.variance)

    found = judge("forward.statistics[rank2 or forward.training[rank2 or forward.inference[rank2", Running)
    assert not found.findings()
    found.answer("forward.statistics", "running")


def test_a_detached_gradient_is_another_answer(page, judge):
    class Detached(page.BatchNorm):
        def backward(self, dy):
            return {**super().backward(dy), "x": self.scale * self.r * dy}

    found = judge("gradient.statistics[rank2 or gradient.training[rank2 or gradient.inference[rank2", Detached)
    assert not found.findings()
    found.answer("gradient.statistics", "detached")


def test_one_value_per_channel_may_give_nan_or_raise(page, judge):
    class Nan(page.BatchNorm):
        def normalise(self, x, mean, variance):
            y = super().normalise(x, mean, variance)
            return y * F(np.nan) if self.training and x.size == mean.size else y

    class Raises(page.BatchNorm):
        def statistics(self, x):
            if x.size == self.mean.size:
                raise ValueError("one value per channel")
            return super().statistics(x)

    for layer, output, entered in ((Nan, "nan", "zero"), (Raises, "raises", "not-applicable")):
        found = judge("degenerate.single[rank2 or degenerate.single-update[rank2", layer)
        assert not found.findings()
        found.answer("degenerate.single[", output)
        found.answer("degenerate.single-update", entered)


@pytest.mark.parametrize(("batch", "update"), [(True, True), (True, False), (False, True)])
def test_every_way_of_freezing_is_another_answer(judge, batch, update):
    class Frozen(Reference):
        def call(self, mode, x, **options):
            if not self.frozen or mode != "train":
                return super().call(mode, x, **options)
            before = self.state
            self.frozen = False
            y = super().call("train", x, **options)
            after, self.state = self.state, before
            if not batch:
                y = super().call("infer", x, **options)
            self.state = after if update else before
            self.frozen = True
            return y

    found = judge("modes.toggle[freeze-rank2 or frozen.normalisation[rank2 or frozen.update[rank2", adapter=Frozen)
    assert not found.findings()
    found.answer("frozen.normalisation", "batch" if batch else "moving")
    found.answer("frozen.update", "updates" if update else "none")


@pytest.mark.parametrize("mode", ["train", "infer"])
def test_a_mode_that_nobody_said_is_another_answer(judge, mode):
    class Default(Reference):
        def call(self, said, x, **options):
            return super().call(said or mode, x, **options)

    found = judge("modes.unstated[rank2", adapter=Default)
    assert not found.findings()
    found.answer("modes.unstated", mode)
