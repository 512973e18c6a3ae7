"""`bnspec.porting`: what to write, the state's names, what cannot be matched, from results alone."""

import json
from dataclasses import replace

import pytest

from bnspec.compare import Weight
from bnspec.porting import UnknownNumber, porting
from bnspec.porting.telling import as_json, markdown, told


def with_facts(column, **changed):
    """Return a column with other facts."""
    return replace(column, info={**column.info, "facts": {**column.info["facts"], **changed}})


def with_answers(column, answers):
    """Return a column with other variants, by id."""
    rows = {id: {"id": id, "verdict": "conforms", "variant": variant} for id, variant in answers.items()}
    return replace(column, rows={**column.rows, **rows})


def arguments(found):
    """Return the arguments by what they are: there, here."""
    return {argument.what: (argument.source, argument.target) for argument in found.arguments}


def notes(found):
    """Return the notes of the arguments."""
    return {argument.what: argument.note for argument in found.arguments}


def unmatched(found, subject):
    """Return what cannot be matched of one axis."""
    return [row for row in found.unmatched if row.subject == subject]


# What to write


def test_the_momentum_that_weighs_the_new_becomes_the_one_that_weighs_the_old(there_and_here):
    found = porting(*there_and_here, momentum=0.1)
    assert (found.keep, found.momentum) == (0.9, 0.9)
    assert arguments(found)["momentum"] == ("momentum=0.1", "keep=0.9")
    assert "1 − momentum" in notes(found)["momentum"]


def test_a_momentum_that_weighs_the_same_stays(there_and_here):
    _, here = there_and_here
    found = porting(here, here, momentum=0.3)
    assert (found.keep, found.momentum) == (0.3, 0.3)
    assert "1 − momentum" not in notes(found)["momentum"]


@pytest.mark.parametrize("momentum", [0.0, 0.001, 0.1, 0.3, 0.5, 0.999, 1.0])
def test_a_port_there_and_back_gives_the_numbers_that_it_began_with(there_and_here, momentum):
    there, here = there_and_here
    found = porting(there, here, momentum=momentum, epsilon=1e-7)
    back = porting(here, there, momentum=found.momentum, epsilon=found.epsilon)
    assert (back.momentum, back.epsilon) == (momentum, 1e-7)


def test_numbers_that_nobody_gives_are_the_defaults_of_the_source(there_and_here):
    there, here = there_and_here
    assert (porting(there, here).keep, porting(there, here).epsilon) == (0.9, 1e-5)
    assert (porting(here, there).keep, porting(here, there).epsilon) == (0.99, 1e-3)


def test_a_default_that_differs_must_be_said_and_one_that_is_alike_need_not(there_and_here):
    assert "must be said: the default is 0.99" in notes(porting(*there_and_here))["momentum"]
    assert "must be said" not in notes(porting(*there_and_here, momentum=0.01))["momentum"]


def test_the_code_says_the_arguments_by_the_target_s_names_and_in_the_class_for_the_rank(there_and_here):
    there, here = there_and_here
    assert porting(there, here).code == "here.Norm(keep=0.9, epsilon=1e-05)"
    assert porting(here, there).code == "There2d(width=features, momentum=0.01, eps=0.001)"
    assert porting(here, there, rank=2).code.startswith("There1d(")
    assert porting(here, there, rank=3).code == ""


def test_the_channel_axis_is_said_and_what_to_do_where_it_differs(there_and_here):
    there, here = there_and_here
    assert arguments(porting(there, here))["channel axis"] == ("always 1", "axis=-1")
    assert notes(porting(there, here))["channel axis"].endswith("move them, or write axis=1")
    assert notes(porting(here, there))["channel axis"].endswith("move them")
    assert notes(porting(here, here))["channel axis"] == ""


def test_parameters_and_modes_are_said_in_both_and_what_one_side_cannot_say_is_empty(there_and_here):
    said = arguments(porting(*there_and_here))
    assert said["scale and offset"] == ("affine=True", "scale=True, center=True")
    assert said["an offset alone"] == ("", "scale=False, center=True")
    assert said["training"] == ("layer.train()", "layer(x, True)")


def test_the_state_stands_in_the_target_s_order_and_the_rest_behind_it(there_and_here):
    there, here = there_and_here
    assert [(row.source, row.target, row.place) for row in porting(there, here).state] == [
        ("w", "params/gamma", 1), ("b", "params/beta", 2), ("m", "stats/mean", 3), ("v", "stats/var", 4),
        ("n", None, 0),
    ]  # fmt: skip
    assert [(row.source, row.target) for row in porting(here, there).state][-1] == (None, "n")


# What cannot be matched


def test_what_differs_and_no_argument_mends_is_told_with_its_weight(there_and_here):
    found = porting(*there_and_here)
    weights = {row.subject: row.weight for row in found.unmatched}
    assert weights == {
        "modes.unstated": Weight.OUTPUT,
        "frozen.normalisation": Weight.OUTPUT,
        "stats.averaging": Weight.STATISTICS,
        "stats.stored-variance": Weight.STATISTICS,
        "frozen.update": Weight.STATISTICS,
    }
    order = [list(Weight).index(row.weight) for row in found.unmatched]
    assert order == sorted(order)


@pytest.mark.parametrize(("n", "number"), [(2, "−50 %"), (4, "−25 %"), (32, "−3.1 %"), (1000, "−0.10 %")])
def test_the_difference_of_the_stored_variances_has_the_formula_and_the_number_for_n(there_and_here, n, number):
    [row] = unmatched(porting(*there_and_here, n=n), "stats.stored-variance")
    assert row.became == "sample → population"
    assert row.formula.startswith(f"variance × (N−1)/N: {number} at N = {n:,}")


def test_one_value_per_channel_has_no_sample_variance(there_and_here):
    [row] = unmatched(porting(*there_and_here, n=1), "stats.stored-variance")
    assert "no number at N = 1" in row.formula


def test_a_cumulative_average_that_the_target_does_not_take_is_told_with_its_weights(there_and_here):
    there, here = there_and_here
    [row] = unmatched(porting(there, here), "stats.averaging")
    assert row.became == "cumulative → exponential"
    assert "the last batch 1.0 % → 10 %" in row.formula
    assert not unmatched(porting(here, there), "stats.averaging")


def test_a_target_and_itself_differ_in_nothing(there_and_here):
    there, _ = there_and_here
    found = porting(there, there)
    assert (found.unmatched, found.absent, found.unknown) == ((), (), ())
    assert ("", 2, "nothing: all that was asked has the same answer") in list(told(found))


def test_each_side_is_taken_in_the_layout_that_it_has_by_default(there_and_here):
    there, here = there_and_here
    doubled = with_answers(here, {"frozen.normalisation[rank4-last]": "batch", "frozen.normalisation[rank2]": "batch"})
    [row] = unmatched(porting(there, doubled), "frozen.normalisation")
    assert row.where == "rank4-first"
    assert not unmatched(porting(there, doubled, rank=2), "frozen.normalisation")


def test_a_rank_narrows_what_is_told(there_and_here):
    there, here = there_and_here
    other = with_answers(here, {"precision.centring[rank4-last]": "folded"})
    assert unmatched(porting(there, other), "precision.centring")
    assert unmatched(porting(there, other, rank=4), "precision.centring")
    assert not unmatched(porting(there, other, rank=2), "precision.centring")


@pytest.mark.parametrize(("epsilon", "told_of"), [(1e-3, False), (1.001e-5, False), (1e-5, True), (1e-8, True)])
def test_a_floor_of_epsilon_is_told_for_an_epsilon_below_it(there_and_here, epsilon, told_of):
    there, here = there_and_here
    floored = with_answers(here, {"degenerate.epsilon[1e-5-infer-rank4-last]": "floored"})
    rows = unmatched(porting(there, floored, epsilon=epsilon), "degenerate.epsilon")
    assert bool(rows) is told_of
    assert all("× √((v+ε₀)/(v+ε₁))" in row.formula for row in rows)


def test_an_epsilon_of_zero_that_is_rejected_is_told_for_zero_alone(there_and_here):
    there, here = there_and_here
    zero = "degenerate.epsilon[0-train-rank4-{}]"
    there = with_answers(there, {zero.format("first"): "exact"})
    here = with_answers(here, {zero.format("last"): "rejected", zero.format("first"): "rejected"})
    assert unmatched(porting(there, here, epsilon=0.0), "degenerate.epsilon")
    assert not unmatched(porting(there, here, epsilon=1e-3), "degenerate.epsilon")


def test_a_clause_that_the_target_violates_is_told(there_and_here):
    there, here = there_and_here
    id = "errors.atomic[rank2]"
    there = replace(there, rows={**there.rows, id: {"id": id, "verdict": "conforms"}})
    wrong = replace(here, rows={**here.rows, id: {"id": id, "verdict": "violates", "message": "the mean moved"}})
    [row] = unmatched(porting(there, wrong), "errors.atomic")
    assert row.reason == "the mean moved"


def test_what_only_the_source_has_words_for_is_told_with_the_reason(there_and_here):
    there, here = there_and_here
    id = "modes.override[rank2]"
    can = replace(there, rows={**there.rows, id: {"id": id, "verdict": "conforms", "variant": "kept"}})
    cannot = replace(here, rows={**here.rows, id: {"id": id, "verdict": "unsupported", "message": "no modes to set"}})
    assert [(row.reason, row.subjects) for row in porting(can, cannot).absent] == [
        ("no modes to set", ("modes.override",))
    ]
    assert not porting(cannot, can).absent
    assert not unmatched(porting(cannot, can), "modes.override")


def test_what_was_not_decided_is_not_compared_and_said_so(there_and_here):
    there, here = there_and_here
    id = "frozen.update[rank2]"
    late = replace(here, rows={**here.rows, id: {"id": id, "verdict": "timeout", "message": "no answer in 60 s"}})
    [row] = porting(there, late, rank=2).unknown
    assert row.subjects == ("frozen.update",)
    assert "timeout, no answer in 60 s" in row.reason


def test_a_process_that_dies_is_told_as_what_cannot_be_matched(there_and_here):
    there, here = there_and_here
    id = "frozen.update[rank2]"
    dies = replace(here, rows={**here.rows, id: {"id": id, "verdict": "crash", "message": "killed by SIGSEGV"}})
    [row] = unmatched(porting(there, dies, rank=2), "frozen.update")
    assert row.reason == "killed by SIGSEGV"


# What is not known


def test_a_number_without_a_default_must_be_given(there_and_here):
    there, here = there_and_here
    bare = with_facts(there, epsilon="required")
    with pytest.raises(UnknownNumber, match=r"there 1\.0 has no default for epsilon.*--eps"):
        porting(bare, here)
    assert porting(bare, here, epsilon=1e-4).epsilon == 1e-4


@pytest.mark.parametrize("answers", [{}, {"rank2": "old"}], ids=["nowhere", "two-answers"])
def test_a_momentum_of_which_nobody_knows_what_it_weighs_is_not_translated(there_and_here, answers):
    there, here = there_and_here
    axis = "stats.momentum-weight"
    if not answers:
        there = replace(there, rows={id: row for id, row in there.rows.items() if not id.startswith(axis)})
    there = with_answers(there, {f"{axis}[{where}]": variant for where, variant in answers.items()})
    with pytest.raises(UnknownNumber, match="bnspec run numpy/"):
        porting(there, here)


def test_a_target_that_keeps_no_statistics_has_no_momentum(there_and_here):
    there, here = there_and_here
    none = {"verdict": "unsupported", "message": "it is a function"}
    here = replace(here, rows={id: {"id": id, **none} for id in here.rows})
    with pytest.raises(UnknownNumber, match=r"here 2\.0 has no momentum to port: it is a function"):
        porting(there, here)


@pytest.mark.parametrize("odd", [None, [], "text", 7, {"mean": 3}, {"rank4": []}, {"*": "*"}], ids=str)
def test_facts_of_any_shape_do_no_harm(there_and_here, odd):
    there, here = there_and_here
    names = ("constructor", "argument names", "parameter switches", "mode words", "state paths", "axis", "state dtypes")
    for name in names:
        for found in (porting(there, with_facts(here, **{name: odd})), porting(with_facts(there, **{name: odd}), here)):
            assert found.unmatched
            assert list(told(found))
            assert markdown(found)


def test_a_target_that_does_not_tell_how_it_is_written_is_named(there_and_here):
    there, here = there_and_here
    silent = replace(here, info={**here.info, "facts": {"momentum": 0.9, "epsilon": 1e-3}})
    [row] = porting(there, silent).unknown
    assert "here 2.0 does not tell how it is written" in row.reason
    assert f"bnspec run {here.name}" in row.reason


# How it is told


def test_text_markdown_and_json_tell_the_same(there_and_here):
    found = porting(*there_and_here, n=32)
    text = "\n".join(line for _, _, line in told(found))
    page = markdown(found)
    data = json.loads(json.dumps(as_json(found)))
    for part in (text, page):
        for word in ("keep=0.9", "−3.1 % at N = 32", "no counterpart" if part is text else "`n`", "frozen"):
            assert word in part
    assert data["momentum"] == 0.9
    assert {row["subject"] for row in data["unmatched"]} == {row.subject for row in found.unmatched}
    assert data["state"][-1] == {"part": "count", "source": "n", "target": None, "place": 0}


def test_markdown_takes_nothing_in_the_results_for_markup(there_and_here):
    there, here = there_and_here
    hostile = replace(here, label="<img src=x>|[a](b)")
    page = markdown(porting(there, hostile))
    assert "<img" not in page.replace("\\<img", "")
    assert "|[a]" not in page
