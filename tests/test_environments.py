"""Making environments: what cannot be made is one clear line, what is half made is made anew."""

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bnspec.environments import Environment, EnvironmentProblem, at_python, find, from_file, make

PYTHON_2 = [*Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/2*/bin/python")]
OLD = Environment("py36-small", "3.6", ("wheel==0.37.1",))


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    """Environments are made in a cache of the test's own, by Pythons that are there."""
    monkeypatch.setenv("BNSPEC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")


@pytest.fixture
def silent_index(monkeypatch) -> Iterator[None]:
    """A package index that takes every question and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://127.0.0.1:{server.getsockname()[1]}/simple")
        monkeypatch.setenv("UV_NO_CACHE", "1")
        monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
        yield


def test_a_python_that_is_not_there_is_one_clear_line():
    with pytest.raises(EnvironmentProblem) as problem:
        make(replace(OLD, name="py35-torch-0.4.0", python="3.5"))
    assert re.fullmatch(
        r"py35-torch-0\.4\.0: needs Python 3\.5, which was not found \(downloads are switched off\)\. Install it "
        r"\(`uv python install 3\.5`, or pyenv\) and put it on PATH, or give one with --python PATH\.",
        str(problem.value),
    )


def test_requirements_that_do_not_resolve_are_one_clear_line(monkeypatch):
    monkeypatch.setenv("UV_OFFLINE", "1")
    small = Environment("py311-nothing", "3.11", ("no-such-package-anywhere==99.0",))
    with pytest.raises(EnvironmentProblem, match=r"no-such-package-anywhere==99\.0 cannot be installed") as problem:
        make(small)
    assert "\n" not in str(problem.value)
    assert not small.made
    assert not small.home.exists(), "nothing half made is left"


def test_a_cache_that_is_no_folder_is_one_clear_line(tmp_path):
    (tmp_path / "cache").write_text("", "utf-8")
    with pytest.raises(EnvironmentProblem, match=r"cannot be made: .*; set BNSPEC_CACHE to another folder"):
        make(OLD)


def test_making_can_be_stopped(silent_index):
    slow = Environment("py311-slow", "3.11", ("no-such-package-anywhere==99.0",))
    stopped = threading.Event()
    threading.Timer(0.5, stopped.set).start()
    started = time.monotonic()
    with pytest.raises(EnvironmentProblem, match="stopped while its environment was made"):
        make(slow, stopped.is_set)
    assert time.monotonic() - started < 10
    assert not slow.made


def test_waiting_for_another_process_can_be_stopped(silent_index):
    slow = Environment("py311-slow", "3.11", ("no-such-package-anywhere==99.0",))
    first, second = threading.Event(), threading.Event()
    problems = []

    def making() -> None:
        try:
            make(slow, first.is_set)
        except EnvironmentProblem as problem:
            problems.append(str(problem))

    thread = threading.Thread(target=making)
    thread.start()
    while not slow.home.with_name(slow.home.name + ".lock").exists():
        time.sleep(0.01)
    while not slow.home.exists():
        time.sleep(0.01)
    second.set()
    with pytest.raises(EnvironmentProblem, match="stopped while another process made its environment"):
        make(slow, second.is_set)
    first.set()
    thread.join(10)
    assert problems == ["stopped while its environment was made"]


def test_an_environment_whose_python_has_gone_is_not_made(tmp_path):
    home = OLD.home
    (home / "bin").mkdir(parents=True)
    (home / "bnspec.json").write_text("{}", "utf-8")
    (home / "bin" / "python").symlink_to(tmp_path / "uninstalled")
    assert not OLD.made
    (tmp_path / "uninstalled").touch()
    assert OLD.made


@pytest.mark.parametrize("text", ["", " ", "torhc", "torch==", "torch=1", "torch @ https://x", "-e .", "a==1 b==2"])
def test_what_names_nothing_says_what_was_expected(text):
    with pytest.raises(EnvironmentProblem, match="is no environment"):
        find(text)


def test_a_file_with_another_name_says_which_name_was_expected(tmp_path):
    with pytest.raises(EnvironmentProblem, match=r"torch\.txt: expected a name like py311-torch-2\.13\.0\.txt"):
        from_file(tmp_path / "torch.txt")


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ("3 5", "is Python 3.5; expected 3.6 or later"),
        ("3", "is not a Python interpreter"),
        ("3 11 7", "is not a Python interpreter"),
        ("three six", "is not a Python interpreter"),
        ("", "is not a Python interpreter"),
    ],
)
def test_a_program_that_answers_oddly_is_no_python(tmp_path, says, words):
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\necho '{says}'\n", "utf-8")
    program.chmod(0o755)
    with pytest.raises(EnvironmentProblem, match=re.escape(words)):
        at_python(str(program))


@pytest.mark.skipif(not PYTHON_2, reason="there is no Python 2 of pyenv here")
def test_a_python_2_is_named_for_what_it_is():
    with pytest.raises(EnvironmentProblem, match=r"is Python 2\.\d; expected 3\.6 or later"):
        at_python(str(PYTHON_2[0]))


def test_two_environments_made_at_the_same_time_by_a_fresh_process_are_both_made(tmp_path):
    """sysconfig, asked first by two threads at once, once gave None for a part of uv's path."""
    program = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from bnspec.environments import uv_binary\n"
        "with ThreadPoolExecutor(8) as threads:\n"
        "    print(len(set(threads.map(lambda _: uv_binary(), range(8)))))\n"
    )
    for _ in range(5):
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
        assert run.stdout == "1\n", run.stderr
