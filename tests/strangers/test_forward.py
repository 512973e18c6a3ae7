"""Layers whose output is wrong: the moving statistics are right and must not be blamed."""

import numpy as np
import pytest

F = np.float32
STATISTICS = (
    "stats.momentum-weight",
    "stats.stored-variance",
    "stats.averaging",
    "stats.closed-form",
    "stats.extremes",
)


def epsilon_outside(self, x, mean, variance):
    self.r = 1 / (np.sqrt(variance) + self.epsilon)
    self.xhat = (x - mean) * self.r
    return self.scale * self.xhat + self.offset


def no_epsilon(self, x, mean, variance):
    with np.errstate(invalid="ignore", divide="ignore"):
        self.r = 1 / np.sqrt(variance)
        self.xhat = (x - mean) * self.r
        return self.scale * self.xhat + self.offset


def tenfold_epsilon(self, x, mean, variance):
    self.r = 1 / np.sqrt(variance + 10 * self.epsilon)
    self.xhat = (x - mean) * self.r
    return self.scale * self.xhat + self.offset


def offset_first(self, x, mean, variance):
    self.r = 1 / np.sqrt(variance + self.epsilon)
    self.xhat = (x + self.offset - mean) * self.r
    return self.scale * self.xhat


def unscaled(self, x, mean, variance):
    self.r = 1 / np.sqrt(variance + self.epsilon)
    self.xhat = (x - mean) * self.r
    return self.xhat + self.offset


def permuted(self, x, mean, variance):
    self.r = 1 / np.sqrt(variance + self.epsilon)
    self.xhat = (x - mean) * self.r
    return (self.scale * self.xhat + self.offset)[::-1]


@pytest.mark.parametrize("normalise", [epsilon_outside, no_epsilon, tenfold_epsilon, offset_first, unscaled, permuted])
def test_a_wrong_formula_is_violated_in_both_modes_and_the_statistics_are_not(page, judge, normalise):
    found = judge(type("Wrong", (page.BatchNorm,), {"normalise": normalise}))
    found.violate("forward.training", "forward.inference[rank")
    found.conform(*STATISTICS, "training.parameters")
    blocked = {identifier for identifier, row in found.items() if row.verdict == "blocked"}
    assert all(identifier.startswith("gradient.") for identifier in blocked)


def test_an_epsilon_that_is_not_used_is_named(page, judge):
    found = judge(type("Wrong", (page.BatchNorm,), {"normalise": no_epsilon}))
    found.violate("forward.inference", text="It fits with ε = 0 where")


def test_an_epsilon_outside_the_root_shows_for_every_size_of_epsilon(page, judge):
    found = judge(type("Wrong", (page.BatchNorm,), {"normalise": epsilon_outside}), only="forward.inference[epsilon")
    found.violate("forward.inference[epsilon")


def test_statistics_over_the_batch_alone_are_violated_where_there_is_more(page, judge):
    class BatchOnly(page.BatchNorm):
        def normalise(self, x, mean, variance):
            if x.ndim > 2 and self.training:
                mean, variance = x.mean(0), x.var(0)
            return super().normalise(x, mean, variance)

    found = judge(BatchOnly, only="not gradient")
    found.violate("forward.training[rank3", "forward.training[rank4", "forward.training[rank5")
    found.conform("forward.training[rank2]", "forward.inference", "inference.pure", *STATISTICS)


def test_a_fault_of_rank_4_alone_is_found_in_rank_4_alone(page, judge):
    class Rank4(page.BatchNorm):
        def normalise(self, x, mean, variance):
            return super().normalise(x, mean, variance) * F(1.001 if x.ndim == 4 else 1)

    found = judge(Rank4)
    assert found.findings()
    assert all("rank4" in identifier for identifier in found.findings())
    found.violate("forward.training[rank4-last]", "forward.inference[rank4-last]")


def test_output_in_float64_is_a_fact_about_the_output_alone(page, judge):
    class Wide(page.BatchNorm):
        def normalise(self, x, mean, variance):
            return super().normalise(x, mean, variance).astype(np.float64)

    found = judge(Wide)
    found.violate("forward.training", "forward.inference", text="y has dtype float64; expected float32")
    found.conform(*STATISTICS, "gradient", "training.parameters", "degenerate.single-update")


def test_a_state_in_float64_is_a_fact_about_the_state_alone(page, judge):
    class Wide(page.BatchNorm):
        def update(self, mean, variance, n):
            super().update(mean.astype(np.float64), variance.astype(np.float64), n)

        def normalise(self, x, mean, variance):
            return super().normalise(x, mean.astype(F), variance.astype(F))

    found = judge(Wide)
    found.violate("stats.closed-form", text="mean has dtype float64")
    found.conform("forward.training", "forward.inference", "gradient", "inference.pure")


def test_output_from_the_moving_statistics_is_another_answer(page, judge):
    class Running(page.BatchNorm):
        def normalise(self, x, mean, variance):
            return super().normalise(x, self.mean, self.variance)

    found = judge(Running, only="not gradient and not degenerate")
    assert not found.findings()
    found.answer("forward.statistics", "running")


def test_a_neighbour_that_is_loud_must_not_leak(page, judge):
    class Leaking(page.BatchNorm):
        def statistics(self, x):
            mean, variance = super().statistics(x)
            return mean, np.maximum(variance, variance.max() * F(1e-3))

    found = judge(Leaking)
    found.violate("forward.channels[independent")
    found.conform("forward.training", *STATISTICS, "gradient", "inference.pure")


def test_a_number_of_channels_that_a_kernel_forgets_is_found(page, judge):
    class Truncated(page.BatchNorm):
        def statistics(self, x):
            mean, variance = super().statistics(x)
            variance[1024:] = 1
            return mean, variance

    found = judge(Truncated)
    assert found.findings() == {"forward.channels[features1025-rank2]"}


def test_a_sample_that_depends_on_its_batch_in_inference_is_not_pure(page, judge):
    class Mixed(page.BatchNorm):
        def __call__(self, x, training):
            y = super().__call__(x, training)
            return y if training else y + F(1e-4) * x.mean()

    found = judge(Mixed)
    found.violate("inference.pure", "forward.inference[rank")
    found.conform("forward.training", *STATISTICS, "gradient.training")


def test_a_training_call_that_changes_a_parameter_is_violated(page, judge):
    class Drifting(page.BatchNorm):
        def update(self, mean, variance, n):
            super().update(mean, variance, n)
            self.offset = self.offset * F(1.0001)

    found = judge(Drifting)
    found.violate("training.parameters", text="offset[")
    found.conform(*STATISTICS, "forward.statistics", "forward.inference")


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
        found = judge(layer)
        assert not found.findings()
        found.answer("degenerate.single[", output)
        found.answer("degenerate.single-update", entered)


def test_one_value_per_channel_may_not_give_anything_else(page, judge):
    class Doubled(page.BatchNorm):
        def normalise(self, x, mean, variance):
            y = super().normalise(x, mean, variance)
            return y * F(2) if self.training and x.size == mean.size else y

    found = judge(Doubled)
    assert found.findings() == {"degenerate.single[rank2]", "degenerate.single[rank4-last]"}
    found.violate("degenerate.single[")
