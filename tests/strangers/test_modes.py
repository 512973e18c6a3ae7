"""Layers that mistake their mode, or what freezing means: derived from the reference's own adapter."""

import numpy as np
import pytest

from bnspec.worker.adapters.reference import Reference


def test_the_reference_has_no_fault(judge):
    assert not judge(adapter=Reference).findings()


def test_a_layer_that_does_not_update_after_it_was_unfrozen_is_violated_by_the_toggle_alone(judge):
    class Forgetful(Reference):
        was_frozen = False

        def freeze(self, where="layer"):
            super().freeze()
            self.was_frozen = True

        def call(self, mode, x, **options):
            before = self.state
            y = super().call(mode, x, **options)
            if self.was_frozen:
                self.state = before
            return y

    found = judge(adapter=Forgetful)
    found.violate("modes.toggle[freeze")
    assert all(identifier.startswith("modes.toggle[freeze") for identifier in found.findings())


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

    found = judge(adapter=Frozen, only="modes.toggle or frozen")
    assert not found.findings()
    found.answer("frozen.normalisation", "batch" if batch else "moving")
    found.answer("frozen.update", "updates" if update else "none")


@pytest.mark.parametrize("mode", ["train", "infer"])
def test_a_mode_that_nobody_said_is_another_answer(judge, mode):
    class Default(Reference):
        def call(self, said, x, **options):
            return super().call(said or mode, x, **options)

    found = judge(adapter=Default)
    assert not found.findings()
    found.answer("modes.unstated", mode)


def test_a_mode_that_nobody_said_must_be_one_or_the_other(judge):
    class Mixed(Reference):
        """Normalises as in inference and updates as in training."""

        def call(self, said, x, **options):
            if said is not None:
                return super().call(said, x, **options)
            y = super().call("infer", x, **options)
            super().call("train", x, **options)
            return y

    found = judge(adapter=Mixed)
    found.violate("modes.unstated")
    assert all(identifier.startswith("modes.unstated") for identifier in found.findings())


def test_a_layer_that_raises_where_a_value_is_due_refuses(judge):
    class Refusing(Reference):
        def call(self, mode, x, **options):
            if mode == "infer" and x.ndim == 5:
                raise RuntimeError("no inference in rank 5")
            return super().call(mode, x, **options)

    found = judge(adapter=Refusing)
    assert {row.verdict for row in found.of("forward.inference[rank5").values()} == {"refuses"}
    assert all("rank5" in identifier for identifier in found.findings())


def test_a_mistake_in_the_adapter_is_an_error_not_an_observation(judge):
    class Mistaken(Reference):
        def backward(self, dy):
            return self.no_such_method(dy)

    found = judge(adapter=Mistaken)
    assert {row.verdict for row in found.of("gradient.inference").values()} == {"error"}
    found.conform("forward", "stats.closed-form[k1]")


def test_what_an_adapter_does_not_define_is_unsupported(page, judge):
    found = judge()
    assert found["frozen.update[rank2]"].verdict == "unsupported"
    assert found["frozen.update[rank2]"].message == "the adapter mine has no freeze"


def test_a_layer_that_returns_its_own_buffers_is_read_when_it_was_asked(page, judge):
    class InPlace(page.BatchNorm):
        def update(self, mean, variance, n):
            for own, new in ((self.mean, mean), (self.variance, variance)):
                own *= np.float32(self.momentum)
                own += np.float32(1 - self.momentum) * new

    class Copying(page.Layer):
        def set_state(self, state):
            super().set_state({name: value.copy() for name, value in state.items()})

    assert not judge(InPlace, adapter=Copying).findings()
