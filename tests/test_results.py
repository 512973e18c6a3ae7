"""The results stream: what is written can be read at any time; what cannot be read is one clear line."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bnspec.results import ResultsError, Writer, cut, one_line, read

RUN = {"schema": 3, "suite": "0.1.0", "date": "2025-11-21", "command": ["bnspec"], "os": "Linux", "cases": 1}
TARGET = {"target": "t", "environment": "e", "adapter": "a", "device": "cpu"}
CASE = {"target": "t", "id": "forward.training[rank2]", "verdict": "conforms"}
OLD = '{"an older": "file"}\n'

RECORDS = [
    {"record": "run", **RUN},
    {"record": "target", **TARGET},
    {"record": "case", **CASE},
    {"record": "target-end", "target": "t", "counts": {"conforms": 1}},
    {"record": "footer", "counts": {"conforms": 1}},
]

RESUMED_FIELDS = {"date": "2026-11-21", "revision": None, "command": ["bnspec"]}
RESUMED = {"record": "resume", **RESUMED_FIELDS}

Lines = Callable[..., Path]


@pytest.fixture
def lines(tmp_path: Path) -> Lines:
    """Write lines, each a record or bytes, to a file."""

    def write(*given: Any) -> Path:
        path = tmp_path / "results.jsonl"
        path.write_bytes(b"".join(g if isinstance(g, bytes) else json.dumps(g).encode() + b"\n" for g in given))
        return path

    return write


# Writing


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "results.jsonl"
    with Writer(path) as writer:
        writer.write("run", **RUN)
        writer.write("target", **TARGET)
        writer.write("case", **CASE, ratio=math.inf, margin=math.nan, message="\x1b\ud800 <b>\n")
        writer.write("target-end", target="t", counts={"conforms": 1})
    results = read(path)
    assert results.complete
    assert results.targets["t"].complete
    row = results.targets["t"].rows["forward.training[rank2]"]
    assert (row["ratio"], row["margin"], row["message"]) == ("inf", "nan", "\x1b\ud800 <b>\n")
    assert json.loads(path.read_text("ascii").splitlines()[-1]) == {"record": "footer", "counts": {"conforms": 1}}


def test_every_verdict_can_be_read_as_soon_as_it_is_written(tmp_path):
    path = tmp_path / "results.jsonl"
    with Writer(path) as writer:
        writer.write("run", **RUN)
        writer.write("target", **TARGET)
        for number in range(3):
            writer.write("case", **{**CASE, "id": f"forward.training[rank{number}]"})
            results = read(path)
            assert len(results.targets["t"].rows) == number + 1
            assert not results.complete
            assert not results.targets["t"].complete


def test_an_older_file_stays_until_there_is_a_verdict(tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_text(OLD, "utf-8")
    with Writer(path) as writer:
        writer.write("run", **RUN)
        writer.write("target", **TARGET)
        assert path.read_text("utf-8") == OLD
        assert not writer.begun
        writer.write("case", **CASE)
        assert writer.begun
    assert read(path).complete


def test_an_older_file_outlives_a_run_without_a_verdict(tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_text(OLD, "utf-8")
    with Writer(path) as writer:
        writer.write("run", **RUN)
        writer.write("target", **TARGET, failed="no such Python")
        writer.write("target-end", target="t", counts={})
    assert path.read_text("utf-8") == OLD


def test_where_there_is_no_older_file_a_run_without_a_verdict_is_written_too(tmp_path):
    path = tmp_path / "results.jsonl"
    with Writer(path) as writer:
        writer.write("run", **RUN)
        writer.write("target", **TARGET, failed="no such Python")
        writer.write("target-end", target="t", counts={})
    assert read(path).targets["t"].info["failed"] == "no such Python"


def test_an_interrupted_run_has_no_footer(tmp_path):
    path = tmp_path / "results.jsonl"

    def interrupted() -> None:
        with Writer(path) as writer:
            writer.write("run", **RUN)
            writer.write("target", **TARGET)
            writer.write("case", **CASE)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not read(path).complete


# Going on


def test_records_are_appended_behind_those_of_a_run_that_goes_on(lines):
    path = lines(*RECORDS[:4])
    before = path.read_bytes()
    with Writer(path, {"conforms": 1}) as writer:
        writer.write("resume", **RESUMED_FIELDS)
        assert path.read_bytes() == before, "nothing is written before there is a verdict"
        writer.write("target", **{**TARGET, "target": "u"})
        writer.write("case", **{**CASE, "target": "u"})
        writer.write("target-end", target="u", counts={"conforms": 1})
    assert path.read_bytes().startswith(before)
    results = read(path)
    assert results.complete
    assert {name: len(target.rows) for name, target in results.targets.items()} == {"t": 1, "u": 1}
    assert json.loads(path.read_bytes().splitlines()[-1])["counts"] == {"conforms": 2}


def test_a_line_that_was_cut_off_anywhere_does_not_hinder_going_on(lines):
    cut_off = json.dumps({**RECORDS[2], "id": "forward.training[rank3]"}).encode()
    for length in (0, 1, len(cut_off) // 2, len(cut_off) - 1, len(cut_off)):
        path = lines(*RECORDS[:3], cut_off[:length])
        before = path.read_bytes()
        with Writer(path, {}) as writer:
            writer.write("resume", **RESUMED_FIELDS)
            writer.write("target", **TARGET)
            writer.write("case", **CASE)
            writer.write("target-end", target="t", counts={"conforms": 1})
        assert path.read_bytes().startswith(before)
        results = read(path)
        assert results.complete
        assert list(results.targets["t"].rows) == [CASE["id"]], "the target was begun anew"


def test_targets_that_did_not_come_to_their_end_count_as_not_begun_behind_a_resume(lines):
    def target(name: str, verdict: str | None, *, end: bool = True, **more: str) -> list[dict[str, Any]]:
        case = [{"record": "case", **CASE, "target": name, "verdict": verdict}] if verdict else []
        ends = [{"record": "target-end", "target": name, "counts": {}}] if end else []
        return [{"record": "target", **TARGET, "target": name, **more}, *case, *ends]

    records = (
        RECORDS[0], *target("done", "violates"), *target("killed", "conforms", end=False),
        *target("failed", None, failed="no such Python"), *target("lost", "not-run"),
    )  # fmt: skip
    assert list(read(lines(*records)).targets) == ["done", "killed", "failed", "lost"]
    assert [target.finished for target in read(lines(*records)).targets.values()] == [True, False, False, False]
    results = read(lines(*records, RECORDS[-1], RESUMED))
    assert list(results.targets) == ["done"]
    assert not results.complete
    again = (*target("killed", "conforms"), *target("failed", "conforms"), RECORDS[-1])
    results = read(lines(*records, RESUMED, *again))
    assert results.complete
    assert all(target.finished for target in results.targets.values())


@pytest.mark.parametrize("schema", [1, 2, 3])
def test_older_files_are_still_read(lines, schema):
    results = read(lines({**RECORDS[0], "schema": schema}, *RECORDS[1:]))
    assert results.complete
    assert results.targets["t"].finished


# Reading


def test_a_file_cut_off_anywhere_behind_its_first_line_is_a_partial_run(lines):
    whole = lines(*RECORDS).read_bytes()
    for end in range(whole.index(b"\n") + 1, len(whole) - 1):
        results = read(lines(whole[:end]))
        assert not results.complete, whole[:end]
    assert read(lines(whole[:-1])).complete, "only the last line's end is missing"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([b""], "is empty"),
        ([b"\n  \n"], "is empty"),
        ([b"PK\x03\x04\x00\xff\n"], ":1: is not JSON"),
        ([b'{"record": "run", "sch'], ":1: is not JSON"),
        ([b"<html>\x1b[31m</html>\n"], ":1: is not JSON"),
        ([b"\xff\xfe{\x00}\x00\n"], ":1: is not a results record"),
        ([b"[" * 100_000 + b"\n"], ":1: is not JSON"),
        ([b'{"x": NaN}\n'], ":1: is not JSON"),
        ([b'{"x": 1' + b"0" * 5000 + b"}\n"], ":1: is not JSON"),
        ([b'{"facts": ' + b"[" * 400 + b"]" * 400 + b"}\n"], ":1: is nested too deep"),
        ([b"3\n"], ":1: is not a results record"),
        ([b"null\n"], ":1: is not a results record; expected one of run, target, case, target-end, resume"),
        ([{"record": ["run"]}], ":1: is not a results record"),
        ([{"schema": 9}], ":1: is not a results record"),
        ([[RUN]], ":1: is not a results record"),
        ([{"name": "package", "version": 3}], ":1: is not a results record"),
        ([{"record": "\x1b[31m<script>"}], ":1: is not a results record"),
        ([{**RECORDS[0], "schema": 4}], ":1: has schema 4, this bnspec reads up to 3; upgrade bnspec"),
        ([{**RECORDS[0], "schema": 0}], ":1: is not a run record: the record.schema must be one of [1, 2, 3]"),
        ([{**RECORDS[0], "command": "rm"}], ":1: is not a run record: the record.command must be array"),
        (RECORDS[1:], ":1: starts with 'target'; expected the run record"),
        ([RECORDS[0], RECORDS[2]], ":2: target 't' was not announced"),
        ([RECORDS[0], b"\n\n", RECORDS[2]], ":4: target 't' was not announced"),
        ([*RECORDS[:2], RECORDS[1]], ":3: target 't' is announced twice"),
        ([*RECORDS[:3], RECORDS[2]], ":4: a second row for forward.training[rank2]"),
        ([*RECORDS, *RECORDS], ":6: a second stream in one file"),
        ([*RECORDS[:4], *RECORDS], ":5: a second stream in one file"),
        ([*RECORDS[:2], b"garbage\n", RECORDS[2]], ":3: is not JSON"),
        ([*RECORDS[:2], b"garbage\n", b"\n", RESUMED], ":3: is not JSON"),
        ([b"garbage\n", RESUMED], ":1: is not JSON"),
        ([RESUMED], ":1: starts with 'resume'; expected the run record"),
        ([*RECORDS, RESUMED, RECORDS[0]], ":7: a second stream in one file"),
        ([*RECORDS, RESUMED, RECORDS[1]], ":7: target 't' is announced twice"),
        ([*RECORDS[:3], RESUMED, RECORDS[2]], ":5: target 't' was not announced"),
        ([*RECORDS[:3], {**RESUMED, "command": "rm"}], ":4: is not a resume record: the record.command must be array"),
        (
            [*RECORDS[:2], {**RECORDS[2], "verdict": "fine"}],
            ":3: is not a case record: the record.verdict must be one of",
        ),
        (
            [*RECORDS[:2], {**RECORDS[2], "id": "<script>[x]"}],
            ":3: is not a case record: the record.id must match pattern",
        ),
        (
            [*RECORDS[:2], {**RECORDS[2], "message": "x" * 30_000}],
            ":3: is not a case record: the record.message must be shorter",
        ),
        ([*RECORDS[:2], {**RECORDS[2], "seconds": -1}], ":3: is not a case record: the record.seconds must be bigger"),
        (
            [*RECORDS[:2], json.dumps({**RECORDS[2], "seconds": 5}).encode()[:-1] + b"e999}\n"],
            ":3: is not a case record",
        ),
        ([*RECORDS[:2], {**RECORDS[2], "ratio": 10**400}], ":3: is not a case record"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_results_file_is_one_clear_line_with_its_place(lines, given, words):
    path = lines(*given)
    with pytest.raises(ResultsError, match=re.escape(words)) as error:
        read(path)
    assert str(error.value).startswith(str(path))
    assert len(str(error.value)) < 500
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_or_is_a_folder_is_one_clear_line(tmp_path):
    with pytest.raises(ResultsError, match="cannot be read: No such file or directory"):
        read(tmp_path / "missing.jsonl")
    with pytest.raises(ResultsError, match="cannot be read: Is a directory"):
        read(tmp_path)


def test_a_text_that_is_cut_says_so_and_is_no_longer_than_asked():
    assert cut("  one\n two ", 7) == "one two"
    assert cut("one two three", 7) == "one tw…"
    assert cut("x" * 50, 7) == "xxxxxx…"


def test_one_line_holds_nothing_that_acts_on_a_terminal():
    text = one_line("red \x1b[31m\r\nnext\u202e\u2028line\t\x07" + "x" * 5000)
    assert text.startswith("red \N{REPLACEMENT CHARACTER}[31m next\N{REPLACEMENT CHARACTER} line")
    assert text.isprintable()
    assert len(text) == 2000


def test_targets_stand_in_the_order_in_which_they_were_asked_for(lines):
    path = lines(
        {"record": "run", **RUN, "targets": ["b", "a"]}, *({"record": "target", **TARGET, "target": n} for n in "ab")
    )
    assert list(read(path).targets) == ["b", "a"]
