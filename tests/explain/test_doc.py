"""docs/explain.md: what it says is what the command takes and tells."""

import importlib.util
import json
import re
import shlex
from pathlib import Path

import click
import numpy as np
import pytest

from bnspec.cli.main import app
from bnspec.explain.causes import NOTES, RULES
from bnspec.explain.judged import GOAL, MATTERS, SCATTERS
from bnspec.explain.records import FORMAT, as_json
from bnspec.explain.text import HEADS, UPDATES

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "explain.md").read_text("utf-8")
COMMANDS = re.findall(r"^\s*(?:\$ |KERAS_BACKEND=jax )?(bnspec explain [^#`\n]*)", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
def tool():
    """tools/explain.py, which makes the example."""
    spec = importlib.util.spec_from_file_location("explain_tool", ROOT / "tools" / "explain.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_is_one_that_is_accepted(line):
    command = app.commands["explain"]
    with command.make_context("explain", shlex.split(line)[2:], parent=click.Context(app)) as context:
        assert context.params["model"].endswith((":make_model", ":custom_model"))


def test_there_are_commands_to_accept():
    assert len(COMMANDS) >= 4


def test_the_example_is_one_that_the_command_prints(tool):
    block = PAGE[PAGE.index(tool.BEGIN) : PAGE.index(tool.END)]
    assert f"$ {tool.COMMAND}\n" in block
    assert "The cause: The layer batch_normalization is in inference mode under the trainer (fit)" in " ".join(
        block.split()
    )
    assert re.search(r"^layer +" + " +".join(map(re.escape, HEADS[1:])) + "$", block, re.MULTILINE)
    assert max(map(len, block.splitlines())) <= 80


def test_every_cause_is_documented_and_no_other_one():
    sources = " ".join((ROOT / "src/bnspec/explain" / f"{name}.py").read_text("utf-8") for name in MODULES)
    ids = set(re.findall(r'yield cause\(\s*"([a-z-]+)"', sources))
    documented = re.findall(
        r"^\| `([a-z-]+)` \|", PAGE[PAGE.index("## The causes") : PAGE.index("## JSON")], re.MULTILINE
    )
    assert set(documented) == ids
    assert len(documented) == len(ids) >= len(RULES) + len(NOTES)


MODULES = ("reaching", "averaging", "fitting")


def test_every_column_and_word_of_the_table_is_documented():
    section = PAGE[PAGE.index("## The columns") : PAGE.index("## The causes")]
    for head in HEADS[1:]:
        assert head in section
    for word in {*UPDATES.values()} - {"–"}:
        assert f"`{word}`" in section
    assert f"{MATTERS:g} standard" in section
    assert "three times" in section
    assert (SCATTERS, GOAL) == (3, 0.01)


def test_every_key_of_the_json_is_documented(explained, layer):
    record = as_json(explained(layer("a", stored=(np.zeros(16), np.ones(16)))))
    section = PAGE[PAGE.index("## JSON") : PAGE.index("## What it costs")]
    keys = {*record, *record["layers"][0], *record["causes"][0]}
    assert not {key for key in keys if f"`{key}`" not in section}
    assert f"`format` is {FORMAT}" in section


def test_the_cost_is_what_was_measured(tool):
    figures = json.loads((ROOT / "benchmarks" / "figures.json").read_text("utf-8"))["explain"]
    for figure in figures:
        assert figure["beyond"] <= figure["goal"]
        assert tool.cost(figure) in PAGE
