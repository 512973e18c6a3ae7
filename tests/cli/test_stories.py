"""`bnspec report --stories`: what is told of a folder without results, or with broken ones."""

import pytest


@pytest.fixture
def results(bnspec, tmp_path):
    """A results file."""
    file = tmp_path / "results.jsonl"
    assert bnspec("run", "numpy", "-k", "stats.initial", "-o", file).returncode == 0
    return file


def test_a_folder_without_stories_is_told(bnspec, results, tmp_path):
    done = bnspec("report", results, "-o", tmp_path / "page.html", "--stories", tmp_path)
    assert done.returncode == 2
    assert "no results of a story there; those of the project are in reports/stories" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_file_is_told(bnspec, results, tmp_path):
    (tmp_path / "x.json").write_text("{", "utf-8")
    done = bnspec("report", results, "-o", tmp_path / "page.html", "--stories", tmp_path)
    assert done.returncode == 2
    assert "x.json: is not JSON" in done.stderr


def test_stories_that_lack_a_run_are_told(bnspec, results, tmp_path):
    (tmp_path / "x.json").write_text('{"format": 1, "story": "twelve-images", "runs": []}', "utf-8")
    done = bnspec("report", results, "-o", tmp_path / "page.html", "--stories", tmp_path)
    assert done.returncode == 2
    assert "no result of scene asked in py37-tensorflow-2.0.0; run: uv run python tools/stories.py run" in done.stderr
