"""`bnspec port`: what to write and what a state becomes; one clear line where neither can be told."""

import json
from pathlib import Path

import numpy as np
import pytest

PORTED = Path(__file__).parent.parent / "ported"
THERE, HERE, LYING = (f"numpy/frameworks.py:{name}" for name in ("There", "Here", "Lying"))


@pytest.fixture
def port(bnspec, tmp_path):
    """Run `bnspec port` where the made-up frameworks and their results lie."""
    (tmp_path / "frameworks.py").symlink_to(PORTED / "frameworks.py")
    (tmp_path / "results.jsonl").symlink_to(PORTED / "results.jsonl")

    def run(*arguments, source=THERE, target=HERE):
        return bnspec("port", source, target, "--results", "results.jsonl", *arguments)

    return run


@pytest.fixture
def state(tmp_path):
    """A saved layer with the names of the first framework."""
    arrays = {part: np.linspace(0.5, 2, 4, dtype=np.float32) for part in ("bn.w", "bn.b", "bn.m", "bn.v")}
    np.savez(tmp_path / "state.npz", **arrays, **{"bn.n": np.array(7)})
    return "state.npz"


def shown(done):
    """Return what a command printed; it succeeded, in plain text."""
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    return done.stdout


def test_a_port_says_arguments_state_and_what_cannot_be_matched(port):
    output = shown(port("--momentum", "0.1", "--eps", "1e-5", "--n", "32"))
    for words in (
        "here.Norm(keep=0.9, epsilon=1e-05)",
        "momentum=0.1",
        "n          – no counterpart",
        "−3.1 % at N = 32",
    ):
        assert words in output


def test_a_port_is_given_as_markdown_and_as_json(port):
    assert "| momentum | `momentum=0.1` | `keep=0.9` |" in shown(port("--format", "md"))
    data = json.loads(shown(port("--format", "json", "--rank", "4", "--momentum", "0.2")))
    assert (data["source"], data["momentum"]) == (THERE, 0.8)


def test_a_port_is_the_same_every_time(port, environ):
    outputs = set()
    for seed in ("1", "2"):
        environ["PYTHONHASHSEED"] = seed
        outputs.add(shown(port()))
    assert len(outputs) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--momentum", "1.5"), ("--momentum 1.5", "from 0 to 1")),
        (("--momentum", "-0.1"), ("--momentum -0.1", "from 0 to 1")),
        (("--momentum", "nan"), ("--momentum nan", "from 0 to 1")),
        (("--momentum", "x"), ("--momentum", "'x' is not a valid float")),
        (("--eps", "-1e-3"), ("--eps -0.001", "not below 0")),
        (("--eps", "nan"), ("--eps nan", "1e-5")),
        (("--eps", "inf"), ("--eps inf", "1e-5")),
        (("--n", "0"), ("--n", "0 is not in the range")),
        (("--rank", "6"), ("--rank", "6 is not in the range")),
        (("--state", "state.npz"), ("--state FILE and -o OUT go together",)),
        (("-o", "out.npz"), ("--state FILE and -o OUT go together",)),
        (("--state", "nothing.npz", "-o", "out.npz"), ("nothing.npz: there is no such file",)),
        (("--state", ".", "-o", "out.npz"), ("--state .: is no file",)),
        (("--state", "state.npz", "-o", "state.npz"), ("both name state.npz",)),
        (("--state", "state.npz", "-o", "./state.npz"), ("both name",)),
        (("--state", "state.npz", "-o", "missing/out.npz"), ("missing/out.npz cannot be written",)),
        (("--state", "state.npz", "-o", "."), ("cannot be written",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) and value[0].startswith("-") else "",
)
def test_what_cannot_be_ported_is_one_clear_line(port, cannot, state, arguments, words):
    cannot(port(*arguments), *words)


def test_a_framework_and_itself_are_no_port(port, cannot):
    cannot(port(target=THERE), "both numpy/frameworks.py:There", "nothing to port")


def test_a_target_that_does_not_exist_is_named(port, cannot):
    cannot(port(target="numpy/frameworks.py:Nowhere"), "no class 'Nowhere'", "There, Here, Lying")
    cannot(port(target="nonsense"), "'nonsense' is no environment")


def test_a_side_that_the_results_do_not_hold_is_run(port):
    done = port("--eps", "1e-4", target="numpy")
    assert done.returncode == 0, done.stderr
    assert "numpy/numpy: done" in done.stderr
    assert "keep=0.9" in done.stdout


# A state


def test_a_state_is_converted_and_checked(port, state, tmp_path):
    done = port("--state", state, "-o", "out.npz", "--n", "64")
    assert done.returncode == 0, done.stderr
    assert "1 layer of state.npz (there 1.0), now in out.npz (here 2.0)" in done.stdout
    assert "no counterpart, left out: bn.n" in done.stdout
    assert "stats.stored-variance: sample → population" in done.stdout
    with np.load(tmp_path / "out.npz") as after:
        assert after.files == ["params/bn/gamma", "params/bn/beta", "stats/bn/mean", "stats/bn/var"]
        assert after["stats/bn/var"].tobytes() == np.linspace(0.5, 2, 4, dtype=np.float32).tobytes()
    assert json.loads(port("--state", state, "-o", "out.npz", "--format", "json").stdout)["agrees"] is True


def test_sides_that_disagree_beyond_their_fingerprints_are_a_finding(port, state, tmp_path):
    lied = (PORTED / "results.jsonl").read_text("utf-8").replace("frameworks.py:Here", "frameworks.py:Lying")
    (tmp_path / "results.jsonl").unlink()
    (tmp_path / "results.jsonl").write_text(lied, "utf-8")
    done = port("--state", state, "-o", "out.npz", target=LYING)
    assert done.returncode == 1, done.stderr
    assert "WRONG" in done.stdout
    assert "layer bn: here 2.0: step 4 (get_state): variance" in done.stdout


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bn.v": None}, ("bn.v is missing", "(4,)")),
        ({"bn.x": np.ones(4)}, ("layer bn: bn.x is no part of its state",)),
        ({"bn.b": np.ones(3)}, ("bn.b has shape (3,)", "expected (4,)")),
        ({"bn.m": np.array([{}] * 4)}, ("'bn.m' is no plain array", "allow_pickle")),
        ({"bn.m": None, "bn.v": None}, ("no batch normalization in it",)),
    ],
    ids=["missing", "extra", "misshapen", "pickled", "none"],
)
def test_a_state_that_cannot_be_converted_is_one_line_and_costs_no_file(port, cannot, state, tmp_path, changes, words):
    arrays = {**dict(np.load(tmp_path / state)), **changes}
    np.savez(tmp_path / state, **{name: array for name, array in arrays.items() if array is not None})
    (tmp_path / "out.npz").write_text("old")
    cannot(port("--state", state, "-o", "out.npz"), "state.npz: ", *words, progress=True)
    assert (tmp_path / "out.npz").read_text() == "old"
    assert not list(tmp_path.glob(".*out*"))


def test_a_format_that_the_target_does_not_write_is_refused_and_costs_no_file(port, cannot, state, tmp_path):
    (tmp_path / "out.h5").write_text("old")
    done = port("--state", state, "-o", "out.h5")
    cannot(done, "out.h5: here 2.0 cannot write it", ".npz", progress=True)
    assert (tmp_path / "out.h5").read_text() == "old"
    assert not list(tmp_path.glob(".*out*"))
