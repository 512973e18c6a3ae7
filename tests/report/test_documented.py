"""What the frameworks document, beside what the targets of a page did."""

import json
import re
from dataclasses import replace

import pytest

from bnspec.claims import claims
from bnspec.columns import columns
from bnspec.history import lineages
from bnspec.report import build
from bnspec.report.documented import documentation
from bnspec.report.model import Cell, Line
from bnspec.results import Results, TargetResults

ADAPTERS = {"torch": "torch.nn", "flax": "flax.linen"}
STORED = "stats.stored-variance"


@pytest.fixture
def documented_results(sample):
    """The made-up results, with adapters that claims know."""
    results = sample()
    targets = {
        name: TargetResults(
            {**target.info, "adapter": ADAPTERS.get(target.info["adapter"], target.info["adapter"])},
            target.rows,
            target.complete,
        )
        for name, target in results.targets.items()
    }
    return replace(results, targets=targets)


def of(results: Results):
    """Return the documentation of some results, and its claims as texts by question."""
    found = columns([results])
    told = documentation(found, lineages(found))

    def said(id: str) -> list[tuple[str, str]]:
        return [(told.claims[number][0].variant, told.claims[number][1]) for number in told.by_id[id].claims]

    return told, said


def test_a_question_has_the_claims_that_cover_it_and_who_documents_nothing(documented_results):
    told, said = of(documented_results)
    assert sorted(said(f"{STORED}[rank4-last]")) == [("population", "keras 3.15.1"), ("sample", "torch 2.13.0")]
    assert set(told.by_id[f"{STORED}[rank4-last]"].silent.split("; ")) == {"numpy 2.3.5", "keras 2.2.4", "flax 0.12.1"}
    assert said("masks.statistics[rank2]") == []
    assert "stats.closed-form[rank2]" not in told.by_id


def test_answers_are_counted_that_are_as_documented_and_that_are_not(documented_results):
    found = columns([documented_results])
    told, _ = of(documented_results)
    without = [replace(column, rows={}) for column in found]
    assert documentation(without, lineages(found)).agreeing == 0
    only = f"{STORED}[rank4-last]"
    narrowed = [replace(column, rows={only: column.rows[only]}) for column in found]
    few = documentation(narrowed, lineages(found))
    assert (few.agreeing, few.differing) == (
        1,
        1,
    )  # torch: sample; this Keras 3 answers sample where it says population
    assert told.agreeing > few.agreeing


def test_a_claim_about_a_target_that_nothing_was_held_to_is_told(documented_results):
    told, _ = of(documented_results)
    assert any(claim.axis == "masks.statistics" for claim in told.unused)
    assert all(claim in claims() for claim in told.unused)
    assert not any(claim.axis == STORED for claim in told.unused)


def test_the_page_has_each_claim_once_and_names_it_by_number(documented_results, cases):
    page = build([documented_results], cases)
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])
    lines = {line[0]: line for line in data["lines"]}
    numbers, silent = lines[f"{STORED}[rank4-last]"][3:]
    words = {variant: (said, who) for variant, said, who in (data["claims"][number] for number in numbers)}
    assert words["sample"][0].startswith("“However, the value stored in the moving average")
    assert words["sample"][0].endswith("(docstring of torch.nn.BatchNorm2d)")
    assert "numpy 2.3.5" in data["texts"][silent]
    assert len(lines["stats.closed-form[rank2]"]) == 3
    assert len(data["claims"]) == len({json.dumps(claim) for claim in data["claims"]})


def test_the_page_tells_without_scripts_what_nothing_was_held_to(documented_results, cases):
    page = build([documented_results], cases)
    section = re.search(r'<section id="documented".*?</section>', page, re.DOTALL)[0]
    assert re.search(r"\d+ answers are as the framework documents them, \d+ are not\.", section)
    assert re.search(r"\d+ claims that nothing was held to", section)
    assert "masks.statistics: excluded" in section


def test_a_page_of_targets_that_document_nothing_has_no_such_section(sample, cases):
    page = build([sample(skip=("py312-keras-3.15.1/keras", "py36-keras-2.2.4/keras"))], cases)
    assert 'id="documented"' not in page
    assert 'href="#documented"' not in page


def test_two_targets_that_answer_alike_do_not_differ_where_one_of_them_documents_something_else():
    drifting, right = Cell("drifts", "sample"), Cell("conforms", "sample")
    assert not Line(f"{STORED}[rank2]", (drifting, right)).disagrees
    assert not Line(f"{STORED}[rank2]", (drifting, right)).folded  # there is something to look at
    assert Line(f"{STORED}[rank2]", (drifting, Cell("conforms", "population"))).disagrees
