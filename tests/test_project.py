"""The project's own promises: the wheel works alone, the README says what the results say, names fit."""

import configparser
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from uv import find_uv_bin

from bnspec.environments import from_file, listed
from bnspec.paths import uv_environ
from bnspec.results import read
from bnspec.targets import choose

ROOT = Path(__file__).parent.parent
ENVIRONMENTS = listed()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = ["build", "--quiet", "--wheel", "--out-dir", str(folder), str(ROOT)]
    subprocess.run([find_uv_bin(), *build], check=True, env=uv_environ(), timeout=300)
    (file,) = folder.glob("*.whl")
    return file


def test_the_wheel_carries_cases_environments_schema_and_page(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    folders = [f"conformance/{folder}/" for folder in ("cases", "claims", "environments")]
    for part in (*folders, "results.schema.json", "claims.schema.json", "report/script/page.js"):
        assert any(f"bnspec/{part}" in name for name in names), part


def test_the_wheel_runs_without_a_checkout(wheel, tmp_path):
    command = ["run", "--isolated", "--no-project", "--with", str(wheel), "bnspec", "run", "numpy"]
    run = subprocess.run(
        [find_uv_bin(), *command, "-o", "out.jsonl", "--report", "page.html"],
        cwd=tmp_path, env=uv_environ(), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "page.html").stat().st_size > 50_000


@pytest.fixture
def checkout(tmp_path):
    """A small checkout with one commit, and what its bnspec says is its revision."""
    for folder in ("src/bnspec", "conformance"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / ".gitignore").write_text("__pycache__\n", "utf-8")

    def git(*arguments):
        who = ["-c", "user.name=bnspec", "-c", "user.email=bnspec@localhost"]
        run = subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True)
        return run.stdout.strip()

    def says():
        program = "import sys; sys.path.insert(0, 'src'); from bnspec.provenance import revision; print(revision())"
        command = [sys.executable, "-c", program]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "all")
    return tmp_path, says, git


def test_a_revision_is_the_last_that_changed_package_or_cases_and_dirty_where_they_differ(checkout):
    folder, says, git = checkout
    commit = git("rev-parse", "HEAD")[:12]
    assert says() == commit
    (folder / "results.jsonl").write_text("{}\n", "utf-8")
    (folder / ".gitignore").write_text("__pycache__\n*.tmp\n", "utf-8")
    assert says() == commit
    git("add", ".")
    git("commit", "--quiet", "--message", "results")
    assert says() == commit
    new = folder / "conformance" / "cases" / "new.py"
    new.write_text("", "utf-8")
    assert says() == f"{commit}-dirty"
    new.unlink()
    with (folder / "src" / "bnspec" / "spec.py").open("a") as spec:
        spec.write("# changed\n")
    assert says() == f"{commit}-dirty"
    git("add", ".")
    git("commit", "--quiet", "--message", "another package")
    assert says() == git("rev-parse", "HEAD")[:12] != commit


COMMITTED = sorted(path for folder in ("results", "kernels") for path in (ROOT / "reports" / folder).glob("*.jsonl"))


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_committed_results_come_whole_from_a_committed_suite_by_a_command_that_anybody_can_repeat(path):
    results = read(path)
    assert results.complete
    assert re.fullmatch("[0-9a-f]{12}", results.run["revision"])
    assert not any(word.startswith("/") for word in results.run["command"])
    assert not re.search(r"(?<![\w.])/(root|home|work|tmp|Users)/", path.read_text("utf-8")), "a path of one machine"


def test_the_generated_parts_of_the_readme_are_what_the_results_say():
    spec = importlib.util.spec_from_file_location("readme_tool", ROOT / "tools" / "readme.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    text = (ROOT / "README.md").read_text("utf-8")
    assert tool.filled(text) == text, "run: uv run python tools/readme.py"


def test_the_test_command_of_the_readme_is_what_ci_runs():
    readme, ci = ((ROOT / name).read_text("utf-8") for name in ("README.md", ".ci/run"))
    assert "python3 -m uv run tox\n" in readme
    assert re.search(r"^python3 -m uv run tox$", ci, re.MULTILINE)


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda e: e.name)
def test_an_environment_is_pinned_and_named_after_its_python_and_framework(environment):
    # tox reads a version of two parts as a second Python: `py312-torch-2.9` is refused.
    assert re.fullmatch(r"py3\d+(-[a-z_]+-\d+\.\d+\.\d+)+", environment.name)
    for requirement in map(Requirement, environment.requirements):
        assert [specifier.operator for specifier in requirement.specifier] == ["=="], requirement
    assert environment.pins.get(environment.families[0]) or f"{environment.families[0]}-cpu" in environment.pins


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda e: e.name)
def test_an_environment_has_an_adapter_of_its_framework(environment):
    assert choose(environment, None, "cpu", None).adapter


def test_an_environment_file_of_another_name_is_refused(tmp_path):
    file = tmp_path / "torch.txt"
    file.write_text("torch==2.13.0\n", "utf-8")
    with pytest.raises(Exception, match="expected a name like"):
        from_file(file)


def test_tox_runs_only_environments_that_exist():
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "tox.ini")
    wanted = set(config["tox"]["env_list"].split()) - {"lint", "tests"}
    assert wanted <= {environment.name for environment in ENVIRONMENTS}
    assert len(wanted) == 5


@pytest.mark.parametrize("label", ["torch", "keras", "flax", "onnx", "tensorflow"])
def test_tox_runs_all_that_have_a_framework_in_their_name_by_its_label(label, tmp_path):
    listing = ["-q", "-l", "-m", label, "--root", str(ROOT), "--workdir", str(tmp_path)]
    run = subprocess.run([sys.executable, "-m", "tox", *listing], capture_output=True, text=True, check=True, cwd=ROOT)
    assert set(run.stdout.split()) == {e.name for e in ENVIRONMENTS if label in e.name.split("-")}


def test_tox_gives_an_environment_to_the_users_own_command(index, tmp_path):
    version = f"{sys.version_info.major}{sys.version_info.minor}"
    environments = tmp_path / "conformance" / "environments"
    environments.mkdir(parents=True)
    (environments / f"py{version}-tiny-1.0.0.txt").write_text("tiny==1.0.0\n", "utf-8")
    index.add("tiny", "1.0.0")
    for name in ("tox.ini", "toxfile.py"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "src").symlink_to(ROOT / "src")
    own = 'ls "$BNSPEC_ENVIRONMENT"/lib/python3*/site-packages > "$BNSPEC_ENVIRONMENT/listed"'
    outside = {name: value for name, value in os.environ.items() if not name.startswith("TOX_")}
    run = subprocess.run(
        [sys.executable, "-m", "tox", "-e", f"py{version}-tiny-1.0.0", "-x", "testenv.commands="],
        cwd=tmp_path, env={**outside, **index.environ, "BNSPEC_AFTER_INSTALL": own},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    listed_there = (tmp_path / ".tox" / f"py{version}-tiny-1.0.0" / "listed").read_text("utf-8")
    assert "tiny.bin" in listed_there.split()


def test_the_name_of_an_environment_says_which_framework_of_a_python_is_tested(tmp_path):
    subprocess.run([find_uv_bin(), "venv", "--quiet", "--python", sys.executable, tmp_path / "both"], check=True)
    [packages] = (tmp_path / "both").glob("lib/python3*/site-packages")
    for name in ("torch-2.13.0", "keras-3.15.1"):
        (packages / f"{name}.dist-info").mkdir()
    name = "py311-keras-3.15.1-torch-2.13.0"
    for arguments, adapter in (((), "torch.nn"), (("--environment", name), "keras-torch")):
        python = ("--python", tmp_path / "both" / "bin" / "python")
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "conformance", "--collect-only", "-k", "timing", *arguments, *python],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert run.returncode == 0, run.stdout + run.stderr
        assert re.search(rf"^bnspec target: .*/{re.escape(adapter)}$", run.stdout, re.MULTILINE)


def test_a_conformance_run_without_its_known_results_is_one_clear_line():
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "conformance", "-q", "--known", "no-such-file.jsonl"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 4
    assert run.stderr.strip() == (
        "ERROR: --known no-such-file.jsonl: there is no such file; make it with bnspec run NAME -o no-such-file.jsonl"
    )
