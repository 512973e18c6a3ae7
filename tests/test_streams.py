"""The files of a run: one for all targets or one for each, and what counts as finished in them."""

from pathlib import Path

import pytest

from bnspec import __version__, streams
from bnspec import provenance as origin
from bnspec.environments import reference
from bnspec.provenance import provenance
from bnspec.results import ResultsError, read
from bnspec.streams import CannotResume, Earlier, Streams, earlier
from bnspec.targets import Target, files_of

ONE, TWO = (Target(reference(), name, f"{name}.py:Layer") for name in ("one.py:Layer", "two.py:Layer"))
NOTHING = Earlier()
REVISION = "fedcba987654"
CASE = {"id": "forward.training[rank2]", "verdict": "conforms"}


@pytest.fixture(autouse=True)
def _one_revision(monkeypatch):
    """Whatever is edited meanwhile."""
    for module in (streams, origin):
        monkeypatch.setattr(module, "revision", lambda: REVISION)


def about(target: Target) -> dict[str, str]:
    return {"target": target.name, "environment": "numpy", "adapter": target.adapter, "device": "cpu"}


def write(streams: Streams, target: Target, *, end: bool = True, verdict: str = "conforms") -> None:
    streams.write("target", **about(target))
    streams.write("case", target=target.name, **{**CASE, "verdict": verdict})
    if end:
        streams.write("target-end", target=target.name, counts={verdict: 1})


def run(output: Path, *targets: Target, ends: int = 2, selection: str | None = None, before: Earlier = NOTHING) -> None:
    """Write a run in which so many targets come to an end, and the next is killed within."""
    left = [target for target in targets if target.name not in before.finished]
    head = provenance([target.name for target in left], 1, selection)
    with Streams(files_of(output, left), head, before.counts) as streams:
        for number, target in enumerate(left[: ends + 1]):
            write(streams, target, end=number < ends)


def rewritten(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


# Writing


def test_all_targets_in_one_file_are_one_stream(tmp_path):
    run(tmp_path / "all.jsonl", ONE, TWO)
    results = read(tmp_path / "all.jsonl")
    assert results.complete
    assert list(results.targets) == results.run["targets"] == [ONE.name, TWO.name]


def test_each_target_in_a_folder_is_a_whole_stream_of_its_own(tmp_path):
    run(tmp_path, ONE, TWO)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["numpy_one.py_Layer.jsonl", "numpy_two.py_Layer.jsonl"]
    for target in (ONE, TWO):
        results = read(tmp_path / target.file_name)
        assert results.complete
        assert list(results.targets) == results.run["targets"] == [target.name]


def test_a_target_that_ended_is_whole_on_disk_while_others_run(tmp_path):
    files = files_of(tmp_path, [ONE, TWO])
    with Streams(files, provenance(list(files), 1, None), None) as streams:
        write(streams, ONE)
        write(streams, TWO, end=False)
        assert read(files[ONE.name]).complete
        assert not read(files[TWO.name]).complete
        assert streams.begun == list(files.values())
    assert not read(files[TWO.name]).complete, "without its end it gets no footer"


def test_a_target_that_fails_does_not_replace_older_results_and_says_why_where_there_are_none(tmp_path):
    run(tmp_path, ONE)
    for target in (ONE, TWO):
        with Streams(files_of(tmp_path, [target]), provenance([target.name], 1, None), None) as streams:
            streams.write("target", **about(target), failed="no such Python")
            streams.write("target-end", target=target.name, counts={})
    assert read(tmp_path / ONE.file_name).targets[ONE.name].finished
    assert read(tmp_path / TWO.file_name).targets[TWO.name].info["failed"] == "no such Python"
    assert earlier(tmp_path, [ONE, TWO], None).finished == {ONE.name}


# Going on, in one file


def test_nothing_there_is_nothing_to_go_on_with(tmp_path):
    assert earlier(tmp_path / "new.jsonl", [ONE], None) == NOTHING
    (tmp_path / "empty.jsonl").touch()
    assert earlier(tmp_path / "empty.jsonl", [ONE], None) == NOTHING
    assert earlier(tmp_path, [ONE], None) == NOTHING


def test_a_killed_run_goes_on_in_its_file_which_is_only_appended_to(tmp_path):
    path = tmp_path / "all.jsonl"
    run(path, ONE, TWO, ends=1)
    killed = path.read_bytes()
    before = earlier(path, [ONE, TWO], None)
    assert before == Earlier(frozenset({ONE.name}), {"conforms": 1})
    run(path, ONE, TWO, before=before)
    assert path.read_bytes().startswith(killed)
    results = read(path)
    assert results.complete
    assert all(target.finished for target in results.targets.values())
    assert earlier(path, [ONE, TWO], None).finished == {ONE.name, TWO.name}


def test_a_run_that_is_killed_again_goes_on_again(tmp_path):
    path = tmp_path / "all.jsonl"
    run(path, ONE, TWO, ends=0)
    run(path, ONE, TWO, ends=0, before=earlier(path, [ONE, TWO], None))
    with path.open("ab") as file:
        file.write(b'{"record": "case", "targ')
    run(path, ONE, TWO, before=earlier(path, [ONE, TWO], None))
    assert read(path).complete
    assert [len(target.rows) for target in read(path).targets.values()] == [1, 1]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (f'"suite": "{__version__}"', '"suite": "0.0.9"', "is of the suite 0.0.9 ("),
        (f'"revision": "{REVISION}"', '"revision": "0123456789ab"', "is of the suite 0.1.0 (0123456789ab), this is"),
        ('"selection": null', '"selection": "frozen"', "holds results of -k 'frozen', this run is of all cases"),
        ('"targets": [', '"targets": ["other", ', "holds results of other targets than this run has"),
    ],
)
def test_a_file_of_another_run_is_refused(tmp_path, old, new, words):
    path = tmp_path / "all.jsonl"
    run(path, ONE, TWO, ends=1)
    rewritten(path, old, new)
    with pytest.raises(CannotResume) as problem:
        earlier(path, [ONE, TWO], None)
    assert str(problem.value).startswith(f"--resume: {path} {words}")
    assert str(problem.value).endswith("; without --resume all is run anew")


def test_a_file_that_is_no_results_file_is_refused_and_kept(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("mine\n", "utf-8")
    with pytest.raises(ResultsError, match="is not JSON"):
        earlier(path, [ONE], None)
    assert path.read_text("utf-8") == "mine\n"


# Going on, in a folder


def test_in_a_folder_the_files_that_are_whole_and_of_this_suite_are_kept(tmp_path):
    run(tmp_path, ONE, TWO)
    assert earlier(tmp_path, [ONE, TWO], None) == Earlier(frozenset({ONE.name, TWO.name}))
    assert earlier(tmp_path, [ONE, TWO], "frozen") == NOTHING
    (tmp_path / ONE.file_name).write_text("garbage\n", "utf-8")
    rewritten(tmp_path / TWO.file_name, '"date": "', '"date": "later ')
    assert earlier(tmp_path, [ONE, TWO], None).finished == {TWO.name}
    rewritten(tmp_path / TWO.file_name, f'"revision": "{REVISION}"', '"revision": "0123456789ab"')
    assert earlier(tmp_path, [ONE, TWO], None).finished == set()


def test_in_a_folder_what_was_killed_or_lost_its_worker_is_run_again(tmp_path):
    run(tmp_path, ONE, TWO, ends=1)
    assert earlier(tmp_path, [ONE, TWO], None).finished == {ONE.name}
    files = files_of(tmp_path, [TWO])
    with Streams(files, provenance([TWO.name], 1, None), None) as streams:
        write(streams, TWO, verdict="not-run")
    assert earlier(tmp_path, [ONE, TWO], None).finished == {ONE.name}


def test_results_of_another_target_under_a_targets_name_are_not_its_own(tmp_path):
    run(tmp_path, ONE)
    (tmp_path / ONE.file_name).rename(tmp_path / TWO.file_name)
    assert earlier(tmp_path, [TWO], None).finished == set()
