"""Identify, then verify: every way that a case can end."""

from dataclasses import replace

import numpy as np
import pytest

import bnspec.rivals
from bnspec.case import Case, Layer, call, read, train, write
from bnspec.difference import Shown, Trace, compare
from bnspec.identify import closest, identify
from bnspec.judge import ahead, verify
from bnspec.rivals import MARGIN, Prepared, distances, in_dialect, rivals
from bnspec.simulate import simulate
from bnspec.spec import Dialect
from bnspec.suite import load_cases

F = np.float32
BASE = Dialect()


def following(case, dialect, **change):
    """The trace of an implementation of a dialect, arrays of some step and name changed: `s2_mean=...`."""
    steps = []
    for number, step in enumerate(simulate(case, dialect)):
        if step.kind == "raises":
            steps.append(Shown(error=("ValueError", "no")))
            continue
        arrays = {name: found.value.astype(F) for name, found in step.values.items()}
        for name in arrays:
            arrays[name] = change.get(f"s{number}_{name}", lambda same: same)(arrays[name])
        steps.append(Shown(arrays))
    return Trace("ran", tuple(steps))


def by_clause(rows):
    return {row.clause: row for row in rows}


@pytest.fixture
def joint(case_of):
    return case_of("stats.averaging[rank2]")


@pytest.fixture
def frozen(case_of):
    return case_of("frozen.update[rank2]")


def test_exactly_one_rival_is_the_answer_with_its_margin(joint):
    for rival in joint.rivals:
        known = BASE.answering(rival, "rank2")
        rows, found = identify(joint, following(joint, known), BASE)
        for row in rows:
            expected = rival.get(row.clause)
            assert (row.verdict, row.variant) == (("conforms", expected) if expected else ("unsupported", None))
            assert row.margin is not None
            assert row.margin >= MARGIN
            if expected:
                assert found.variant(row.clause, "rank2") == expected
        assert not found.undecided


def test_an_answer_for_what_no_other_explains_is_given_only_there(case_of):
    case = case_of("stats.shared-layer[rank2]")
    orders = {name: BASE.answering({"stats.shared-layer": name}, "rank2") for name in ("each-call", "reversed")}
    for name, known in orders.items():
        assert identify(case, following(case, known), BASE)[0][0].variant == name
    steps = [following(case, known).steps for known in orders.values()]
    mixed = Trace("ran", tuple(steps[number % 6 < 3][number] for number in range(len(case.program))))
    [row], _ = identify(case, mixed, BASE)
    assert (row.verdict, row.variant, row.margin is not None) == ("conforms", "unordered", True)


def test_what_is_told_apart_from_nothing_that_fits_is_answered_by_the_first_of_it(case_of):
    """A layer in a plain list that cannot be called, where a call without a mode raises too: either will do."""
    case = case_of("modes.reach[call]")
    raising = BASE.answering({"modes.unstated": "raises"}, "rank2")
    shown = following(case, raising.answering({"modes.reach": "raises"}, "call"))
    [row], found = identify(case, shown, raising)
    assert row.verdict == "unsupported"
    assert found.variant("modes.reach", "call") == "no"


def test_rivals_that_are_too_much_alike_are_not_asked():
    rival_answers = tuple({"modes.unstated": variant} for variant in ("infer", "train"))
    x = np.array([[1.0, -1.0, 2.0], [-1.0, 1.0, -2.0]], F)
    case = Case(("modes.unstated",), "rank2", Layer(), (train(x), read("scale")), "shows neither", rival_answers)
    [row], found = identify(case, following(case, BASE), BASE)
    assert row.verdict == "unsupported"
    assert row.message == "in the dialect of this layer infer and train are too much alike to be told apart"
    assert not found.undecided
    close = write(mean=[1e-9, 0.0, 0.0], variance=[1.0, 1.0, 4.0])
    near = replace(case, program=(close, call(x)))
    assert 0 < rivals(near, BASE).margins["modes.unstated"] < MARGIN
    assert identify(near, following(near, BASE), BASE)[0][0].verdict == "unsupported"


def test_a_fault_in_one_axis_leaves_the_others_decided(joint):
    def scaled(variance):
        return variance * F(1.25)

    wrong = {f"s{number}_variance": scaled for number in (3, 5, 7)}
    rows, found = identify(joint, following(joint, BASE, **wrong), BASE)
    named = by_clause(rows)
    assert named["stats.stored-variance"].verdict == "violates"
    assert "no variant fits; the nearest" in named["stats.stored-variance"].message
    for axis in ("stats.averaging", "stats.momentum-weight", "stats.initial"):
        assert named[axis].verdict == "conforms"
    assert found.undecided == {("stats.stored-variance", "rank2")}


def test_a_fault_that_no_rival_explains_never_conforms(frozen):
    """Only one rival is left, and it does not fit: its axis is violated, and the answer still counts."""
    rows, found = identify(frozen, following(frozen, BASE, s2_y=lambda y: y + F(1e-3)), BASE)
    named = by_clause(rows)
    assert named["frozen.normalisation"].verdict == "violates"
    assert named["frozen.normalisation"].variant is None
    assert named["frozen.update"].verdict == "conforms"
    assert found.variant("frozen.normalisation", "rank2") == "moving"


def test_a_fault_as_large_as_the_rivals_are_apart_leaves_the_axis_open(frozen):
    rows, found = identify(frozen, following(frozen, BASE, s2_y=lambda y: y + F(3), s4_y=lambda y: y + F(3)), BASE)
    assert by_clause(rows)["frozen.normalisation"].verdict == "violates"
    assert ("frozen.normalisation", "rank2") in found.undecided


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_are_no_answer(frozen, value):
    rows, found = identify(
        frozen, following(frozen, BASE, s2_y=lambda y: y * F(value), s4_y=lambda y: y * F(value)), BASE
    )
    assert by_clause(rows)["frozen.normalisation"].verdict == "violates"
    assert ("frozen.normalisation", "rank2") in found.undecided


def test_a_wrong_dtype_violates_and_decides_the_same(frozen):
    rows, found = identify(frozen, following(frozen, BASE, s2_y=lambda y: y.astype(np.float64)), BASE)
    named = by_clause(rows)
    assert "dtype float64" in named["frozen.normalisation"].message
    assert named["frozen.update"].verdict == "conforms"
    assert found.variant("frozen.normalisation", "rank2") == "moving"


@pytest.mark.parametrize(("axis", "left"), [("stats.no-gradient", True), ("forward.statistics", False)])
def test_an_error_where_no_variant_raises_is_a_refusal(case_of, axis, left):
    """What it leaves open is open, but for an axis beside which a clause names the fault."""
    case = case_of(f"{axis}[rank2]")
    trace = Trace("ran", tuple(Shown(error=("RuntimeError", "no kernel")) for _ in case.program))
    [row], found = identify(case, trace, BASE)
    assert row.verdict == "refuses"
    assert "RuntimeError: no kernel" in row.message
    assert found.undecided == ({(axis, "rank2")} if left else set())


def test_a_refusal_names_the_error_that_it_may_follow_from(case_of):
    case = case_of("frozen.timing[freeze-after-fit]")
    raising = following(case, BASE.answering({"frozen.timing": "raises"}, case.situation)).steps
    gone = Shown(error=("TypeError", "no state"))
    [row], _ = identify(case, Trace("ran", (*raising[:6], gone, *raising[7:])), BASE)
    assert row.verdict == "refuses"
    assert row.message == (
        "step 7 (get_state): raised TypeError: no state. Before it step 6 (fit) raised ValueError: no"
    )


def test_an_error_outweighs_numbers_when_the_nearest_is_sought(case_of):
    case = case_of("modes.unstated[rank2]")
    wrong = following(case, BASE.answering({"modes.unstated": "train"}, "rank2"), s1_y=lambda y: y * F(1.01))
    [row], found = identify(case, wrong, BASE)
    assert row.verdict == "violates"
    assert found.variant("modes.unstated", "rank2") == "train"


def test_unsupported_leaves_the_axis_at_its_default(joint):
    rows, found = identify(joint, Trace("unsupported", reason="no such rank"), BASE)
    assert {row.verdict for row in rows} == {"unsupported"}
    assert found == BASE


@pytest.mark.parametrize("status", ["crash", "timeout", "error", "not-run"])
def test_an_axis_case_that_gave_nothing_leaves_its_axes_undecided(joint, status):
    rows, found = identify(joint, Trace(status, reason="why"), BASE)
    assert {(row.verdict, row.message) for row in rows} == {(status, "why")}
    assert found.undecided == {(axis, "rank2") for axis in joint.clauses}


@pytest.mark.parametrize("status", ["unsupported", "crash", "timeout", "error", "not-run"])
def test_a_clause_that_gave_nothing_never_conforms(case_of, status):
    [row] = verify(case_of("forward.training[rank2]"), Trace(status, reason="why"), BASE)
    assert (row.verdict, row.message) == (status, "why")


def test_what_depends_on_an_undecided_axis_is_blocked_and_the_rest_is_not(case_of):
    known = BASE.not_deciding(["stats.averaging"], "rank2")
    blocked, judged = case_of("stats.closed-form[k1]"), case_of("forward.training[rank2]")
    [row] = verify(blocked, following(blocked, BASE), known)
    assert row.verdict == "blocked"
    assert row.message == "depends on stats.averaging[rank2], which was not decided"
    [row] = verify(judged, following(judged, BASE), known)
    assert row.verdict == "conforms"


def test_a_rival_that_cannot_be_computed_does_not_hide_one_that_fits(case_of):
    case = case_of("forward.statistics[rank2]")
    known = BASE.not_deciding(["stats.averaging"], "rank2")
    [row], _ = identify(case, following(case, BASE), known)
    assert (row.verdict, row.variant, row.margin) == ("conforms", "batch", None)
    [row], found = identify(case, following(case, BASE, s2_y=lambda y: y + F(1)), known)
    assert row.verdict == "blocked"
    assert found.variant("forward.statistics", "rank2") == "batch", "assumed, for a clause beside it names the fault"
    assert ("forward.statistics", "rank2") not in found.answers


def test_a_clause_says_the_ratio_and_the_worst_number(case_of):
    case = case_of("forward.training[rank2]")
    [row] = verify(case, following(case, BASE), BASE)
    assert row.verdict == "conforms"
    assert 0 <= row.ratio < 1

    def moved(y):
        y[3, 1] += F(0.5)
        return y

    [row] = verify(case, following(case, BASE, s1_y=moved), BASE)
    assert (row.verdict, row.index) == ("violates", (3, 1))
    assert row.ratio > 1e4
    assert row.message.startswith("step 2 (train): y[3, 1] = ")
    assert "2.y" in row.arrays


@pytest.mark.parametrize("id", ["forward.training[rank2]", "precision.bound[offset1e2-rank2]"])
def test_what_was_simulated_ahead_is_all_that_judging_a_clause_needs(case_of, id):
    case, memory = case_of(id), {}
    trace = following(case, BASE)
    ahead(case, BASE, memory)
    known = set(memory)
    assert verify(case, trace, BASE, memory) == verify(case, trace, BASE)
    assert set(memory) == known


def test_what_depends_on_an_undecided_axis_is_left_to_the_judge(case_of):
    case, memory = case_of("stats.closed-form[k1]"), {}
    left = BASE.not_deciding(["stats.averaging"], case.where)
    ahead(case, left, memory)
    [row] = verify(case, following(case, BASE), left, memory)
    assert row.verdict == "blocked"


def test_a_clause_of_which_nothing_is_decided_is_inconclusive():
    """ε = 0 and no spread: the reference itself divides 0 by 0."""
    case = Case(
        ("forward.training",),
        "rank2",
        Layer(epsilon=0.0),
        (train(np.full((4, 3), 2.0, F)),),
        "a constant channel",
    )
    for value in (0.0, np.nan, 1e30):
        trace = Trace("ran", (Shown({"y": np.full((4, 3), value, F)}),))
        [row] = verify(case, trace, BASE)
        assert row.verdict == "inconclusive"


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"stats.averaging": "debiased"}, "It fits with stats.averaging = debiased"),
        ({"stats.stored-variance": "sample"}, "It fits with stats.stored-variance = sample"),
    ],
)
def test_a_violation_names_the_variant_that_would_have_fitted(case_of, change, hint):
    case = case_of("stats.closed-form[k3]")
    [row] = verify(case, following(case, BASE.answering(change, "rank2")), BASE)
    assert row.verdict == "violates"
    assert hint in row.message


def test_a_hint_is_sought_past_what_cannot_be_computed(case_of):
    """Trying a variant may ask an axis that is undecided; that is no answer, and no failure."""
    case = case_of("forward.training[rank2]")
    known = BASE.not_deciding(["stats.averaging"], "rank2")
    [row] = verify(case, following(case, BASE, s1_y=lambda y: y * F(1.1)), known)
    assert row.verdict == "violates"
    assert "It fits" not in row.message


def test_distances_are_in_allowances_and_facts_are_infinitely_far(case_of):
    case = case_of("modes.unstated[rank2]")
    apart = distances(rivals(case, BASE).expected)
    assert (apart == apart.T).all()
    assert (np.diag(apart) == 0).all()
    train_, infer_, raises = range(3)
    assert np.isfinite(apart[train_, infer_])
    assert apart[train_, raises] == apart[infer_, raises] == np.inf


def test_any_values_are_no_distance_from_certain_ones():
    """A rival that predicts nothing must not count as told apart from one that does."""
    x = np.array([[1.0, -1.0, 2.0], [-1.0, 1.0, -2.0]], F)
    free, certain = (
        simulate(Case(("forward.inference",), "rank2", Layer(), (call(x),), "w"), BASE.answering(
            {"stats.initial": initial}, "rank2"))
        for initial in ("unset-garbage", "zero-one")
    )  # fmt: skip
    assert distances([free, certain]).max() == 0


def test_closest_are_those_that_no_other_explains_better(case_of):
    case = case_of("frozen.update[rank2]")
    candidates = rivals(case, BASE)
    wrong = following(case, BASE, s2_y=lambda y: y + F(1e-3), s4_y=lambda y: y + F(1e-3))
    compared = [compare(case, wrong, expected) for expected in candidates.expected]
    assert {tuple(candidates.answers[i].values()) for i in closest(compared)} == {
        ("moving", "none"),
        ("batch", "none"),
    }


def test_what_was_written_is_read_back_bit_for_bit():
    case = Case(("stats.closed-form",), "rank2", Layer(), (write(mean=[1, 2, 3], variance=[1, 1, 1]), read()), "w")
    [row] = verify(case, following(case, BASE), BASE)
    assert (row.verdict, row.ratio) == ("conforms", 0)
    [row] = verify(case, following(case, BASE, s1_mean=lambda mean: np.nextafter(mean, F(9))), BASE)
    assert (row.verdict, row.ratio) == ("violates", np.inf)


@pytest.mark.parametrize("together", [1, 1000])
def test_rivals_are_as_far_apart_however_many_numbers_are_compared_at_once(case_of, monkeypatch, together):
    expected = rivals(case_of("stats.averaging[rank2]"), BASE).expected
    at_once = distances(expected)
    monkeypatch.setattr(bnspec.rivals, "TOGETHER", together)
    assert np.array_equal(distances(expected), at_once)
    assert len(set(at_once.ravel())) > 10


def test_rivals_are_simulated_ahead_until_it_is_enough_and_afterwards_when_they_are_asked_for():
    cases = [case for case in load_cases() if case.clauses == ("stats.timing", "stats.uncollected")]
    ahead = Prepared(cases)
    ahead.ahead(lambda: len(ahead.found) == 2)
    assert list(ahead.found) == [case.key for case in cases[:2]]
    late = ahead.get(cases[-1].key)
    assert late is not None
    assert late is ahead.get(cases[-1].key)
    assert list(ahead.found) == [cases[0].key, cases[1].key, cases[-1].key]
    assert ahead.get("forward.training[rank2]") is None


def test_what_is_the_same_in_every_dialect_is_not_simulated_again():
    """An update enters what a call without a mode shows, so its rivals wait for the statistics of the layer."""
    cases = {case.key: case for case in load_cases() if case.rivals and case.where in ("rank2", "rank4-axis2")}
    ahead = Prepared(cases.values())
    joint = ("stats.momentum-weight[rank2]", "stats.momentum-weight[rank4-axis2]")
    waiting = ("modes.unstated[rank2]", "frozen.normalisation[rank2]", "state.complete[rank2]")
    assert all(in_dialect(cases[key], BASE, ahead) is ahead.get(key) for key in joint)
    assert not any(in_dialect(cases[key], BASE, ahead) is ahead.get(key) for key in waiting)
