"""docs/upgrade.md: what it says is what the commands take and do."""

import importlib.util
import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest
import yaml

from bnspec.cli.main import app
from bnspec.compare import Kind, Weight

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "upgrade.md").read_text("utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
WORKFLOW = yaml.safe_load(BLOCKS[0])
JOB = WORKFLOW["jobs"]["upgrade"]
STEPS = {step.get("name", step.get("uses", "")): step for step in JOB["steps"]}
GIVEN = {"$BASE": "torch==2.9.1", "$CANDIDATE": "torch>2.9.1", "$(which python)": "/usr/bin/python3"}


def commands(text):
    """Return the bnspec commands of a text, as words, without what a shell does with their output."""
    found = []
    for line in re.findall(r"^\s*(?:\$ )?(bnspec .*)$", text, re.MULTILINE):
        plain = line.partition(" >> ")[0].replace("$LAYERS", JOB["env"]["LAYERS"])
        for name, value in GIVEN.items():
            plain = plain.replace(name, value)
        found.append(shlex.split(plain))
    return found


@pytest.mark.parametrize("words", commands(PAGE), ids=" ".join)
def test_every_command_is_one_that_is_accepted(words):
    command = app.commands[words[1]]
    with command.make_context(words[1], list(words[2:]), parent=click.Context(app)) as context:
        assert not any("$" in str(value) for value in context.params.values())


def test_there_are_commands_of_each_kind_to_accept():
    names = [words[1] for words in commands(PAGE)]
    assert names.count("upgrade") >= 6
    assert {"diff", "run"} <= set(names)
    assert len(commands(BLOCKS[0])) == 1
    assert len(commands(BLOCKS[1])) == 1


def test_the_workflow_is_one_of_github_actions():
    assert set(WORKFLOW) == {"name", True, "permissions", "jobs"}  # YAML's `on` is a truth
    assert set(WORKFLOW[True]) == {"schedule", "pull_request", "workflow_dispatch"}
    for step in JOB["steps"]:
        assert ("uses" in step) != ("run" in step)
        assert "run" not in step or "${{" not in step["run"], "what others wrote must not become part of a script"
    assert STEPS["What changes"]["run"].rstrip().endswith('>> "$GITHUB_STEP_SUMMARY"')
    uploaded = [step for step in JOB["steps"] if "upload-artifact" in step.get("uses", "")]
    assert "upgrade.html" in uploaded[0]["with"]["path"]
    assert uploaded[0]["if"] == "always()"


@pytest.fixture
def repository(tmp_path):
    """A repository whose requirement was raised on a branch."""

    def git(*words):
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    (tmp_path / "requirements.txt").write_text("numpy==2.0.0\ntorch==2.9.1  # pinned\ntorchvision==0.1\n", "utf-8")
    git("add", ".")
    git("commit", "-qm", "before")
    git("update-ref", "refs/remotes/origin/main", "HEAD")
    (tmp_path / "requirements.txt").write_text("numpy==2.0.0\ntorch==2.10.0\n", "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("event", "outputs"),
    [
        ("pull_request", ["base=torch==2.9.1", "candidate=torch==2.10.0"]),
        ("schedule", ["base=torch==2.10.0", "candidate=torch>2.10.0"]),
    ],
)
def test_the_step_that_finds_the_versions_finds_them(repository, event, outputs):
    path = repository / "outputs"
    environ = {
        "PATH": "/usr/local/bin:/usr/bin:/bin", "FRAMEWORK": JOB["env"]["FRAMEWORK"], "GITHUB_EVENT_NAME": event,
        "GITHUB_BASE_REF": "main", "GITHUB_OUTPUT": str(path),
    }  # fmt: skip
    script = STEPS["Which versions"]["run"]
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=repository, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert path.read_text("utf-8").splitlines() == outputs


def test_the_page_has_every_weight_with_its_meaning_and_every_kind():
    for weight in Weight:
        assert f"| {weight} | {weight.meaning} |" in PAGE
    for kind in Kind:
        assert f"`{kind}`" in PAGE


def test_the_example_is_what_the_results_say():
    spec = importlib.util.spec_from_file_location("upgrade_tool", ROOT / "tools" / "upgrade.py")
    assert spec
    assert spec.loader
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert "stats.stored-variance" in tool.example()
    page = tool.PAGE.read_text("utf-8")
    assert tool.filled(page) == page, "run: uv run python tools/upgrade.py"
    [words] = commands(f"$ {tool.COMMAND}")
    with app.commands["upgrade"].make_context("upgrade", words[2:]) as context:
        chosen = context.params
    assert (chosen["ranks"], chosen["dtypes"], chosen["channels"]) == ((4,), ("float32",), "last")
    assert chosen["no_mask"] is not tool.LAYERS.masks
