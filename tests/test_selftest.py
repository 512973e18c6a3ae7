"""The self-test: what it runs, when a mutant counts as killed, and what it writes."""

from functools import partial

import numpy as np
import pytest

from bnspec import selftest
from bnspec.case import Case, Layer, read, train, write
from bnspec.data import batch, channels, shape
from bnspec.difference import Shown, Trace
from bnspec.memo import Memo, digest
from bnspec.results import Row, Writer, merge
from bnspec.results import read as read_results
from bnspec.runner import judge
from bnspec.selftest import Implementation, NothingSelected, Outcome, SelfTest, implementations, line
from bnspec.spec import AXES, CLAUSES, Dialect
from bnspec.suite import load_cases, select
from bnspec.worker.loop import load_adapter

ALL = implementations()
MUTANTS = [one for one in ALL if one.fault]
CORRECT = [one for one in ALL if not one.fault]
RUN = {"suite": "0.1.0", "date": "2025-11-21", "command": ["bnspec"], "os": "Linux", "cases": 1}


def test_there_are_enough_mutants_and_each_is_told_apart():
    assert len(MUTANTS) >= 60
    assert len({one.fault for one in MUTANTS}) == len(MUTANTS)
    assert len({one.name for one in ALL}) == len(ALL)


@pytest.mark.parametrize("one", MUTANTS, ids=lambda one: one.name)
def test_a_mutant_names_clauses_that_exist(one):
    assert one.clause
    assert set(one.clause) <= {*AXES, *CLAUSES}


def test_every_formulation_is_among_the_correct():
    names = {one.name for one in CORRECT}
    assert {"correct.Correct", "formulations.Welford", "formulations.Pairwise", "formulations.Folded"} <= names


def test_a_part_of_a_name_selects():
    assert [one.name for one in implementations("nomeanterm")] == ["gradients.NoMeanTerm"]
    with pytest.raises(NothingSelected, match="'no such' selects no implementation; names look like"):
        implementations("no such")


# Running


@pytest.fixture(scope="module")
def small() -> SelfTest:
    """The self-test with few cases."""
    cases, _ = select(load_cases(), "stats.stored-variance[rank2 or forward.affine")
    test = SelfTest(cases, Memo(partial(judge, memories={}, hints=False)), {})
    base = next(one for one in ALL if one.name == selftest.BASE)
    test.variants = {row.id: row.variant for row in test.rows(base)}
    return test


def one(name: str) -> Implementation:
    return next(found for found in ALL if found.name == name)


def test_correct_has_no_finding(small):
    outcome = small.outcome(one("correct.Correct"))
    assert (outcome.right, outcome.ids, outcome.findings, outcome.broken) == (True, (), 0, "")


def test_another_dialect_has_no_finding(small):
    assert small.outcome(one("dialects.SampleVariance")).right


def test_a_mutant_is_killed_by_the_clause_that_names_it(small):
    outcome = small.outcome(one("moving.DeviationStored"))
    assert outcome.right
    assert outcome.naming.startswith("stats.stored-variance[")
    assert outcome.findings > 0


def test_a_legitimate_variant_kills_where_it_is_not_that_of_correct(small):
    outcome = small.outcome(one("moving.CorrectedInRank2"))
    assert outcome.naming == "stats.stored-variance[rank2]"
    assert (outcome.named, outcome.findings) == (True, 0)


def test_what_no_case_asks_survives(small):
    outcome = small.outcome(one("state.ScaleNotSaved"))
    assert (outcome.right, outcome.ids) == (False, ())
    assert line(outcome)[2] == "SURVIVES"


def test_an_implementation_that_does_not_load_is_broken(small, tmp_path):
    file = tmp_path / "broken.py"
    file.write_text("import nothing_of_this_name\n\n\nclass Broken:\n    pass\n")
    outcome = small.outcome(Implementation("broken.Broken", f"{file}:Broken", "fault", ("forward.affine",)))
    assert not outcome.right
    assert "does not load" in outcome.broken
    assert "BROKEN" in line(outcome)[2]


# What counts


def judged_as(verdict: str, clause: str = "forward.training", variant: str | None = None) -> Row:
    return Row(f"{clause}[rank2]", verdict, variant=variant)


@pytest.mark.parametrize("verdict", ["violates", "imprecise", "refuses", "inconclusive", "drifts"])
def test_a_finding_kills(verdict):
    assert SelfTest([], Memo(judge), {}).kills(judged_as(verdict))


@pytest.mark.parametrize("verdict", ["conforms", "unsupported", "not-run", "blocked", "error", "crash", "timeout"])
def test_what_tells_nothing_of_the_fault_does_not(verdict):
    assert not SelfTest([], Memo(judge), {}).kills(judged_as(verdict))


def test_a_variant_kills_where_correct_has_another():
    test = SelfTest([], Memo(judge), {"modes.reach[rank2]": "yes"})
    assert test.kills(judged_as("conforms", "modes.reach", "no"))
    assert not test.kills(judged_as("conforms", "modes.reach", "yes"))


def test_killed_only_elsewhere_is_not_right():
    mutant = Implementation("a.B", "a.py:B", "fault", ("forward.affine",))
    outcome = Outcome(mutant, ("stats.initial[rank2]",), named=False, findings=1, seconds=0.0)
    assert not outcome.right
    assert line(outcome)[2] == "NOT NAMED, only stats.initial[rank2]"


def test_a_large_case_is_run_where_it_is_the_question():
    x = np.zeros((selftest.LARGE_BYTES, 3), np.float32)
    case = Case(("precision.bound",), "large", Layer(), (train(x),), "why")
    asks = Implementation("a.B", "a.py:B", "fault", ("precision.bound",))
    other = Implementation("a.C", "a.py:C", "fault", ("forward.affine",))
    assert [one.takes(case) for one in (asks, other)] == [True, False]
    assert one("correct.Correct").takes(case)
    assert one("formulations.Welford").takes(case)
    assert not one("dialects.SampleVariance").takes(case)


# The memo


def stored_variance() -> Case:
    size = shape(2, -1, 3)
    return Case(
        clauses=("stats.closed-form",),
        situation="memo",
        layer=Layer(),
        program=(
            write(mean=channels(3, 1.0), variance=channels(3, 2.0)),
            train(batch(size, -1, seed=1)),
            read("mean", "variance"),
        ),
        why="A step whose expectation depends on the estimator.",
    )


def test_what_was_judged_is_judged_once_per_answer(perform):
    asked: list[Dialect] = []

    def judging(case, trace, dialect):
        asked.append(dialect)
        return judge(case, trace, dialect)

    case, memo = stored_variance(), Memo(judging)
    trace = perform(case, load_adapter(one(selftest.BASE).path))
    first, _ = memo(case, trace, Dialect())
    again, _ = memo(case, trace, Dialect().answering({"modes.reach": "no"}, "call"))
    assert again == first
    assert len(asked) == 1
    other, _ = memo(case, trace, Dialect().answering({"stats.stored-variance": "sample"}, "rank2"))
    assert len(asked) == 2
    assert [row.verdict for row in (*first, *other)] == ["conforms", "violates"]


def test_what_was_learned_is_learned_again(perform):
    [case] = [case for case in load_cases() if case.key == "modes.unstated[rank2]"]
    memo = Memo(judge)
    trace = perform(case, load_adapter(one(selftest.BASE).path))
    learned = [memo(case, trace, Dialect().answering({"modes.reach": reach}, "call"))[1] for reach in ("yes", "no")]
    assert [dialect.variant("modes.unstated", "rank2") for dialect in learned] == ["infer", "infer"]
    assert [dialect.variant("modes.reach", "call") for dialect in learned] == ["yes", "no"]


def test_traces_that_differ_in_a_bit_or_a_type_are_told_apart():
    def shown(array, dtype=None):
        return Trace("ran", (Shown({"y": array}, dtypes={"y": dtype or array.dtype.name}),))

    y = np.ones(3, np.float32)
    nearly = np.nextafter(y, 2, dtype=np.float32)
    seen = [shown(y), shown(nearly), shown(y, "bfloat16"), shown(y.reshape(3, 1)), Trace("crash"), Trace("timeout")]
    assert len({digest(trace) for trace in seen}) == len(seen)
    assert digest(shown(y)) == digest(shown(y.copy()))


# Results


def test_its_records_are_read_back(tmp_path):
    outcomes = [
        Outcome(MUTANTS[0], tuple(f"forward.channels[{n}]" for n in range(30)), named=True, findings=29, seconds=0.5),
        Outcome(CORRECT[0], (), named=False, findings=0, seconds=0.25),
    ]
    path = tmp_path / "selftest.jsonl"
    with Writer(path) as writer:
        writer.write("run", schema=2, **RUN)
        for outcome in outcomes:
            writer.write("implementation", **outcome.as_json())
    results = read_results(path)
    assert results.complete
    assert results.targets == {}
    mutant, correct = results.implementations
    assert (mutant["kind"], mutant["kills"], len(mutant["killed"]), mutant["named"]) == ("mutant", 30, 20, True)
    assert (correct["kind"], correct["fault"], correct["findings"]) == ("correct", "", 0)
    assert merge([results, results]).implementations == (mutant, correct) * 2


def test_results_of_the_first_schema_are_still_read(tmp_path):
    path = tmp_path / "old.jsonl"
    with Writer(path) as writer:
        writer.write("run", schema=1, **RUN)
    assert (read_results(path).run["schema"], read_results(path).implementations) == (1, ())
