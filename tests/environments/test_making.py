"""Making environments: what cannot be made is one clear line and leaves nothing, what is half made is made anew."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bnspec.environments import Environment, EnvironmentProblem, discard, discard_left_over, installed, make
from bnspec.environments.making import CLAIMS
from bnspec.environments.model import DAY
from bnspec.environments.uv import pythons

HOST = f"{sys.version_info.major}.{sys.version_info.minor}"
OLD = Environment("py36-small", "3.6", ("wheel==0.37.1",))
SLOW = Environment("slow", HOST, ("no-such-package-anywhere==99.0",))
TINY = Environment("tiny==1.0", HOST, ("tiny==1.0", "numpy"), ("tiny",))

LETS_GO = (
    "import sys, time; from bnspec.environments import make, Environment; "
    "make(Environment(*{what!r}), keep={keep}); print('made', flush=True); time.sleep(60)"
)
"""A process that makes an environment, says so, and lives on."""


def left_of(environment: Environment) -> list[str]:
    """Return what there is of an environment; its lock stays."""
    found = environment.home.parent.glob(f"{environment.home.name}*")
    return sorted(path.name.removeprefix(environment.home.name) for path in found if path.suffix != ".lock")


def makes(environment: Environment, *, keep: bool) -> subprocess.Popen[str]:
    """Start a process that has made an environment and uses it."""
    what = (environment.name, environment.python, environment.requirements, environment.families)
    program = LETS_GO.format(what=what, keep=keep)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "made\n"
    return process


def test_a_python_that_is_not_there_is_one_clear_line_with_those_that_are():
    old = Environment("py36-torch-0.4.0", "3.99", ("torch==0.4.0", "numpy==1.16.4"))
    with pytest.raises(EnvironmentProblem) as problem:
        make(old)
    here = pythons()
    assert str(problem.value) == (
        "py36-torch-0.4.0: needs Python 3.99, which was not found (downloads are switched off). Install it "
        "(`uv python install 3.99`, or pyenv) and put it on PATH; or take one of those that are here "
        f'({", ".join(here)}) by "torch==0.4.0 + python=={here[-1]}".'
    )
    assert HOST in here
    assert left_of(old) == []


def test_requirements_that_do_not_resolve_are_one_clear_line(monkeypatch):
    monkeypatch.setenv("UV_OFFLINE", "1")
    with pytest.raises(EnvironmentProblem, match=r"no-such-package-anywhere==99\.0 cannot be installed") as problem:
        make(SLOW)
    assert "\n" not in str(problem.value)
    assert not SLOW.made
    assert left_of(SLOW) == [], "nothing half made is left"


def test_a_cache_that_is_no_folder_is_one_clear_line(tmp_path):
    (tmp_path / "cache").write_text("", "utf-8")
    with pytest.raises(EnvironmentProblem, match=r"cannot be made: .*; set BNSPEC_CACHE to another folder"):
        make(OLD)


def test_making_can_be_stopped(silent_index):
    stopped = threading.Event()
    threading.Timer(0.5, stopped.set).start()
    started = time.monotonic()
    with pytest.raises(EnvironmentProblem, match="stopped while its environment was made"):
        make(SLOW, stopped.is_set)
    assert time.monotonic() - started < 10
    assert not SLOW.made
    assert left_of(SLOW) == []


def test_waiting_for_another_process_can_be_stopped(silent_index):
    first, second = threading.Event(), threading.Event()
    problems = []

    def making() -> None:
        try:
            make(SLOW, first.is_set)
        except EnvironmentProblem as problem:
            problems.append(str(problem))

    thread = threading.Thread(target=making)
    thread.start()
    while not SLOW.home.exists():
        time.sleep(0.01)
    second.set()
    with pytest.raises(EnvironmentProblem, match="stopped while another process made its environment"):
        make(SLOW, second.is_set)
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


def test_two_threads_that_want_the_same_environment_both_get_it(packages):
    packages.add("tiny", "1.0")
    threads = [threading.Thread(target=make, args=(TINY,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert TINY.made
    assert json.loads((TINY.home / "bnspec.json").read_text("utf-8"))["requirements"] == ["tiny==1.0", "numpy"]


def test_two_environments_made_at_the_same_time_by_a_fresh_process_are_both_made():
    """sysconfig, asked first by two threads at once, once gave None for a part of uv's path."""
    program = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from bnspec.environments.uv import uv_binary\n"
        "with ThreadPoolExecutor(8) as threads:\n"
        "    print(len(set(threads.map(lambda _: uv_binary(), range(8)))))\n"
    )
    for _ in range(5):
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
        assert run.stdout == "1\n", run.stderr


def test_what_somebody_removed_is_made_again(packages):
    packages.add("tiny", "1.0")
    make(TINY)
    shutil.rmtree(TINY.home)
    make(TINY)
    assert TINY.made


def test_a_range_of_versions_is_resolved_anew_after_a_day(packages, monkeypatch):
    monkeypatch.setenv("UV_NO_CACHE", "1")
    packages.add("tiny", "1.0")
    asked = Environment("tiny>0.5", HOST, ("tiny>0.5", "numpy"), ("tiny",), companions=("numpy",))
    firm = replace(asked, name="tiny==1.0", requirements=("tiny==1.0", "numpy"))
    for environment in (asked, firm):
        make(environment)
    packages.add("tiny", "1.1")
    make(asked)
    assert installed(asked)["tiny"] == "1.0"
    for environment in (asked, firm):
        os.utime(environment.home / "bnspec.json", (time.time() - DAY - 1,) * 2)
    assert firm.made
    assert not asked.made
    make(asked)
    assert installed(asked)["tiny"] == "1.1"


def test_a_python_that_does_not_say_what_is_installed_is_one_clear_line(packages):
    packages.add("tiny", "1.0")
    asked = replace(TINY, companions=("numpy",))
    make(asked)
    asked.interpreter.unlink()
    asked.interpreter.symlink_to("/bin/false")
    with pytest.raises(
        EnvironmentProblem, match=r"^tiny==1\.0: .*/python does not say what is installed in it; remove "
    ):
        installed(asked)


# What goes on after installation


def test_the_users_own_command_finds_what_was_installed(packages, monkeypatch):
    packages.add("tiny", "1.0")
    where = "lib/python3*/site-packages"
    monkeypatch.setenv("BNSPEC_AFTER_INSTALL", f'cd "$BNSPEC_ENVIRONMENT"/{where} && ls > ../../../listed')
    make(TINY)
    assert "tiny.bin" in (TINY.home / "listed").read_text("utf-8").split()


def test_an_own_command_that_fails_is_one_clear_line_and_leaves_nothing(packages, monkeypatch):
    packages.add("tiny", "1.0")
    monkeypatch.setenv("BNSPEC_AFTER_INSTALL", "echo one >&2; echo two >&2; exit 3")
    with pytest.raises(EnvironmentProblem, match=r"^tiny==1\.0: \$BNSPEC_AFTER_INSTALL ended with 3: one two$"):
        make(TINY)
    assert left_of(TINY) == []


# Companions


def test_companions_that_do_not_go_with_what_was_asked_for_give_way(packages):
    packages.add("tiny", "1.0", "friend>=2")
    for version in ("1.0", "2.0", "3.0"):
        packages.add("friend", version)
    asked = replace(TINY, requirements=("tiny==1.0", "friend==1.0"), companions=("friend==1.0",))
    make(asked)
    assert installed(asked) == {"tiny": "1.0", "friend": "3.0"}


def test_what_was_asked_for_does_not_give_way(packages):
    packages.add("tiny", "1.0", "friend>=2")
    packages.add("friend", "1.0")
    packages.add("friend", "2.0")
    asked = replace(TINY, requirements=("tiny==1.0", "friend==1.0"))
    with pytest.raises(EnvironmentProblem, match=r"tiny==1\.0 and friend==1\.0 do not go together: "):
        make(asked)


# Discarding


def test_an_environment_that_is_not_kept_leaves_nothing_behind_not_even_in_uvs_cache(packages):
    packages.add("tiny", "1.0", size=1_000_000)
    make(TINY, keep=False)
    (file,) = TINY.home.glob("lib/python3*/site-packages/tiny.bin")
    assert file.stat().st_size == 1_000_000
    assert file.stat().st_nlink == 1, "no other link to it is left"
    assert not list((packages.folder / "uv-cache").rglob("tiny.bin"))
    assert left_of(TINY) == ["", ".discard"]
    discard(TINY)
    assert left_of(TINY) == []


def test_one_that_is_kept_shares_its_files_with_uvs_cache_and_is_never_discarded(packages):
    packages.add("tiny", "1.0", size=1000)
    make(TINY)
    (file,) = TINY.home.glob("lib/python3*/site-packages/tiny.bin")
    assert file.stat().st_nlink == 2
    discard(TINY)
    discard_left_over()
    assert TINY.made


def test_what_another_process_uses_is_not_discarded_and_is_when_that_has_gone(packages):
    packages.add("tiny", "1.0")
    make(TINY, keep=False)
    other = makes(TINY, keep=True)
    discard(TINY)
    discard_left_over()
    assert TINY.made
    other.kill()
    other.wait()
    discard_left_over()
    assert left_of(TINY) == []


def test_what_a_killed_process_made_not_to_be_kept_is_discarded_later(packages):
    packages.add("tiny", "1.0")
    other = makes(TINY, keep=False)
    other.kill()
    other.wait()
    assert TINY.made
    discard_left_over()
    assert left_of(TINY) == []


def test_a_killed_process_leaves_its_lock_to_the_installer_which_still_works(silent_index):
    program = LETS_GO.format(what=(SLOW.name, SLOW.python, SLOW.requirements, ()), keep=False)
    other = subprocess.Popen([sys.executable, "-c", program])
    while not (SLOW.home / "bin" / "python").exists():
        time.sleep(0.01)
    time.sleep(0.3)  # by now uv waits for the index
    other.kill()
    other.wait()
    discard_left_over()
    try:
        assert left_of(SLOW) == ["", ".discard"], "uv would go on writing into a folder that was removed"
    finally:
        here = str(SLOW.home).encode()
        for process in Path("/proc").glob("[0-9]*"):
            if here in Path(process, "cmdline").read_bytes():
                os.kill(int(process.name), 9)
    until = time.monotonic() + 10
    while left_of(SLOW) and time.monotonic() < until:
        discard_left_over()
    assert left_of(SLOW) == []


@pytest.fixture(autouse=True)
def _nothing_claimed():
    """The locks of a test are not those of the next."""
    yield
    while CLAIMS:
        CLAIMS.popitem()[1].close()


def test_a_name_is_no_pattern_for_the_folder():
    assert re.fullmatch(r"tiny==1\.0-[0-9a-f]{10}", TINY.home.name)
