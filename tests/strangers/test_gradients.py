"""Layers whose gradient is wrong: their outputs and statistics must not be blamed."""

import numpy as np
import pytest

F = np.float32
REST = ("forward", "stats.", "inference", "training", "modes.unstated", "modes.toggle", "degenerate")


def parts(self, dy):
    axes = tuple(range(dy.ndim - 1))
    return axes, dy.size // dy.shape[-1], dy.sum(axes), (dy * self.xhat).sum(axes)


def detached(self, dy):
    _, _, doffset, dscale = parts(self, dy)
    return {"x": self.scale * self.r * dy, "scale": dscale, "offset": doffset}


def without_mean_term(self, dy):
    _, n, doffset, dscale = parts(self, dy)
    inner = dy - self.xhat * (dscale / n) if self.training else dy
    return {"x": self.scale * self.r * inner, "scale": dscale, "offset": doffset}


def without_variance_term(self, dy):
    _, n, doffset, dscale = parts(self, dy)
    inner = dy - doffset / n if self.training else dy
    return {"x": self.scale * self.r * inner, "scale": dscale, "offset": doffset}


def test_a_detached_gradient_is_another_answer_and_breaks_nothing(page, judge):
    found = judge(type("Stranger", (page.BatchNorm,), {"backward": detached}))
    assert not found.findings()
    found.answer("gradient.statistics", "detached")


@pytest.mark.parametrize("backward", [without_mean_term, without_variance_term])
def test_half_a_gradient_is_violated_and_only_in_training(page, judge, backward):
    found = judge(type("Stranger", (page.BatchNorm,), {"backward": backward}))
    found.violate("gradient.statistics", text="x[")
    found.conform("gradient.inference", *REST)
    assert not any(row.verdict == "conforms" for row in found.of("gradient.training").values())


def test_a_gradient_of_the_scale_that_forgets_to_normalise_is_violated(page, judge):
    class Raw(page.BatchNorm):
        def backward(self, dy):
            found = super().backward(dy)
            return {**found, "scale": found["scale"] / self.r}

    found = judge(Raw)
    found.violate("gradient.training[rank", "gradient.inference", text="scale[")
    found.conform(*REST)


def test_a_gradient_with_batch_terms_in_inference_is_violated_there(page, judge):
    class Always(page.BatchNorm):
        def backward(self, dy):
            self.training = True
            return super().backward(dy)

    found = judge(Always)
    found.violate("gradient.inference")
    assert all(identifier.startswith("gradient.inference") for identifier in found.findings())


def test_a_gradient_that_is_missing_is_violated(page, judge):
    class Half(page.BatchNorm):
        def backward(self, dy):
            return {"x": super().backward(dy)["x"]}

    found = judge(Half)
    found.violate("gradient.training", text="no scale; it gave x")
    found.conform(*REST)


def test_a_backward_that_updates_again_is_violated(page, judge):
    class Again(page.BatchNorm):
        def __call__(self, x, training):
            self.x = x
            return super().__call__(x, training)

        def backward(self, dy):
            if self.training:
                self.update(*self.statistics(self.x), 1)
            return super().backward(dy)

    assert judge(Again).findings() == {
        "stats.closed-form[backward-rank2]",
        "stats.closed-form[backward-rank4-last]",
    }
