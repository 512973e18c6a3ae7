"""`bnspec.convert`: the layers of a saved model found, renamed without a bit changed, and run on both sides."""

from dataclasses import replace

import numpy as np
import pytest
from states import FLAX, KERAS, TORCH, bits, layer, model

from bnspec.convert import BadState, convert
from bnspec.convert.check import MOST
from bnspec.convert.layers import Spelling, converted, layers_in
from bnspec.convert.telling import as_json, markdown, text
from bnspec.porting import porting
from bnspec.porting.numbers import fact

PLACES = [(), ("bn",), ("layer1", "0", "bn")]


# Names


@pytest.mark.parametrize("spelling", [TORCH, KERAS, FLAX])
@pytest.mark.parametrize("place", PLACES)
def test_a_name_says_the_place_and_the_place_says_the_name(spelling, place):
    for part in spelling.paths:
        assert spelling.place(part, spelling.name(part, place)) == place


def test_names_are_as_the_frameworks_write_them():
    assert TORCH.name("mean", ("a", "0", "bn")) == "a.0.bn.running_mean"
    assert FLAX.name("mean", ("a", "0", "bn")) == "stats/a/0/bn/mean"
    assert [FLAX.name("scale", ()), TORCH.name("scale", ())] == ["params/scale", "weight"]


@pytest.mark.parametrize(
    "name", ["running_means", "x.running_mean.y", "xrunning_mean", ".running_mean", "Running_mean"]
)
def test_a_name_that_is_only_alike_is_no_part(name):
    assert TORCH.place("mean", name) is None


# Layers


def test_layers_are_found_by_their_statistics_and_stand_in_the_order_of_the_file():
    found, left = layers_in(model(), TORCH)
    assert [one.title for one in found] == ["stem.bn", "blocks.0.bn", "last"]
    assert [one.features for one in found] == [4, 3, 5]
    assert [one.parameters for one in found] == ["scale and offset", "neither scale nor offset", "scale and offset"]
    assert left == ("conv.weight", "conv.bias", "fc.weight")


def test_a_single_layer_has_its_bare_names():
    found, left = layers_in(layer(1, 4, "scale", "offset"), TORCH)
    assert ([one.title for one in found], left) == (["the layer"], ())


def test_the_number_that_tensorflow_puts_behind_a_name_is_no_part_of_it():
    arrays = {f"bn/{name}:0": np.ones(3, np.float32) for name in ("gamma", "beta", "mean", "var")}
    [found] = layers_in(arrays, KERAS)[0]
    assert (found.place, set(found.parts)) == (("bn",), {"scale", "offset", "mean", "variance"})


def wrong(**changes):
    """Return the model with some arrays changed, or taken away: None."""
    arrays = {**model(), **changes}
    return {name: array for name, array in arrays.items() if array is not None}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stem.bn.running_var": None}, ("layer stem.bn", "stem.bn.running_var is missing", "(4,)")),
        ({"last.running_mean": None}, ("layer last", "last.running_mean is missing", "(5,)")),
        ({"last.weight": None}, ("layer last", "last.weight is missing", "(5,)")),
        ({"stem.bn.running_var": np.ones((1, 4), "f4")}, ("stem.bn.running_var has shape (1, 4)", "expected (4,)")),
        ({"last.bias": np.ones(3, "f4")}, ("layer last", "last.bias has shape (3,)", "expected (5,)")),
        ({"last.n": np.ones(5, "i8")}, ("last.n has shape (5,)", "expected ()")),
        ({"last.running_mean": np.ones(5, "i4")}, ("last.running_mean is of type int32", "floating-point")),
        ({"last.n": np.array(1.0)}, ("last.n is of type float64", "expected an integer")),
        ({"stem.bn.renorm": np.ones(4, "f4")}, ("layer stem.bn", "stem.bn.renorm is no part", "stem.bn.running_mean")),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_state_with_missing_extra_or_misshapen_arrays_is_refused_by_name(changes, words):
    with pytest.raises(BadState) as refused:
        layers_in(wrong(**changes), TORCH)
    for word in words:
        assert word in str(refused.value)


def test_several_faults_are_told_together_and_the_rest_counted():
    arrays = wrong(**{f"{name}.running_var": None for name in ("stem.bn", "blocks.0.bn", "last")})
    arrays["stem.bn.bias"] = np.ones(7, "f4")
    with pytest.raises(BadState, match=r"stem\.bn.*blocks\.0\.bn.*and 1 more$"):
        layers_in(arrays, TORCH)


@pytest.mark.parametrize(
    "arrays", [{}, {"fc.weight": np.ones((2, 2))}, {"ln.weight": np.ones(2), "ln.bias": np.ones(2)}]
)
def test_a_state_without_batch_normalization_is_refused(arrays):
    with pytest.raises(BadState, match=r"no batch normalization in it: expected arrays LAYER\.running_mean"):
        layers_in(arrays, TORCH)


# Conversion


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_conversion_changes_names_and_order_and_not_a_bit(dtype):
    [found] = layers_in(layer(1, 4, "scale", "offset", "count", prefix="a.bn.", dtype=dtype), TORCH)[0]
    done = converted(found, TORCH, FLAX, {})
    assert list(done.arrays) == ["stats/a/bn/mean", "stats/a/bn/var", "params/a/bn/scale", "params/a/bn/bias"]
    assert bits(done.arrays["stats/a/bn/mean"]) == bits(found.parts["mean"])
    assert (done.added, done.dropped) == ((), ("a.bn.n",))


def test_there_and_back_again_is_where_it_began():
    found, _ = layers_in(model(), TORCH)
    for other in (KERAS, FLAX):
        there = {name: array for one in found for name, array in converted(one, TORCH, other, {}).arrays.items()}
        back, left = layers_in(there, other)
        assert left == ()
        again = {name: array for one in back for name, array in converted(one, other, TORCH, {}).arrays.items()}
        assert set(again) == {name for name in model() if not name.startswith(("conv", "fc"))}
        for name, array in again.items():
            assert bits(array) == bits(np.array(0) if name.endswith(".n") else model()[name])


def test_what_the_target_wants_and_the_source_has_not_is_added_without_changing_an_output():
    arrays = {"bn/beta": np.ones(3, "f4"), "bn/mean": np.ones(3, "f4"), "bn/var": np.ones(3, "f4")}
    [found] = layers_in(arrays, KERAS)[0]
    done = converted(found, KERAS, TORCH, {"count": "int32"})
    assert done.added == ("bn.weight", "bn.n")
    assert done.arrays["bn.weight"].tolist() == [1, 1, 1]
    assert bits(done.arrays["bn.n"]) == bits(np.array(0, np.int32))


# Both sides run


@pytest.fixture
def state(tmp_path, there_and_here):
    """A model saved with the names of the first framework."""
    there = Spelling(fact(there_and_here[0], "state paths"), {})
    found, _ = layers_in(model(), TORCH)
    arrays = {name: array for one in found for name, array in converted(one, TORCH, there, {}).arrays.items()}
    np.savez(tmp_path / "state.npz", **{**arrays, "conv.w": np.ones((4, 3, 3, 3), np.float32)})
    return tmp_path / "state.npz"


def test_both_sides_agree_but_for_what_their_fingerprints_say(there_and_here, target, state, tmp_path):
    port = porting(*there_and_here, n=32)
    done = convert(port, target("There"), target("Here"), state, tmp_path / "out.npz")
    assert done.agrees
    assert [check.title for check in done.checked] == ["stem.bn", "blocks.0.bn", "last"]
    assert all(0 < check.ratio < 1 for check in done.checked)
    for check in done.checked:
        [explained] = check.explained
        assert explained.what == "variance after a training step"
        assert explained.reasons == ("stats.stored-variance: sample → population",)
        assert 1 < explained.size / (0.1 / 31) < 3  # (1 − keep)·v/(N − 1) of a moving variance, the batch's v larger
    assert done.left == ("conv.w",)


@pytest.mark.parametrize("rank", [2, 3, 4, 5])
def test_a_state_goes_there_and_back_with_the_same_bits(there_and_here, target, state, tmp_path, rank):
    there, here = there_and_here
    one = convert(porting(there, here), target("There"), target("Here"), state, tmp_path / "a.npz", rank=rank)
    two = convert(
        porting(here, there), target("Here"), target("There"), tmp_path / "a.npz", tmp_path / "b.npz", rank=rank
    )
    assert one.agrees
    assert two.agrees
    with np.load(state) as before, np.load(tmp_path / "b.npz") as after:
        assert [name for name in before.files if name != "conv.w"] == after.files
        for name in after.files:
            assert name.endswith(".n") or bits(after[name]) == bits(before[name])


def test_a_file_in_the_framework_s_own_format_is_written_and_read_on_its_side(there_and_here, target, state, tmp_path):
    there, here = there_and_here
    convert(porting(there, here), target("There"), target("Here"), state, tmp_path / "a.npz")
    own = tmp_path / "a.there"
    assert convert(porting(here, there), target("Here"), target("There"), tmp_path / "a.npz", own).agrees
    assert own.read_text().startswith("{")
    assert convert(porting(there, here), target("There"), target("Here"), own, tmp_path / "b.npz").agrees
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_layer_that_does_not_do_what_its_fingerprint_says_is_found(there_and_here, target, state, tmp_path):
    port = porting(*there_and_here, n=32)
    done = convert(port, target("There"), target("Lying"), state, tmp_path / "out.npz")
    assert not done.agrees
    for check in done.checked:
        assert check.ratio > 1000
        assert any("here 2.0: step 4 (get_state): variance" in fault for fault in check.faults)
    told = text(done, port, ("a", "b"))
    assert "WRONG" in told
    assert "step 4 (get_state)" in told


def test_a_layer_whose_answers_were_not_decided_is_not_called_right(there_and_here, target, state, tmp_path):
    there, here = there_and_here
    rows = {id: row for id, row in here.rows.items() if not id.startswith("stats.stored-variance")}
    rows |= {id: {"id": id, "verdict": "inconclusive"} for id in here.rows if id.startswith("stats.stored-variance")}
    port = porting(there, replace(here, rows=rows))
    done = convert(port, target("There"), target("Here"), state, tmp_path / "out.npz")
    assert not done.agrees
    assert all(check.ratio is None for check in done.checked)
    assert "stats.stored-variance[rank4-last] was not decided" in done.checked[0].faults[0]


@pytest.mark.parametrize("epsilon", [1e-5, 3e-6])
def test_a_small_epsilon_is_expected_to_be_floored_where_the_fingerprint_says_so(
    there_and_here, target, state, tmp_path, epsilon
):
    there, here = there_and_here
    id = "degenerate.epsilon[1e-5-infer-rank4-last]"
    floored = replace(here, rows={**here.rows, id: {"id": id, "verdict": "conforms", "variant": "floored"}})
    arrays = dict(np.load(state))
    arrays = {name: array * 1e-6 if name.endswith(".v") else array for name, array in arrays.items()}
    np.savez(state, **arrays)
    done = convert(
        porting(there, floored, epsilon=epsilon), target("There"), target("Here"), state, tmp_path / "out.npz"
    )
    assert not done.agrees
    assert any("y in inference" in explained.what for check in done.checked for explained in check.explained)


def test_float64_is_run_in_float64(there_and_here, target, tmp_path):
    there, here = there_and_here
    paths = fact(there, "state paths")
    [found] = layers_in(layer(1, 4, "scale", "offset", "count", dtype="float64"), TORCH)[0]
    arrays = converted(found, TORCH, Spelling(paths, {}), {}).arrays
    np.savez(tmp_path / "a.npz", **arrays)
    done = convert(porting(there, here), target("There"), target("Here"), tmp_path / "a.npz", tmp_path / "b.npz")
    assert done.agrees
    with np.load(tmp_path / "b.npz") as after:
        assert after["stats/mean"].dtype == np.float64


def test_more_values_per_channel_than_are_needed_are_not_run(there_and_here, target, state, tmp_path):
    port = porting(*there_and_here, n=10**9)
    done = convert(port, target("There"), target("Here"), state, tmp_path / "out.npz")
    assert done.agrees
    assert f"N = {MOST}" in text(done, port, ("a", "b"))


def test_numbers_that_are_no_numbers_are_converted_and_told(there_and_here, target, state, tmp_path):
    arrays = {**dict(np.load(state)), "last.m": np.full(5, np.nan, "f4"), "last.v": np.full(5, -1, "f4")}
    np.savez(state, **arrays)
    port = porting(*there_and_here)
    done = convert(port, target("There"), target("Here"), state, tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as after:
        assert bits(after["stats/last/mean"]) == bits(arrays["last.m"])
    assert "converted as it is: stats/last/mean, stats/last/var" in text(done, port, ("a", "b"))


def test_names_in_a_file_do_nothing_to_a_terminal(there_and_here, target, tmp_path):
    there, _ = there_and_here
    evil = "a\x1b[31m\nb"
    found, _ = layers_in(layer(1, 3, "scale", "offset", prefix="x."), TORCH)
    arrays = converted(found[0], TORCH, Spelling(fact(there, "state paths"), {}), {}).arrays
    np.savez(tmp_path / "a.npz", **{name.replace("x", evil): a for name, a in arrays.items()}, **{f"{evil}.c": 1})
    port = porting(*there_and_here)
    with pytest.raises(BadState, match="is no part of its state"):
        convert(port, target("There"), target("Here"), tmp_path / "a.npz", tmp_path / "b.npz")
    np.savez(tmp_path / "a.npz", **{name.replace("x", evil): a for name, a in arrays.items()}, **{f"{evil}/c": 1})
    done = convert(port, target("There"), target("Here"), tmp_path / "a.npz", tmp_path / "b.npz")
    for told in (text(done, port, ("a", "b")), markdown(done, port, ("a", "b"))):
        assert all(line.isprintable() for line in told.splitlines())
        assert "\x1b" not in told


@pytest.mark.parametrize("break_it", ["read", "write"])
def test_a_file_that_a_framework_cannot_read_or_write_is_told_and_nothing_is_lost(
    there_and_here, target, state, tmp_path, break_it
):
    junk = tmp_path / "junk.bin"
    junk.write_bytes(b"\xff\xfe")
    output = tmp_path / ("out.npz" if break_it == "read" else "out.h5")
    output.write_text("old")
    path = junk if break_it == "read" else state
    with pytest.raises(BadState, match=r"there 1\.0 cannot read it|here 2\.0 cannot write it"):
        convert(porting(*there_and_here), target("There"), target("Here"), path, output)
    assert output.read_text() == "old"


def test_a_target_that_does_not_tell_how_it_names_its_state_is_refused(there_and_here, target, state, tmp_path):
    there, here = there_and_here
    for odd in (None, {}, {"mean": "*", "variance": "x"}, {"mean": 3}):
        silent = replace(here, info={**here.info, "facts": {**here.info["facts"], "state paths": odd}})
        with pytest.raises(BadState, match=r"here 2\.0 does not tell.*bnspec run"):
            convert(porting(there, silent), target("There"), target("Here"), state, tmp_path / "out.npz")


def test_text_markdown_and_json_tell_the_same(there_and_here, target, state, tmp_path):
    port = porting(*there_and_here)
    done = convert(port, target("There"), target("Here"), state, tmp_path / "out.npz")
    for told in (text(done, port, ("a|b", "c")), markdown(done, port, ("a|b", "c"))):
        for word in ("3 layers", "blocks.0.bn", "neither scale nor offset", "no counterpart, left out"):
            assert word in told
    data = as_json(done)
    assert data["agrees"] is True
    assert data["layers"][0]["arrays"] == [
        "params/stem/bn/gamma", "params/stem/bn/beta", "stats/stem/bn/mean", "stats/stem/bn/var",
    ]  # fmt: skip
    assert data["layers"][0]["dropped"] == ["stem.bn.n"]
