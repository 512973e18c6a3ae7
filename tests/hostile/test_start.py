"""A worker that does not start is one clear line; one that does not start again ends the target, and says so."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bnspec.answers import frame
from bnspec.driver import Driver, TargetFailed, Timeouts
from bnspec.environments import Environment, EnvironmentProblem
from bnspec.targets import choose


@pytest.mark.parametrize(
    ("adapter", "words"),
    [
        (
            "fails_at_import.py:Adapter",
            "the adapter does not load: ModuleNotFoundError: No module named 'no_such_framework'",
        ),
        ("exits_at_import.py:Adapter", "exited with status 1; it printed: this framework needs a licence"),
        ("hangs_at_import.py:Adapter", "not ready after 1 s"),
        ("adapters.py:Missing", "the adapter does not load: AttributeError"),
        ("adapters.py:real_pipe", "is not a class"),
    ],
)
def test_an_adapter_that_does_not_load_is_one_clear_line(target, workers, adapter, words):
    start = 1 if "hangs" in adapter else 60
    with pytest.raises(TargetFailed, match=re.escape(words)) as failed:
        Driver(target(adapter), Timeouts(start=start)).connect()
    assert "\n" not in str(failed.value)


def test_an_interpreter_that_is_not_there_is_one_clear_line(target):
    gone = replace(target("Innocent"), environment=Environment("gone", "/nowhere/python"))
    with pytest.raises(TargetFailed, match="/nowhere/python cannot be run: No such file or directory"):
        Driver(gone, Timeouts())


def test_an_execution_that_the_adapter_does_not_name_is_refused(target, workers):
    with pytest.raises(TargetFailed, match="the adapter has no execution 'jit'; it has eager"):
        Driver(replace(target("Innocent"), execution="jit"), Timeouts()).connect()


def test_a_worker_that_does_not_start_again_leaves_the_other_cases_not_run_and_says_why(run_on, mark):
    outcome = run_on("starts_once.py:Adapter")
    assert [row.verdict for row in outcome.rows.values()] == ["conforms", "conforms", "crash", "not-run", "not-run"]
    assert "the licence server counts one process" in outcome.rows["last"].message
    assert "the licence server counts one process" in outcome.driver.failure


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("class A:\n    environ = dict(os.environ)\n", "line 2: environ is set before the file is imported"),
        ("class A:\n    environ = ['KERAS_BACKEND']\n", "expected a literal dict"),
        ("class A:\n    environ: dict\n", "expected a literal dict"),
    ],
)
def test_an_environ_that_is_no_literal_dict_is_refused_before_anything_starts(tmp_path, text, words):
    file = tmp_path / "own.py"
    file.write_text(text, "utf-8")
    with pytest.raises(EnvironmentProblem, match=re.escape(words)):
        choose(Environment("here", "python"), f"{file}:A", "cpu", None)


def test_an_environ_with_an_annotation_is_found(tmp_path):
    file = tmp_path / "own.py"
    file.write_text("class A:\n    environ: dict = {'KERAS_BACKEND': 'jax', 'THREADS': 1}\n", "utf-8")
    chosen = choose(Environment("here", "python"), f"{file}:A", "cpu", None)
    assert chosen.environ == {"KERAS_BACKEND": "jax", "THREADS": "1"}
    assert Path(chosen.path.rpartition(":")[0]).is_absolute()


def test_an_environ_that_no_process_can_have_is_one_clear_line(target, tmp_path):
    file = tmp_path / "own.py"
    file.write_text("class A:\n    environ = {'A': 'a\\0b'}\n", "utf-8")
    with pytest.raises(TargetFailed, match="cannot be run: embedded null byte"):
        Driver(choose(target("Innocent").environment, f"{file}:A", "cpu", None), Timeouts())


def test_a_worker_whose_pipe_closes_exits_by_itself_after_the_case_it_is_at(target, cases, workers):
    driver = Driver(target("IsSlow"), Timeouts())
    driver.connect()
    worker = driver.session.worker
    worker.send(frame(cases[0]))
    worker.outbox.put(None)
    events = [worker.events.get(timeout=30) for _ in range(3)]
    assert [event.header.get("event") for event in events[:2]] == ["started", "trace"]
    assert (events[2].kind, events[2].text) == ("ended", "exited with status 0")
