"""The sections beside the matrix: facts, what is unsupported, the score of the self-test."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from bnspec.columns import Column, columns
from bnspec.history import lineages
from bnspec.report import build
from bnspec.report.facts import FOLDED_CHARACTERS, Fact, FactGroup, fact, fact_groups, facts
from bnspec.report.facts import SHOWN as SHOWN_FACTS
from bnspec.report.score import score
from bnspec.report.unsupported import NO_REASON, SHOWN, Gap, Places, gaps
from bnspec.results import Results

AXIS_ONE = "takes the channel axis 1 only"


def column(name: str, rows: Mapping[str, Mapping[str, Any]] | None = None, **given: Any) -> Column:
    return Column(name, name, "", "", {"facts": given}, {}, rows or {}, complete=True)


def unsupported(*ids: str, reason: str | None = AXIS_ONE) -> Mapping[str, Mapping[str, Any]]:
    return {id: {"id": id, "verdict": "unsupported", "message": reason} for id in ids}


def gaps_of(*shown: Column) -> tuple[Gap, ...]:
    return gaps(shown, lineages(shown))


def test_facts_that_differ_come_first_and_what_most_targets_have_before_what_few_have() -> None:
    shown = [column("a", axis=-1, epsilon=1e-5, momentum=0.1), column("b", epsilon=1e-5, momentum=0.99)]
    lines = facts(shown)
    assert [(line.name, line.differs) for line in lines] == [("momentum", True), ("epsilon", False), ("axis", False)]
    assert lines[2].given == (Fact(("-1",)), None)
    assert fact_groups(shown) == (
        FactGroup("", lines[:1]),
        FactGroup("2 more, alike wherever they exist", lines[1:]),
    )


def test_many_facts_that_differ_are_folded_after_the_first() -> None:
    many = {f"fact {number}": number for number in range(SHOWN_FACTS + 3)}
    groups = fact_groups([column("a", **many), column("b", **dict.fromkeys(many, -1))])
    assert [(group.title, len(group.lines)) for group in groups] == [("", SHOWN_FACTS), ("3 more that differ", 3)]


def test_facts_are_not_folded_away_where_there_are_no_others() -> None:
    one, other = column("a", epsilon=1e-5), column("b", epsilon=1e-5)
    assert [group.title for group in fact_groups([one])] == [""]
    assert [group.title for group in fact_groups([one, other])] == [""]


def test_a_fact_is_text_whatever_its_json_is() -> None:
    assert fact(["gamma", "beta"]).parts == ("gamma", "beta")
    assert fact({"gamma": "ones", "beta": None}).parts == ("gamma: ones", "beta: none")
    assert [fact(value).parts for value in (True, None, 0.99, {"a": [1]}, [])] == [
        ("yes",), ("none",), ("0.99",), ("a: [1]",), ("none",),
    ]  # fmt: skip


def test_long_facts_are_folded() -> None:
    assert fact("x" * (FOLDED_CHARACTERS + 1)).folded
    assert not fact(["gamma", "beta"]).folded


def test_facts_that_are_no_object_make_no_section() -> None:
    odd = replace(column("a"), info={"facts": ["momentum"]})
    assert facts([odd]) == ()


def test_every_reason_is_counted_per_target_the_one_of_most_questions_first() -> None:
    found = gaps_of(
        column("a", unsupported("masks.statistics[rank2]", reason="takes no mask")),
        column("b", unsupported("forward.training[rank4-last]", "stats.initial[rank4-last]")),
    )
    assert [(gap.reason, gap.counts) for gap in found] == [(AXIS_ONE, (0, 2)), ("takes no mask", (1, 0))]


def test_the_questions_of_a_reason_are_told_once_for_targets_with_the_same_ones() -> None:
    ids = ("forward.training[rank3-last]", "stats.initial[rank3-last]", "stats.initial[rank4-last]")
    more = {"forward.training[rank2]": {"verdict": "conforms"}}
    (gap,) = gaps_of(
        column("a", unsupported(*ids)), column("b", {**more, **unsupported(*ids)}), column("c", unsupported(ids[0]))
    )
    initial, training = ("stats.initial", ()), ("forward.training", ("rank3-last",))
    assert gap.places == (Places("a; b", (initial, training)), Places("c", (training,)))


def test_what_has_no_reason_says_so() -> None:
    (gap,) = gaps_of(column("a", unsupported("masks.statistics[rank2]", reason=None)))
    assert gap.reason == NO_REASON


def test_many_reasons_are_folded_after_the_first(sample: Callable[..., Results]) -> None:
    results = sample()
    name, target = next(iter(results.targets.items()))
    odd = {
        id: {**row, "verdict": "unsupported", "message": f"reason {number}"}
        for number, (id, row) in enumerate(list(target.rows.items())[:20])
    }
    page = build([replace(results, targets={name: replace(target, rows={**target.rows, **odd})})], {})
    assert f"{20 + 1 - SHOWN} more reasons" in page


def test_the_score_counts_what_was_killed_and_who_was_accused(selftest: Results) -> None:
    found = score([selftest])
    assert found is not None
    assert found.sentence == (
        "2 of 3 mutants killed, 1 of them by a clause that names the fault; 2 correct implementations, 2 findings."
    )
    assert [mutant.name for mutant in found.survivors] == ["leaks-a-channel"]
    assert [mutant.name for mutant in found.unnamed] == ["rounds-its-state"]
    assert found.accused == (("welford", 2),)


def test_a_perfect_score_is_one_short_sentence(selftest: Results) -> None:
    good = [r for r in selftest.implementations if r["name"] in ("divides-by-one-more", "two-pass")]
    found = score([replace(selftest, implementations=tuple(good))])
    assert found is not None
    assert found.sentence == "1 of 1 mutants killed; 1 correct implementations, no finding."


def test_a_self_test_adds_its_section_and_no_target(sample: Callable[..., Results], selftest: Results) -> None:
    results = sample()
    assert score([results]) is None
    assert [c.name for c in columns([selftest, results])] == [c.name for c in columns([results])]
    page = build([results, selftest], {})
    assert "2 of 3 mutants killed" in page
    assert "leaks-a-channel" in page
    assert "welford is correct, and has 2 findings" in page
    assert 'id="score"' not in build([results], {})


def test_a_self_test_alone_says_its_score_first(selftest: Results) -> None:
    page = build([selftest], {})
    assert '<h1 id="headline">2 of 3 mutants killed' in page
    assert '<table class="matrix">' not in page
    assert 'id="facts"' not in page
    assert 'id="unsupported"' not in page
