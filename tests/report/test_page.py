"""The page as text: what it says first, what it carries, and that nothing in results becomes markup."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnspec.case import Case, fit, like, read, silently, train
from bnspec.columns import columns
from bnspec.report import build
from bnspec.report.clean import cleaned
from bnspec.report.inline import escaped, shown_extra
from bnspec.report.inputs import FULL_PER_CASE, CasePool, exact, rounded, step_words
from bnspec.report.model import matrix
from bnspec.report.words import headline, listed, warnings
from bnspec.results import VERDICTS, Results, TargetResults

HOSTILE = '</script><script>document.title="owned"</script><img src=x onerror=alert(1)>'


def inlined(page: str) -> Any:
    return json.loads(page.partition('id="data">')[2].partition("</script>")[0])


def said(results: list[Results]) -> tuple[str, tuple[str, ...]]:
    every = columns(results)
    return headline(matrix([column for column in every if column.rows]), results), warnings(every, results)


def test_the_headline_names_who_has_findings(sample: Callable[..., Results]) -> None:
    head, warned = said([sample()])
    assert head == "3 of 5 targets have findings: keras 2.2.4 (4), flax 0.12.1 (4) and keras 3.15.1 (1)."
    assert warned == ()


def test_one_target_without_findings_needs_no_look(sample: Callable[..., Results]) -> None:
    results = sample()
    alone = replace(results, targets={"numpy/numpy": results.targets["numpy/numpy"]})
    assert said([alone])[0].startswith("numpy 2.3.5 conforms in ")
    assert said([alone])[0].endswith("; nothing needs a look.")


def test_long_lists_are_counted() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c", "d"]) == "a, b, c and d"
    assert listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


def test_a_run_that_was_cut_off_says_so_first(sample: Callable[..., Results], tmp_path: Path) -> None:
    from bnspec.results import read

    sample()
    whole = (tmp_path / "results.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "part.jsonl").write_text("".join(whole[:400]))
    head, warned = said([read(tmp_path / "part.jsonl")])
    assert head.startswith("Partial run. ")
    assert "has no end" in warned[0]
    assert any("stopped after" in warning for warning in warned[1:])


def test_different_suites_in_one_page_are_told(sample: Callable[..., Results]) -> None:
    old = sample("old.jsonl", skip=("numpy/numpy",), run={"revision": "0000000"})
    new = sample("new.jsonl", skip=tuple(name for name in old.targets))
    warned = said([old, new])[1]
    assert any("Different versions of the suite" in warning and "0000000" in warning for warning in warned)


def test_a_target_that_did_not_start_is_told_and_has_no_column(sample: Callable[..., Results]) -> None:
    results = sample()
    info = {
        "target": "x",
        "environment": "x",
        "adapter": "x",
        "device": "cpu",
        "failed": "no wheel for this Python",
    }
    broken = replace(results, targets={**results.targets, "py36-x": TargetResults(info, {}, True)})
    page = build([broken], {})
    assert "Not run: py36-x: no wheel for this Python" in page
    assert "py36-x" not in page.partition('<table class="matrix">')[2].partition("</thead>")[0]


def test_a_selection_is_told(sample: Callable[..., Results]) -> None:
    assert "“frozen”" in said([sample(run={"selection": "frozen"})])[1][0]


def test_nothing_judged_makes_a_page_that_says_so() -> None:
    run = {"suite": "0.1.0", "date": "today", "command": ["bnspec"], "os": "Linux", "cases": 0}
    assert "Nothing was judged." in build([Results("empty.jsonl", run, {}, True)], {})


def test_the_page_has_every_verdict_in_words_and_all_provenance(
    sample: Callable[..., Results], cases: Mapping[str, Case]
) -> None:
    page = build([sample()], cases)
    for meaning in VERDICTS.values():
        assert meaning.replace("'", "&#39;") in page
    for text in (
        "2025-11-21T08:00:00Z",
        "3f2a9c1",
        "Intel Xeon, 2 cores",
        "package-39 39.0.1",
        "moving_variance",
    ):
        assert text in page


def test_the_page_reaches_for_nothing_outside(sample: Callable[..., Results]) -> None:
    page = build([sample()], {})
    assert not re.search(r"""(src|srcset|action|data|poster)=["']?https?:|<link[^>]+https?:|url\(|@import""", page)
    assert "default-src 'none'" in page


def test_no_text_of_the_results_becomes_markup(sample: Callable[..., Results]) -> None:
    results = hostile(sample())
    page = build([results], {})
    assert "<script>document" not in page
    assert "<img" not in page
    assert page.count("</script>") == 2
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "\x00" not in page
    assert "\u202e" not in page
    page.encode("utf-8")


def hostile(results: Results) -> Results:
    """Return results with hostile text wherever text can be."""
    targets = {}
    for name, target in results.targets.items():
        rows = {
            id: {**row, "message": f"{HOSTILE}\x00\x1b[31m\ud800\u2028<!--", "arrays": {HOSTILE: [HOSTILE]}}
            for id, row in target.rows.items()
        }
        rows["forward.affine[rank2]"] = {"verdict": "unsupported", "message": HOSTILE}
        rows[f"stats.initial[{HOSTILE}&'\"]"] = {"verdict": "violates", "variant": HOSTILE, "ratio": "inf"}
        info = {
            **target.info,
            **dict.fromkeys(("environment", "version", "python", "device"), f"{HOSTILE}\u202e"),
            "packages": {HOSTILE: HOSTILE},
            "facts": {HOSTILE: {HOSTILE: [HOSTILE]}},
        }
        targets[f"{name}{HOSTILE}"] = TargetResults(info, rows, False)
    run = {key: HOSTILE if isinstance(value, str) else value for key, value in results.run.items()}
    implementation = {"name": HOSTILE, "kind": "mutant", "fault": f"{HOSTILE}\u202e", "clause": [HOSTILE], "killed": []}
    return replace(
        results,
        source=HOSTILE,
        run={**run, "command": [HOSTILE]},
        targets=targets,
        complete=False,
        implementations=({**implementation, "kills": 0, "named": False, "findings": 0},),
    )


def test_a_page_of_a_complete_suite_on_every_target_stays_small(
    sample: Callable[..., Results], cases: Mapping[str, Case]
) -> None:
    results = sample()
    targets = {}
    for number in range(3):
        for name, target in results.targets.items():
            twice = {id.replace("]", "-again]"): row for id, row in target.rows.items()}
            rows = {
                id: {**row, "ratio": len(targets) + n / 7}
                for n, (id, row) in enumerate({**target.rows, **twice}.items())
            }
            targets[f"{number}-{name}"] = replace(target, rows=rows)
    made = len(next(iter(targets.values())).rows)
    assert made * len(targets) > 8000
    assert len(build([replace(results, targets=targets)], cases).encode()) < 2_500_000


def test_inlined_json_cannot_end_its_script() -> None:
    text = escaped({"a": "</script><!-- \u2028\u2029 &"})
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == {"a": "</script><!-- \u2028\u2029 &"}


def test_line_ends_stay_and_other_control_characters_go() -> None:
    results = Results("a\nb\tc\x07", {}, {}, True)
    assert cleaned(results).source == "a\nb\tc\N{REPLACEMENT CHARACTER}"


def test_the_data_of_a_page_give_back_every_cell(sample: Callable[..., Results], cases: Mapping[str, Case]) -> None:
    results = sample()
    data = inlined(build([results], cases))
    found = {line[0]: line for line in data["lines"]}
    id = "stats.closed-form[rank4-first]"
    number = [target["name"] for target in data["targets"]].index("py36-keras-2.2.4/keras")
    answer, ratio, message, extra = found[id][2][number]
    row = results.targets["py36-keras-2.2.4/keras"].rows[id]
    assert (data["answers"][answer], ratio) == (["violates", None, None], 140000)
    assert data["texts"][message] == row["message"]
    assert extra == {"index": [0], "arrays": row["arrays"]}
    assert data["targets"][number]["command"] == "bnspec run py36-keras-2.2.4/keras"
    assert data["texts"][data["cases"][found[id][1]][0]] == cases[id].why


def test_a_case_that_the_suite_lacks_has_no_data(sample: Callable[..., Results], cases: Mapping[str, Case]) -> None:
    data = inlined(build([sample()], cases))
    numbers = {id: number for id, number, *_ in data["lines"]}
    assert numbers["gradient.inference[rank2]"] is None
    assert numbers["gradient.training[rank2]"] is not None


def test_small_inputs_are_given_exactly_and_large_ones_described(cases: Mapping[str, Case]) -> None:
    pool = CasePool()
    pool.number(cases["stats.initial[rank2]"])
    small, large = pool.arrays.values
    assert np.array_equal(
        np.asarray(small["values"], np.float32), np.arange(6, dtype=np.float32).reshape(2, 3) / np.float32(10)
    )
    assert large == {"shape": (256, 3), "dtype": "float32", "summary": "0 … 0, mean 0, standard deviation 0"}


def test_a_long_program_is_described_after_its_first_inputs(cases: Mapping[str, Case]) -> None:
    case = cases["stats.initial[rank2]"]
    steps = tuple(replace(case.program[0], arrays={"x": np.full((8, 8), k, np.float32)}) for k in range(40))
    pool = CasePool()
    pool.number(replace(case, program=steps, rivals=()))
    assert sum("values" in array for array in pool.arrays.values) == FULL_PER_CASE // 64


def test_a_page_that_has_no_room_left_describes_inputs(cases: Mapping[str, Case]) -> None:
    pool = CasePool(left=5)
    pool.number(cases["stats.initial[rank2]"])
    assert not any("values" in array for array in pool.arrays.values)


def test_a_case_that_several_clauses_share_is_carried_once(cases: Mapping[str, Case]) -> None:
    pool = CasePool()
    assert pool.number(cases["stats.initial[rank2]"]) == pool.number(cases["stats.initial[rank2]"])
    assert len(pool.cases.values) == 1


def test_a_mask_is_given_as_it_is_and_a_large_one_counted(cases: Mapping[str, Case]) -> None:
    case = cases["stats.initial[rank2]"]
    steps = tuple(train(np.zeros((n, 3), np.float32), np.arange(n) % 2 == 0) for n in (4, 200))
    pool = CasePool()
    pool.number(replace(case, program=steps, rivals=()))
    masks = [array for array in pool.arrays.values if array["dtype"] == "bool"]
    assert masks[0]["values"] == [True, False, True, False]
    assert masks[1]["summary"] == "100 of 200 are true"


def test_a_step_says_what_of_it_is_judged() -> None:
    assert step_words(silently(train(np.zeros((2, 3))))) == {"judged": "nothing"}
    assert step_words(read("mean", "variance")) == {"judged": "mean, variance"}
    assert step_words(like(1, fit(np.zeros((2, 3)), np.zeros((2, 3)), steps=3)))["must equal"] == "step 2"


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_exact_numbers_read_back_as_the_same(dtype: type) -> None:
    numbers = np.random.default_rng(0).standard_normal(20).astype(dtype)
    assert np.array_equal(np.asarray(exact(numbers), dtype=dtype), numbers)
    assert exact(np.asarray([np.nan, np.inf, -np.inf], dtype=dtype)) == ["nan", "inf", "-inf"]


def test_numbers_are_short_and_infinities_stay_words() -> None:
    assert [rounded(number) for number in (0.123456, 1292.4, "inf", None)] == [0.12, 1300, "inf", None]
    assert [rounded(number) for number in (float("inf"), float("nan"))] == ["inf", "nan"]


def test_arrays_beyond_the_budget_are_left_out_and_told() -> None:
    row = {"index": [1], "arrays": {"1.y": [1.0] * 50}}
    assert shown_extra(row, 10_000)[0] == row
    assert shown_extra(row, 10) == ({"index": [1], "arrays": None}, 0)
