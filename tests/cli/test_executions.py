"""Executions: each is a target of its own, held to the default one; what a build lacks is told, the rest runs."""

from pathlib import Path

from bnspec.results import read

MUTANTS = Path(__file__).parent.parent / "mutants"
SAMPLE = f"{MUTANTS / 'executions.py'}:CompiledSample"
STATS = ("-k", "execution.equivalence[stats]")

LACKING = """
from bnspec.worker.adapters.reference import Reference

class Mine(Reference):
    executions = ("eager", "twin", "elsewhere", "patient")
    slow = ("patient",)

    @classmethod
    def lacking(cls, execution, device):
        return "this build has no elsewhere" if execution == "elsewhere" else ""
"""

COMPUTED = """
from bnspec.worker.adapters.reference import Reference

class Mine(Reference):
    executions = tuple(["eager", "jit"])
"""


def test_every_execution_is_held_to_the_default_one(bnspec, tmp_path):
    mutant = tmp_path / "mutant.py"
    mutant.write_text(
        f"import sys; sys.path.append({str(MUTANTS)!r})\nimport executions as mutants\n"
        "class Mine(mutants.CompiledSample):\n    executions = ('eager', 'compiled')\n",
        "utf-8",
    )
    done = bnspec("run", "numpy", "--adapter", f"{mutant}:Mine", "--execution", "all", *STATS, "-o", "out.jsonl")
    assert done.returncode == 1, done.stderr
    default, compiled = read(tmp_path / "out.jsonl").targets.values()
    (own,), (other,) = (list(target.rows.values()) for target in (default, compiled))
    assert (own["verdict"], own["message"]) == ("unsupported", "this is the execution that the others are held to")
    assert other["verdict"] == "violates"
    assert "stats.stored-variance (" in other["message"]
    assert "): population → sample" in other["message"]


def test_an_execution_alone_has_nothing_to_be_held_to(bnspec, tmp_path):
    done = bnspec("run", "numpy", "--adapter", SAMPLE, "--execution", "compiled", *STATS, "-o", "out.jsonl")
    assert done.returncode == 0, done.stderr
    [target] = read(tmp_path / "out.jsonl").targets.values()
    [row] = target.rows.values()
    assert row["verdict"] == "not-run"
    assert "the default execution was not run beside it; name it with --execution too" in row["message"]


def test_what_is_lacking_is_told_and_the_rest_runs(bnspec, tmp_path):
    (tmp_path / "mine.py").write_text(LACKING, "utf-8")
    command = ("run", "numpy", "--adapter", "mine.py:Mine", "-k", "forward.affine", "-o", "out.jsonl")
    done = bnspec(*command, "--execution", "all")
    assert done.returncode == 0, done.stderr
    assert "did not run: it cannot run elsewhere here: this build has no elsewhere" in done.stderr
    targets = read(tmp_path / "out.jsonl").targets
    assert [bool(target.rows) for target in targets.values()] == [True, True, False]
    [default, *_] = targets.values()
    executions = default.info["facts"]["executions"]
    can = dict.fromkeys(("eager", "twin", "patient"), "can run")
    assert executions == {**can, "elsewhere": "this build has no elsewhere"}
    assert bnspec(*command, "--execution", "elsewhere").returncode == 2


def test_slow_executions_run_where_they_are_named(bnspec, tmp_path):
    (tmp_path / "mine.py").write_text(LACKING, "utf-8")
    command = ("run", "numpy", "--adapter", "mine.py:Mine", *STATS, "-o", "out.jsonl")

    def ran(*executions):
        done = bnspec(*command, *(word for name in executions for word in ("--execution", name)))
        targets = read(tmp_path / "out.jsonl").targets.values()
        return done.stderr, {
            target.info["execution"]: [row["verdict"] for row in target.rows.values()] for target in targets
        }

    said, found = ran("all")
    assert [*found] == ["eager", "twin", "elsewhere"]
    assert "not among all, for they take minutes: patient (--execution all --execution patient has it too)" in said
    said, found = ran("all", "patient")
    assert [*found] == ["eager", "twin", "elsewhere", "patient"]
    assert "not among all" not in said
    assert ran("patient")[1] == {"patient": ["not-run"]}
    assert ran("eager", "patient")[1] == {"eager": ["unsupported"], "patient": ["conforms"]}, "held to the default one"


def test_a_resumed_run_holds_executions_to_what_was_finished_before(bnspec, tmp_path):
    (tmp_path / "mine.py").write_text(LACKING, "utf-8")
    given = ("run", "numpy", "--adapter", "mine.py:Mine", "--execution", "all", *STATS, "-o", "out/", "--resume")
    bnspec(*given)
    [file] = [path for path in (tmp_path / "out").iterdir() if "twin" in path.name]
    file.unlink()
    done = bnspec(*given)
    assert "targets are finished" in done.stderr
    [row] = next(iter(read(file).targets.values())).rows.values()
    assert row["verdict"] != "not-run"


def test_executions_that_are_not_written_out_are_told(bnspec, tmp_path):
    (tmp_path / "mine.py").write_text(COMPUTED, "utf-8")
    done = bnspec("run", "numpy", "--adapter", "mine.py:Mine", "--execution", "all", "-k", "forward.affine")
    assert done.returncode == 2
    assert "expected a literal tuple" in done.stderr
    named = bnspec("run", "numpy", "--adapter", "mine.py:Mine", "--execution", "jit", "-k", "forward.affine")
    assert named.returncode == 0, named.stderr


def test_the_layers_of_networks_are_asked_only_where_they_are_wanted(bnspec, tmp_path):
    one = ("run", "numpy", "-k", "layer2048x7x7-rank4-last", "-o", "out.jsonl")
    assert "selects nothing" in bnspec(*one).stderr
    done = bnspec(*one, "--large")
    assert done.returncode == 0, done.stderr
    results = read(tmp_path / "out.jsonl")
    assert results.run["large"] is True
    assert [row["verdict"] for target in results.targets.values() for row in target.rows.values()] == ["conforms"]
    assert (
        "holds results with --large, this run is without"
        in bnspec(*one[:2], "-o", "out.jsonl", "-k", one[3], "--resume").stderr
    )


def test_a_layer_that_counts_its_steps_repeats_its_bits(bnspec, tmp_path):
    own = f"{MUTANTS / 'correct.py'}:Correct"
    done = bnspec("run", "numpy", "--adapter", own, "-k", "execution.determinism", "-o", "out.jsonl")
    assert done.returncode == 0, done.stderr
    [target] = read(tmp_path / "out.jsonl").targets.values()
    assert {row["variant"] for row in target.rows.values()} == {"same-bits"}
