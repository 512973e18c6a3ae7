"""What the user names, targets, options and adapters, that is not there or cannot be."""

from pathlib import Path

import pytest

HOSTILE = Path(__file__).parent.parent / "hostile"
OLD = '{"an older": "file"}\n'


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
        (["run", "numpy", "--here"], "give environments, or --all, or --here, or --python PATH: one of them"),
        (["run", "--here", "--python", "python3"], "one of them"),
        (["run", "--all", "numpy"], "one of them"),
        (["run", "--all", "--here"], "one of them"),
        (["run", "--all", "--adapter", "keras"], "--all runs every adapter; name environments to run them with"),
        (["run", "torch-2"], "'torch-2' is a part of"),
        (["run", "torch==1.7.1 + python==2.7"], "python==2.7: expected a version of Python such as python==3.8"),
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
def test_a_wrong_argument_is_one_clear_line(bnspec, cannot, arguments, words):
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
def test_what_only_the_worker_can_know_is_one_clear_line_too(bnspec, cannot, tmp_path, arguments, words):
    stream = tmp_path / "results.jsonl"
    stream.write_text(OLD, "utf-8")
    cannot(bnspec("run", "numpy", *arguments, "-o", stream), words, progress=True)
    assert stream.read_text("utf-8") == OLD


def test_an_own_adapter_that_cannot_be_one_is_one_clear_line(bnspec, cannot, tmp_path):
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


def test_requirements_that_do_not_resolve_are_one_clear_line_and_nothing_is_lost(bnspec, cannot, environ, tmp_path):
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
