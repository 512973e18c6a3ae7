"""Row against row: every kind of change, every weight, and what cannot be compared."""

import pytest

from bnspec.compare import Kind, Weight, compare, sentence
from bnspec.compare.answers import ACCURACY, DECLINES, FOLLOWS, RACE
from bnspec.compare.weights import OF_STATE, PAIRS, WEIGHTS
from bnspec.compare.words import plain_words
from bnspec.identify import identify
from bnspec.spec import AXES, CLAUSES, Dialect

VARIANCE = "stats.stored-variance[rank4-last]"


def test_what_is_the_same_is_counted_and_no_change(both):
    rows = {VARIANCE: "sample", "forward.training[rank2]": {"verdict": "conforms", "ratio": 0.2}}
    found = both(rows, {**rows, "forward.training[rank2]": {"verdict": "conforms", "ratio": 0.9}})
    assert found.same == 2
    assert (found.changes, found.facts, found.incomparable) == ((), (), ())


def test_unsupported_on_both_sides_is_the_same_whatever_the_reason(both, make_row):
    found = both({VARIANCE: make_row("unsupported", message="a")}, {VARIANCE: make_row("unsupported", message="b")})
    assert (found.same, found.changes) == (1, ())


@pytest.mark.parametrize(
    ("identifier", "before", "after", "kind", "weight"),
    [
        (VARIANCE, "sample", "population", Kind.CHANGED, Weight.STATISTICS),
        ("frozen.normalisation[rank2]", "batch", "moving", Kind.CHANGED, Weight.OUTPUT),
        ("frozen.update[rank2]", "updates", "none", Kind.CHANGED, Weight.STATISTICS),
        ("modes.nested[user-model-fit]", "inherits", "inherits-no-update", Kind.CHANGED, Weight.STATISTICS),
        ("modes.nested[user-model-fit]", "inherits", "fixed-infer", Kind.CHANGED, Weight.OUTPUT),
        ("modes.unstated[rank2]", "infer", "raises", Kind.RAISES, Weight.ERRORS),
        ("degenerate.epsilon[0-train-rank2]", "exact", "rejected", Kind.RAISES, Weight.ERRORS),
        ("stats.initial[rank2]", "unset-raises", "zero-one", Kind.WORKS, Weight.ERRORS),
        ("degenerate.empty[mean-rank2]", "nan", "unchanged", Kind.CHANGED, Weight.STATISTICS),
        ("degenerate.empty[gradient-rank2]", "nan", "zeros", Kind.CHANGED, Weight.OUTPUT),
        ("degenerate.constant[one-rank2]", "offset", "noise", Kind.CHANGED, Weight.ROUNDING),
        ("degenerate.constant[one-rank2]", "offset", "nan", Kind.CHANGED, Weight.OUTPUT),
        ("precision.moments[rank2]", "two-pass", "one-pass", Kind.LOOSENED, Weight.ROUNDING),
        ("precision.moments[rank2]", "one-pass", "updating", Kind.TIGHTENED, Weight.ROUNDING),
        ("precision.float64[float64-rank2]", "float32-inside", "float64", Kind.TIGHTENED, Weight.ROUNDING),
    ],
)
def test_a_variant_that_became_another_has_a_kind_and_a_weight(one, identifier, before, after, kind, weight):
    change = one(identifier, before, after)
    assert (change.kind, change.weight) == (kind, weight)
    assert (change.before, change.after, change.ids) == (before, after, (identifier,))


@pytest.mark.parametrize(
    ("identifier", "before", "after", "kind", "weight"),
    [
        ("forward.training[rank2]", "conforms", "violates", Kind.VIOLATES, Weight.OUTPUT),
        ("forward.training[rank2]", "violates", "conforms", Kind.MENDED, Weight.OUTPUT),
        ("forward.training[rank2]", "conforms", "refuses", Kind.RAISES, Weight.ERRORS),
        ("forward.training[rank2]", "refuses", "violates", Kind.VIOLATES, Weight.OUTPUT),
        ("forward.training[rank2]", "refuses", "conforms", Kind.WORKS, Weight.ERRORS),
        ("errors.atomic[rank-rank2]", "conforms", "violates", Kind.VIOLATES, Weight.ERRORS),
        ("stats.closed-form[k3]", "conforms", "violates", Kind.VIOLATES, Weight.STATISTICS),
        ("precision.bound[offset1e3-rank2]", "conforms", "imprecise", Kind.LOOSENED, Weight.ROUNDING),
        ("precision.bound[offset1e3-rank2]", "imprecise", "conforms", Kind.TIGHTENED, Weight.ROUNDING),
        ("forward.affine[neither]", "unsupported", "conforms", Kind.WORKS, Weight.INTERFACE),
        ("forward.affine[neither]", "conforms", "unsupported", Kind.GONE, Weight.ERRORS),
    ],
)
def test_a_verdict_that_became_another_has_a_kind_and_a_weight(one, make_row, identifier, before, after, kind, weight):
    change = one(identifier, *(make_row(word, ratio=2.0, message=word) for word in (before, after)))
    assert (change.kind, change.weight) == (kind, weight)
    assert (change.before, change.after) == (before, after)


def test_what_drifts_from_its_documentation_is_compared_by_its_variant(both, make_row):
    drifts = make_row("drifts", variant="sample", claimed="population")
    found = both({VARIANCE: "sample"}, {VARIANCE: drifts})
    assert (found.same, found.changes) == (1, ())


def test_a_violated_axis_is_compared_as_violated_whatever_variant_is_nearest(one, make_row):
    message = "variance[0] = 1.5; expected 1.25"
    change = one(VARIANCE, "sample", make_row("violates", variant="sample", ratio=138.0, message=message))
    assert (change.kind, change.reason) == (Kind.VIOLATES, message)
    assert change.formula == "worst error 0.10 → 138 times what correct arithmetic may lose"


def test_an_error_much_larger_or_smaller_is_told_though_both_are_imprecise(one, both, make_row):
    identifier = "precision.bound[offset1e3-rank2]"
    near, far = (make_row("imprecise", ratio=ratio) for ratio in (3.0, 3.0 * ACCURACY + 1))
    assert one(identifier, near, far).kind is Kind.LOOSENED
    assert one(identifier, far, near).kind is Kind.TIGHTENED
    for ratio in (3.0 * ACCURACY - 1, 3.0):
        assert both({identifier: near}, {identifier: make_row("imprecise", ratio=ratio)}).same == 1
    infinite = make_row("imprecise", ratio="inf")
    assert both({identifier: infinite}, {identifier: infinite}).same == 1


@pytest.mark.parametrize(
    ("before", "after", "kind", "words"),
    [
        ("conforms", "crash", Kind.RAISES, "right → the process dies"),
        ("refuses", "crash", Kind.CHANGED, "an error → the process dies"),
        ("crash", "refuses", Kind.CHANGED, "the process dies → an error"),
        ("crash", "conforms", Kind.WORKS, "the process dies → right"),
    ],
)
def test_a_process_that_dies_is_an_answer(one, make_row, before, after, kind, words):
    rows = (make_row(word, message="" if word == "conforms" else "signal 8") for word in (before, after))
    change = one("forward.training[rank2]", *rows)
    assert (change.kind, change.weight) == (kind, Weight.ERRORS)
    assert words in plain_words(change)


def test_an_error_that_is_no_number_and_one_where_the_call_raised_are_not_told_as_numbers(one, make_row):
    wrong = make_row("violates", ratio="inf", message="y has shape (0,)")
    assert one("forward.training[rank2]", "conforms", wrong).formula == ""
    raised, wrong = make_row("refuses", message="ValueError"), make_row("violates", ratio=3.5, message="off")
    assert one("forward.training[rank2]", raised, wrong).formula == (
        "worst error 3.5 times what correct arithmetic may lose"
    )


def test_a_race_that_ends_otherwise_is_no_change(one):
    for pair in (("unordered", "summed"), ("reversed", "unordered")):
        change = one("stats.shared-layer[rank2]", *pair)
        assert (change.kind, change.reason) == (Kind.INCOMPARABLE, RACE)
    assert one("stats.shared-layer[rank2]", "unordered", "each-call").kind is Kind.CHANGED


def test_what_becomes_of_the_counter_alone_has_no_formula_of_the_statistics(one):
    pair = ("aliased", "independent")
    assert "100 steps" in one("state.snapshot[rank2]", *pair).formula
    assert one("state.snapshot[counter-rank2]", *pair).formula == ""


@pytest.mark.parametrize("verdict", ["blocked", "inconclusive", "error", "timeout", "not-run"])
def test_a_row_that_says_nothing_is_not_comparable_and_says_whose_it_is(one, make_row, verdict):
    change = one(VARIANCE, "sample", make_row(verdict, message="signal 11"))
    assert change.kind is Kind.INCOMPARABLE
    assert change.reason == f"torch 2.10.0: {verdict}, signal 11"


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        ({"complete": False}, "its run is partial and has no such row"),
        ({"run": {"selection": "frozen"}}, "its run asked only for frozen"),
        ({"run": {"revision": "77aa"}}, "its suite (77aa) does not ask it"),
        ({"run": {"revision": None}}, "its suite (0.1.0) does not ask it"),
    ],
)
def test_a_row_that_is_missing_says_why(make, info, reason):
    found = compare(make({VARIANCE: "sample"}), make({}, name="candidate", **info))
    [change] = found.incomparable
    assert change.reason == f"torch 2.9.1: {reason}"
    assert found.same == 0


def test_what_follows_from_another_answer_is_no_change_of_its_own(one, make_row):
    for begin in FOLLOWS:
        for pair in (("forward", make_row("unsupported", message=f"{begin} …")),):
            assert one("stats.timing[rank2]", *pair).kind is Kind.INCOMPARABLE
            assert one("stats.timing[rank2]", *pair[::-1]).kind is Kind.INCOMPARABLE
    raised = one("degenerate.single-update[rank2]", "not-applicable", "zero")
    assert (raised.kind, raised.reason) == (Kind.INCOMPARABLE, "torch 2.9.1: the call raises")


def test_what_the_suite_says_of_answers_that_follow_is_known(case_of, perform, implementation):
    adapter = implementation("dialects:Untracked")
    [timing] = [row for row in identify(case_of("stats.timing[rank2]"), perform(
        case_of("stats.timing[rank2]"), adapter), Dialect())[0] if row.clause == "stats.uncollected"]  # fmt: skip
    assert timing.verdict == "unsupported"
    assert str(timing.message).startswith(FOLLOWS)


def test_types_that_are_refused_are_an_error_and_not_want_of_words(one, make_row):
    declined = make_row("unsupported", message=f"{DECLINES}float16-pure: TypeError: no")
    raises = one("forward.training[float16-pure-rank2]", make_row(), declined)
    assert (raises.kind, raises.weight, raises.after) == (Kind.RAISES, Weight.ERRORS, "refuses")
    assert one("forward.training[float16-pure-rank2]", declined, make_row()).kind is Kind.WORKS


def test_what_is_new_and_raises_is_not_comparable(one, make_row):
    change = one("masks.statistics[nan-rank2]", make_row("unsupported", message="no mask"), make_row("refuses"))
    assert change.kind is Kind.INCOMPARABLE
    assert change.reason.startswith("torch 2.9.1 has no words for it")


def test_situations_that_changed_alike_are_one_change_and_the_others_are_named(both):
    before = {f"stats.stored-variance[{where}]": "sample" for where in ("rank2", "rank4-last", "rank4-first")}
    after = {identifier: "population" if "rank4" in identifier else "sample" for identifier in before}
    [change] = both(before, after).changes
    assert change.situations == ("rank4-last", "rank4-first")
    assert change.elsewhere == ("rank2",)
    assert "(rank4)" in sentence(change)
    assert sentence(change).startswith("Which estimator of the batch variance v enters the moving variance? v·N/(N−1)")


def test_blocked_rows_are_folded_by_their_reason(both, make_row):
    blocked = make_row("blocked", message="depends on stats.initial[rank2], which was not decided")
    rows = {f"stats.closed-form[k{k}]": make_row() for k in (1, 2, 3)}
    found = both(rows, dict.fromkeys(rows, blocked))
    [change] = found.incomparable
    assert change.situations == ("k1", "k2", "k3")


def test_the_worst_situation_of_a_change_gives_its_reason(both, make_row):
    rows = {f"forward.training[rank{rank}]": make_row() for rank in (2, 3)}
    after = {name: make_row("violates", ratio=3.0 * n, message=f"#{n}") for n, name in enumerate(rows)}
    [change] = both(rows, after).changes
    assert (change.reason, change.formula.partition(" →")[2].split()[0]) == ("#1", "3")


def test_the_heaviest_change_comes_first_then_the_order_of_the_specification(both):
    pairs = {
        "precision.moments[rank2]": ("two-pass", "one-pass"),
        "modes.unstated[rank2]": ("infer", "raises"),
        "frozen.update[rank2]": ("none", "updates"),
        "stats.averaging[rank2]": ("exponential", "debiased"),
        "gradient.statistics[rank2]": ("through", "detached"),
    }
    found = both(*({name: pair[side] for name, pair in pairs.items()} for side in (0, 1)))
    subjects = [change.subject for change in found.changes]
    assert subjects == [
        "gradient.statistics", "stats.averaging", "frozen.update", "modes.unstated", "precision.moments",
    ]  # fmt: skip


def test_only_wanted_ids_are_looked_at(make):
    rows = {VARIANCE: "sample", "frozen.update[rank2]": "none"}
    found = compare(make(rows), make(rows), lambda identifier: identifier == VARIANCE)
    assert found.same == 1


def test_an_axis_that_nobody_knows_is_compared_all_the_same(one):
    change = one("stats.new-axis[rank2]", "a", "b")
    assert (change.kind, change.weight) == (Kind.CHANGED, Weight.OUTPUT)
    assert sentence(change) == "stats.new-axis: a → b"


# The table of weights


def test_every_axis_and_clause_has_a_weight_and_nothing_else_has():
    assert set(WEIGHTS) == {*AXES, *CLAUSES}


def test_every_pair_with_a_weight_of_its_own_is_a_pair_of_variants():
    for (axis, pair), weight in PAIRS.items():
        assert pair <= set(AXES[axis].variants)
        assert len(pair) == 2
        assert weight is not WEIGHTS[axis]


def test_the_situations_that_are_only_stored_exist(ids):
    for axis, begins in OF_STATE.items():
        for begin in begins:
            assert any(identifier.startswith(f"{axis}[{begin}") for identifier in ids), begin


def test_every_axis_of_accuracy_weighs_as_rounding():
    assert {WEIGHTS[axis.id] for axis in AXES.values() if axis.accuracy} == {Weight.ROUNDING}


@pytest.mark.parametrize("weight", Weight)
def test_every_weight_has_a_meaning(weight):
    assert len(weight.meaning) > 20
