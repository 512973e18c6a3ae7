"""The stories, as they were asked, in the environment under test: the reference explains every loss and statistic."""

import pathlib

import pytest

from bnspec.environments import find
from bnspec.explain.of_story import of_story
from bnspec.stories.running import load_stories, run_in

STORIES = load_stories()


@pytest.mark.parametrize("story", STORIES, ids=[story.name for story in STORIES])
def test_the_reference_explains_a_story_as_it_was_asked(story, request):
    name, python = (request.config.getoption(f"--{option}") for option in ("environment", "python"))
    environment = find((name or "numpy").partition("/")[0])
    asked = story.scenes_in(environment)[:1]
    if not asked:
        pytest.skip(f"the story is not told in {environment.name}")
    (run,) = run_in(story, environment, python=pathlib.Path(python) if python else None, scenes=asked)
    assert "failed" not in run, f"{run['failed']}\n{run.get('where', '')}"
    assert run["ratio"] <= 1, "the losses that were reported are not those of the modes that fit best"
    assert run["margin"] >= 10, "other modes explain the losses as well"
    assert run["evaluate"]["ratio"] <= 1, "the loss of evaluate is not that of the stored statistics"
    for layer, told in run["layers"].items():
        assert told["estimator"] or told["averaging"] == ["none"], f"{layer}: no rule explains what it stored: {told}"


@pytest.mark.parametrize("story", STORIES, ids=[story.name for story in STORIES])
def test_explain_finds_the_cause_without_being_told(story, request):
    name, python = (request.config.getoption(f"--{option}") for option in ("environment", "python"))
    environment = find((name or "numpy").partition("/")[0])
    kind = story.kind(environment)
    graphs = kind == "keras" and "tensorflow" in environment.families and not story.computes_at_once(environment)
    if graphs or kind not in story.module.EXPLAINED:
        pytest.skip(f"explain is not asked about the story in {environment.name}")
    scene, cause = story.module.EXPLAINED[kind]
    if scene not in story.scenes_in(environment):
        pytest.skip(f"the story's scene is not told in {environment.name}")
    found = of_story(story, scene, environment, pathlib.Path(python) if python else None)
    assert [one.id for one in found.findings][:1] == [cause], found.headline
