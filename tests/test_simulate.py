"""The reference run through a program: what each step shows, and which axes that depends on."""

import numpy as np
import pytest

from bnspec.case import (
    Case,
    Layer,
    backward,
    call,
    fit,
    freeze,
    infer,
    predict,
    read,
    silently,
    train,
    unfreeze,
    write,
)  # fmt: skip
from bnspec.data import batch
from bnspec.simulate import questions, simulate
from bnspec.spec import Dialect, UndecidedError

BASE = Dialect()
X, OTHER, TARGET = (batch((8, 3), -1, seed=seed, mean=0.1 * seed) for seed in (1, 2, 3))
FAR = write(mean=[2.0, -1.0, 0.5], variance=[4.0, 9.0, 16.0])
MOMENTS = X.astype(float).mean(axis=0), X.astype(float).var(axis=0)


def program(*steps, structure="bare", situation="rank2", **layer):
    return Case(("forward.training",), situation, Layer(**layer), steps, "why", structure=structure)


def knowing(**answers):
    return BASE.answering({axis.replace("__", ".").replace("_", "-"): v for axis, v in answers.items()}, "rank2")


def normalised(x, mean, variance):
    return (x - mean) / np.sqrt(variance + 1e-3)


def y_of(step):
    assert step.kind == "values"
    return step.values["y"].value


@pytest.mark.parametrize(
    ("answers", "raw", "keep"),
    [({}, 0.75, 0.75), ({"stats__momentum_weight": "new"}, 0.75, 0.25), ({}, 1.0, 1.0), ({}, 0.0, 0.0)],
)
def test_the_raw_momentum_weighs_what_the_dialect_says(answers, raw, keep):
    *_, shown = simulate(program(FAR, train(X), read(), momentum={"raw": raw}), knowing(**answers))
    mean = keep * np.array([2.0, -1.0, 0.5]) + (1 - keep) * MOMENTS[0]
    np.testing.assert_allclose(shown.values["mean"].value, mean, rtol=1e-12)


def test_a_momentum_that_is_kept_asks_no_axis():
    asked = {axis for axis, _ in questions(program(FAR, train(X), read()), BASE)}
    assert "stats.momentum-weight" not in asked
    assert "stats.initial" not in asked
    assert {"stats.averaging", "stats.stored-variance"} <= asked


def test_an_output_does_not_depend_on_how_the_statistics_move():
    case = program(train(X), train(OTHER), backward(OTHER))
    known = BASE.not_deciding(["stats.averaging", "stats.stored-variance", "stats.initial"], "rank2")
    shown = simulate(case, known)
    assert [step.kind for step in shown] == ["values"] * 3
    with pytest.raises(UndecidedError, match="stats"):
        simulate(program(train(X), read()), known)


def test_what_is_not_asked_is_not_expected_and_asks_no_axis():
    silent = simulate(program(silently(train(X)), silently(backward(X)), read("scale")), BASE)
    assert [step.kind for step in silent] == ["done", "done", "values"]
    assert set(silent[2].values) == {"scale"}
    asked = questions(program(silently(train(X)), read("scale")), BASE)
    assert not {axis for axis, _ in asked} & {"forward.statistics", "stats.averaging", "stats.initial"}


@pytest.mark.parametrize(
    ("normalisation", "update"),
    [("moving", "none"), ("moving", "updates"), ("batch", "none"), ("batch", "updates")],
)
def test_freezing_normalises_and_updates_as_the_dialect_says(normalisation, update):
    known = knowing(frozen__normalisation=normalisation, frozen__update=update)
    _, _, y, state, _, after = simulate(program(FAR, freeze(), train(X), read(), unfreeze(), train(X)), known)
    far = np.array([2.0, -1.0, 0.5]), np.array([4.0, 9.0, 16.0])
    np.testing.assert_allclose(y_of(y), normalised(X, *(far if normalisation == "moving" else MOMENTS)), rtol=1e-12)
    moved = not np.array_equal(state.values["mean"].value, far[0])
    assert moved == (update == "updates")
    np.testing.assert_allclose(y_of(after), normalised(X, *MOMENTS), rtol=1e-12)


@pytest.mark.parametrize(
    ("variant", "trains", "updates", "infers"),
    [
        ("inherits", True, True, True),
        ("inherits-no-update", True, False, True),
        ("fixed-infer", False, False, True),
        ("fixed-train", True, True, False),
    ],
)
def test_a_nested_layer_gets_the_mode_that_the_dialect_says(variant, trains, updates, infers):
    known = BASE.answering({"modes.nested": variant}, "user-layer-fit")
    case = program(FAR, train(X), read(), infer(OTHER), structure="user-layer", situation="user-layer-fit")
    _, y, state, inferred = simulate(case, known)
    far = np.array([2.0, -1.0, 0.5]), np.array([4.0, 9.0, 16.0])
    np.testing.assert_allclose(y_of(y), normalised(X, *(MOMENTS if trains else far)), rtol=1e-12)
    assert (state.values["mean"].value != far[0]).all() == updates
    stored = state.values["mean"].value, state.values["variance"].value
    batch_moments = OTHER.astype(float).mean(axis=0), OTHER.astype(float).var(axis=0)
    np.testing.assert_allclose(y_of(inferred), normalised(OTHER, *(stored if infers else batch_moments)), rtol=1e-12)


def test_a_nested_layer_that_must_be_told_raises():
    known = BASE.answering({"modes.nested": "raises"}, "user-layer-call")
    case = program(FAR, train(X), structure="user-layer", situation="user-layer-call")
    assert simulate(case, known)[1].kind == "raises"


def test_the_losses_of_a_fit_are_those_of_the_batch_output_at_a_rate_of_zero():
    case = program(FAR, fit(X, TARGET, steps=3), read(), predict(X), structure="user-model", situation="user-model-fit")
    _, losses, state, predicted = simulate(case, BASE)
    expected = ((normalised(X.astype(float), *MOMENTS) - TARGET) ** 2).mean()
    np.testing.assert_allclose(losses.values["loss"].value, [expected] * 3, rtol=1e-12)
    assert (losses.values["loss"].allowance > 0).all()
    assert (losses.values["loss"].allowance < 1e-5 * expected).all()
    mean, variance = state.values["mean"].value, state.values["variance"].value
    np.testing.assert_allclose(mean, 0.75**3 * np.array([2, -1, 0.5]) + (1 - 0.75**3) * MOMENTS[0], rtol=1e-12)
    np.testing.assert_allclose(y_of(predicted), normalised(X, mean, variance), rtol=1e-12)


@pytest.mark.parametrize(("initial", "inferred"), [("unset-raises", "raises"), ("unset-garbage", "free")])
def test_a_state_that_is_not_there_is_absent_until_the_first_step(initial, inferred):
    known = knowing(stats__initial=initial, stats__averaging="first-batch")
    shown = simulate(program(read(), infer(X), train(X), read(), infer(X)), known)
    assert [step.kind for step in shown] == ["absent", inferred, "values", "values", "values"]
    np.testing.assert_allclose(shown[3].values["mean"].value, MOMENTS[0], rtol=1e-12)


def test_a_state_that_was_written_is_there_whatever_it_starts_as():
    shown = simulate(program(FAR, read(), infer(X)), knowing(stats__initial="unset-raises"))
    assert [step.kind for step in shown[1:]] == ["values", "values"]
    assert (shown[1].values["mean"].allowance == 0).all()


def test_a_state_that_is_written_after_a_step_is_exact_again():
    shown = simulate(program(train(X), read(), FAR, read()), BASE)
    assert (shown[1].values["mean"].allowance > 0).all()
    assert (shown[3].values["mean"].allowance == 0).all()
    assert list(shown[3].values["mean"].value) == [2.0, -1.0, 0.5]


def test_half_a_state_that_is_written_leaves_the_other_half():
    *_, shown = simulate(program(write(mean=[1.0, 2.0, 3.0]), read()), BASE)
    assert list(shown.values["mean"].value) == [1, 2, 3]
    assert list(shown.values["variance"].value) == [1, 1, 1]


ONE = np.array([[0.75, -0.5, 2.0]], np.float32)


@pytest.mark.parametrize(
    ("output", "y"), [("offset", [[1.0, -2.0, 0.5]]), ("input", ONE), ("nan", np.full((1, 3), np.nan))]
)
def test_one_value_per_channel_shows_what_the_dialect_says(output, y):
    case = program(write(offset=[1.0, -2.0, 0.5]), train(ONE))
    shown = simulate(case, knowing(degenerate__single=output))[1].values["y"]
    np.testing.assert_array_equal(shown.value, y)
    assert np.isfinite(shown.allowance).all()


@pytest.mark.parametrize(("entered", "variance"), [("zero", 3.0), ("unchanged", 4.0), ("nan", np.nan)])
def test_one_value_per_channel_moves_the_variance_as_the_dialect_says(entered, variance):
    start = write(mean=[0.0, 0.0, 0.0], variance=[4.0, 4.0, 4.0])
    *_, shown = simulate(program(start, train(ONE), read()), knowing(degenerate__single_update=entered))
    np.testing.assert_array_equal(shown.values["variance"].value, [variance] * 3)
    np.testing.assert_allclose(shown.values["mean"].value, 0.25 * ONE[0], rtol=1e-12)


def test_one_value_per_channel_that_raises_changes_nothing():
    shown = simulate(program(FAR, train(ONE), read()), knowing(degenerate__single="raises"))
    assert shown[1].kind == "raises"
    assert list(shown[2].values["variance"].value) == [4, 9, 16]


@pytest.mark.parametrize("variant", ["train", "infer", "raises"])
def test_a_call_without_a_mode_is_what_the_dialect_says(variant):
    unsaid = simulate(program(FAR, call(X)), knowing(modes__unstated=variant))[1]
    if variant == "raises":
        assert unsaid.kind == "raises"
    else:
        said = {"train": train, "infer": infer}[variant](X)
        np.testing.assert_array_equal(y_of(unsaid), y_of(simulate(program(FAR, said), BASE)[1]))


def test_output_by_the_moving_statistics_uses_them_after_their_update():
    _, y, state = simulate(program(FAR, train(X), read()), knowing(forward__statistics="running"))
    mean, variance = state.values["mean"].value, state.values["variance"].value
    np.testing.assert_allclose(y_of(y), normalised(X, mean, variance), rtol=1e-12)


def test_rivals_that_share_a_memory_expect_what_they_expect_alone(case_of):
    case = case_of("stats.averaging[rank2]")
    memory = {}
    for rival in case.rivals:
        known = BASE.answering(rival, case.situation)
        for shared, alone in zip(simulate(case, known, memory), simulate(case, known), strict=True):
            assert shared.kind == alone.kind
            for name, numbers in alone.values.items():
                np.testing.assert_array_equal(shared.values[name].value, numbers.value)
                np.testing.assert_array_equal(shared.values[name].allowance, numbers.allowance)


@pytest.mark.parametrize(("timing", "trains"), [("at-once", False), ("never", True)])
def test_a_layer_that_was_called_is_frozen_as_the_dialect_says(timing, trains):
    x = batch((8, 3), -1, seed=1)
    case = program(train(x), freeze(), train(x))
    dialect = Dialect({("frozen.timing", "freeze-after-call"): timing})
    first, _, second = (step.values["y"].value if step.kind == "values" else None for step in simulate(case, dialect))
    assert np.allclose(first, second) is trains
