"""The model of the page: where targets disagree, what is folded, in which order it is read."""

from collections.abc import Mapping
from typing import Any

import pytest

from bnspec.columns import Column, columns, told_apart
from bnspec.report.model import Cell, Line, line, matrix
from bnspec.results import Results, TargetResults

ID = "stats.initial[rank2]"


def answers(*given: tuple[str, str | None]) -> Line:
    return Line(ID, tuple(Cell(verdict, variant) for verdict, variant in given))


def column(name: str, rows: Mapping[str, Mapping[str, Any]]) -> Column:
    return Column(name, name, "", "", {}, {}, rows, complete=True)


def file(source: str, **targets: Mapping[str, Any]) -> Results:
    found = {name: TargetResults({"target": name, **info}, {}, True) for name, info in targets.items()}
    return Results(source, {"suite": source}, found, True)


def test_different_variants_disagree() -> None:
    assert answers(("conforms", "zero-one"), ("conforms", "zero-zero")).disagrees


def test_different_verdicts_disagree() -> None:
    assert answers(("conforms", None), ("violates", None)).disagrees


@pytest.mark.parametrize("silent", ["unsupported", "not-run"])
def test_a_target_without_an_answer_does_not_disagree(silent: str) -> None:
    found = answers(("conforms", "zero-one"), (silent, None), ("conforms", "zero-one"))
    assert not found.disagrees
    assert found.folded


def test_agreement_on_something_wrong_is_not_folded() -> None:
    found = answers(("violates", None), ("violates", None))
    assert not found.disagrees
    assert not found.folded


def test_a_single_target_folds_nothing() -> None:
    assert not answers(("conforms", "zero-one")).folded


def test_the_common_cell_has_the_worst_ratio_of_those_who_answered() -> None:
    found = Line(ID, (Cell("unsupported"), Cell("conforms", "zero-one", 0.1), Cell("conforms", "zero-one", 0.4)))
    assert found.common == Cell("conforms", "zero-one", 0.4)


def test_the_minority_is_odd_and_a_tie_has_no_minority() -> None:
    def rows(variant: str) -> Mapping[str, Mapping[str, Any]]:
        return {ID: {"verdict": "conforms", "variant": variant}}

    three = line(ID, [column("a", rows("zero-one")), column("b", rows("zero-zero")), column("c", rows("zero-one"))])
    assert [cell.odd for cell in three.cells] == [False, True, False]
    two = line(ID, [column("a", rows("zero-one")), column("b", rows("zero-zero"))])
    assert [cell.odd for cell in two.cells] == [False, False]


def test_a_target_without_a_row_counts_as_not_run() -> None:
    shown = matrix([column("a", {ID: {"verdict": "conforms", "variant": "zero-one"}}), column("b", {})])
    assert shown.counts[1] == {"not-run": 1}


def test_disagreement_comes_first_in_its_family_and_families_follow_the_specification() -> None:
    def rows(variant: str) -> dict[str, dict[str, Any]]:
        agreed = {"verdict": "conforms", "variant": "old"}
        return {
            "unheard.of[x]": {"verdict": "conforms"},
            "forward.training[rank2]": {"verdict": "conforms"},
            "stats.momentum-weight[rank2]": agreed,
            "stats.momentum-weight[rank4]": {"verdict": "violates"},
            "stats.initial[rank2]": {"verdict": "conforms", "variant": variant},
        }

    shown = matrix([column("a", rows("zero-one")), column("b", rows("zero-zero"))])
    assert [family.name for family in shown.families] == ["stats", "forward", "unheard"]
    stats = shown.families[0]
    assert [found.id for found in stats.shown] == ["stats.initial[rank2]", "stats.momentum-weight[rank4]"]
    assert [found.id for found in stats.folded] == ["stats.momentum-weight[rank2]"]
    assert shown.disagreeing == stats.disagreeing == 1


def test_versions_of_a_framework_stand_beside_each_other_in_order() -> None:
    found = columns(
        [
            file(
                "first",
                a={"framework": "torch", "version": "2.13.0"},
                b={"framework": "keras", "version": "3"},
            ),
            file(
                "second",
                c={"framework": "torch", "version": "2.9.1"},
                d={"framework": "torch", "version": "main"},
            ),
        ]
    )
    assert [column.label for column in found] == ["torch 2.9.1", "torch 2.13.0", "torch main", "keras 3"]


def test_targets_of_one_framework_and_version_are_told_apart_by_what_their_names_do_not_share() -> None:
    info = {"framework": "keras", "version": "3.15.1", "device": "cpu"}
    names = ("py311-keras-3.15.1-jax-0.10.2/keras", "py311-keras-3.15.1-torch-2.13.0/keras", "py311-torch/torch.nn")
    found = columns([file("one", **{names[0]: info, names[1]: info, names[2]: {**info, "framework": "torch"}})])
    assert [column.title for column in found] == [
        "keras 3.15.1 (jax-0.10.2)",
        "keras 3.15.1 (torch-2.13.0)",
        "torch 3.15.1",
    ]
    assert {column.detail for column in found} == {"cpu"}


def test_names_of_which_one_begins_another_stay_whole() -> None:
    assert told_apart(["py311-torch/torch.nn", "py311-torch/torch.nn@cuda"]) == ["torch.nn", "torch.nn@cuda"]
    old, new = (f"py37-keras-2.3.1-tensorflow-{version}" for version in ("1.15.0", "2.0.0"))
    assert told_apart([f"{old}/keras", f"{new}/keras"]) == ["tensorflow-1.15.0", "tensorflow-2.0.0"]
    assert told_apart(["x-y", "x-y-y"]) == ["x-y", "x-y-y"]


def test_the_later_file_wins_a_target() -> None:
    (found,) = columns([file("first", a={"version": "1"}), file("second", a={"version": "2"})])
    assert found.label == "2"
    assert found.run == {"suite": "second"}
