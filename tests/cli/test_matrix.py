"""Many targets: a file for each, going on after a kill, environments that are not kept."""

import json
import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from bnspec.results import read

HOSTILE = Path(__file__).parent.parent / "hostile"
OWN = f"{HOSTILE / 'adapters.py'}:Innocent"
ONE = ("-k", "forward.inference[rank2]")
NAMES = ("tiny==1.0", "tiny==2.0", "tiny==3.0")

SELECTED = "stats.momentum-weight or degenerate.epsilon[1e-5-infer-rank2]"
"""Ten verdicts, then the case at which the layer of MINE may wait."""

MINE = """
import os
import time
from bnspec.worker.adapters.reference import Reference

class Mine(Reference):
    def call(self, mode, x, **options):
        while self.layer["epsilon"] == 1e-5 and os.path.exists("waits"):
            open("mark", "w").close()
            time.sleep(0.01)
        return super().call(mode, x, **options)
"""


def left_of(cache: Path) -> list[str]:
    """Return what is in a folder of environments beside their locks."""
    return sorted(path.name for path in cache.glob("environments/*") if path.suffix != ".lock")


def file_of(name: str) -> str:
    """Return the results file of a target with our own adapter."""
    return re.sub(r"[^A-Za-z0-9_.=+@-]+", "_", f"{name}/{OWN}") + ".jsonl"


# A folder


def test_a_folder_gets_a_file_for_each_target_and_the_summary_and_page_have_all(bnspec, tiny, tmp_path):
    done = bnspec("run", "numpy", "tiny==1.0", "--adapter", OWN, *ONE, "-o", "out/", "--report", "page.html")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(map(file_of, ("numpy", "tiny==1.0")))
    for path in (tmp_path / "out").iterdir():
        results = read(path)
        assert results.complete
        assert len(results.targets) == 1
    assert done.stdout.count("1 conforms") == 2
    assert done.stdout.endswith("Report: page.html\nResults: out\n")
    assert "tiny==1.0" in (tmp_path / "page.html").read_text("utf-8")


def test_a_target_that_does_not_run_does_not_take_the_others_along(bnspec, cannot, tiny, tmp_path):
    (tmp_path / "out").mkdir()
    done = bnspec("run", "tiny==9.0", "tiny==1.0", "--adapter", OWN, *ONE, "-o", "out")
    cannot(done, "tiny==9.0", "there is no tiny 9.0; near it is 3.0", progress=True)
    assert read(tmp_path / "out" / file_of("tiny==1.0")).complete
    failed = read(tmp_path / "out" / file_of("tiny==9.0"))
    assert "there is no tiny 9.0" in next(iter(failed.targets.values())).info["failed"]


def test_two_targets_that_would_share_a_file_are_refused_before_the_run(bnspec, cannot, tmp_path):
    shutil.copy(HOSTILE / "adapters.py", tmp_path / "a.py")
    both = ("numpy==1.0", "numpy==1.0 ")
    cannot(bnspec("run", *both, "--adapter", "a.py:Innocent", "-o", "out/"), "would be written to")
    assert not list((tmp_path / "out").iterdir())


# Going on


def test_a_killed_run_goes_on_where_it_was(begin, bnspec, eventually, tmp_path):
    stream, mark, waits = (tmp_path / name for name in ("results.jsonl", "mark", "waits"))
    (tmp_path / "mine.py").write_text(MINE, "utf-8")
    waits.touch()
    arguments = ("run", "numpy", "--adapter", "mine.py:Mine", "-k", SELECTED, "-o", stream)
    running = begin(*arguments)
    assert eventually(mark.exists)
    assert eventually(lambda: stream.exists() and stream.read_bytes().count(b'"record": "case"') >= 5)
    running.kill()
    running.communicate()
    waits.unlink()
    killed = stream.read_bytes()
    done = bnspec(*arguments, "--resume")
    assert done.returncode == 0, done.stderr
    assert stream.read_bytes().startswith(killed)
    results = read(stream)
    assert results.complete
    [target] = results.targets.values()
    assert target.finished
    assert len(target.rows) > killed.count(b'"record": "case"')
    again = stream.read_bytes()
    done = bnspec(*arguments, "--resume")
    assert (done.returncode, done.stderr) == (0, f"1 of 1 targets are finished in {stream}\n")
    assert "conforms" in done.stdout
    assert stream.read_bytes() == again, "there was nothing left to do"


def test_what_is_finished_is_not_run_again(bnspec, tiny, tmp_path):
    arguments = ("run", *NAMES, "--adapter", OWN, *ONE, "--jobs", "1")
    assert bnspec(*arguments, "-o", "out/").returncode == 0
    first, second, third = (tmp_path / "out" / file_of(name) for name in NAMES)
    kept = third.read_bytes()
    first.write_bytes(first.read_bytes().rpartition(b'{"record": "footer"')[0])
    second.write_text(second.read_text("utf-8").replace('"revision": "', '"revision": "old-'), "utf-8")
    done = bnspec(*arguments, "-o", "out/", "--resume")
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^([^/\n]+)/.*: (?:done|importing)", done.stderr, re.MULTILINE) == [
        *NAMES[:1] * 2,
        *NAMES[1:2] * 2,
    ]
    assert "1 of 3 targets are finished in out\n" in done.stderr
    assert third.read_bytes() == kept
    assert all(read(path).complete for path in (first, second, third))
    assert done.stdout.count("1 conforms") == 3, "the summary has all of them"


def test_a_file_of_another_revision_or_selection_is_refused_and_kept(bnspec, cannot, tmp_path):
    stream = tmp_path / "results.jsonl"
    assert bnspec("run", "numpy", *ONE, "-o", stream).returncode == 0
    before = stream.read_bytes()
    cannot(bnspec("run", "numpy", "-o", stream, "--resume"), "--resume: ", "this run is of all cases; without --resume")
    cannot(bnspec("run", "numpy", *ONE, "--adapter", OWN, "-o", stream, "--resume"), "of other targets than this run")
    assert stream.read_bytes() == before
    record, *rest = before.splitlines(keepends=True)
    record = json.dumps({**json.loads(record), "revision": "0123456789ab"}).encode() + b"\n"
    stream.write_bytes(record + b"".join(rest))
    cannot(bnspec("run", "numpy", *ONE, "-o", stream, "--resume"), "is of the suite 0.1.0 (0123456789ab), this is")


# Environments that are not kept


def test_discarded_environments_are_gone_and_those_that_were_there_stay(bnspec, tiny, tmp_path):
    arguments = ("--adapter", OWN, *ONE, "-o", "out/")
    assert bnspec("run", "tiny==1.0", *arguments).returncode == 0
    [there] = left_of(tmp_path / "cache")
    done = bnspec("run", *NAMES, *arguments, "--discard")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("1 conforms") == 3
    assert left_of(tmp_path / "cache") == [there]
    assert there.startswith("tiny==1.0-")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interruption_leaves_no_environment_or_the_next_run_removes_it(
    begin, bnspec, eventually, tiny, tmp_path, how
):
    cache = tmp_path / "cache"
    hangs = f"{HOSTILE / 'adapters.py'}:Hangs"
    running = begin("run", *NAMES, "--adapter", hangs, "--discard", "--jobs", "1", "-o", "out/")
    assert eventually((tmp_path / "mark").exists)
    assert eventually(lambda: len([name for name in left_of(cache) if not name.endswith(".discard")]) == 2)
    time.sleep(0.5)  # a third would be begun by now
    assert len([name for name in left_of(cache) if not name.endswith(".discard")]) == 2
    running.send_signal(how)
    running.communicate(timeout=60)
    if how == signal.SIGINT:
        assert left_of(cache) == []
    done = bnspec("run", "tiny==3.0", "--adapter", OWN, *ONE, "--discard", "-o", "out/")
    assert done.returncode == 0, done.stderr
    assert left_of(cache) == []


def test_ctrl_c_while_an_environment_is_made_leaves_nothing_of_it(begin, environ, eventually, tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        environ.update(UV_DEFAULT_INDEX=f"http://127.0.0.1:{server.getsockname()[1]}/simple", UV_NO_CACHE="1")
        environ.pop("PIP_FIND_LINKS", None)
        running = begin("run", "no-such-package-anywhere==1.0", "--adapter", OWN, "-o", "out.jsonl")
        assert eventually(lambda: list((tmp_path / "cache" / "environments").glob("*/bin/python")) != [])
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=30)
    assert running.returncode == 2
    assert errors.splitlines()[-1] == "bnspec: interrupted: there was no verdict yet"
    assert left_of(tmp_path / "cache") == []
    assert not (tmp_path / "out.jsonl").exists()
