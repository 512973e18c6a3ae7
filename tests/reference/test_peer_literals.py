"""The literals in peers' own tests, each with a tolerance from the digits that were printed.

Half a unit of the last printed digit, and what half a unit of every printed input can change. Where a literal
is wrong, the test says how. tests/vectors/README.md has sources and licences.
"""

import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bnspec.reference import (
    Arithmetic,
    State,
    estimate_variance,
    inference_gradients,
    moments,
    normalize,
    training_gradients,
    training_step,
)
from bnspec.reference import allowance as allow
from bnspec.reference.statistics import along, rows

VECTORS = Path(__file__).parents[1] / "vectors"
PEERS = {case["name"]: case for case in json.loads((VECTORS / "peer_literals.json").read_text())["cases"]}

SIX = dict.fromkeys(("x", "mean", "var", "scale", "bias"), "6 digits")
SIX_STATISTICS = dict.fromkeys(("running_mean", "running_var", "batch_mean", "batch_inv_std"), "6 digits")
PRINTED = {
    # name: how its outputs are printed, how its inputs are; what is not named is exact
    "tf_FusedBatchNorm_Training": ({"y": "2 decimals", "batch_var_unbiased": "float64"}, {}),
    "tf_FusedBatchNorm_TrainingRunningMean": ({"y": "2 decimals"}, {}),
    # The outputs of the training case, for 11.67 in place of its variance 35/3.
    "tf_FusedBatchNorm_Inference": ({"y": "2 decimals"}, {"var": "2 decimals"}),
    "tf_FusedBatchNormGrad_Simple": ({"dx": "2 decimals", "dscale": "4 decimals"}, {}),
    "ort_PositiveTestCase": ({"y": "6 digits"}, SIX),
    "ort_BatchNorm1d_3d_Pytorch": ({"y": "6 digits"}, SIX),
    "ort_ForwardTraining_opset14": ({"y": "4 decimals", **SIX_STATISTICS}, {"x": "4 decimals"}),
    "ort_NonSpatial_Complicated_opset8": ({"y": "5 digits"}, {}),
    "burn_1d_train": ({"y": "5 digits"}, {"x": "4 decimals"}),
    "burn_1d_inference_after_one_step": ({"y": "4 decimals"}, {}),
    "burn_2d_train": (
        {"y": "4 decimals", "running_mean": "4 decimals", "running_var": "4 decimals"},
        {"x": "4 decimals"},
    ),
    "burn_2d_inference_after_one_step": ({"y": "4 decimals"}, {}),
    "candle_train_2x5x3x4_from_torch": ({"y": "4 decimals"}, {}),
}
EXACT = {
    "stablehlo_batch_norm_training",
    "stablehlo_batch_norm_inference",
    "stablehlo_batch_norm_grad",
    "xla_TrainingWithFeatureOnLowDimension",
    "xla_LargeEpsilonTest",
    "xla_BatchNormGradBasic",
    "keras_masked_statistics",
    "ort_NonSpatial_Simple_opset7",
} | {name for name in PEERS if name.startswith("webnn_baseline_")}
TRUNCATED = ("xla_BasicTraining", "xla_BasicTrainingOnDimension2")
WITHOUT_EPSILON = ("keras_ops_batch_normalization_affine", "keras_ops_batch_normalization_plain")
FAULTY = {*TRUNCATED, *WITHOUT_EPSILON, "xla_TrainingLargeInputs", "tfjs_grad_frozen_statistics"}


def array(literal):
    """A literal as float64; `ones(2,3)` and `zeros(2)` are written out."""
    if isinstance(literal, str):
        kind, shape = re.fullmatch(r"(ones|zeros)\(([\d,]+)\)", literal).groups()
        return getattr(np, kind)([int(size) for size in shape.split(",")])
    return None if literal is None else np.array(literal, dtype=np.float64)


def half_unit(values, printed):
    """Half a unit of the last digit of `4 decimals`, of `6 digits`, or of the bits of float64."""
    size = np.abs(array(values))
    if printed == "float64":
        return np.spacing(size) / 2
    digits, kind = printed.split()
    if kind == "decimals":
        return np.full(size.shape, 0.5 * 10.0 ** -int(digits))
    first = np.floor(np.log10(size, where=size > 0, out=np.full(size.shape, -np.inf)))
    return 0.5 * 10.0 ** (first + 1 - int(digits))


def evaluate(case):
    """Everything that the reference says about a case, under the case's own names."""
    x, axis, epsilon = array(case["x"]), case["axis"], case["epsilon"]
    mean, variance, scale, offset, dy = (array(case.get(key)) for key in ("mean", "var", "scale", "bias", "dy"))
    given, affine = {"mean": mean, "variance": variance}, {"scale": scale, "offset": offset}
    if case["mode"] == "inference":
        return {"y": normalize(x, epsilon=epsilon, axis=axis, **given, **affine)}
    if case["mode"] == "inference_per_activation":
        flat = {name: value.ravel() for name, value in {**given, **affine}.items()}
        return {"y": normalize(x.reshape(len(x), -1), epsilon=epsilon, **flat).reshape(x.shape)}
    if case["mode"].startswith("grad"):
        if case["mode"] == "grad_inference":
            got = inference_gradients(x, dy, scale=scale, epsilon=epsilon, axis=axis, **given)
        else:
            # These take mean and variance as given, ours takes them from x. They are those of x, rounded, but
            # for XLA's variance 1 of constant data: 1/√(1 + ε) is there 1/√(0 + ε′) with ε′ = 1 + ε.
            own = moments(x, axis=axis)
            np.testing.assert_array_equal(np.round(own.mean, 3), mean)
            if own.variance.any():
                np.testing.assert_array_equal(np.round(own.variance, 3), variance)
            else:
                epsilon = epsilon + variance[0]
            got = training_gradients(x, dy, scale=scale, epsilon=epsilon, axis=axis)
        return {"dx": got.x, "dscale": got.scale, "dbias": got.offset}
    channels = x.shape[axis]
    step = training_step(
        x,
        state=State(np.zeros(channels) if mean is None else mean, np.ones(channels) if mean is None else variance),
        epsilon=epsilon,
        keep=1 - case.get("running_weight_of_batch", 1.0),
        axis=axis,
        mask=np.array(case["mask"])[..., None] if "mask" in case else None,
        stored_variance={"unbiased": "sample"}.get(case.get("running_var_kind"), "population"),
        **affine,
    )
    y, stored = step.y, {"mean": step.state.mean, "variance": step.state.variance}
    if case["mode"] == "train_then_inference":
        y = normalize(x, epsilon=epsilon, axis=axis, **stored, **affine)
    return {
        "y": y,
        "batch_mean": step.batch.mean,
        "batch_var": step.batch.variance,
        "batch_var_unbiased": estimate_variance(step.batch, stored_variance="sample"),
        "batch_inv_std": 1 / np.sqrt(step.batch.variance + epsilon),
        "running_mean": stored["mean"],
        "running_var": stored["variance"],
    }


def from_inputs(case, name, printed):
    """What half a unit of every printed input can change in the output `name`, to first order."""
    x, axis, epsilon = array(case["x"]), case["axis"], case["epsilon"]
    if not printed or name not in ("y", "batch_inv_std"):
        return 0.0
    half = {key: half_unit(case[key], unit) for key, unit in printed.items()}
    if case["mode"] == "inference":
        half = {key: half.get(key, np.zeros(1)) for key in SIX}
        on, rank = {"axis": axis, "rank": x.ndim}, x.ndim
        r = along(1 / np.sqrt(array(case["var"]) + epsilon), **on)
        scale, xhat = (
            along(array(case["scale"]), **on),
            (x - along(array(case["mean"]), axis=axis, rank=rank)) * r,
        )
        h_mean, h_var, h_scale, h_offset = (along(half[key], **on) for key in ("mean", "var", "scale", "bias"))
        return (
            np.abs(scale) * r * (half["x"] + h_mean + np.abs(xhat) * r * h_var / 2) + np.abs(xhat) * h_scale + h_offset
        )
    # Training. ∂x̂ᵢ/∂xⱼ = r(δᵢⱼ − 1/N − x̂ᵢx̂ⱼ/N); ∂r/∂xⱼ = −r²·x̂ⱼ/N. All these scales are 1.
    batch, h = moments(x, axis=axis), rows(half["x"], axis)
    n, r = len(h), 1 / np.sqrt(batch.variance + epsilon)
    xhat = (rows(x, axis) - batch.mean) * r
    if name == "batch_inv_std":
        return r**2 * (np.abs(xhat) * h).sum(axis=0) / n
    slope = np.abs(np.eye(n)[:, :, None] - 1 / n - xhat[:, None] * xhat[None] / n)
    change = r * (slope * h[None]).sum(axis=1)
    return np.moveaxis(change.reshape(np.moveaxis(x, axis, -1).shape), -1, axis)


def test_every_literal_has_a_test():
    assert set(PEERS) == set(PRINTED) | EXACT | FAULTY | {"xla_SpecComparisonForward"}
    assert len(PEERS) == len(PRINTED) + len(EXACT) + len(FAULTY) + 1 == 38


@pytest.mark.parametrize("name", sorted(EXACT))
def test_exact_literals_are_equal(name):
    got = evaluate(PEERS[name])
    for key, expected in PEERS[name]["expected"].items():
        np.testing.assert_array_equal(got[key], array(expected), err_msg=key)


@pytest.mark.parametrize("name", PRINTED)
def test_printed_literals_agree_to_their_last_digit(name):
    case, (outputs, inputs) = PEERS[name], PRINTED[name]
    got = evaluate(case)
    for key, expected in case["expected"].items():
        if key not in outputs:
            np.testing.assert_array_equal(got[key], array(expected), err_msg=key)
            continue
        # A tie between two printed digits may fall either way: our own last bit.
        limit = half_unit(expected, outputs[key]) + from_inputs(case, key, inputs) + np.spacing(np.abs(got[key]))
        error = np.abs(got[key] - array(expected))
        assert (error <= limit).all(), f"{key}: {(error / limit).max():.3f} of its rounding"


def test_the_literal_of_xla_that_has_all_digits_is_within_the_rounding_of_float64():
    case, arithmetic = PEERS["xla_SpecComparisonForward"], Arithmetic(unit_roundoff=2.0**-53)
    x, layer = array(case["x"]), {"epsilon": case["epsilon"], "axis": case["axis"]}
    batch, bound = (f(x, axis=case["axis"]) for f in (moments, partial(allow.of_moments, arithmetic=arithmetic)))
    limit = allow.of_normalized(
        x,
        mean=batch.mean,
        variance=batch.variance,
        mean_allowance=bound.mean,
        variance_allowance=bound.variance,
        arithmetic=arithmetic,
        **layer,
    )
    assert (np.abs(evaluate(case)["y"] - array(case["expected"]["y"])) <= limit).all()


@pytest.mark.parametrize("name", TRUNCATED)
def test_xla_prints_one_decimal_and_truncates_two_of_them(name):
    got, expected = evaluate(PEERS[name]), PEERS[name]["expected"]
    wrong = np.round(got["y"], 1) != array(expected["y"])
    assert got["y"][wrong].tolist() == pytest.approx([-1.683, 0.658], abs=1e-3)
    np.testing.assert_array_equal(np.trunc(10 * got["y"][wrong]) / 10, array(expected["y"])[wrong])
    np.testing.assert_array_equal(got["batch_mean"], expected["batch_mean"])
    np.testing.assert_array_equal(got["batch_var"], expected["batch_var"])


@pytest.mark.parametrize("name", WITHOUT_EPSILON)
def test_keras_leaves_out_epsilon(name):
    case = PEERS[name]
    expected, r = array(case["expected"]["y"]), 1 / np.sqrt(array(case["var"]))
    without = evaluate({**case, "epsilon": 0.0})["y"]
    # 0.4 − 0.3 and the like are off by a last bit of the larger, in double precision.
    assert (np.abs(without - expected) <= 4 * np.spacing(np.abs(expected) + r)).all()
    off = np.abs(evaluate(case)["y"] - expected)
    part = np.abs(expected - (0.0 if case.get("bias") is None else array(case["bias"])))
    lost = part * r**2 * case["epsilon"] / 2
    assert (np.abs(off - lost) <= 1e-6 * lost + 4 * np.spacing(np.abs(expected))).all()


def test_xla_large_inputs_expects_the_mean_rounded_to_float32_and_no_epsilon():
    case = PEERS["xla_TrainingLargeInputs"]
    got, expected, x = evaluate(case), {k: array(v) for k, v in case["expected"].items()}, array(case["x"])
    np.testing.assert_array_equal(got["batch_mean"], [1e7 + 0.5])
    np.testing.assert_array_equal(got["batch_var"], [0.25])
    rounded = got["batch_mean"].astype(np.float32).astype(np.float64)
    np.testing.assert_array_equal(expected["batch_mean"], rounded)
    np.testing.assert_array_equal(expected["batch_var"], [((x - rounded) ** 2).mean()])
    without = normalize(x, mean=rounded, variance=expected["batch_var"], epsilon=0.0, axis=case["axis"])
    np.testing.assert_allclose(expected["y"], without, rtol=2**-52)
    assert 0.99 < np.abs(got["y"] - expected["y"]).max() < 1


def test_tfjs_leaves_epsilon_out_of_dx_only():
    case = PEERS["tfjs_grad_frozen_statistics"]
    got, expected = evaluate(case), {key: array(value) for key, value in case["expected"].items()}
    scale, variance = array(case["scale"]), array(case["var"])
    # dmean and dvariance follow from ours: x − mean moves with the mean, and dr/dvariance = −r³/2.
    got["dmean"] = -rows(got["dx"], case["axis"]).sum(axis=0)
    got["dvar"] = -scale * got["dscale"] / (variance + case["epsilon"]) / 2
    decimals = {"dmean": 3, "dvar": 2, "dscale": 3, "dbias": 3}
    for key, digits in decimals.items():
        assert (np.abs(got[key] - expected[key]) <= 0.5 * 10.0**-digits).all(), key
    without = evaluate({**case, "epsilon": 0.0})["dx"]
    np.testing.assert_array_equal(np.round(without, 3), expected["dx"])
    assert (np.round(got["dx"], 3) != expected["dx"]).any()
    assert np.abs(got["dx"] - expected["dx"]).max() == pytest.approx(7.3e-4, rel=0.01)
