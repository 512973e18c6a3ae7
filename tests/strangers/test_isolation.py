"""Layers that are wrong in one thing: nothing else is blamed."""

import numpy as np

from bnspec.worker.adapters.reference import Reference

F = np.float32
RANKS_2_AND_4 = (
    "forward.training[rank2 or forward.inference[rank2 or forward.training[rank4-last or forward.inference[rank4-last"
)


def test_a_wrong_formula_blames_neither_the_statistics_nor_the_parameters(page, judge):
    class EpsilonOutside(page.BatchNorm):
        def normalise(self, x, mean, variance):
            self.r = 1 / (np.sqrt(variance) + self.epsilon)
            self.xhat = (x - mean) * self.r
            return self.scale * self.xhat + self.offset

    statistics = ("stats.averaging[rank2", "stats.stored-variance[rank2", "stats.closed-form[k3")
    found = judge("forward.training[rank2 or training.parameters[rank2 or " + " or ".join(statistics), EpsilonOutside)
    found.violate("forward.training", text="y[")
    found.conform(*statistics, "training.parameters")


def test_a_fault_of_rank_4_alone_is_found_in_rank_4_alone(page, judge):
    class Rank4(page.BatchNorm):
        def normalise(self, x, mean, variance):
            return super().normalise(x, mean, variance) * F(1.001 if x.ndim == 4 else 1)

    found = judge(RANKS_2_AND_4, Rank4)
    found.violate("forward.training[rank4-last]", "forward.inference[rank4-last]", text="a factor of 1.001")
    assert all("rank4" in identifier for identifier in found.findings())
    found.conform("forward.training[rank2]", "forward.inference[rank2]")


def test_a_layer_that_raises_where_a_value_is_due_refuses(judge):
    class Refusing(Reference):
        def call(self, mode, x, **options):
            if mode == "infer" and x.ndim == 5:
                raise RuntimeError("no inference in rank 5")
            return super().call(mode, x, **options)

    found = judge(
        "forward.inference[rank5-last or forward.inference[rank4-last or forward.training[rank5-last", adapter=Refusing
    )
    assert {row.verdict for row in found.of("forward.inference[rank5").values()} == {"refuses"}
    assert all("rank5" in identifier for identifier in found.findings())
    found.conform("forward.inference[rank4", "forward.training")


def test_a_mistake_in_the_adapter_is_an_error_not_an_observation(judge):
    class Mistaken(Reference):
        def backward(self, dy):
            return self.no_such_method(dy)

    found = judge("gradient.inference[rank2 or forward.training[rank2 or stats.closed-form[k3", adapter=Mistaken)
    assert {row.verdict for row in found.of("gradient.inference").values()} == {"error"}
    found.conform("forward.training", "stats.closed-form")


def test_a_mode_that_nobody_said_must_be_one_or_the_other(judge):
    class Mixed(Reference):
        """Normalises as in inference and updates as in training."""

        def call(self, said, x, **options):
            if said is not None:
                return super().call(said, x, **options)
            y = super().call("infer", x, **options)
            super().call("train", x, **options)
            return y

    found = judge("modes.unstated[rank2 or modes.toggle[rank2 or forward.training[rank2", adapter=Mixed)
    found.violate("modes.unstated", text="no variant fits")
    assert found.findings() == {"modes.unstated[rank2]"}


def test_a_layer_that_returns_its_own_buffers_is_read_when_it_was_asked(page, judge):
    class InPlace(page.BatchNorm):
        def update(self, mean, variance, n):
            for own, new in ((self.mean, mean), (self.variance, variance)):
                own *= F(self.momentum)
                own += F(1 - self.momentum) * new

    class Copying(page.Layer):
        def set_state(self, state):
            super().set_state({name: value.copy() for name, value in state.items()})

    found = judge("stats.initial[rank2 or stats.averaging[rank2 or stats.closed-form[k3", InPlace, adapter=Copying)
    assert not found.findings()
    found.conform("stats.initial", "stats.averaging", "stats.closed-form")
