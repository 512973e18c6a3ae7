"""`bnspec diff`: exit status, forms, what narrows and allows, and everything that can be wrong with its input."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bnspec.results import SCHEMA_VERSION, Writer

RUN = {"schema": SCHEMA_VERSION, "suite": "0.1.0", "date": "2026-01-01", "os": "Linux", "cpu": "Xeon", "cases": 4}
BEFORE = {
    "stats.stored-variance[rank2]": "population",
    "stats.stored-variance[rank4-last]": "sample",
    "frozen.update[rank2]": "none",
    "modes.pinned[train]": "respected",
}
AFTER = {**BEFORE, "stats.stored-variance[rank4-last]": "population"}
FACTS = {"momentum": 0.99, "epsilon": 1e-3, "state": ["gamma", "beta"]}


def stream(
    path: Path, targets: Mapping[str, Mapping[str, str]], *, facts: Any = FACTS, end: bool = True, **run: Any
) -> Path:
    """Write the results of some targets, `environment/adapter`, with the variants of their axes."""
    writer = Writer(path)
    writer.write("run", **{**RUN, "revision": "3f2a9c1", "command": ["bnspec"], **run})
    for name, rows in targets.items():
        environment, _, adapter = name.partition("/")
        framework, _, version = environment.partition("-")
        about = {"environment": environment, "adapter": adapter, "framework": framework, "version": version}
        told = {"python": "3.12.8", "packages": {}, "facts": facts, "device": "cpu", "execution": "eager"}
        writer.write("target", target=name, **about, **told)
        for identifier, variant in rows.items():
            writer.write("case", target=name, id=identifier, verdict="conforms", variant=variant, ratio=0.1)
        if end:
            writer.write("target-end", target=name, counts={})
    writer.close(complete=end)
    return path


@pytest.fixture
def sides(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Return a maker of two results files of one target each."""

    def make(before: Mapping[str, str] = BEFORE, after: Mapping[str, str] = AFTER, **more: Any) -> tuple[Path, Path]:
        old = stream(tmp_path / "old.jsonl", {"keras-2.15/keras": before}, **more)
        return old, stream(tmp_path / "new.jsonl", {"keras-3.15/keras": after}, facts=more.get("facts", FACTS))

    return make


def test_a_changed_behaviour_is_told_in_words_and_has_exit_status_1(bnspec, sides):
    done = bnspec("diff", *sides())
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("keras 2.15 → keras 3.15\n")
    assert "stats.stored-variance (rank4-last): sample → population" in done.stdout
    assert "variance × (N−1)/N: −3.1 % at N = 32" in done.stdout
    assert "3 answers are the same." in done.stdout
    assert done.stderr == ""


def test_where_nothing_changed_the_exit_status_is_0(bnspec, sides):
    done = bnspec("diff", *sides(after=BEFORE))
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing changed; 4 answers are the same." in done.stdout


def test_names_and_arguments_alone_are_told_and_are_no_change_of_behaviour(bnspec, tmp_path):
    old = stream(tmp_path / "old.jsonl", {"keras-1/keras": BEFORE})
    new = stream(tmp_path / "new.jsonl", {"keras-2/keras": BEFORE}, facts={**FACTS, "state": ["beta", "gamma"]})
    done = bnspec("diff", old, new)
    assert done.returncode == 0
    assert "state: gamma, beta → beta, gamma" in done.stdout


def test_another_default_is_a_change_of_behaviour(bnspec, tmp_path):
    old = stream(tmp_path / "old.jsonl", {"keras-1/keras": BEFORE})
    new = stream(tmp_path / "new.jsonl", {"keras-2/keras": BEFORE}, facts={**FACTS, "epsilon": 1e-5})
    done = bnspec("diff", old, new)
    assert done.returncode == 1
    assert "output × √((v+ε₀)/(v+ε₁)): +0.049 % at variance 1" in done.stdout
    assert bnspec("diff", old, new, "--allow", "epsilon").returncode == 0


def test_what_cannot_be_compared_alone_is_no_change(bnspec, sides):
    done = bnspec("diff", *sides(after={name: BEFORE[name] for name in list(BEFORE)[:2]}))
    assert done.returncode == 0
    assert "2 cannot be compared." in done.stdout
    assert "keras 3.15: its suite (3f2a9c1) does not ask it" in done.stdout


@pytest.mark.parametrize("name", ["stats.stored-variance", "stats.stored-variance[rank4*]", "stats.*"])
def test_an_allowed_change_is_told_and_does_not_count(bnspec, sides, name):
    done = bnspec("diff", *sides(), "--allow", name)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Allowed\n  stats.stored-variance (rank4-last): sample → population" in done.stdout


def test_an_allowance_that_is_not_needed_is_told_beside_the_answer(bnspec, sides):
    done = bnspec("diff", *sides(), "--allow", "frozen.update")
    assert done.returncode == 1
    assert done.stderr == "bnspec: --allow frozen.update is not needed: nothing changed there\n"


def test_the_choice_of_layers_narrows_it(bnspec, sides):
    assert bnspec("diff", *sides(), "--rank", "2").returncode == 0
    assert bnspec("diff", *sides(), "--rank", "2", "--rank", "4").returncode == 1
    assert bnspec("diff", *sides(), "--channels", "first").returncode == 0
    assert bnspec("diff", *sides(), "--frozen").returncode == 0
    told = bnspec("diff", *sides(), "--rank", "4", "--dtype", "float32", "--no-trainer", "--no-mask", "--no-frozen")
    assert told.returncode == 1
    assert "rank 4, float32, never frozen, no masks, no trainer." in told.stdout
    assert "1 answers" not in told.stdout


def test_json_goes_to_stdout_or_a_file(bnspec, sides, tmp_path):
    done = bnspec("diff", *sides(), "--format", "json")
    data = json.loads(done.stdout)
    assert data["changed"] is True
    assert data["comparisons"][0]["changes"][0]["situations"] == ["rank4-last"]
    written = bnspec("diff", *sides(), "--format", "json", "-o", "out.json")
    assert (written.returncode, written.stdout) == (1, "")
    assert json.loads((tmp_path / "out.json").read_text("utf-8")) == data


def test_markdown_is_a_table(bnspec, sides):
    done = bnspec("diff", *sides(), "--format", "md")
    assert done.stdout.startswith("## keras 2.15 → keras 3.15\n")
    assert "| `stats.stored-variance` (rank4-last) | sample → population<br>" in done.stdout


def test_text_goes_to_a_file_without_colours(bnspec, sides, tmp_path):
    bnspec("diff", *sides(), "-o", "out.txt")
    text = (tmp_path / "out.txt").read_text("utf-8")
    assert text.startswith("keras 2.15 → keras 3.15\n")
    assert "\x1b" not in text


def test_folders_are_compared_target_by_target(bnspec, tmp_path):
    for side, rows in (("old", BEFORE), ("new", AFTER)):
        (tmp_path / side).mkdir()
        stream(tmp_path / side / "a.jsonl", {f"keras-{side}/keras": rows})
        stream(tmp_path / side / "b.jsonl", {f"torch-{side}/torch.nn": BEFORE})
    stream(tmp_path / "new" / "c.jsonl", {"flax-new/flax.linen": BEFORE})
    done = bnspec("diff", "old", "new")
    assert done.returncode == 1
    assert "keras old → keras new" in done.stdout
    assert "torch-new/torch.nn: nothing changed; 4 answers are the same." in done.stdout
    assert "No partner: flax-new/flax.linen; --pair BASE=CANDIDATE names one." in done.stdout
    chosen = bnspec("diff", "old", "new", "--pair", "torch=flax")
    assert chosen.returncode == 0
    assert "torch old → flax new" in chosen.stdout


def test_a_partial_baseline_is_said_first(bnspec, sides):
    done = bnspec("diff", *sides(end=False))
    assert done.stdout.startswith("Mind: The base is partial: keras 2.15 has 4 answers; the rest was not run.\n")
    assert done.returncode == 1


def test_two_revisions_of_the_suite_are_said_and_the_rest_is_compared(bnspec, sides):
    done = bnspec("diff", *sides(revision="77aa0000", before={**BEFORE, "stats.gone[rank2]": "x"}))
    assert "Two revisions of the suite: 77aa0000 and 3f2a9c1" in done.stdout
    assert "stats.stored-variance (rank4-last): sample → population" in done.stdout
    assert done.returncode == 1


# What is wrong with its input


def test_an_allowance_that_names_nothing_is_refused_with_what_is_near(bnspec, sides, cannot):
    cannot(bnspec("diff", *sides(), "--allow", "frozen.updte"), "--allow 'frozen.updte' names nothing", "frozen.update")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("old.jsonl",), "Missing argument 'CANDIDATE'"),
        (("old.jsonl", "none.jsonl"), "none.jsonl: cannot be read: No such file"),
        (("old.jsonl", "empty"), "empty: no *.jsonl there; make one with bnspec run torch -o FILE.jsonl"),
        (("old.jsonl", "foreign.jsonl"), "foreign.jsonl:1: is not JSON"),
        (("old.jsonl", "new.jsonl", "--rank", "7"), "7 is not in the range 2<=x<=5"),
        (("old.jsonl", "new.jsonl", "--dtype", "int8"), "'int8' is not one of 'float32'"),
        (("old.jsonl", "new.jsonl", "--format", "xml"), "'xml' is not one of 'text', 'md', 'json'"),
        (("old.jsonl", "new.jsonl", "--pair", "torch=flax"), "--pair 'torch=flax' fits no target on each side"),
        (("old.jsonl", "other.jsonl"), "has a partner of its adapter in the candidate"),
        (("old.jsonl", "failed.jsonl"), "keras-9/keras did not run: no wheel for this Python"),
        (("old.jsonl", "new.jsonl", "-o", "old.jsonl"), "-o old.jsonl is one of the results files"),
        (("old.jsonl", "new.jsonl", "-o", "empty"), "empty cannot be written: Is a directory"),
    ],
)
def test_what_cannot_be_compared_at_all_is_one_clear_line(bnspec, cannot, sides, tmp_path, arguments, words):
    old, _ = sides()
    (tmp_path / "empty").mkdir()
    (tmp_path / "foreign.jsonl").write_text("not a stream\n", "utf-8")
    stream(tmp_path / "other.jsonl", {"a/torch.nn": BEFORE, "b/flax.linen": BEFORE})
    failed = stream(tmp_path / "failed.jsonl", {"keras-9/keras": BEFORE})
    records = [json.loads(line) for line in failed.read_text("utf-8").splitlines()]
    kept = [{**r, "failed": "no wheel for this Python"} if r["record"] == "target" else r for r in records]
    failed.write_text("".join(json.dumps(r) + "\n" for r in kept if r["record"] != "case"), "utf-8")
    before = old.read_bytes()
    cannot(bnspec("diff", *arguments), words)
    assert old.read_bytes() == before
