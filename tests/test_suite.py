"""The suite: its cases keep their promises, and a selection runs what it needs."""

import ast
from pathlib import Path

import numpy as np
import pytest

from bnspec.case import FLOAT32, Case, Layer, Step, call, read, train
from bnspec.paths import suite_folder
from bnspec.rivals import MARGIN, Prepared, rivals
from bnspec.spec import AXES, Dialect, SuiteError
from bnspec.suite import check, check_complete, load_cases, matcher, select

CASES = load_cases()
AXIS_CASES = [case for case in CASES if case.rivals]
IDS = [identifier for case in CASES for identifier in case.ids]
SAME = 1e-6
"""Rivals this near are one behaviour: a unit of the simulation's float64 is 2e-9 of one of float32."""
COMMITTED = Path(__file__).parent / "ids.txt"


def dialect(**answers: str) -> Dialect:
    """A dialect that gives these answers everywhere: `stats__averaging="debiased"`."""
    named = {axis.replace("__", ".").replace("_", "-"): variant for axis, variant in answers.items()}
    assert all(variant in AXES[axis].variants for axis, variant in named.items())
    return Dialect({(axis, case.where): variant for axis, variant in named.items() for case in CASES})


DIALECTS = {
    "the reference's": Dialect(),
    "momentum of the new, sample variance, batch statistics while frozen": dialect(
        stats__momentum_weight="new",
        stats__stored_variance="sample",
        modes__unstated="train",
        frozen__normalisation="batch",
        frozen__update="updates",
        degenerate__single="raises",
        degenerate__single_update="not-applicable",
    ),
    "corrected twice": dialect(stats__stored_variance="sample-twice", modes__unstated="raises"),
    "debiased": dialect(stats__averaging="debiased"),
    "first batch copied": dialect(stats__averaging="first-batch", stats__initial="zero-zero"),
    "cumulative from nothing": dialect(stats__averaging="cumulative", stats__initial="unset-raises"),
    "one pass, sequential": dialect(precision__moments="one-pass", precision__accumulation="sequential"),
}


@pytest.mark.parametrize("case", AXIS_CASES, ids=lambda case: case.key)
def test_every_axis_case_sets_every_pair_of_rivals_apart(case):
    for axis, margin in rivals(case, Dialect()).margins.items():
        assert margin >= MARGIN, f"{axis}: {margin:.3g}"


@pytest.mark.parametrize("case", [c for c in AXIS_CASES if "precision" not in c.key], ids=lambda case: case.key)
def test_in_other_dialects_rivals_are_as_far_apart_or_the_same_behaviour(case):
    for name, known in DIALECTS.items():
        for axis, margin in rivals(case, known).margins.items():
            assert margin >= MARGIN or margin < SAME, f"{axis} in the dialect {name}: {margin:.3g}"


def test_rivals_that_are_the_same_behaviour_are_not_told_apart():
    """A layer that normalises by its moving statistics in training does so frozen or not."""
    running = dialect(forward__statistics="running")
    close = {axis for case in AXIS_CASES for axis, margin in rivals(case, running).margins.items() if margin < MARGIN}
    assert {"frozen.normalisation", "modes.nested", "gradient.statistics"} <= close


def test_an_id_is_for_ever():
    committed = COMMITTED.read_text("utf-8").split()
    assert len(set(IDS)) == len(IDS)
    every = {identifier for case in load_cases(large=True) for identifier in case.ids}
    lost = sorted(set(committed) - every)
    assert not lost, "an id was removed or renamed; a changed meaning is a new id, the old one stays"
    new = sorted(every - set(committed))
    assert not new, f"append to {COMMITTED.name}: {' '.join(new)}"


def test_every_clause_and_axis_is_asked_by_a_case():
    check_complete(CASES)
    with pytest.raises(SuiteError, match=r"no case asks masks\.statistics$"):
        check_complete(case for case in CASES if "masks.statistics" not in case.clauses)


def test_every_variant_is_some_cases_rival():
    asked = {(axis, variant) for case in AXIS_CASES for rival in case.rivals for axis, variant in rival.items()}
    assert asked == {(axis.id, variant) for axis in AXES.values() for variant in axis.variants}


def test_axis_cases_run_before_the_clauses():
    assert [bool(case.rivals) for case in CASES] == sorted((bool(case.rivals) for case in CASES), reverse=True)


def test_every_rival_answers_with_a_variant_of_the_specification():
    for case in AXIS_CASES:
        assert len({tuple(sorted(rival.items())) for rival in case.rivals}) == len(case.rivals)
        for axis in case.clauses:
            assert {rival.get(axis, AXES[axis].default) for rival in case.rivals} <= set(AXES[axis].variants)
            assert case.without or all(axis in rival for rival in case.rivals)


def test_no_case_names_a_framework():
    names = ("torch", "keras", "tensorflow", "flax", "jax", "onnx", "mxnet", "paddle")
    for path in (suite_folder() / "cases").glob("*.py"):
        assert not [name for name in names if name in path.read_text("utf-8").lower()], path


def test_every_module_of_cases_says_what_it_asks():
    for path in (suite_folder() / "cases").glob("*.py"):
        assert len(ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "") > 200, path


def batches(case):
    """Every batch whose statistics count, as (values per channel, channels)."""
    for step in case.program:
        if step.do in ("train", "call", "fit"):
            x = np.moveaxis(step.arrays["x"], case.layer.axis, -1).astype(np.float64)
            yield x.reshape(-1, x.shape[-1])


SPECIAL = ("degenerate", "precision", "masks", "errors")
"""Families whose data leave the range of the ordinary, for that is what they ask."""

ORDINARY = [case for case in CASES if case.key.partition(".")[0] not in SPECIAL]


@pytest.mark.parametrize("case", ORDINARY, ids=lambda case: case.key)
def test_ordinary_data_are_in_the_range_where_every_formulation_is_accurate(case):
    for rows in batches(case):
        assert 1 < len(rows) <= 4096
        assert (np.abs(rows.mean(axis=0)) <= 1.01 * rows.std(axis=0)).all()


@pytest.mark.parametrize("case", [case for case in CASES if case.exact], ids=lambda case: case.key)
def test_exact_data_have_the_same_moments_in_every_order_of_summation(case):
    random = np.random.default_rng(0)
    seen = 0
    for rows in batches(case):
        count = np.float32(len(rows))
        assert len(rows) & (len(rows) - 1) == 0
        exact = {(rows.mean(axis=0).tobytes(), rows.var(axis=0).tobytes())}
        for _ in range(20):
            x = random.permutation(rows).astype(np.float32)
            mean = np.cumsum(x, axis=0, dtype=np.float32)[-1] / count
            two_pass = np.cumsum((x - mean) ** 2, axis=0, dtype=np.float32)[-1] / count
            one_pass = np.cumsum(x * x, axis=0, dtype=np.float32)[-1] / count - mean * mean
            for variance in (two_pass, one_pass):
                exact.add((mean.astype(np.float64).tobytes(), variance.astype(np.float64).tobytes()))
        assert len(exact) == 1
        seen += 1
    assert seen


def test_every_array_of_a_program_is_contiguous_and_of_the_layers_type():
    for case in CASES:
        kind = case.layer.dtypes["input"].replace("bfloat16", "float32")
        for step in case.program:
            for name, array in step.arrays.items():
                assert array.flags.c_contiguous or array.strides[0] == 0, "or one sample again and again"
                plain = name.rstrip("0123456789")  # of replicas: x0, x1, …
                wanted = ("bool", "float32") if plain == "mask" else (kind if plain in ("x", "dy") else "float32",)
                assert array.dtype.name in wanted, (case.key, name)


def tiny(clause, situation="rank2", **more):
    return Case((clause,), situation, Layer(), (train(np.zeros((2, 3), np.float32)), read()), "why", **more)


TWO = ({"stats.initial": "zero-one"}, {"stats.initial": "zero-zero"})


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        ([tiny("forward.training"), tiny("forward.training")], r"two cases are called forward.training\[rank2\]"),
        ([tiny("forward.trainings")], r"forward.trainings\[rank2\]: spec.py has no clause or axis"),
        ([tiny("stats.initial")], r"stats.initial\[rank2\]: the axis has 0 rivals; expected 2 or more"),
        ([tiny("stats.initial", rivals=TWO[:1])], r"stats.initial\[rank2\]: the axis has 1 rivals"),
        ([tiny("forward.training", rivals=TWO)], r"forward.training\[rank2\]: .* a clause has no rivals"),
        ([tiny("stats.initial", rivals=({"stats.initial": "one"}, *TWO))], "one is no variant of stats.initial"),
        ([tiny("stats.initial", "elsewhere", rivals=TWO)], "asked at its layer's place, here rank2"),
        ([tiny("forward.training", structure="tower")], r"forward.training\[rank2\]: no adapter builds 'tower'"),
        ([Case(("inference.pure",), "x", Layer(), (Step("dance"),), "")], "no adapter can do step 1, 'dance'"),
        ([Case(("inference.pure",), "x", Layer(), (call(np.zeros(3, complex)),), "")], "x of type complex128"),
    ],
)
def test_a_suite_that_breaks_a_rule_is_refused_with_the_name_of_the_case(cases, message):
    with pytest.raises(SuiteError, match=message):
        check(cases)


def test_a_case_that_cannot_tell_its_rivals_apart_is_refused_with_its_name():
    x = np.zeros((2, 3), np.float32)
    rival_answers = tuple({"modes.unstated": variant} for variant in ("infer", "train"))
    case = Case(("modes.unstated",), "rank2", Layer(), (train(x), read("scale")), "shows neither", rival_answers)
    with pytest.raises(SuiteError, match=r"modes.unstated\[rank2\]: two answers .* only 0 allowances apart"):
        Prepared([case]).ahead()


def test_a_layers_types_are_part_of_its_situation():
    mixed = {"input": "float16", "parameters": "float32", "compute": "float16"}
    for dtypes, name in (
        (FLOAT32, "rank2"),
        (mixed, "float16-mixed-rank2"),
        (dict.fromkeys(FLOAT32, "bfloat16"), "bfloat16-pure-rank2"),
        (dict.fromkeys(FLOAT32, "float64"), "float64-rank2"),
    ):
        assert Case(("forward.training",), "any", Layer(dtypes=dtypes), (), "").typed == name


@pytest.mark.parametrize(
    ("expression", "chosen"),
    [
        ("forward", {"forward.training[rank2]", "forward.inference[rank4-last]"}),
        ("forward and rank2", {"forward.training[rank2]"}),
        ("forward and not rank2", {"forward.inference[rank4-last]"}),
        ("not forward", {"stats.initial[rank2]"}),
        ("initial or inference", {"stats.initial[rank2]", "forward.inference[rank4-last]"}),
        ("stats.initial[rank2]", {"stats.initial[rank2]"}),
        ("nothing of the kind", set()),
    ],
)
def test_a_selection_joins_parts_of_ids(expression, chosen):
    ids = ("forward.training[rank2]", "forward.inference[rank4-last]", "stats.initial[rank2]")
    assert {identifier for identifier in ids if matcher(expression)(identifier)} == chosen


def test_a_selection_runs_the_axes_that_it_depends_on_and_reports_them_only_if_selected():
    cases, reported = select(CASES, "stats.closed-form[k3]")
    assert reported == {"stats.closed-form[k3]"}
    assert [case.key for case in cases] == [
        "stats.momentum-weight[rank2]",
        "state.complete[rank2]",
        "precision.accumulation[rank2]",
        "precision.moments[rank2]",
        "precision.centring[rank2]",
        "stats.closed-form[k3]",
    ]


def test_a_selection_follows_the_questions_that_an_answer_leads_to():
    """The output by the moving statistics depends on their update; so does the axis that finds it out."""
    cases, _ = select(CASES, "forward.training[rank2]")
    assert {case.key for case in cases} == {
        "precision.accumulation[rank2]",
        "precision.moments[rank2]",
        "precision.centring[rank2]",
        "forward.training[rank2]",
        "forward.statistics[rank2]",
        "state.complete[rank2]",
        "stats.momentum-weight[rank2]",
    }


def test_no_selection_is_everything():
    cases, reported = select(CASES, None)
    assert cases == list(CASES)
    assert reported == set(IDS)


@pytest.mark.parametrize("identifier", ["modes.toggle[freeze-rank2]", "gradient.training[rank4-last]"])
def test_a_selected_case_has_the_verdict_that_it_has_in_a_whole_run(verdicts, identifier):
    from bnspec.worker.adapters.reference import Reference

    assert verdicts(Reference, identifier)[identifier].verdict == "conforms"
