"""Results files that are damaged, foreign, newer, cut off or nasty."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

OLD = '{"an older": "file"}\n'


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
        (b'{"record": "run", "schema": 4}\n', ":1: has schema 4, this bnspec reads up to 3; upgrade bnspec"),
        (json.dumps({"record": NASTY}).encode(), ":1: is not a results record"),
        (json.dumps({"record": "run", "schema": NASTY}).encode(), ":1: is not a run record"),
        (json.dumps(stream_of("x")[0]).encode() + b"\n" + json.dumps(stream_of(NASTY)[2]).encode(), ":2: target"),
    ],
    ids=["empty", "binary", "foreign", "newer", "nasty kind", "nasty schema", "nasty target"],
)
def test_a_file_that_is_no_results_file_is_one_clear_line(bnspec, cannot, tmp_path, content, words):
    (tmp_path / "given.jsonl").write_bytes(content)
    page = tmp_path / "page.html"
    page.write_text(OLD, "utf-8")
    cannot(bnspec("report", "given.jsonl", "-o", page), "given.jsonl", words)
    assert page.read_text("utf-8") == OLD


def test_a_file_that_is_not_there_or_a_folder_without_any_is_one_clear_line(bnspec, cannot, tmp_path):
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
