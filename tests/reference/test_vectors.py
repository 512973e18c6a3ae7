"""The WebNN and ONNX vectors, with tolerances from how they were rounded (see tests/vectors/README.md)."""

import json
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pytest

from bnspec.reference import State, normalize, training_step
from bnspec.reference import allowance as allow

VECTORS = Path(__file__).parents[1] / "vectors"
WEBNN = {case["name"]: case for case in json.loads((VECTORS / "webnn_batch_normalization.json").read_text())["cases"]}
ONNX = {case["name"]: case for case in json.loads((VECTORS / "onnx_batchnorm.json").read_text())["cases"]}
UNROUNDED = "batchNormalization float32 4D NHWC tensor all options"


def test_every_vector_has_a_test():
    assert (len(WEBNN), len(ONNX)) == (24, 9)
    assert UNROUNDED in WEBNN


# WebNN: correctly rounded to their dtype


def webnn(case):
    x = np.array(case["input"], case["dtype"]).reshape(case["shape"]).astype(np.float64)
    layer = {
        "mean": case["mean"],
        "variance": case["variance"],
        "scale": case["scale"],
        "offset": case["bias"],
    }
    layer = {name: None if given is None else np.array(given, float) for name, given in layer.items()}
    return normalize(x, epsilon=case["epsilon"], axis=case["axis"], **layer), layer, x


@pytest.mark.parametrize("name", [name for name in WEBNN if name != UNROUNDED])
def test_webnn_vectors_are_our_values_rounded_to_their_dtype(name):
    case = WEBNN[name]
    expected = np.array(case["expected"], case["dtype"]).reshape(case["shape"])
    np.testing.assert_array_equal(webnn(case)[0].astype(case["dtype"]), expected)


@pytest.mark.parametrize("name", [UNROUNDED])
def test_the_unrounded_webnn_vector_is_off_and_ours_is_the_exact_value(name):
    case = WEBNN[name]
    y, layer, x = webnn(case)
    off = np.abs(y - np.reshape(case["expected"], case["shape"])).max()
    assert 9.1e-5 < off < 9.2e-5
    assert (np.float32(case["expected"]) != np.array(case["expected"])).any()
    affine = [[Decimal(float(value)) for value in array] for array in layer.values()]
    with localcontext(prec=50):
        for index in np.ndindex(x.shape):
            mean, variance, scale, offset = (values[index[case["axis"]]] for values in affine)
            root = (variance + Decimal(case["epsilon"])).sqrt()
            product = (Decimal(float(x[index])) - mean) / root * scale
            error = abs(Decimal(float(y[index])) - (product + offset))
            # Four roundings of the product, one of the sum.
            assert error <= Decimal(2) ** -53 * (5 * abs(product) + abs(offset))


# ONNX: computed in float32


@pytest.mark.parametrize("name", ONNX)
def test_onnx_vectors_are_within_the_allowance_of_a_float32_implementation(name):
    case, data = ONNX[name], np.load(VECTORS / "onnx_batchnorm.npz")
    arrays = {key: data[f"{name}/{key}"].astype(np.float64) for key in case["arrays"]}
    x, state = arrays["x"], State(arrays["mean"], arrays["var"])
    epsilon, keep, axis = case["attributes"]["epsilon"], case["attributes"]["momentum"], case["axis"]
    affine = {"scale": arrays["scale"], "offset": arrays["bias"], "axis": axis}
    pairs = {}
    if case["attributes"]["training_mode"]:
        step = training_step(x, state=state, epsilon=epsilon, keep=keep, **affine)
        bound, y = allow.of_moments(x, axis=axis), step.y
        layer = {"mean": step.batch.mean, "variance": step.batch.variance, "epsilon": epsilon, "axis": axis}
        given = {"mean_allowance": bound.mean, "variance_allowance": bound.variance}
        for shown, old, new, stored, delta in (
            ("running_mean", state.mean, step.batch.mean, step.state.mean, bound.mean),
            ("running_var", state.variance, step.batch.variance, step.state.variance, bound.variance),
        ):
            pairs[shown] = (stored, allow.of_stored(old, new, weight=1 - keep, new_allowance=delta))
    else:
        layer, given = {"mean": state.mean, "variance": state.variance, "epsilon": epsilon, "axis": axis}, {}
        y = normalize(x, scale=affine["scale"], offset=affine["offset"], **layer)
    xhat = allow.of_normalized(x, **layer, **given)
    pairs["y"] = (y, allow.of_output(normalize(x, **layer), xhat, **affine))
    assert set(pairs) == set(arrays) - {"x", "scale", "bias", "mean", "var"}
    for shown, (value, delta) in pairs.items():
        assert (np.abs(arrays[shown] - value) <= delta + allow.half_ulp(value, np.float32)).all()
