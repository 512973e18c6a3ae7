"""Where no variant explains it, the numbers of the formula are measured."""

import re

import numpy as np
import pytest

from bnspec.case import Case, Layer, backward, infer, read, train, write
from bnspec.data import batch
from bnspec.difference import Shown, Trace
from bnspec.measure import gradient, output, spread, update

X, DY = (batch((8, 3), -1, seed=seed, mean=0.2 * seed) for seed in (1, 2))
MEAN, VARIANCE = X.astype(float).mean(axis=0), X.astype(float).var(axis=0)
SCALE, OFFSET = np.array([1.5, -0.5, 2.0]), np.array([0.25, -1.0, 0.5])
STORED = np.array([0.5, -0.25, 1.0]), np.array([2.0, 0.5, 0.01])


def case(*steps, epsilon=1e-3):
    return Case(("forward.training",), "rank2", Layer(epsilon=epsilon), steps, "why")


def shown(*steps):
    return Trace("ran", tuple(Shown({n: np.asarray(v, np.float32) for n, v in step.items()}) for step in steps))


WRITTEN = write(mean=STORED[0], variance=STORED[1], scale=SCALE, offset=OFFSET)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (lambda m, v: SCALE * (X - m) / np.sqrt(v + 0.01) + OFFSET, "the ε in effect is 0.01"),
        (lambda m, v: SCALE * (X - m) / (np.sqrt(v + 0.001)) * 1.25 + OFFSET, "the slope has a factor of 1.25"),
        (
            lambda m, v: SCALE * (X - m) / np.sqrt(1.5 * v + 0.001) + OFFSET,
            "variance in effect has a factor of 1.5",
        ),
        (lambda m, v: SCALE * (X - m) / np.sqrt(v + 0.01) + OFFSET + 3, "and 3, 3, 3 is added"),
        (
            lambda m, v: 1.03 * SCALE * (X - m) / np.sqrt(v + 0.002) + OFFSET,
            "the slope is 1.03·scale/√(v + ε), where the ε in effect is 0.002",
        ),
        (lambda m, v: np.tanh(X - m), ""),
        (lambda m, v: np.full_like(X, np.nan), ""),
    ],
)
@pytest.mark.parametrize("do", [train, infer])
def test_an_output_tells_the_epsilon_or_a_factor(y, words, do):
    statistics = (MEAN, VARIANCE) if do is train else STORED
    said = output(case(WRITTEN, do(X)), shown({}, {"y": y(*statistics)}))
    assert (words in said) if words else not said


def test_an_output_of_unknown_statistics_is_not_measured():
    steps = (train(X), infer(X))
    assert not output(case(*steps), Trace("ran", (Shown(), Shown({"y": X}))))


def test_an_update_tells_its_weights_and_the_factor():
    new = 0.75 * STORED[0] + 0.25 * MEAN, 0.75 * STORED[1] + 0.25 * VARIANCE * 1.3
    newer = 0.75 * new[0] + 0.25 * DY.mean(axis=0), 0.75 * new[1] + 0.25 * DY.astype(float).var(axis=0) * 1.3
    said = update(
        case(WRITTEN, train(X), read(), train(DY), read()),
        shown({}, {}, {"mean": new[0], "variance": new[1]}, {}, {"mean": newer[0], "variance": newer[1]}),
    )
    assert "moving mean = 0.75·old + 0.25·m" in said
    assert "moving variance = 0.75·old + 0.325·v" in said
    assert "a factor of 1.3 on v" in said


def test_an_update_tells_the_offset_too():
    def moved(old, batch):
        return [0.75 * o + 0.25 * b for o, b in zip(old, batch, strict=True)]

    new = moved(STORED, (MEAN, 1.3 * VARIANCE + 0.05))
    newer = moved(new, (DY.mean(axis=0), 1.3 * DY.astype(float).var(axis=0) + 0.05))
    said = update(
        case(WRITTEN, train(X), read(), train(DY), read()),
        shown({}, {}, {"mean": new[0], "variance": new[1]}, {}, {"mean": newer[0], "variance": newer[1]}),
    )
    assert "a factor of 1.3 on v and an offset of 0.05" in said


@pytest.mark.filterwarnings("error")
def test_an_infinite_input_is_not_measured():
    x = X.copy()
    x[0, 0] = np.inf
    assert not output(case(WRITTEN, infer(x)), shown({}, {"y": X}))


def test_an_update_of_too_few_numbers_is_not_measured():
    assert not update(case(WRITTEN, train(X), read()), shown({}, {}, {"mean": [1, 2, 3], "variance": [1, 2, 3]}))


def test_one_update_tells_the_factor_on_the_batch():
    stored = {"mean": 0.75 * STORED[0] + 0.25 * 1.391 * MEAN, "variance": 0.75 * STORED[1] + 0.25 * VARIANCE}
    said = update(case(WRITTEN, train(X), read()), shown({}, {}, stored))
    assert said == "Measured: 1.391·m entered the moving mean, m that of all values"


@pytest.mark.parametrize(("q", "s"), [(-1, -1), (0, -1), (-1, 0), (0, 0), (-2, -1)])
def test_a_gradient_tells_the_coefficients_of_its_terms(q, s):
    r = 1 / np.sqrt(VARIANCE + 1e-3)
    normalized = (X - MEAN) * r
    dx = SCALE * r * (DY + q * DY.mean(axis=0) + s * normalized * (DY * normalized).mean(axis=0))
    said = gradient(case(WRITTEN, train(X), backward(DY)), shown({}, {}, {"x": dx}))
    found = re.fullmatch(r"Measured: dx = scale·r·\((.*)·dy \+ (.*)·mean\(dy\) \+ (.*)·x̂·mean\(dy·x̂\)\).*", said)
    assert [float(number) for number in found.groups()] == pytest.approx([1, q, s], abs=1e-3)


def test_a_gradient_of_another_form_is_not_measured():
    assert not gradient(case(WRITTEN, train(X), backward(DY)), shown({}, {}, {"x": np.sin(X)}))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("numbers", [[np.inf, -np.inf], [np.inf, 1.0], [np.nan, 1.0], [0.0, 0.0]])
def test_numbers_without_a_finite_middle_are_not_one_number_and_say_nothing_on_the_terminal(numbers):
    assert spread(np.array(numbers)) == np.inf
