"""What is printed and written: readable in 80 columns, complete as JSON, text and never markup on the page."""

import json

import numpy as np

from bnspec.explain.page import page
from bnspec.explain.records import as_json
from bnspec.explain.text import as_text

START = np.zeros(16), np.ones(16)
HOSTILE = "<script>alert(1)</script>\x1b[31m"


def many(layer, inputs, number=53):
    """Return layers that agree but one."""
    stored = inputs(5).mean(0) * 3 + 9, inputs(6).var(0) * 8
    return [layer(f"block{n}/bn", **({"stored": stored} if n == 7 else {})) for n in range(number)]


def test_text_fits_into_80_columns(explained, layer, inputs):
    name = "a_model/with/a/very/long/name/of/a/layer/batch_normalization"
    found = explained(layer(name, stored=START), *many(layer, inputs), steps=12)
    lines = as_text(found).splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("…") and "batch_normalization " in line for line in lines)


def test_the_cause_comes_first_and_what_to_do_after_it(explained, layer):
    lines = as_text(explained(layer("a", stored=START))).splitlines()
    assert lines[0] == "Functional · keras 3.15.1 on tensorflow, Python 3.11.7"
    assert lines[2].startswith("The cause: The layer a has statistics still at their start")
    assert any(line.startswith("  What to do: ") for line in lines)
    assert lines[-1] == "Nothing was changed: 4 arrays of the model have the bits that they had."


def test_layers_that_agree_are_folded_where_there_are_many(explained, layer, inputs):
    text = as_text(explained(*many(layer, inputs)))
    assert "block7/bn" in text
    assert "block30/bn" not in text
    assert "and 51 more layers; --report FILE.html and --format json have all" in text
    assert "block2/bn" in as_text(explained(layer("block1/bn"), layer("block2/bn")))


def test_an_array_that_was_not_put_back_is_told(explained, layer):
    found = explained(layer(), unchanged={"arrays": 4, "changed": ["bn/gamma"]})
    assert "Not put back: bn/gamma differ from before; please report this." in as_text(found)


def test_json_holds_every_layer_and_only_numbers_that_json_has(explained, layer, inputs):
    never = layer("unused")
    never["calls"] = {"training": [], "inference": []}
    untracked = layer("untracked", infers="batch")
    untracked |= {"state": {}, "after": {}, "after_inference": {}}
    found = explained(layer("stuck", moves=0), never, untracked, *many(layer, inputs, 12))
    record = json.loads(json.dumps(as_json(found), allow_nan=False))
    assert record["format"] == 1
    layers = {one["name"]: one for one in record["layers"]}
    assert len(layers) == 15
    assert layers["stuck"]["steps_to_1_percent"] == "never"
    assert layers["block0/bn"]["steps_to_1_percent"] > 0
    assert layers["unused"]["called"] is False
    assert "mean_distance" not in layers["untracked"]
    assert record["unchanged"] == {"arrays": 4, "changed": []}
    assert [cause["weight"] for cause in record["causes"]] == ["finding"] * 3 + ["note"]


def test_hostile_names_are_text_everywhere(explained, layer):
    found = explained(layer(HOSTILE, stored=START), model=HOSTILE, path=HOSTILE, notes=[HOSTILE])
    html = page(found)
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "\x1b" not in html
    assert "\x1b" not in as_text(found)
    assert "\x1b" not in json.dumps(as_json(found), ensure_ascii=False)


def test_the_page_needs_nothing_else(explained, layer, inputs):
    html = page(explained(*many(layer, inputs)))
    assert "default-src 'none'" in html
    assert "script-src" not in html
    assert "http" not in html.replace("http-equiv", "")
    assert html.count('class="bar') >= 53
    assert len(html) < 200_000


def test_what_frozen_means_in_this_version_is_told_as_measured(explained, layer):
    stays = explained(layer(frozen=True, trains="stored", moves=0), layer("b", frozen=True, trains="stored", moves=0))
    assert (
        "2 layers are frozen (*): they normalise in training, in keras 3.15.1, with the stored statistics"
        in stays.frozen
    )
    assert stays.frozen.endswith("and a step does not move the stored ones.")
    moves = explained(layer(frozen=True), framework="torch", version="2.13.0")
    assert moves.frozen.endswith("in torch 2.13.0, with the batch's statistics, and a step moves the stored ones.")
    assert " ".join(as_text(moves).split()).count(moves.frozen) == 1
    assert explained(layer()).frozen == ""
