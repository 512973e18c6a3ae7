"""`bnspec show`: what stands behind a name, and one clear line where nothing does."""

import io
import json
import re

import pytest
from rich.console import Console

from bnspec.show import Latest, Page, find_subject, show_axis, show_case, show_clause
from bnspec.spec import AXES, CLAUSES
from bnspec.suite import load_cases

CASE = "stats.stored-variance[rank4-last]"
RUN = {"record": "run", "schema": 1, "suite": "0", "date": "2026-11-20", "command": ["x"], "os": "x", "cases": 1}
ABOUT = {"adapter": "torch.nn", "device": "cpu", "framework": "torch", "version": "2.13.0", "python": "3.11.7"}


@pytest.fixture
def results(tmp_path):
    """Return a results file in which a target has one finding, with text that would act on a terminal."""
    name = "py311-torch-2.13.0/torch.nn"
    target = {"record": "target", "target": name, "environment": "py311-torch-2.13.0", **ABOUT}
    row = {"record": "case", "target": name, "id": CASE, "verdict": "violates", "ratio": 140000.0, "margin": 7845.1}
    records = (
        RUN,
        {**target, "facts": {"momentum": 0.1, "state": ["weight", "bias"]}},
        {**row, "message": "step 4: wrong \x1b[31mred"},
        {"record": "target-end", "target": name, "counts": {"violates": 1}},
        {"record": "footer", "counts": {}},
    )
    path = tmp_path / "results.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return path


def shown(done):
    """Return what a command printed; it succeeded, and said it in plain text."""
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    return done.stdout


def test_an_axis_is_shown_with_its_question_variants_cases_and_margins(bnspec, results):
    output = shown(bnspec("show", "stats.stored-variance", "--results", results))
    assert "Which estimator of the batch variance v enters the moving variance?" in output
    assert re.search(r"^sample-epsilon +v·N/\(N−1−ε\)", output, re.MULTILINE)
    assert re.search(
        r"^stats.stored-variance\[rank4-last\] +\d+ +[\d,]+ +sample-epsilon and sample-epsilon-padded$",
        output,
        re.MULTILINE,
    )
    assert re.search(r"^torch 2.13.0 +violates", output, re.MULTILINE)


def test_a_clause_is_shown_with_its_sentence_cases_and_reasons(bnspec, results):
    output = shown(bnspec("show", "forward.inference", "--results", results))
    assert "In inference, the same formula with the stored mean and variance." in output
    assert "forward.inference[rank4-last]" in output
    assert "one channel has a variance of 0.01, where ε counts" in output
    assert re.search(r"^torch 2.13.0 +not asked", output, re.MULTILINE)


def test_a_case_is_shown_with_its_program_data_rivals_margins_results_and_reproducer(bnspec, results):
    output = shown(bnspec("show", CASE, "--results", results))
    assert "One program asks jointly: stats.momentum-weight, stats.stored-variance" in output
    assert "Two values per channel and ε = 1/64" in output
    assert "epsilon: 0.015625" in output
    assert re.search(r"^ 3  train .*judged: nothing", output, re.MULTILINE)
    assert re.search(r"^ +x: float32 2 × 1 × 1 × 3: \[\[\[\[[-\d., ]+\]\]\]", output, re.MULTILINE)
    assert re.search(r"^Answers that it tells apart: 120", output, re.MULTILINE)
    assert re.search(r"^sample-epsilon +1\.\d+ +[\d,]+ +7,845", output, re.MULTILINE)
    assert re.search(r"^torch 2.13.0 +violates +– +1.4e\+05 +7,845 +step 4: wrong", output, re.MULTILINE)
    assert output.endswith(f"bnspec run py311-torch-2.13.0/torch.nn -k '{CASE}'\n")


def test_large_inputs_are_described(bnspec, results):
    output = shown(bnspec("show", "forward.training[batch256-rank4-last]", "--results", results))
    assert re.search(r"x: float32 256 × .*: \S+ … \S+, mean \S+, standard deviation", output)


def test_a_case_that_nobody_ran_says_so_and_how_to_run_it(bnspec, results):
    output = shown(bnspec("show", "modes.unstated[rank2]", "--results", results))
    assert "Latest results\nnone" in output
    assert output.endswith("bnspec run numpy -k 'modes.unstated[rank2]'\n")


def test_an_environment_is_shown_with_what_is_in_it_what_can_run_and_what_came_out(bnspec, results):
    output = shown(bnspec("show", "torch", "--results", results))
    assert re.search(r"^Python +3\.11", output, re.MULTILINE)
    assert re.search(r"^requirements +torch==2\.13\.0, numpy==", output, re.MULTILINE)
    assert re.search(r"^adapters +torch\.nn", output, re.MULTILINE)
    assert "not made yet" in output, "the cache of this test is empty"
    assert "1 violates" in output
    assert re.search(r"^state +weight; bias", output, re.MULTILINE)
    assert "bnspec run py311-torch-2.13.0/torch.nn\n" in output


def test_requirements_are_an_environment_too(bnspec, results):
    output = shown(bnspec("show", "torch==2.9.1", "--results", results))
    assert "torch==2.9.1, numpy==" in output
    assert "bnspec run py312-torch-2.9.1/torch.nn" in output
    output = shown(bnspec("show", "torch==2.9.0", "--results", results))
    assert "torch==2.9.0, numpy==" in output
    assert "bnspec run torch==2.9.0/torch.nn" in output


def test_a_framework_that_nobody_knows_wants_an_adapter(bnspec, results):
    output = shown(bnspec("show", "left-pad==1.3.0", "--results", results))
    assert "bnspec run left-pad==1.3.0 --adapter FILE.py:Class" in output


def test_without_results_named_those_of_the_checkout_are_shown(bnspec):
    assert "reports/results, 20" in shown(bnspec("show", "stats.initial"))


def test_a_folder_of_results_is_taken_and_one_without_any_is_one_clear_line(bnspec, cannot, results, tmp_path):
    assert "violates" in shown(bnspec("show", CASE, "--results", tmp_path))
    (tmp_path / "empty").mkdir()
    cannot(bnspec("show", CASE, "--results", "empty"), "empty: no *.jsonl there")
    results.write_text("{}", "utf-8")
    cannot(bnspec("show", CASE, "--results", results), "is not a results record")


@pytest.mark.parametrize(
    ("part", "whole"),
    [
        ("momentum-weight", "stats.momentum-weight"),
        ("stored-variance[rank5-axis3", "stats.stored-variance[rank5-axis3]"),
        ("training[batch256-rank4-last", "forward.training[batch256-rank4-last]"),
    ],
)
def test_a_part_of_a_name_is_enough_where_it_fits_one_alone(part, whole):
    assert find_subject(part) == whole


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("stored-varience", "Did you mean replicas.stored-variance or stats.stored-variance?"),
        ("stats.stored-variance[rank7]", "Did you mean stats.stored-variance"),
        ("torhc", "Did you mean torch? Type: bnspec show torch"),
        ("modes.", "is a part of"),
        ("[rank2]", "cases: "),
        ("py311", "environments: py311-"),
        ("", "Type a name such as stats.stored-variance"),
        ("\x1b[31mred", "is no axis, clause, case or environment"),
        ("../../etc/passwd", "is no axis, clause, case or environment"),
    ],
)
def test_a_name_of_nothing_or_of_several_things_is_one_clear_line(bnspec, cannot, name, words):
    cannot(bnspec("show", name), words)


def test_every_axis_clause_and_case_can_be_shown():
    latest = Latest("", ())
    for case in load_cases():
        page = Page(Console(file=io.StringIO(), width=200))
        show_case(page, case.key, latest)
        assert f"-k '{case.key}'" in page.console.file.getvalue()
    for name in (*AXES, *CLAUSES):
        page = Page(Console(file=io.StringIO(), width=200))
        (show_axis if name in AXES else show_clause)(page, name, latest)
        assert "Cases: " in page.console.file.getvalue()
