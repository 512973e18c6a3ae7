"""Only what my layers use: chosen by the cases themselves."""

import pytest

from bnspec.case import types
from bnspec.compare.narrow import FREEZING, OF_TRAINING, TRAINER, Narrowing, wanted
from bnspec.spec import AXES, CLAUSES
from bnspec.suite import load_cases

CASES = {identifier: case for case in load_cases() for identifier in case.ids}


def kept(choice, *sides):
    """Return the ids that a choice keeps."""
    keep = wanted(choice, sides)
    assert keep
    return {identifier for identifier in CASES if keep(identifier)}


def test_nothing_chosen_is_everything():
    assert wanted(Narrowing(), []) is None


def test_what_the_suite_does_not_know_is_kept():
    keep = wanted(Narrowing(ranks=(4,)), [])
    assert keep
    assert keep("stats.of-the-future[rank2]")


@pytest.mark.parametrize("rank", [2, 3, 4, 5])
def test_a_rank_drops_the_bare_layers_of_other_ranks_that_are_asked_by_place(rank):
    left = kept(Narrowing(ranks=(rank,)))
    for identifier, case in CASES.items():
        placed = case.situation.endswith(case.where)
        if case.layer.rank == rank:
            assert identifier in left
        elif placed and case.structure == "bare":
            assert identifier not in left
        elif not placed:
            assert identifier in left


def test_a_question_that_is_asked_of_one_rank_for_all_is_kept():
    left = kept(Narrowing(ranks=(4,)))
    assert {"modes.nested[user-model-fit]", "frozen.timing[freeze-after-fit]", "stats.closed-form[k200]"} <= left
    assert {"state.round-trip[model-rank2]", "modes.toggle[nested-model]", "forward.affine[neither]"} <= left
    assert not {"stats.stored-variance[rank2]", "frozen.update[rank2]", "stats.averaging[rank5-axis2]"} & left


def test_several_ranks_add_up():
    assert kept(Narrowing(ranks=(2, 4))) == kept(Narrowing(ranks=(2,))) | kept(Narrowing(ranks=(4,)))


def test_a_channel_position_drops_the_other_one():
    left = kept(Narrowing(channels="last"))
    assert {"stats.stored-variance[rank4-last]", "stats.stored-variance[rank2]"} <= left
    assert not {"stats.stored-variance[rank4-first]", "stats.stored-variance[rank5-axis2]"} & left


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_a_type_drops_other_types_and_keeps_what_is_asked_of_float32_for_all(dtype):
    left = kept(Narrowing(dtypes=(dtype,)))
    for identifier in left:
        assert CASES[identifier].layer.dtypes["input"] in (dtype, "float32")
    assert {"modes.nested[user-model-fit]", "frozen.update[rank2]", "stats.momentum-weight[rank4-last]"} <= left
    assert "stats.stored-variance[rank2]" not in left
    assert {identifier for identifier, case in CASES.items() if case.layer.dtypes["input"] == dtype} <= left


def test_float32_keeps_only_float32():
    left = kept(Narrowing(dtypes=("float32",)))
    assert left == {identifier for identifier, case in CASES.items() if not types(case.layer.dtypes)}


def test_a_type_can_be_mixed_or_pure_alone():
    left = kept(Narrowing(dtypes=("bfloat16-mixed",)))
    assert "stats.stored-variance[bfloat16-mixed-rank2]" in left
    assert "stats.stored-variance[bfloat16-pure-rank2]" not in left


def test_without_masks_no_case_gives_one():
    left = kept(Narrowing(masks=False))
    assert not any("mask" in step.arrays for identifier in left for step in CASES[identifier].program)
    assert "masks.statistics[nan-rank2]" not in left
    assert "stats.stored-variance[rank2]" in left


def test_without_a_trainer_no_case_uses_one():
    left = kept(Narrowing(trainer=False))
    assert not any(step.do in TRAINER for identifier in left for step in CASES[identifier].program)
    assert {"modes.nested[user-model-call]", "frozen.timing[constructor-call]"} <= left


def test_layers_that_are_never_frozen_drop_every_freezing():
    left = kept(Narrowing(frozen=False))
    for identifier in left:
        case = CASES[identifier]
        assert not case.layer.frozen
        assert not any(step.do in FREEZING for step in case.program)
    assert "stats.stored-variance[rank2]" in left


def test_frozen_layers_drop_the_questions_of_training_unless_a_side_trains_them(make):
    still = make({"frozen.normalisation[rank2]": "moving", "frozen.update[rank2]": "none"})
    moves = make({"frozen.normalisation[rank2]": "moving", "frozen.update[rank2]": "updates"})
    left = kept(Narrowing(frozen=True), still, still)
    assert {"frozen.update[rank2]", "modes.toggle[freeze-rank2]", "training.parameters[frozen-fit]"} <= left
    assert {"forward.inference[rank2]", "gradient.inference[rank2]", "state.round-trip[rank2]"} <= left
    assert not {"forward.training[rank2]", "stats.stored-variance[rank2]", "modes.toggle[model]"} & left
    assert kept(Narrowing(frozen=True), still, moves) == set(CASES)


def test_what_is_only_of_training_exists():
    assert set(OF_TRAINING) <= {*AXES, *CLAUSES}


def test_a_choice_says_itself_in_words():
    choice = Narrowing((4,), ("bfloat16",), "last", True, False, False)
    assert str(choice) == "rank 4, bfloat16, channels last, frozen, no masks, no trainer"
    assert str(Narrowing(frozen=False)) == "never frozen"
