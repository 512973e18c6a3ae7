"""docs/adapters.md: what it says is what happens."""

import ast
import json
import subprocess
import sys
from pathlib import Path

from bnspec.worker.adapter import Adapter, Trainer


def test_the_code_of_the_page_conforms_to_everything_it_does_not_declare_unsupported(page_file, tmp_path):
    stream = tmp_path / "mine.jsonl"
    command = ["bnspec", "run", "numpy", "--adapter", f"{page_file}:Layer", "-o", str(stream)]
    command[0] = str(Path(sys.executable).with_name("bnspec"))
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    records = [json.loads(line) for line in stream.read_text("utf-8").splitlines()]
    rows = [record for record in records if record["record"] == "case"]
    assert {row["verdict"] for row in rows} == {"conforms", "unsupported"}
    assert sum(row["verdict"] == "conforms" for row in rows) > 60
    assert all(row["message"] for row in rows if row["verdict"] == "unsupported")


def test_the_adapter_of_the_page_takes_about_thirty_lines(page_file):
    [layer] = [node for node in ast.parse(page_file.read_text("utf-8")).body if getattr(node, "name", "") == "Layer"]
    assert isinstance(layer, ast.ClassDef)
    assert layer.end_lineno - layer.lineno <= 36


def test_the_page_names_every_method_of_the_interface(page_text):
    for method in {name for name in {**vars(Adapter), **vars(Trainer)} if not name.startswith("_")}:
        if callable(getattr(Trainer, method)) and method != "unsupported":
            assert f"{method}(" in page_text


def test_the_page_names_every_key_of_the_layer(page_text):
    from bnspec.case import Layer

    for key in Layer().as_json():
        assert f"`{key}`" in page_text
