"""The timeline and the porting table, and which targets stand side by side."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from bnspec.columns import Column, columns
from bnspec.compare import Weight
from bnspec.history import Lineage, lineages
from bnspec.report import build
from bnspec.report.choice import SIDE_BY_SIDE, called, choice_of, runs
from bnspec.report.model import matrix
from bnspec.report.ports import ports
from bnspec.report.provenance import runs_of
from bnspec.report.timeline import GAP, HEIGHT, Point, Strip, arranged, timeline
from bnspec.report.words import GRAVEST, Gathered, findings, gathered
from bnspec.results import FINDINGS, Results

AFFINE = "forward.affine[rank4-last]"


def of(results: Results) -> tuple[Lineage, ...]:
    return lineages(column for column in columns([results]) if column.rows)


def torch(results: Results) -> Lineage:
    return next(lineage for lineage in of(results) if lineage.id == "torch")


def inlined(page: str) -> Any:
    return json.loads(page.partition('id="data">')[2].partition("</script>")[0])


def test_a_lineage_tells_every_step_with_its_changes_and_what_is_quiet(versions: Results) -> None:
    found = timeline(of(versions))
    assert found is not None
    (chapter,) = found.chapters
    assert [step.event.between for step in chapter.steps] == ["1.5.1 → 1.6.0"]
    assert chapter.quiet == ("1.6.0 → 2.13.0",)
    (first,) = chapter.steps
    assert [(line.title, line.weight) for line in first.heavy] == [
        ("frozen.update", Weight.STATISTICS),
        ("forward.affine", Weight.ERRORS),
    ]
    assert first.light == ()
    assert found.pairs == 2
    assert found.counts == {Weight.STATISTICS: 1, Weight.ERRORS: 1}
    assert found.summary == "1 × only moving statistics, 1 × error handling"


def test_no_lineage_of_several_versions_has_no_timeline(sample: Callable[..., Results]) -> None:
    assert timeline(of(sample())) is None
    assert 'id="timeline"' not in build([sample()], {})


def test_a_lineage_in_which_nothing_changed_is_told_in_one_line(many: Results) -> None:
    quiet = Lineage("torch", "torch", False, torch(many).stops[-3:])
    found = timeline([quiet])
    assert found is not None
    assert (found.chapters, found.strips, found.summary) == ((), (), "")
    assert found.unchanged == (quiet,)


def test_the_picture_has_a_mark_between_two_versions_where_something_changed(versions: Results) -> None:
    found = timeline(of(versions))
    assert found is not None
    (strip,) = found.strips
    assert [point.version for point in strip.points] == ["1.5.1", "1.6.0", "2.13.0"]
    assert [(mark.weight, mark.number, mark.anchor) for mark in strip.marks] == [
        (Weight.STATISTICS, 2, "step-0-0"),
    ]
    assert strip.points[0].x < strip.marks[0].x < strip.points[1].x
    assert strip.marks[0].label == "torch 1.5.1 → 1.6.0: 2 changes, the heaviest: only moving statistics"


def test_short_strips_stand_beside_each_other_as_far_as_the_widest_goes() -> None:
    def strip(points: int) -> Strip:
        return Strip("", tuple(Point(30 + 60 * n, "1", "") for n in range(points)), ())

    wide, *short = arranged([strip(8), strip(2), strip(2), strip(2), strip(2)])
    assert (wide.x, wide.y) == (0, 0)
    assert [(one.x, one.y) for one in short] == [
        (0, HEIGHT), (strip(2).width + GAP, HEIGHT), (2 * (strip(2).width + GAP), HEIGHT), (0, 2 * HEIGHT),
    ]  # fmt: skip


def test_questions_by_version_are_those_that_two_versions_answer_differently(versions: Results) -> None:
    found = timeline(of(versions))
    assert found is not None
    rows = {row.line.id: [(era.cell.answer, era.versions) for era in row.eras] for row in found.chapters[0].eras}
    assert rows == {
        AFFINE: [(("refuses", None), 1), (("conforms", None), 2)],
        "frozen.update[rank2]": [(("conforms", "none"), 1), (("conforms", "updates"), 2)],
    }


def test_the_page_tells_the_timeline_without_a_script(versions: Results) -> None:
    page = build([versions], {}).partition('id="timeline"')[2].partition("</section>\n\n")[0]
    assert "Between 2 pairs of neighbouring versions: 1 × only moving statistics, 1 × error handling." in page
    assert "<h4>1.5.1 → 1.6.0" in page
    assert '<a href="#step-0-0" aria-label="torch 1.5.1 → 1.6.0: 2 changes' in page
    assert "before: ValueError: no" in page or "before: raised ValueError: no" in page
    for anchor in re.findall(r'href="#(step-[^"]+)"', page):
        assert f'id="{anchor}"' in page


def test_few_targets_stand_all_side_by_side_and_of_many_the_newest_of_each_lineage(
    versions: Results, many: Results
) -> None:
    few = choice_of(of(versions))
    assert (few.chosen, few.style) == (False, "")
    assert few.first == few.columns
    found = choice_of(of(many))
    assert len(found.columns) > SIDE_BY_SIDE
    assert found.chosen
    assert [column.label for column in found.first] == [lineage.newest.column.label for lineage in of(many)]
    hidden = re.findall(r"nth-child\((\d+)\)", found.style)
    assert len(hidden) == len(found.columns) - len(found.first)


def test_the_matrix_holds_what_stands_side_by_side_and_the_data_hold_every_target(many: Results) -> None:
    page = build([many], {})
    head = page.partition('<table class="matrix">')[2].partition("</thead>")[0]
    assert head.count("<th scope") == 1 + len(choice_of(of(many)).first)
    data = inlined(page)
    assert len(data["targets"]) == len(choice_of(of(many)).columns)
    assert [len(versions) for _, _, _, versions in data["lineages"]] == [len(one.stops) for one in of(many)]
    assert [data["targets"][number]["name"] for number in data["shown"]] == [
        column.name for column in choice_of(of(many)).first
    ]


def test_targets_of_a_lineage_are_called_by_the_first_and_the_last_of_those_that_follow_each_other(
    many: Results,
) -> None:
    stops = torch(many).stops
    names = [stop.column.name for stop in (*stops[:3], stops[5])]
    assert called(names, of(many)) == f"torch {stops[0].name} … {stops[2].name}, {stops[5].name}"
    assert called(names[:1], of(many)) == "torch 1.5.1"
    assert called([names[0], "numpy/numpy"], of(many)) == "torch 1.5.1; numpy 2.3.5"
    assert runs([True, False, True, True], ["a", "b", "c", "d"]) == ["a", "c … d"]
    assert runs([False], ["a"]) == []


def test_the_findings_of_neighbouring_versions_are_told_together(versions: Results) -> None:
    found = gathered(findings(matrix(choice_of(of(versions)).columns)), of(versions))
    assert Gathered("torch 1.5.1", "refuses", (AFFINE,), "raised ValueError: no") in found
    lineage = torch(versions)
    twice = [
        Column(stop.column.name, "", "", "", {}, {}, {AFFINE: {"verdict": "crash", "message": stop.name}}, True)
        for stop in lineage.stops[1:]
    ]
    assert gathered(findings(matrix(twice)), [lineage]) == (
        Gathered("torch 1.6.0 … 2.13.0", "crash", (AFFINE,), "2.13.0"),
    )


def test_what_the_newest_version_does_is_told_before_what_only_older_ones_did(versions: Results) -> None:
    lineage = torch(versions)
    verdicts = {
        "1.5.1": {AFFINE: "crash", "frozen.update[rank2]": "imprecise"},
        "2.13.0": {
            "stats.timing[rank2]": "drifts",
            "frozen.update[rank2]": "imprecise",
            "errors.atomic[x]": "violates",
        },
    }
    shown = [
        replace(stop.column, rows={id: {"verdict": verdict} for id, verdict in verdicts[stop.name].items()})
        for stop in (lineage.stops[0], lineage.stops[-1])
    ]
    found = gathered(findings(matrix(shown)), [lineage])
    assert [one.verdict for one in found] == ["violates", "drifts", "imprecise", "crash"]
    assert set(GRAVEST) == FINDINGS


def test_versions_that_have_names_of_their_own_need_none_of_their_lineage(versions: Results) -> None:
    lineage = torch(versions)
    renamed = replace(lineage, stops=tuple(replace(stop, called="torch") for stop in lineage.stops))
    assert (lineage.prefix, renamed.prefix) == ("torch", "")
    assert called([stop.column.name for stop in lineage.stops[1:]], [renamed]) == "torch 1.6.0 … torch 2.13.0"


def main_targets(**facts: Any) -> list[Column]:
    def column(adapter: str, framework: str, weighs: str) -> Column:
        info = {"framework": framework, "version": "3.0", "adapter": adapter, "facts": facts}
        rows: Mapping[str, Any] = {
            "stats.momentum-weight[rank2]": {"verdict": "conforms", "variant": weighs},
            "frozen.update[rank2]": {"verdict": "conforms", "variant": "updates" if weighs == "new" else "none"},
        }
        return Column(f"{framework}/{adapter}", f"{framework} 3.0", "", "", info, {}, rows, True)

    return [column("keras", "keras", "old"), column("torch.nn", "torch", "new"), column("mine", "mine", "old")]


def test_the_porting_table_goes_both_ways_between_the_main_interfaces() -> None:
    found = ports(lineages(main_targets(momentum=0.1, epsilon=1e-5)))
    assert found is not None
    assert found.names == ("keras 3.0", "torch 3.0")
    (here, there), (back, also) = found.rows
    assert here is None
    assert also is None
    assert there is not None
    assert back is not None
    assert (there.title, back.title) == ("keras 3.0 → torch 3.0", "torch 3.0 → keras 3.0")
    assert there.counts == {Weight.STATISTICS: 1}
    assert there.made is not None
    assert there.made.momentum == 0.9


def test_a_port_of_which_a_number_is_not_known_says_why() -> None:
    found = ports(lineages(main_targets(epsilon=1e-5)))
    assert found is not None
    unknown = found.rows[0][1]
    assert unknown is not None
    assert unknown.made is None
    assert "momentum" in unknown.reason
    assert unknown.counts == {}


def test_one_main_interface_alone_has_no_porting_table() -> None:
    assert ports(lineages(main_targets(momentum=0.1, epsilon=1e-5)[1:])) is None


def test_runs_of_one_suite_on_one_machine_are_told_once(sample: Callable[..., Results]) -> None:
    first = sample("first.jsonl", run={"date": "2025-11-22", "command": ["bnspec", "run", "torch"]})
    second = sample("second.jsonl", run={"date": "2025-11-21", "command": ["bnspec", "run", "keras"]})
    other = sample("third.jsonl", run={"revision": "0000000"})
    together, alone = runs_of([first, second, other])
    assert (together.date, together.commands) == ("2025-11-21 … 2025-11-22", ("bnspec run torch", "bnspec run keras"))
    assert alone.date == "2025-11-21T08:00:00Z"
    page = build([first, second, other], {})
    assert "2 commands" in page
    assert "bnspec run keras" in page
