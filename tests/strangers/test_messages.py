"""Layers that are wrong: what is said of them, with the numbers measured."""

import numpy as np
import pytest

F = np.float32


def test_an_adapter_that_does_not_translate_the_momentum_is_told_that_it_is_reversed(page, judge):
    class New(page.BatchNorm):
        def update(self, mean, variance, n):
            self.mean = (1 - self.momentum) * self.mean + self.momentum * mean
            self.variance = (1 - self.momentum) * self.variance + self.momentum * variance

    found = judge(
        "stats.momentum-weight[rank2 or stats.closed-form[k3 or stats.extremes[keep1-rank2 or forward.training[rank2",
        New,
    )
    found.violate("stats.closed-form", "stats.extremes", text="the momentum is reversed")
    found.answer("stats.momentum-weight", "new")
    found.conform("stats.momentum-weight", "forward.training")


def test_an_unknown_estimator_is_violated_with_the_measured_factor(page, judge):
    class AlmostSample(page.BatchNorm):
        def update(self, mean, variance, n):
            super().update(mean, variance * F(n / (n - 1) * 1.01) if n > 1 else variance, n)

    found = judge("stats.stored-variance[rank2 or stats.closed-form[k3 or stats.averaging[rank2", AlmostSample)
    found.violate("stats.stored-variance", text="a factor of 2.02 on v")
    found.conform("stats.averaging")
    assert {row.verdict for row in found.of("stats.closed-form").values()} == {"blocked"}


def test_an_update_that_is_made_twice_is_violated_with_its_weights(page, judge):
    class Twice(page.BatchNorm):
        def update(self, mean, variance, n):
            super().update(mean, variance, n)
            super().update(mean, variance, n)

    found = judge("stats.averaging[rank2", Twice)
    found.violate("stats.averaging", text="0.5625·old + 0.4375·v")


def test_an_epsilon_that_is_not_used_is_named(page, judge):
    class NoEpsilon(page.BatchNorm):
        def normalise(self, x, mean, variance):
            self.epsilon = 0.0
            return super().normalise(x, mean, variance)

    found = judge("forward.inference[rank2", NoEpsilon)
    found.violate("forward.inference", text="It fits with ε = 0 where 0.001 was given")


def test_an_epsilon_that_no_layer_uses_is_measured(page, judge):
    class Tenfold(page.BatchNorm):
        def normalise(self, x, mean, variance):
            self.r = 1 / np.sqrt(variance + 10 * self.epsilon)
            self.xhat = (x - mean) * self.r
            return self.scale * self.xhat + self.offset

    found = judge("forward.inference[rank2", Tenfold)
    found.violate("forward.inference", text="the ε in effect is 0.01")


@pytest.mark.parametrize(
    ("mean", "product", "words"),
    [(0.0, 1.0, "(1·dy + 0·mean(dy) + -1·x̂·mean(dy·x̂))"), (1.0, 0.5, "(1·dy + -1·mean(dy) + -0.5·x̂·mean(dy·x̂))")],
)
def test_half_a_gradient_is_violated_with_its_coefficients(page, judge, mean, product, words):
    class Half(page.BatchNorm):
        def backward(self, dy):
            found = super().backward(dy)
            n = dy.size // dy.shape[-1]
            inner = dy - F(mean) * found["offset"] / n - F(product) * self.xhat * (found["scale"] / n)
            return {**found, "x": self.scale * self.r * inner} if self.training else found

    found = judge("gradient.statistics[rank2 or gradient.inference[rank2 or forward.training[rank2", Half)
    [row] = found.of("gradient.statistics").values()
    assert row.verdict == "violates"
    said = row.message.partition("Measured: dx = scale·r·")[2].partition("; right is")[0]
    assert numbers(said) == pytest.approx(numbers(words), abs=1e-3)
    found.conform("gradient.inference", "forward.training")


def numbers(said):
    """The three coefficients of a gradient in words."""
    return [float(term.partition("·")[0]) for term in said.strip("()").split(" + ")]


def test_a_gradient_that_is_missing_is_named(page, judge):
    class Half(page.BatchNorm):
        def backward(self, dy):
            return {"x": super().backward(dy)["x"]}

    found = judge("gradient.training[rank2 or forward.training[rank2", Half)
    found.violate("gradient.training", text="no scale; it gave x")
    found.conform("forward.training")


def test_output_in_float64_is_a_fact_about_the_output_alone(page, judge):
    class Wide(page.BatchNorm):
        def normalise(self, x, mean, variance):
            return super().normalise(x, mean, variance).astype(np.float64)

    found = judge(
        "forward.training[rank2 or forward.inference[rank2 or stats.closed-form[k3 or stats.averaging[rank2", Wide
    )
    found.violate("forward.training", "forward.inference", text="y has dtype float64; expected float32")
    found.conform("stats.closed-form", "stats.averaging")


def test_a_state_in_float64_is_a_fact_about_the_state_alone(page, judge):
    class Wide(page.BatchNorm):
        def update(self, mean, variance, n):
            super().update(mean.astype(np.float64), variance.astype(np.float64), n)

        def normalise(self, x, mean, variance):
            return super().normalise(x, mean.astype(F), variance.astype(F))

    found = judge("forward.training[rank2 or forward.inference[rank2 or stats.closed-form[k3", Wide)
    found.violate("stats.closed-form", text="mean has dtype float64")
    found.conform("forward.training", "forward.inference")


def test_what_an_adapter_does_not_define_is_unsupported(judge):
    found = judge("frozen.update[rank2]")
    assert found["frozen.update[rank2]"].verdict == "unsupported"
    assert found["frozen.update[rank2]"].message == "the adapter mine has no freeze"
