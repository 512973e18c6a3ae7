"""The command, as a user starts it: what cannot be done is a line or two on stderr, exit status 2, nothing lost."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bnspec.results import read

PROGRAM = str(Path(sys.executable).with_name("bnspec"))
HOSTILE = Path(__file__).parent / "hostile"
OLD = '{"an older": "file"}\n'
ONE = ("-k", "forward.inference[rank2]")

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Environment variables with a cache of its own, and the mark by which an adapter says where it is."""
    return {**os.environ, "BNSPEC_CACHE": str(tmp_path / "cache"), "BNSPEC_TEST_MARK": str(tmp_path / "mark")}


@pytest.fixture
def bnspec(environ: dict[str, str], tmp_path: Path) -> Command:
    """Run the command to its end."""

    def run(*arguments: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, *map(str, arguments)],
            capture_output=True, text=True, env=environ, cwd=tmp_path, timeout=120, check=False, **more,
        )  # fmt: skip

    return run


@pytest.fixture
def begin(environ: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command; what is left of it at the end of the test is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str | Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [PROGRAM, *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ, cwd=tmp_path,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def cannot(done: subprocess.CompletedProcess[str], *words: str, progress: bool = False) -> None:
    """Assert that a command could not do it, and said so as it should."""
    told = [line for line in done.stderr.splitlines() if not progress or line.startswith("bnspec: ")]
    assert done.returncode == 2, done.stderr
    assert len(told) == 1, done.stderr
    assert told[0].startswith("bnspec: ")
    assert told[0].isprintable()
    assert len(told[0]) < 1000
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in told[0], told[0]


def eventually(condition: Callable[[], bool], seconds: float = 30) -> bool:
    """Return whether something is so, or soon will be."""
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return condition()


def has_verdicts(stream: Path, number: int) -> bool:
    """Return whether a results file holds so many."""
    return stream.exists() and stream.read_bytes().count(b'"record": "case"') >= number


def alive(process: int) -> bool:
    """Return whether a process runs; a dead one that nobody has asked after does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# What is named


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "name a target: bnspec run torch keras flax"),
        (["run", "torhc"], "'torhc' is no environment. Expected a framework (numpy, "),
        (["run", ""], "'' is no environment"),
        (["run", "../../etc/passwd"], "'..' is no environment"),
        (["run", "\x1b[31mred"], "is no environment"),
        (["run", "py399-torch-9.9.9"], "is no environment"),
        (["run", "--index-url=x"], "No such option '--index-url'"),
        (["run", "left-pad==1.3.0"], "has no framework that bnspec knows. Built-in adapters: numpy, torch.nn"),
        (["run", "numpy/torch.nn"], "numpy has no adapter 'torch.nn'"),
        (["run", "numpy", "numpy"], "numpy/numpy is named twice"),
        (["run", "numpy", "--here"], "give environments, or --here, or --python PATH: one of them"),
        (["run", "--here", "--python", "python3"], "one of them"),
        (["run", "--here"], "here has no framework that bnspec knows"),
        (["run", "--python", "/nowhere/python"], "--python /nowhere/python: there is no such file"),
        (["run", "--python", "/bin/ls"], "--python /bin/ls: is not a Python interpreter"),
        (["run", "--python", "/"], "--python /: is not a Python interpreter"),
        (["run", "--python", "/dev/null"], "--python /dev/null: is not a Python interpreter"),
        (["run", "--python", ""], "--python"),
        (["run", "numpy", "--device", "tpu"], "'tpu' is not one of 'cpu', 'cuda'. See bnspec run --help."),
        (["run", "numpy", "--jobs", "0"], "0 is not in the range x>=1"),
        (["run", "numpy", "--jobs", "two"], "'two' is not a valid integer"),
        (["run", "numpy", "--timeout", "0"], "0.0 is not in the range x>=0.1"),
        (["run", "numpy", "--timeout", "nan"], "--timeout nan: expected seconds, at most 86400"),
        (["run", "numpy", "--timeout", "inf"], "--timeout inf: expected seconds, at most 86400"),
        (["run", "numpy", "--colour"], "No such option '--colour'"),
        (["dance"], "No such command 'dance'. See bnspec --help."),
        (["report"], "Missing argument 'RESULTS...'. See bnspec report --help."),
        (["report", "x.jsonl"], "Missing option '-o'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_argument_is_one_clear_line(bnspec, arguments, words):
    cannot(bnspec(*arguments), words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-k", "no-such-clause"], "-k 'no-such-clause' selects nothing. Ids look like"),
        (["--device", "cuda"], "numpy/numpy@cuda did not run: the framework sees no device 'cuda' here"),
        (["--execution", "jit"], "numpy/numpy@jit did not run: the adapter has no execution 'jit'; it has eager"),
        (["--adapter", "no_such_package.bn:Layer"], "the adapter does not load: ModuleNotFoundError"),
        (["--adapter", f"{HOSTILE / 'fails_at_import.py'}:Adapter"], "No module named 'no_such_framework'"),
        (["--adapter", f"{HOSTILE / 'exits_at_import.py'}:Adapter"], "this framework needs a licence"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_only_the_worker_can_know_is_one_clear_line_too(bnspec, tmp_path, arguments, words):
    stream = tmp_path / "results.jsonl"
    stream.write_text(OLD, "utf-8")
    cannot(bnspec("run", "numpy", *arguments, "-o", stream), words, progress=True)
    assert stream.read_text("utf-8") == OLD


def test_an_own_adapter_that_cannot_be_one_is_one_clear_line(bnspec, tmp_path):
    (tmp_path / "broken.py").write_text("class A(:\n", "utf-8")
    (tmp_path / "empty.py").write_text("class Other: pass\n", "utf-8")
    (tmp_path / "binary.py").write_bytes(b"\x00\xff")
    (tmp_path / "folder.py").mkdir()
    for path, words in {
        "missing.py:A": "missing.py: cannot be read: No such file or directory",
        "broken.py:A": "broken.py: is not Python",
        "empty.py:A": "empty.py has no class 'A'; its classes: Other",
        "binary.py:A": "binary.py: is not Python",
        "folder.py:A": "folder.py: cannot be read: Is a directory",
        "empty.py": "numpy has no adapter 'empty.py'",
    }.items():
        cannot(bnspec("run", "numpy", "--adapter", path), words)


def test_requirements_that_do_not_resolve_are_one_clear_line_and_nothing_is_lost(bnspec, environ, tmp_path):
    environ["UV_OFFLINE"] = "1"
    stream = tmp_path / "results.jsonl"
    stream.write_text(OLD, "utf-8")
    cannot(bnspec("run", "torch==99.0", "-o", stream), "torch==99.0", "cannot be installed on Python", progress=True)
    assert stream.read_text("utf-8") == OLD


def test_help_is_asked_for_and_not_an_error(bnspec):
    for arguments in (["--help"], ["run", "-h"], ["report", "--help"], ["--version"]):
        done = bnspec(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout


def test_the_command_alone_shows_its_help(bnspec):
    done = bnspec()
    assert done.returncode == 2
    assert "Commands:" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


# Where it is written


@pytest.mark.parametrize("option", ["-o", "--report"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing/x", "cannot be written: No such file or directory; name another file"),
        ("folder", "cannot be written: Is a directory; name another file"),
        ("file/x", "cannot be written: Not a directory; name another file"),
        ("pipe", "is no regular file; name another file"),
        ("/dev/null", "is no regular file; name another file"),
        ("x" * 300, "cannot be written: File name too long; name another file"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_before_the_run(bnspec, tmp_path, option, name, words):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text(OLD, "utf-8")
    os.mkfifo(tmp_path / "pipe")
    cannot(bnspec("run", "numpy", option, name), words)


def test_a_cache_that_cannot_be_made_is_one_clear_line(bnspec, environ, tmp_path):
    (tmp_path / "cache").write_text(OLD, "utf-8")
    cannot(bnspec("run", "numpy"), "cache cannot be made", "set BNSPEC_CACHE")


def test_the_page_does_not_overwrite_results(bnspec, tmp_path):
    stream = tmp_path / "results.jsonl"
    assert bnspec("run", "numpy", *ONE, "-o", stream).returncode == 0
    before = stream.read_bytes()
    cannot(bnspec("report", stream, "-o", "./results.jsonl"), "is one of the results files")
    cannot(bnspec("report", ".", "-o", stream), "is one of the results files")
    cannot(bnspec("run", "numpy", "-o", stream, "--report", "./results.jsonl"), "both name")
    assert stream.read_bytes() == before


def test_a_failed_attempt_leaves_no_empty_file_behind(bnspec, tmp_path):
    cannot(bnspec("run", "numpy", "-k", "nothing-like-it", "-o", "new.jsonl"), "selects nothing", progress=True)
    assert not (tmp_path / "new.jsonl").exists()


def test_a_disk_that_fills_up_is_one_clear_line(bnspec, tmp_path):
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    done = bnspec("run", "numpy", "-o", "results.jsonl", preexec_fn=limit)
    cannot(done, "File too large", progress=True)


def test_results_of_the_targets_that_ran_are_kept_when_another_did_not(bnspec, tmp_path):
    stream = tmp_path / "results.jsonl"
    own = f"{HOSTILE / 'adapters.py'}:Innocent"
    done = bnspec("run", "numpy", "numpy==0.0.1", "--adapter", own, *ONE, "-o", stream)
    cannot(done, "numpy==0.0.1", "did not run", progress=True)
    results = read(stream)
    assert [bool(target.rows) for target in results.targets.values()].count(True) == 1
    assert "cannot be installed" in results.targets[f"numpy==0.0.1/{own}"].info["failed"]


def test_a_case_that_dies_is_a_finding_and_the_run_goes_on(bnspec, tmp_path):
    stream = tmp_path / "results.jsonl"
    own = f"{HOSTILE / 'adapters.py'}:Segfaults"
    done = bnspec("run", "numpy", "--adapter", own, "-k", "forward.inference", "-o", stream)
    assert done.returncode == 1, done.stderr
    [target] = read(stream).targets.values()
    verdicts = {identifier: row["verdict"] for identifier, row in target.rows.items()}
    assert verdicts.pop("forward.inference[epsilon1e-05]") == "crash"
    assert set(verdicts.values()) == {"conforms"}


# Interruptions


def test_ctrl_c_keeps_what_finished_and_leaves_no_worker(begin, tmp_path):
    stream, mark = tmp_path / "results.jsonl", tmp_path / "mark"
    running = begin(
        "run", "numpy", "numpy==2.0.0", "--adapter", f"{HOSTILE / 'adapters.py'}:Hangs", "--jobs", "1",
        "-k", "forward.inference", "-o", stream,
    )  # fmt: skip
    assert eventually(mark.exists)
    assert eventually(lambda: has_verdicts(stream, 5))
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(timeout=30)
    assert running.returncode == 2
    assert errors.splitlines()[-1] == f"bnspec: interrupted: what finished is in {stream}, a partial run"
    assert "Traceback" not in errors
    assert "(partial)" in output
    results = read(stream)
    assert not results.complete
    [target] = results.targets.values()
    assert not target.complete
    assert {row["verdict"] for row in target.rows.values()} == {"conforms"}
    assert len(target.rows) >= 5
    assert eventually(lambda: not alive(int(mark.read_text("utf-8"))))
    assert not list((tmp_path / "cache").glob("environments/*")), "the second target was not begun"


def test_ctrl_c_before_the_first_verdict_loses_nothing(begin, tmp_path):
    stream = tmp_path / "results.jsonl"
    stream.write_text(OLD, "utf-8")
    running = begin("run", "numpy", "--adapter", f"{HOSTILE / 'hangs_at_import.py'}:Adapter", "-o", stream)
    assert "importing" in running.stderr.readline()
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(timeout=30)
    assert (running.returncode, output) == (2, "")
    assert errors == "bnspec: interrupted: there was no verdict yet\n"
    assert stream.read_text("utf-8") == OLD


def test_killing_the_host_leaves_a_readable_partial_file_and_no_worker(begin, tmp_path):
    stream, mark = tmp_path / "results.jsonl", tmp_path / "mark"
    own = f"{HOSTILE / 'adapters.py'}:Hangs"
    running = begin("run", "numpy", "--adapter", own, "-k", "forward.inference", "-o", stream)
    assert eventually(mark.exists)
    worker = int(mark.read_text("utf-8"))
    assert eventually(lambda: has_verdicts(stream, 5))
    running.kill()
    running.communicate()
    results = read(stream)
    assert not results.complete
    assert len(next(iter(results.targets.values())).rows) >= 5
    assert eventually(lambda: not alive(worker)), "the worker outlived its host"


def test_a_reader_that_has_seen_enough_is_not_an_error_of_ours(begin):
    running = begin("environments")
    running.stdout.close()
    assert running.wait(30) != 0
    assert running.stderr.read() == ""


# What is read


def written(path: Path, *records: Any) -> Path:
    """Write records, or bytes, to a file."""
    lines = (record if isinstance(record, bytes) else json.dumps(record).encode() + b"\n" for record in records)
    path.write_bytes(b"".join(lines))
    return path


def stream_of(name: str) -> Sequence[dict[str, Any]]:
    """Return a results stream whose every text is a given one."""
    run = {"schema": 1, "suite": name, "date": name, "command": [name], "os": name, "cpu": name, "cases": 1}
    target = {"environment": name, "adapter": name, "device": name, "framework": name, "version": name, "python": name}
    case = {"id": "forward.training[rank2]", "verdict": "violates", "message": name, "arrays": {name: [1.0, name]}}
    odd = {"id": f"forward.training[{name}]"[:200], "verdict": "conforms", "variant": name}
    facts = {name: name, "list": [name]}
    return (
        {"record": "run", **run},
        {"record": "target", "target": name, **target, "packages": {name: name}, "facts": facts},
        {"record": "case", "target": name, **case},
        {"record": "case", "target": name, **odd},
        {"record": "target-end", "target": name, "counts": {name: 2}},
        {"record": "footer", "counts": {name: 2}},
    )


NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m\x07\u202e\ud800{{ 7*7 }}\"'`&"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty; expected a results stream, as `bnspec run -o FILE` writes it"),
        (b"\x7fELF\x00\x1b[31m", ":1: is not JSON"),
        (b'{"name": "react", "version": "19"}\n', ":1: is not a results record; expected one of run, target"),
        (b'{"record": "run", "schema": 2}\n', ":1: has schema 2, this bnspec reads up to 1; upgrade bnspec"),
        (json.dumps({"record": NASTY}).encode(), ":1: is not a results record"),
        (json.dumps({"record": "run", "schema": NASTY}).encode(), ":1: is not a run record"),
        (json.dumps(stream_of("x")[0]).encode() + b"\n" + json.dumps(stream_of(NASTY)[2]).encode(), ":2: target"),
    ],
    ids=["empty", "binary", "foreign", "newer", "nasty kind", "nasty schema", "nasty target"],
)
def test_a_file_that_is_no_results_file_is_one_clear_line(bnspec, tmp_path, content, words):
    (tmp_path / "given.jsonl").write_bytes(content)
    page = tmp_path / "page.html"
    page.write_text(OLD, "utf-8")
    cannot(bnspec("report", "given.jsonl", "-o", page), "given.jsonl", words)
    assert page.read_text("utf-8") == OLD


def test_a_file_that_is_not_there_or_a_folder_without_any_is_one_clear_line(bnspec, tmp_path):
    (tmp_path / "folder").mkdir()
    cannot(bnspec("report", "missing.jsonl", "-o", "page.html"), "missing.jsonl: cannot be read: No such file")
    cannot(bnspec("report", "folder", "-o", "page.html"), "folder: no *.jsonl there; make one with bnspec run")
    cannot(bnspec("report", "\x1b[31mred.jsonl", "-o", "page.html"), "cannot be read")
    assert not (tmp_path / "page.html").exists()


def test_a_run_that_was_cut_off_is_reported_as_partial(bnspec, tmp_path):
    whole = written(tmp_path / "given.jsonl", *stream_of("x")).read_bytes()
    (tmp_path / "given.jsonl").write_bytes(whole[:-60])
    done = bnspec("report", "given.jsonl", "-o", "page.html")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Partial run." in (tmp_path / "page.html").read_text("utf-8")


def test_nothing_in_a_results_file_acts_in_the_page(bnspec, tmp_path):
    written(tmp_path / "given.jsonl", *stream_of(NASTY.replace("[31m", "31m")))
    done = bnspec("report", "given.jsonl", "-o", "page.html")
    assert (done.returncode, done.stderr) == (0, "")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "{{ 7*7 }}" in page, "the text itself is shown as it is"


def test_an_old_python_is_named_for_what_it_is(bnspec):
    old = shutil.which("python2.7") or shutil.which("python2")
    if old:
        cannot(bnspec("run", "--python", old), "is not a Python interpreter of 3.6 or later")
