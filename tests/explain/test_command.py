"""The command: bad input is one clear line and exit status 2."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

MODEL = """
import numpy as np

def good():
    return made_up

def nothing():
    pass

def pair():
    return 1, 2

def raises():
    raise RuntimeError("the weights are not there")

def leaves():
    raise SystemExit("I leave")

def kills():
    import os
    os.abort()

def waits():
    import time
    time.sleep(60)

class Model:
    pass

def odd():
    return Model()

number = 3
made_up = np.zeros(3)
"""


@pytest.fixture
def run(tmp_path):
    """Run the command in a folder with a model and data."""
    (tmp_path / "model.py").write_text(MODEL, "utf-8")
    (tmp_path / "broken.py").write_text("def make_model(:\n", "utf-8")
    (tmp_path / "needs.py").write_text("\nimport no_such_framework\n", "utf-8")
    (tmp_path / "fails.py").write_text("\n\n{}['weights']\n", "utf-8")
    (tmp_path / "exits.py").write_text("import sys\nsys.exit('no')\n", "utf-8")
    (tmp_path / "model.txt").write_text("", "utf-8")
    np.savez(tmp_path / "data.npz", x=np.ones((4, 3), np.float32))
    np.savez(tmp_path / "nan.npz", x=np.full((4, 3), np.nan))

    def command(*arguments):
        return subprocess.run(
            [Path(sys.executable).with_name("bnspec"), "explain", *arguments],
            cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    return command


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.py:make", "data.npz"], "none.py: there is no such file"),
        (["model.py", "data.npz"], "'model.py': expected FILE.py:FUNCTION, a function without arguments that returns"),
        (["model.py:", "data.npz"], "'model.py:': expected FILE.py:FUNCTION"),
        (["model.txt:make", "data.npz"], "model.txt: is no .py file; expected FILE.py:FUNCTION"),
        (["model.py:mode", "data.npz"], "model.py has no function 'mode'; it has: good, nothing, pair, raises"),
        (["model.py:number", "data.npz"], "model.py:number is an int; expected a function that returns a model"),
        (["model.py:nothing", "data.npz"], "model.py:nothing() returned None; expected a model of Keras, tf.keras or"),
        (["model.py:good", "data.npz"], "model.py:good() returned a numpy.ndarray; expected a model"),
        (["model.py:pair", "data.npz"], "model.py:pair() returned a tuple of 2; expected a model"),
        (["model.py:odd", "data.npz"], "model.py:odd() returned a Model; expected a model"),
        (["model.py:raises", "data.npz"], "model.py:raises() raised RuntimeError: the weights are not there (line 14)"),
        (["model.py:leaves", "data.npz"], "model.py:leaves() raised SystemExit: I leave (line 17)"),
        (["model.py:kills", "data.npz"], "model.py:kills cannot be explained: the process killed by SIGABRT"),
        (["model.py:waits", "data.npz", "--timeout", "1"], "model.py:waits: no answer after 1 s; --timeout gives it"),
        (["broken.py:make_model", "data.npz"], "broken.py does not import: SyntaxError: invalid syntax"),
        (["fails.py:make_model", "data.npz"], "fails.py does not import: KeyError: 'weights' (line 3)"),
        (["exits.py:make_model", "data.npz"], "exits.py does not import: SystemExit: no (line 2)"),
        (["needs.py:make_model", "data.npz"], "No module named 'no_such_framework' (line 2); name the Python"),
        (["no_such_module:make", "data.npz"], "no_such_module does not import: ModuleNotFoundError"),
        (["model.py:good", "none.npz"], "none.npz: there is no such file"),
        (["model.py:good", "nan.npz"], "'x' has 12 values that are NaN or infinite, the first at (0, 0)"),
        (["model.py:good", "model.py"], "model.py: is no .npz"),
        (["model.py:good", "data.npz", "--x", "images"], "has no array 'images'; it has: x"),
        (["model.py:good", "data.npz", "--here", "--python", "python3"], "give --here, or --python PATH, or --env"),
        (["model.py:good", "data.npz", "--python", "no-such-python"], "--python no-such-python: there is no such file"),
        (["model.py:good", "data.npz", "--environment", "nonsense"], "'nonsense' is no environment"),
        (["model.py:good", "data.npz", "--report", "no/folder.html"], "no/folder.html cannot be written"),
    ],
    ids=lambda value: "",
)  # fmt: skip
def test_bad_input_is_one_clear_line(run, arguments, words):
    done = run(*arguments)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_a_python_without_numpy_says_so(run, tmp_path):
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    done = run("model.py:good", "data.npz", "--python", str(bare / "bin" / "python"))
    assert done.returncode == 2
    assert "has no NumPy, and so no framework; name another Python by --python" in done.stderr


def test_help_says_what_the_exit_status_means(run):
    done = run("--help")
    assert done.returncode == 0
    assert "0 nothing wrong found, 1 a finding, 2 could not do it" in " ".join(done.stdout.split())


def test_what_is_printed_is_json_where_that_is_asked(monkeypatch, capsys, tmp_path, explained, layer):
    import bnspec.explain
    from bnspec.cli.main import app

    np.savez(tmp_path / "data.npz", x=np.ones((4, 3), np.float32))
    found = explained(layer("a", stored=(np.zeros(16), np.ones(16))))
    monkeypatch.setattr(bnspec.explain, "measured", lambda *given, **options: found.measured)
    page = tmp_path / "page.html"
    with pytest.raises(SystemExit) as ended:
        app.main(
            ["explain", "model.py:make_model", str(tmp_path / "data.npz"), "--format", "json", "--report", str(page)]
        )
    assert ended.value.code == 1
    printed = json.loads(capsys.readouterr().out)
    assert (printed["format"], printed["causes"][0]["id"]) == (1, "never-updated")
    assert "never-updated" not in page.read_text("utf-8")
    assert "no training step ever moved them" in page.read_text("utf-8")
