"""Executions side by side, and the picture of accuracy."""

from bnspec import history
from bnspec.columns import Column
from bnspec.report.accuracy import charts
from bnspec.report.choice import SIDE_BY_SIDE, choice_of


def column(name, rows):
    return Column(name, "frame 1.0", name.partition("@")[2], "", {"adapter": "a"}, {}, rows, True)


def offsets(*ratios, kind=""):
    return {
        f"precision.bound[offset1e{power}-{kind}rank2]": {"verdict": "conforms", "ratio": ratio}
        for power, ratio in enumerate(ratios)
    }


def test_a_chart_for_each_type_and_one_against_n():
    rows = {**offsets(0.5, 5.0), **offsets(0.1, 0.2, kind="float64-")}
    rows |= {f"precision.bound[rows{n}-rank2]": {"verdict": "conforms", "ratio": 0.3} for n in (1024, 65536)}
    shown = charts([column("e/a", rows)])
    assert [one.title for one in shown] == [
        "float32: error against mean/sd", "float64: error against mean/sd", "float32: error against N",
    ]  # fmt: skip
    assert shown[0].lines[0].points == ((1.0, 0.5), (10.0, 5.0))
    assert shown[2].lines[0].points == ((1024.0, 0.3), (65536.0, 0.3))


def test_the_allowances_are_those_of_the_best_class_and_the_worst_place_counts():
    rows = offsets(0.5, 0.6)
    rows["precision.bound[offset1e1-rank4-last]"] = {"verdict": "conforms", "ratio": 0.4, "best": 70.0}
    [chart] = charts([column("e/a", rows)])
    assert chart.lines[0].points[1] == (10.0, 70.0)


def test_what_cannot_be_a_number_is_left_out_and_curves_that_look_alike_are_one():
    rows = {**offsets(0.5, 5.0), "precision.bound[offset1e2-rank2]": {"verdict": "imprecise", "ratio": "inf"}}
    shown = charts([column("e/a", rows), column("e/a@jit", offsets(0.5, 5.0)), column("e/a@xla", offsets(0.5, 5e6))])
    assert [line.who for line in shown[0].lines] == [("frame 1.0", "frame 1.0 (jit)"), ("frame 1.0 (xla)",)]
    heights = [float(point.split()[1]) for point in shown[0].lines[1].path[1:].split("L")]
    assert 0 <= min(heights) < heights[0]


def test_without_such_rows_there_is_no_picture():
    assert charts([column("e/a", {"forward.training[a]": {"verdict": "conforms"}})]) == ()


def test_of_many_targets_the_default_executions_are_shown_and_where_there_is_none_all_that_are_newest():
    executions = [column(f"e/a@way{n}", offsets(0.5)) for n in range(SIDE_BY_SIDE + 1)]
    assert len(choice_of(history.lineages(executions)).first) == len(executions)
    choice = choice_of(history.lineages([column("e/a", offsets(0.5)), *executions]))
    assert [one.name for one in choice.first] == ["e/a"]
