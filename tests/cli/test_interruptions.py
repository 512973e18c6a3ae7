"""A run that is interrupted or killed keeps what finished and leaves no process."""

import signal
from pathlib import Path

import psutil

from bnspec.results import read

HOSTILE = Path(__file__).parent.parent / "hostile"
OLD = '{"an older": "file"}\n'
SELECTED = "stats.momentum-weight or degenerate.epsilon[1e-5-infer-rank2]"
"""Ten verdicts, then the victim of hostile/adapters.py."""


def has_verdicts(stream: Path, number: int) -> bool:
    """Return whether a results file holds so many."""
    return stream.exists() and stream.read_bytes().count(b'"record": "case"') >= number


def alive(process: int) -> bool:
    """Return whether a process runs; a dead one that nobody has asked after does not."""
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_ctrl_c_keeps_what_finished_and_leaves_no_worker(begin, eventually, tmp_path):
    stream, mark = tmp_path / "results.jsonl", tmp_path / "mark"
    running = begin(
        "run", "numpy", "numpy==2.0.0", "--adapter", f"{HOSTILE / 'adapters.py'}:Hangs", "--jobs", "1",
        "-k", SELECTED, "-o", stream,
    )  # fmt: skip
    assert eventually(mark.exists)
    assert eventually(lambda: has_verdicts(stream, 5))
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(timeout=30)
    assert running.returncode == 2
    assert (
        errors.splitlines()[-1]
        == f"bnspec: interrupted: what finished is in {stream}, a partial run; with --resume it goes on"
    )
    assert "Traceback" not in errors
    assert "(partial)" in output
    results = read(stream)
    assert not results.complete
    [target] = results.targets.values()
    assert not target.complete
    assert {row["verdict"] for row in target.rows.values()} == {"conforms"}
    assert len(target.rows) >= 5
    assert eventually(lambda: not alive(int(mark.read_text("utf-8"))))
    made = [path for path in (tmp_path / "cache" / "environments").iterdir() if path.is_dir()]
    assert all((path / "bnspec.json").exists() for path in made), "nothing half made is left"


def test_ctrl_c_before_the_first_verdict_loses_nothing(begin, eventually, tmp_path):
    stream = tmp_path / "results.jsonl"
    stream.write_text(OLD, "utf-8")
    running = begin("run", "numpy", "--adapter", f"{HOSTILE / 'hangs_at_import.py'}:Adapter", "-o", stream)
    assert "importing" in running.stderr.readline()
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(timeout=30)
    assert (running.returncode, output) == (2, "")
    assert errors == "bnspec: interrupted: there was no verdict yet\n"
    assert stream.read_text("utf-8") == OLD


def test_killing_the_host_leaves_a_readable_partial_file_and_no_worker(begin, eventually, tmp_path):
    stream, mark = tmp_path / "results.jsonl", tmp_path / "mark"
    own = f"{HOSTILE / 'adapters.py'}:Hangs"
    running = begin("run", "numpy", "--adapter", own, "-k", SELECTED, "-o", stream)
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
