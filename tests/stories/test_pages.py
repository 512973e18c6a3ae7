"""The pages of the stories: made from the committed results, complete, and text wherever they are shown."""

import importlib.util
import json
from pathlib import Path

import pytest

from bnspec.cli.look import story_pages
from bnspec.environments import find
from bnspec.results import ResultsError
from bnspec.results import read as results_of
from bnspec.stories.markdown import markdown, svg
from bnspec.stories.page import Found, page
from bnspec.stories.pictures import bars, dots, lines, nice
from bnspec.stories.results import in_folder, read, write
from bnspec.stories.running import load_stories, title

ROOT = Path(__file__).parent.parent.parent
STORIES = {story.name: story for story in load_stories()}
RESULTS = in_folder(ROOT / "reports" / "stories")
HOSTILE = "</td><script>alert(1)</script>|"

named = pytest.mark.parametrize("name", sorted(STORIES))


@pytest.fixture(scope="module")
def tool():
    """tools/stories.py."""
    spec = importlib.util.spec_from_file_location("stories_tool", ROOT / "tools" / "stories.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_documents_are_made_from_the_committed_results(tool):
    files = tool.files()
    assert {path for path in tool.PAGES.glob("*") if path.is_file()} == set(files)
    wrong = [path.name for path, text in files.items() if path.read_text("utf-8") != text]
    assert wrong == [], "run: uv run python tools/stories.py"


@named
def test_every_scene_ran_in_every_environment(name):
    story, runs = STORIES[name], RESULTS[name]["runs"]
    expected = {(one, scene) for one in story.environments for scene in story.scenes_in(find(one))}
    assert {(run["environment"], run["scene"]) for run in runs if "failed" not in run} == expected


@named
def test_the_reference_explains_every_run(name):
    for run in RESULTS[name]["runs"]:
        where = run["environment"], run["scene"]
        assert run["ratio"] <= 1, where
        assert run["evaluate"]["ratio"] <= 1, where
        assert run["margin"] >= 10, where
        for layer in run["layers"].values():
            assert layer["mode"] in ("batch", "stored"), where
            assert layer["estimator"] or layer["averaging"] == ["none"], where


@named
def test_no_environment_took_longer_than_a_minute(name):
    slow = {
        run["environment"]: run["environment seconds"]
        for run in RESULTS[name]["runs"]
        if run["environment seconds"] > 60
    }
    assert slow == {}


@named
def test_a_page_has_everything_that_it_needs(name):
    told = page(STORIES[name], RESULTS[name])
    assert told.pictures
    assert told.tables
    assert told.behind
    assert "\n" not in told.cause + told.instead
    for table in (*told.tables, *told.details):
        assert table.rows
        assert {len(row) for row in table.rows} == {len(table.head)}


@named
def test_what_is_in_results_is_text(name):
    runs = [{**run, "title": HOSTILE + run["title"]} for run in RESULTS[name]["runs"]]
    told = page(STORIES[name], {**RESULTS[name], "runs": runs})
    assert "<script>" not in "".join(map(svg, told.pictures))
    lines = [line for line in markdown(told).splitlines() if HOSTILE[:-1] in line and line.startswith("|")]
    assert lines
    assert all("</script>\\|" in line for line in lines)


def test_a_result_that_is_missing_is_named():
    found = Found(STORIES["twelve-images"], [])
    with pytest.raises(
        LookupError, match=r"no result of scene asked in py37-x; run: uv run python tools/stories\.py run"
    ):
        found("asked", "py37-x")


def test_what_failed_is_on_the_page():
    name = "twelve-images"
    failed = {
        "environment": "e",
        "title": "Keras 9",
        "failed": "no such Python",
        "provenance": RESULTS[name]["runs"][0]["provenance"],
    }
    table = page(STORIES[name], {**RESULTS[name], "runs": [*RESULTS[name]["runs"], failed]}).tables[-1]
    assert table.title.startswith("Not run")
    assert table.rows == (("Keras 9", "all", "no such Python"),)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ("py37-tensorflow-2.0.0", "tf.keras 2.0.0"),
        ("py312-torch-2.15.0", "PyTorch 2.15.0"),
        ("py311-keras-3.15.1-jax-0.10.2", "Keras 3.15.1 on JAX 0.10.2"),
    ],
)
def test_an_environment_is_called_by_its_framework(environment, expected):
    assert title(find(environment)) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "no results of a story"),
        ('{"format": 2, "story": "x", "runs": []}', "no results of a story"),
        ('{"format": 1, "story": "x", "runs": [1]}', "its runs are not those of a story"),
    ],
)
def test_a_file_that_is_no_result_is_told(tmp_path, text, said):
    file = tmp_path / "x.json"
    file.write_text(text, "utf-8")
    with pytest.raises(ResultsError, match=said):
        read(file)


def test_runs_of_other_environments_stay_when_one_is_run_again(tmp_path):
    file = tmp_path / "x.json"
    write(file, "x", [{"environment": "a", "title": "A", "value": 1}, {"environment": "b", "title": "B", "value": 1}])
    write(file, "x", [{"environment": "a", "title": "A", "value": 2}])
    assert {run["environment"]: run["value"] for run in read(file)["runs"]} == {"a": 2, "b": 1}
    assert all(run["provenance"]["cores"] for run in read(file)["runs"])


def test_control_characters_are_replaced_and_columns_stay(tmp_path):
    results = RESULTS["twelve-images"]
    runs = [{**run, "title": "\x1b[31m" + run["title"]} for run in results["runs"]]
    (tmp_path / "x.json").write_text(json.dumps({**results, "runs": runs}), "utf-8")
    (told,) = story_pages(tmp_path)
    assert "[31mtf.keras" in told.tables[0].rows[0][0]
    assert "\x1b" not in told.tables[0].rows[0][0]
    assert told.explained.text == results["explained"]["text"].rstrip()
    assert "\nb1       batch" in told.explained.text


def test_numbers_lie_where_the_axis_says():
    picture = bars("Losses", [("one", 1.0, 4.0)], ("fit", "evaluate"))
    widths = [float(shape.data.partition("h")[2].partition("v")[0]) for shape in picture.shapes if shape.kind != "grid"]
    assert widths[1] == pytest.approx(4 * widths[0], rel=0.01)
    assert "fit 1, evaluate 4" in picture.told
    picture = lines("t", [1, 10, 100], {"a": ("line", [1.0, 2.0, 4.0])}, log=False)
    path = next(shape.data for shape in picture.shapes if shape.kind == "line")
    points = [tuple(map(float, point.split())) for point in path[1:].split("L")]
    assert points[1][0] - points[0][0] == pytest.approx(points[2][0] - points[1][0])
    assert points[0][1] - points[1][1] == pytest.approx((points[1][1] - points[2][1]) / 2, abs=0.2)
    picture = dots("t", "x", ["r"], {"a": ("line", [0.01]), "b": ("closed", [1.0])})
    assert "r: a 0.01, b 1" in picture.told


@pytest.mark.parametrize(
    ("value", "expected"), [(1.0, 1), (1.01, 1.5), (0.1, 0.1), (4.2, 5), (0.00093, 0.001), (8, 10)]
)
def test_an_axis_ends_at_a_round_number(value, expected):
    assert nice(value) == pytest.approx(expected)


def test_results_are_plain_json():
    for path in (ROOT / "reports" / "stories").glob("*.json"):
        assert "NaN" not in path.read_text("utf-8")
        assert json.loads(path.read_text("utf-8"))["story"] == path.stem


@named
def test_explain_found_the_cause(name):
    story, explained = STORIES[name], RESULTS[name]["explained"]
    environment = find(story.module.EXPLAINED_IN)
    assert (explained["scene"], explained["causes"][0]) == story.module.EXPLAINED[story.kind(environment)]
    assert "The cause: " in explained["text"]


@named
def test_what_was_stored_is_what_the_suite_found_of_the_release(name):
    """The dialect of each release, as the cases identified it, and what its layers stored in the story."""
    for run in RESULTS[name]["runs"]:
        target = next(iter(results_of(ROOT / "reports" / "results" / f"{run['environment']}.jsonl").targets.values()))
        place = "rank4-first" if run["title"].startswith("PyTorch") else "rank4-last"
        estimator = target.rows[f"stats.stored-variance[{place}]"]["variant"]
        averaging = target.rows[f"stats.averaging[{place}]"]["variant"]
        for layer in run["layers"].values():
            if layer["estimator"]:
                where = run["environment"], run["scene"]
                assert estimator in layer["estimator"], where
                assert averaging in layer["averaging"] or STORIES[name].scenes[run["scene"]]["keep"] == 0, where


@pytest.mark.parametrize(("called", "known"), [("Keras 2.2.4 on TensorFlow 1.12.0", True), ("PyTorch 9", False)])
def test_a_step_that_is_not_the_gradient_is_told_and_its_cause_only_where_it_is_known(called, known):
    name = "twelve-images"
    runs = [{**run, "gradient": 0.0} for run in RESULTS[name]["runs"]]
    assert "not the gradient" not in page(STORIES[name], {**RESULTS[name], "runs": runs}).checked
    runs[0].update(gradient=0.5, title=called)
    told = page(STORIES[name], {**RESULTS[name], "runs": runs}).checked
    assert f"{called} (up to 50 % off)" in told
    assert ("Variables of TensorFlow 1 are references" in told) == known


def test_a_run_that_does_not_say_where_it_was_made_is_none(tmp_path):
    (tmp_path / "x.json").write_text(
        '{"format": 1, "story": "x", "runs": [{"environment": "a", "title": "A"}]}', "utf-8"
    )
    with pytest.raises(ResultsError, match="its runs are not those of a story"):
        read(tmp_path / "x.json")
