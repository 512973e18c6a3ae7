"""`bnspec upgrade`: both sides are run, compared and written; what one side gave outlives the other's failure."""

import json
import os
import re
import stat
import sys
from pathlib import Path

import pytest

from bnspec.upgrade import How, NoSide, Wish, sides

MUTANTS = Path(__file__).parent.parent / "mutants"
HOW = How(None, "cpu", None)

LAYER = f"""
import os, sys
sys.path.insert(0, {str(MUTANTS)!r})
from correct import Correct
from bnspec.worker.adapter import Unsupported


if os.environ.get("BNSPEC_TEST_DIES"):
    os._exit(3)


class Layer(Correct):
    stored_variance = os.environ.get("BNSPEC_TEST_VARIANCE", "population")

    def __init__(self, layer, **more):
        if layer["rank"] != 2 or layer["dtypes"]["input"] != "float32":
            raise Unsupported("rank 2 of float32 alone: the test need not take long")
        super().__init__(layer, **more)
"""


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    """An adapter whose stored variance depends on the Python that it runs in."""
    path = tmp_path_factory.mktemp("adapter") / "layer.py"
    path.write_text(LAYER, "utf-8")
    return f"{path}:Layer"


@pytest.fixture
def python(tmp_path):
    """Return a maker of Pythons that differ in a variable of their environment."""

    def make(name, **variables):
        path = tmp_path / name
        given = " ".join(f"{key}={value}" for key, value in variables.items())
        path.write_text(f'#!/bin/sh\nexec env {given} {sys.executable} "$@"\n', "utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    return make


def test_two_pythons_are_run_compared_and_written(bnspec, adapter, python, tmp_path):
    old, new = python("old", BNSPEC_TEST_VARIANCE="sample"), python("new")
    done = bnspec("upgrade", "--base-python", old, "--candidate-python", new, "--adapter", adapter, "-o", "kept")
    assert done.returncode == 1, done.stderr
    assert "stats.stored-variance: sample → population" in done.stdout
    assert "only moving statistics (2)" in done.stdout, "of one layer, and of replicas"
    files = sorted((tmp_path / "kept").iterdir())
    assert len(files) == 2
    assert done.stdout.count("Results: kept") == 2
    page = (tmp_path / "upgrade.html").read_text("utf-8")
    assert re.search(r'id="changes".*What changes.*stats\.stored-variance.*variance × \(N−1\)/N', page, re.DOTALL)
    again = bnspec("diff", *files[::-1], "--format", "json")
    assert json.loads(again.stdout)["changed"] is True


def test_a_committed_baseline_is_compared_with_this_python(bnspec, adapter, tmp_path, environ):
    made = bnspec("run", "--here", "--adapter", adapter, "-o", "baseline.jsonl")
    assert "did not" not in made.stderr
    before = (tmp_path / "baseline.jsonl").read_bytes()
    same = bnspec("upgrade", "baseline.jsonl", "here", "--adapter", adapter, "--format", "json", "--report", "p.html")
    assert same.returncode == 0, same.stderr
    assert json.loads(same.stdout)["changed"] is False
    assert "Page: p.html" in same.stderr
    page = (tmp_path / "p.html").read_text("utf-8")
    assert re.search(r"<small>here/[^<]*:Layer \(base\)</small>", page)
    assert re.search(r"<small>here/[^<]*:Layer</small>", page)
    environ["BNSPEC_TEST_VARIANCE"] = "sample"
    other = bnspec("upgrade", "baseline.jsonl", "here", "--adapter", adapter, "--format", "md", "--rank", "2")
    assert other.returncode == 1
    assert "| `stats.stored-variance` | population → sample<br>" in other.stdout
    assert (tmp_path / "baseline.jsonl").read_bytes() == before


def test_what_one_side_gave_is_kept_where_the_other_fails(bnspec, adapter, cannot, python, tmp_path):
    new, broken = python("new"), python("broken", BNSPEC_TEST_DIES=1)
    done = bnspec(
        "upgrade", "--base-python", broken, "--candidate-python", new, "--adapter", adapter, "-o", "kept",
        "--report", "page.html",
    )  # fmt: skip
    cannot(done, "did not run:", "What the other side gave is kept: kept", "as a page in page.html", progress=True)
    assert "stats.stored-variance" in (tmp_path / "page.html").read_text("utf-8")
    rows = [json.loads(line) for path in (tmp_path / "kept").iterdir() for line in path.read_text("utf-8").splitlines()]
    assert any(row.get("id") == "stats.stored-variance[rank2]" for row in rows)


def test_where_both_sides_fail_nothing_is_written(bnspec, adapter, cannot, python, tmp_path):
    broken = [python(name, BNSPEC_TEST_DIES=1) for name in ("one", "two")]
    done = bnspec(
        "upgrade", "--base-python", broken[0], "--candidate-python", broken[1], "--adapter", adapter,
    )  # fmt: skip
    cannot(done, "did not run:", progress=True)
    assert not (tmp_path / "upgrade.html").exists()


# What the sides are


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), 'the base is missing; give two versions, such as "torch==2.9.1" "torch==2.10.0", or --here and one'),
        (("torch==2.9.1",), "the candidate is missing"),
        (("--here",), "the candidate is missing"),
        (("torch==2.9.1", "torch==2.9.1"), "both sides are py312-torch-2.9.1/torch.nn; give two versions"),
        (("torch==2.9.1", "a", "b"), "further packages of one side are joined by +"),
        (("--here", "a", "b"), "--here is the base: give one more side"),
        (("none.jsonl", "torch==2.9.1"), "none.jsonl: there is no such file; make it with bnspec run"),
        (("torch", "no such thing"), "'no such thing' is no environment"),
        (("torch==2.9.1", "torch==2.10.0", "--base-python", "nowhere/python"), "is no version such as 3.12"),
        (("torch==2.9.1", "--base-python", "3.12"), "--base-python 3.12 is a version; say what to install there"),
        (("torch==2.9.1", "--base-python", "nowhere/python"), "nowhere/python: there is no such file"),
        (("torch==2.9.1", "torch==2.10.0", "--adapter", "keras"), "has no adapter 'keras'"),
        (("torch==2.9.1", "torch==2.10.0", "--timeout", "0"), "0.0 is not in the range"),
        (("torch==2.9.1", "torch==2.10.0", "-o", "file/inside"), "cannot be made: Not a directory"),
        (("torch==2.9.1", "torch==2.10.0", "--report", "."), "cannot be written: Is a directory"),
    ],
)
def test_sides_that_are_none_are_one_clear_line(bnspec, cannot, tmp_path, arguments, words):
    (tmp_path / "file").write_text("", "utf-8")
    cannot(bnspec("upgrade", *arguments), words)


def test_two_results_are_for_diff(bnspec, cannot, tmp_path):
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text(
            json.dumps({"record": "run", "schema": 2, "suite": "1", "date": "x", "command": [], "os": "x", "cases": 0})
            + "\n",
            "utf-8",
        )
    cannot(bnspec("upgrade", "a.jsonl", "b.jsonl"), "both sides are results; compare them with bnspec diff")
    cannot(bnspec("upgrade", "a.jsonl", "torch", "--base-python", "3.12"), "--base-python does not go with results")


def wished(base, candidate, base_python=None, candidate_python=None, how=HOW):
    """Return the names of both targets."""
    pair = sides(Wish("base", base, base_python), Wish("candidate", candidate, candidate_python), how)
    return [side.target and side.target.name for side in pair]


def test_requirements_are_the_listed_environments_that_have_them():
    assert wished("torch==2.9.1", "torch==2.10.0") == ["py312-torch-2.9.1/torch.nn", "py312-torch-2.10.0/torch.nn"]


def test_a_python_is_a_requirement_beside_the_others():
    old, new = wished("torch==2.9.1", "torch==2.10.0", base_python="3.13")
    assert old == "torch==2.9.1 + python==3.13/torch.nn"
    assert new == "py312-torch-2.10.0/torch.nn"


def test_an_adapter_of_one_side_is_that_of_the_other():
    assert wished("torch==2.9.1/torch.functional", "torch==2.10.0") == [
        "py312-torch-2.9.1/torch.functional", "py312-torch-2.10.0/torch.functional",
    ]  # fmt: skip
    how = How("torch.functional", "cpu", None)
    assert wished("torch==2.9.1", "torch==2.10.0", how=how)[1] == "py312-torch-2.10.0/torch.functional"


def test_a_recorded_side_says_the_adapter_of_the_other(tmp_path):
    name = "a/torch.functional"
    records = [
        {"record": "run", "schema": 2, "suite": "1", "date": "x", "command": [], "os": "x", "cases": 0},
        {"record": "target", "target": name, "environment": "a", "adapter": "torch.functional", "device": "cpu"},
        {"record": "target-end", "target": name, "counts": {}},
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    assert wished(str(path), "torch==2.10.0") == [None, "py312-torch-2.10.0/torch.functional"]
    assert wished(str(tmp_path), "torch==2.10.0") == [None, "py312-torch-2.10.0/torch.functional"]
    assert wished(str(path), "flax==0.12.12") == [None, "py312-flax-0.12.12/flax.linen"]


def test_a_side_that_is_missing_is_said_before_anything_is_looked_for():
    with pytest.raises(NoSide, match="the candidate is missing"):
        wished("here", None)
    assert os.path.exists(sys.executable)
