"""Where results and pages are written, and what is in them when something went wrong."""

import os
import resource
from pathlib import Path

import pytest

from bnspec.results import read

HOSTILE = Path(__file__).parent.parent / "hostile"
OLD = '{"an older": "file"}\n'
ONE = ("-k", "forward.inference[rank2]")


@pytest.mark.parametrize("option", ["-o", "--report"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing/x", "cannot be written: No such file or directory; name another file"),
        ("file/x", "cannot be written: Not a directory; name another file"),
        ("pipe", "is no regular file; name another file"),
        ("/dev/null", "is no regular file; name another file"),
        ("x" * 300, "cannot be written: File name too long; name another file"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_before_the_run(bnspec, cannot, tmp_path, option, name, words):
    (tmp_path / "file").write_text(OLD, "utf-8")
    os.mkfifo(tmp_path / "pipe")
    cannot(bnspec("run", "numpy", option, name), words)


def test_a_page_is_no_folder_and_a_folder_of_results_can_be_written(bnspec, cannot, tmp_path):
    (tmp_path / "folder").mkdir()
    cannot(bnspec("run", "numpy", "--report", "folder"), "cannot be written: Is a directory; name another file")
    cannot(bnspec("run", "numpy", "-o", "missing/folder/"), "missing/folder/ cannot be made: No such file")
    cannot(bnspec("run", "numpy", "-o", "folder", "--report", "folder/numpy.jsonl"), "both name")
    (tmp_path / "folder" / "numpy.jsonl").mkdir()
    cannot(bnspec("run", "numpy", "-o", "folder"), "folder/numpy.jsonl cannot be written: Is a directory")


def test_a_cache_that_cannot_be_made_is_one_clear_line(bnspec, cannot, environ, tmp_path):
    (tmp_path / "cache").write_text(OLD, "utf-8")
    cannot(bnspec("run", "numpy"), "cache cannot be made", "set BNSPEC_CACHE")


def test_the_page_does_not_overwrite_results(bnspec, cannot, tmp_path):
    stream = tmp_path / "results.jsonl"
    assert bnspec("run", "numpy", *ONE, "-o", stream).returncode == 0
    before = stream.read_bytes()
    cannot(bnspec("report", stream, "-o", "./results.jsonl"), "is one of the results files")
    cannot(bnspec("report", ".", "-o", stream), "is one of the results files")
    cannot(bnspec("run", "numpy", "-o", stream, "--report", "./results.jsonl"), "both name")
    assert stream.read_bytes() == before


def test_a_failed_attempt_leaves_no_empty_file_behind(bnspec, cannot, tmp_path):
    cannot(bnspec("run", "numpy", "-k", "nothing-like-it", "-o", "new.jsonl"), "selects nothing", progress=True)
    assert not (tmp_path / "new.jsonl").exists()


def test_a_disk_that_fills_up_is_one_clear_line(bnspec, cannot, tmp_path):
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    done = bnspec("run", "numpy", "-o", "results.jsonl", preexec_fn=limit)
    cannot(done, "File too large", progress=True)


def test_results_of_the_targets_that_ran_are_kept_when_another_did_not(bnspec, cannot, tmp_path):
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
    done = bnspec("run", "numpy", "--adapter", own, "-k", "forward.inference and not float16", "-o", stream)
    assert done.returncode == 1, done.stderr
    [target] = read(stream).targets.values()
    verdicts = {identifier: row["verdict"] for identifier, row in target.rows.items()}
    assert verdicts.pop("forward.inference[epsilon1e-05]") == "crash"
    assert set(verdicts.values()) == {"conforms", "unsupported"}
