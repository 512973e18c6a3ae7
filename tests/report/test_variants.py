"""How targets differ: which axes are listed, how situations are merged."""

from collections.abc import Callable, Mapping
from typing import Any

from bnspec.columns import columns
from bnspec.report.variants import Part, VariantsTable, parts, table_of
from bnspec.results import Results


def table(files: list[Results], *, only_differences: bool = True) -> VariantsTable:
    return table_of(columns(files), only_differences=only_differences)


def rows(**variants: str) -> Mapping[str, Mapping[str, Any]]:
    return {
        situation.replace("_", "-"): {"verdict": "conforms", "variant": variant}
        for situation, variant in variants.items()
    }


def test_one_answer_everywhere_names_no_situation() -> None:
    assert parts(rows(rank2="sample", rank4_last="sample")) == (Part("sample", True),)


def test_the_exception_names_its_situations_merged_by_rank() -> None:
    given = rows(rank2="population", rank3_last="population", rank3_first="population", rank4_last="sample")
    assert [str(part) for part in parts(given)] == ["population", "sample (rank4-last)"]
    both = rows(rank2="a", rank3_last="a", rank3_first="a", rank4_first="b", rank4_last="b")
    assert [str(part) for part in parts(both)] == ["a", "b (rank4)"]


def test_a_verdict_stands_where_there_is_no_variant() -> None:
    given = {**rows(rank2="sample"), "rank3": {"verdict": "violates"}, "rank4": {"verdict": "violates"}}
    assert parts(given) == (Part("sample", True), Part("violates", False, ("rank3, rank4",)))


def test_what_a_target_has_no_words_for_is_said_only_where_it_has_no_other_answer() -> None:
    silent = {"rank3": {"verdict": "unsupported"}}
    assert parts({**rows(rank2="sample"), **silent}) == (Part("sample", True),)
    assert parts(silent) == (Part("unsupported", False),)


def test_only_axes_that_differ_are_listed(sample: Callable[..., Results]) -> None:
    found = table([sample()])
    listed = {row.axis for row in found.rows}
    assert {"stats.stored-variance", "stats.momentum-weight", "frozen.normalisation"} <= listed
    assert "gradient.statistics" not in listed
    assert found.targets == ("numpy 2.3.5", "torch 2.13.0", "keras 2.2.4", "keras 3.15.1", "flax 0.12.1")
    variance = next(row for row in found.rows if row.axis == "stats.stored-variance")
    assert [[str(part) for part in given] for given in variance.answers] == [
        ["population"], ["sample"], ["population"], ["population", "sample (rank4)"], ["population"],
    ]  # fmt: skip
    assert variance.odd(range(5)) == {1, 3}
    assert variance.odd([1, 3]) == frozenset()
    assert variance.odd([1, 0, 2]) == {1, 3}


def test_a_target_that_could_not_decide_makes_no_difference(sample: Callable[..., Results]) -> None:
    assert "stats.averaging" not in {row.axis for row in table([sample()]).rows}


def test_every_axis_is_listed_where_that_is_asked(sample: Callable[..., Results]) -> None:
    assert "gradient.statistics" in {row.axis for row in table([sample()], only_differences=False).rows}
