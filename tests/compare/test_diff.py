"""The answer of a diff: warnings first, what counts as changed, and its three forms."""

import json
from importlib import resources
from random import Random

import fastjsonschema
import pytest

from bnspec.compare import Weight
from bnspec.compare.data import as_data
from bnspec.compare.diff import NothingToCompare, diff
from bnspec.compare.markdown import as_markdown, escaped
from bnspec.compare.narrow import Narrowing
from bnspec.compare.places import merged
from bnspec.compare.text import WIDTH, as_text
from bnspec.compare.words import summary
from bnspec.report.clean import cleaned
from bnspec.results import VERDICTS
from bnspec.spec import AXES

BEFORE = {
    "stats.stored-variance[rank2]": "population",
    "stats.stored-variance[rank4-last]": "sample",
    "frozen.normalisation[rank2]": "batch",
    "precision.moments[rank2]": "two-pass",
    "degenerate.epsilon[0-train-rank2]": "exact",
}
AFTER = {
    "stats.stored-variance[rank2]": "population",
    "stats.stored-variance[rank4-last]": "population",
    "frozen.normalisation[rank2]": "moving",
    "precision.moments[rank2]": "one-pass",
    "degenerate.epsilon[0-train-rank2]": {
        "verdict": "conforms", "variant": "rejected", "message": "raised ValueError: eps must be positive, but got 0.0",
    },
}  # fmt: skip
HOSTILE = "</script>|`x` [a](https://evil.example) @everyone #1 ![i](www.evil.example) <img>\x1b[31m\u202e"
SCHEMA = json.loads(resources.files("bnspec.compare").joinpath("diff.schema.json").read_text("utf-8"))


@pytest.fixture
def found(make_results):
    """What changed between two targets, with every weight."""

    def compared(before=BEFORE, after=AFTER, base=None, candidate=None, **more):
        facts = [{"state": ["a"], "epsilon": 1e-3, "epsilon 0": told} for told in ("accepted", "ValueError: 0.0")]
        given = [
            make_results(before, **{"facts": facts[0], **(base or {})}),
            make_results(
                after, **{"facts": facts[1], "version": "2.10.0", "name": "new/torch.nn", **(candidate or {})}
            ),
        ]
        return diff([given[0]], [given[1]], **more)

    return compared


def test_it_changed_where_more_than_the_interface_did(found, make_results):
    assert found().changed
    assert not found(
        after=BEFORE, candidate={"facts": {"state": ["b"], "epsilon": 1e-3, "epsilon 0": "accepted"}}
    ).changed
    assert found(after=BEFORE, candidate={"facts": {"state": ["a"], "epsilon": 1e-5, "epsilon 0": "accepted"}}).changed


def test_what_cannot_be_compared_is_no_change(found):
    blocked = {name: {"verdict": "blocked", "message": "depends on …"} for name in BEFORE}
    same = {"facts": {"state": ["a"], "epsilon": 1e-3, "epsilon 0": "accepted"}}
    one = found(after=blocked, candidate=same)
    assert not one.changed
    assert "cannot be compared" in as_text(one)


def test_what_is_allowed_is_no_change_but_is_told(found):
    one = found(allow=["stats.*", "frozen.*", "precision.*", "degenerate.epsilon", "epsilon 0", "errors.atomic"])
    assert not one.changed
    assert one.unused == ("errors.atomic",)
    assert "Allowed" in as_text(one)
    assert len(one.comparisons[0].allowed) == 5


def test_a_choice_of_questions_narrows_it(found):
    one = found(narrowing=Narrowing(ranks=(2,)))
    assert {change.subject for change in one.comparisons[0].comparison.changes} == {
        "frozen.normalisation", "precision.moments", "degenerate.epsilon",
    }  # fmt: skip
    assert as_text(one).startswith("Only what concerns layers that are: rank 2.\n")


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ({"complete": False}, "Mind: The base is partial: torch 2.9.1 has 5 answers; the rest was not run."),
        ({"run": {"selection": "frozen"}}, "Mind: The base answers only what matches “frozen”."),
        ({"run": {"revision": "aa"}}, "Mind: Two revisions of the suite: aa and 3f2a9c1. What both ask is compared; "),
        ({"run": {"cpu": "EPYC"}}, "Mind: Measured on two processors (EPYC, Xeon): rounding may differ by that alone."),
    ],
)
def test_what_to_know_before_believing_it_is_said_first(found, base, words):
    assert " ".join(as_text(found(base=base)).split()).startswith(words)


def test_of_two_revisions_what_only_one_asks_is_counted(found):
    one = found(after={**AFTER, "stats.new[rank2]": "a"}, base={"run": {"revision": "aa"}})
    assert "0 answers are in the base alone, 1 in the candidate alone" in one.warnings[0]
    [untold] = one.comparisons[0].comparison.incomparable
    assert untold.reason == "torch 2.9.1: its suite (aa) does not ask it"


def test_what_else_differs_in_the_environments_is_told(found):
    beside = [
        {"packages": {"numpy": numpy, "rich": numpy, "torch": "1", "tensorflow-cpu": "2.15.0"}}
        for numpy in ("1.26", "2.0")
    ]
    one = found(base={**beside[0], "python": "3.11.7"}, candidate={**beside[1], "python": "3.12.8"})
    assert one.comparisons[0].beside == "python 3.11 → 3.12, numpy 1.26 → 2.0"
    other = found(
        base=beside[0], candidate={**beside[0], "framework": "keras", "packages": {"numpy": "1.26", "torch": "2"}}
    )
    assert other.comparisons[0].beside == "torch 1 → 2"


def test_a_side_that_did_not_run_is_told_and_nothing_is_compared(found):
    with pytest.raises(NothingToCompare, match=r"new/torch\.nn did not run: no wheel"):
        found(candidate={"failed": "no wheel"})


def test_targets_without_a_partner_are_told(make_results):
    base = [make_results(BEFORE, name=name, adapter=adapter) for name, adapter in (("a", "keras"), ("b", "torch.nn"))]
    one = diff(base, [make_results(AFTER, name="c", adapter="torch.nn")])
    assert [column.name for column in one.alone] == ["a"]
    assert "No partner: a; --pair BASE=CANDIDATE names one." in as_text(one)
    with pytest.raises(NothingToCompare, match=r"no target of the base \(a, b\) has a partner .*--pair BASE=CANDIDATE"):
        diff(
            base, [make_results(AFTER, name="c", adapter="flax.linen"), make_results(AFTER, name="d", adapter="numpy")]
        )
    with pytest.raises(NothingToCompare, match="the candidate holds no target; make one with bnspec run"):
        diff(base, [])


# The forms


def test_the_text_is_grouped_by_weight_the_heaviest_first(found):
    text = as_text(found())
    heads = [line for line in text.splitlines() if line.partition(":")[0].lower() in {str(weight) for weight in Weight}]
    assert [head.partition(":")[0].lower() for head in heads] == [
        "output changes", "only moving statistics", "error handling", "rounding",
    ]  # fmt: skip
    assert heads[0].endswith(Weight.OUTPUT.meaning)
    assert "  stats.stored-variance (rank4-last): sample → population\n" in text
    assert "      variance × (N−1)/N: −3.1 % at N = 32, −0.016 % at N = 6,272 (32×14×14)\n" in text
    assert "1 answers are the same" in text
    assert max(map(len, text.splitlines())) <= WIDTH


def test_a_fact_that_says_what_a_question_showed_is_not_told_twice(found):
    text = as_text(found())
    assert text.count("eps must be positive") == 1
    assert summary(found().comparisons[0]).startswith(
        "output changes (1), only moving statistics (1), error handling (2)"
    )
    same = {"facts": {"epsilon 0": "ValueError: eps must be positive, but got -0.5"}}
    told = found(base={"facts": {"epsilon 0": "accepted"}}, candidate=same)
    assert "error handling (1)" in summary(told.comparisons[0])


def test_where_nothing_changed_it_says_so(found):
    same = {"facts": {"state": ["a"], "epsilon": 1e-3, "epsilon 0": "accepted"}}
    assert "nothing changed; 5 answers are the same." in as_text(found(after=BEFORE, candidate=same))
    assert "Behaviour is the same: nothing changed" in as_markdown(found(after=BEFORE, candidate=same))


def test_of_several_pairs_those_that_did_not_change_take_a_line_each(make_results):
    base = [make_results(BEFORE, name=f"{adapter}", adapter=adapter) for adapter in ("a", "b")]
    candidate = [make_results(BEFORE, name="a", adapter="a"), make_results(AFTER, name="b", adapter="b")]
    lines = as_text(diff(base, candidate)).splitlines()
    assert lines[-1] == "a: nothing changed; 5 answers are the same."
    assert lines[1] == "b → b"


def test_the_json_is_of_its_schema_and_holds_every_change(found):
    data = json.loads(json.dumps(as_data(found(allow=["frozen.normalisation", "errors.atomic"]))))
    fastjsonschema.compile(SCHEMA)(data)
    [comparison] = data["comparisons"]
    assert data["changed"] is comparison["changed"] is True
    assert [change["subject"] for change in comparison["allowed"]] == ["frozen.normalisation"]
    [variance] = [change for change in comparison["changes"] if change["subject"] == "stats.stored-variance"]
    assert variance["situations"] == ["rank4-last"]
    assert (variance["before"], variance["after"], variance["weight"]) == (
        "sample",
        "population",
        "only moving statistics",
    )
    assert data["unused_allowances"] == ["errors.atomic"]
    assert set(data["weights"]) == {str(weight) for weight in Weight}


def test_markdown_has_a_table_for_every_weight(found):
    text = as_markdown(found())
    assert text.startswith("## torch 2.9.1 → torch 2.10.0\n")
    assert "**Behaviour changed**" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert all(row.count(" | ") == 2 for row in rows)
    assert any("`stats.stored-variance` (rank4-last) | sample → population<br>" in row for row in rows)


def test_hostile_strings_are_text_in_every_form(make_results):
    row = {"verdict": "violates", "ratio": 3.0, "message": HOSTILE}
    names = {f"forward.training[{HOSTILE}]": row, "forward.training[rank2]": row, "modes.reach[fit]": row}
    fine = {name: {"verdict": "conforms", "ratio": 0.1} for name in names}
    facts = [{"state": ["a"], HOSTILE: HOSTILE}, {"state": [HOSTILE], HOSTILE: "other"}]
    base = make_results(
        fine, name=HOSTILE, version=HOSTILE, facts=facts[0], packages={"numpy": HOSTILE}, complete=False
    )
    new = make_results(
        names, name=HOSTILE, version="2", facts=facts[1], packages={"numpy": "2"}, run={"revision": HOSTILE}
    )
    one = diff([cleaned(base)], [cleaned(new)])
    text, markdown = as_text(one), as_markdown(one)
    for form in (text, markdown):
        assert not {"\x1b", "\u202e"} & set(form)
    for acting in ("<script", "<img", "@everyone", "https://", "](", "www.evil", "`x`"):
        assert acting not in markdown
    unescaped = [line for line in markdown.splitlines() if line.startswith("| ") and line.count(" | ") != 2]
    assert not unescaped
    fastjsonschema.compile(SCHEMA)(as_data(one))


def test_markdown_keeps_plain_words_plain():
    assert (
        escaped("moving_variance of rank4-first: ε = 1e-3, 3 × 4 = 12")
        == "moving_variance of rank4-first: ε = 1e-3, 3 × 4 = 12"
    )
    assert escaped("a | b *c* <d>") == "a &#124; b &#42;c&#42; &#60;d&#62;"


@pytest.mark.parametrize("seed", range(6))
def test_whatever_the_rows_say_every_form_can_be_made(make_results, ids, seed):
    random = Random(seed)

    def row(identifier):
        verdict, axis = random.choice(list(VERDICTS)), AXES.get(identifier.partition("[")[0])
        variant = (
            {"variant": random.choice([*axis.variants, "of a stranger"])} if axis and random.random() < 0.8 else {}
        )
        ratio = {"ratio": random.choice([0.0, 0.5, 12.0, "inf", "nan"])} if random.random() < 0.7 else {}
        return {
            "verdict": verdict,
            "message": random.choice(["", "raised E: 1", "it does not take float16: no"]),
            **variant,
            **ratio,
        }

    def facts():
        values = [0.1, "required", None, True, ["a"], {"a": [1]}, "accepted", "ValueError: 3", "unsupported: no"]
        return {name: random.choice(values) for name in ("momentum", "epsilon", "state", "epsilon 0", "axis")}

    sides = [make_results({name: row(name) for name in ids if random.random() < 0.9}, facts=facts()) for _ in range(2)]
    one = diff(sides[:1], sides[1:], allow=["frozen.*"], narrowing=Narrowing(ranks=(2, 4)))
    fastjsonschema.compile(SCHEMA)(json.loads(json.dumps(as_data(one), allow_nan=False)))
    assert as_text(one).count("\n") > 20
    assert all(line.count(" | ") == 2 for line in as_markdown(one).splitlines() if line.startswith("| "))


# Places


@pytest.mark.parametrize(
    ("some", "told"),
    [
        ("rank4-last rank4-first", ("rank4",)),
        ("rank4-last rank5-first", ("rank4-last, rank5-first",)),
        ("rank4-last float16-pure-rank4-last float16-mixed-rank4-last", ("rank4-last", "float16: rank4-last")),
        ("float16-pure-rank4-last float16-pure-rank4-first float16-pure-rank2", ("float16-pure",)),
        ("rank2 rank4-last rank4-first rank5-first", ("every rank",)),
        ("keep0-rank2", ("keep0: rank2",)),
        ("user-model-fit", ("user-model-fit",)),
    ],
)
def test_places_are_merged_where_they_are_all_there_is(some, told):
    everywhere = (
        "rank2 rank4-last rank4-first rank5-first keep0-rank2 keep0-rank4-last user-model-fit "
        "float16-pure-rank2 float16-pure-rank4-last float16-pure-rank4-first "
        "float16-mixed-rank4-last float16-mixed-rank2"
    )
    assert merged(some.split(), everywhere.split()) == told


def test_many_questions_are_counted():
    some = [f"size{number}-rank2" for number in range(9)]
    assert merged(some, some) == ("size0, size1, size2, size3, 5 more: rank2",)
