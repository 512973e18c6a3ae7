"""Targets: the whole matrix, what their results files are called, which adapter goes with which environment."""

import ast
from pathlib import Path

import pytest

from bnspec import targets
from bnspec.environments import Environment, EnvironmentProblem, find, listed, reference
from bnspec.targets import (
    BUILT_IN,
    FOLDER,
    Target,
    adapters,
    choose,
    declaration,
    every_execution,
    everything,
    files_of,
    parse,
)  # fmt: skip

ROOT = Path(__file__).parent.parent


def test_everything_is_every_environment_with_its_main_adapter_and_every_other_adapter_once():
    targets = everything()
    names = [target.name for target in targets]
    assert len(set(names)) == len(names)
    assert names[0] == "numpy/numpy"
    mains = {environment.name: adapters(environment)[0].name for environment in listed()}
    assert {target.environment.name for target in targets} == {"numpy", *mains}
    assert {f"{name}/{adapter}" for name, adapter in mains.items()} < set(names)
    able = {adapter.name for environment in listed() for adapter in adapters(environment)}
    assert {target.adapter for target in targets} == {"numpy", *able}
    others = [target for target in targets if mains.get(target.environment.name, "numpy") != target.adapter]
    assert len({target.adapter for target in others}) == len(others)


def test_everything_has_an_adapter_in_the_newest_environment_of_its_own_framework():
    names = {target.name for target in everything()}
    for name in (
        "py311-tensorflow-2.15.1/tf.nn",
        "py311-torch-2.13.0/torch.functional",
        "py312-flax-0.12.12/flax.nnx",
        "py312-onnx-1.23.2-onnxruntime-1.31.1/onnxruntime",
    ):
        assert name in names


def test_results_files_are_called_as_tox_expects_them():
    names = {target.file_name: target.name for target in everything()}
    assert len(names) == len(everything())
    assert names["numpy.jsonl"] == "numpy/numpy"
    assert names["py311-torch-2.13.0.jsonl"] == "py311-torch-2.13.0/torch.nn"
    assert names["py311-tensorflow-2.15.1_tf.nn.jsonl"] == "py311-tensorflow-2.15.1/tf.nn"
    assert {f"{environment.name}.jsonl" for environment in listed()} < set(names)
    assert "/{env_name}.jsonl" in (ROOT / "tox.ini").read_text("utf-8")


def test_a_device_an_execution_and_an_own_adapter_are_in_the_files_name():
    torch = find("torch")
    assert choose(torch, None, "cuda", None).file_name == "py311-torch-2.13.0@cuda.jsonl"
    assert choose(torch, "torch.functional", "cpu", "jit").file_name == "py311-torch-2.13.0_torch.functional@jit.jsonl"
    assert Target(reference(), "/a b/mine.py:X", "").file_name == "numpy_a_b_mine.py_X.jsonl"
    assert len(Target(reference(), "x" * 500, "").file_name) < 255


def test_a_folder_has_a_file_for_each_and_a_file_is_for_all(tmp_path):
    targets = everything()[:3]
    assert set(files_of(tmp_path / "all.jsonl", targets).values()) == {tmp_path / "all.jsonl"}
    assert list(files_of(tmp_path, targets).values()) == [tmp_path / target.file_name for target in targets]
    assert set(files_of(tmp_path / ("x" * 300), targets).values()) == {tmp_path / ("x" * 300)}


@pytest.mark.parametrize(
    ("text", "adapter"),
    [
        ("torch>=2.9", "torch.nn"),
        ("tensorflow-cpu>=2.9", "tf.keras"),
        ("keras==2.15.0", "tf.keras"),
        ("torch==2.13.0 + numpy==2.2.6", "torch.nn"),
        ("onnxruntime==1.20.0", "onnxruntime"),
    ],
)
def test_requirements_have_the_adapter_of_their_framework(text, adapter):
    assert choose(find(text), None, "cpu", None).adapter == adapter


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("py311-keras-3.15.1-tensorflow-2.21.0", ["keras"]),
        ("py311-keras-3.15.1-jax-0.10.2", ["keras-jax", "keras-numpy"]),
        ("py311-keras-3.15.1-torch-2.13.0", ["keras-torch"]),
        ("py311-keras-3.15.1-openvino-2026.4.1", ["keras-openvino"]),
        ("keras==3.7.0 + openvino==2024.6.0", []),
        ("keras==2.2.4 + openvino==2026.4.1", []),
    ],
)
def test_keras_has_an_adapter_for_each_backend_that_is_there(text, names):
    found = [adapter.name for adapter in adapters(find(text))]
    assert [name for name in found if name.partition("-")[0] == "keras"] == names


@pytest.mark.parametrize(
    ("text", "backend"),
    [
        ("py311-keras-3.15.1-jax-0.10.2/keras-jax", "jax"),
        ("py311-keras-3.15.1-jax-0.10.2/keras-numpy", "numpy"),
        ("py311-keras-3.15.1-torch-2.13.0", "torch"),
        ("py311-keras-3.15.1-openvino-2026.4.1", "openvino"),
    ],
)
def test_an_adapter_of_keras_says_its_backend_before_the_process_starts(text, backend):
    assert parse(text).environ["KERAS_BACKEND"] == backend


def test_keras_is_run_through_its_trainer_jitted_or_not_where_it_has_one():
    for text in ("py311-keras-3.15.1-tensorflow-2.21.0", "py311-keras-3.15.1-torch-2.13.0"):
        executions = {target.execution for target in every_execution(parse(text))}
        assert {"trainer-jit", "trainer-plain", "trainer-eager"} <= executions


def test_requirements_of_no_framework_have_none():
    for environment in (find("left-pad>=1.3.0"), Environment("here", "3.11", ("left-pad",), ("left-pad",))):
        with pytest.raises(EnvironmentProblem, match="has no framework that bnspec knows"):
            choose(environment, None, "cpu", None)


@pytest.mark.parametrize("path", sorted({found.path for found in BUILT_IN}))
def test_an_adapter_that_inherits_more_than_one_execution_writes_its_own_out(path):
    module, _, name = path.rpartition(":")
    written = declaration(path, "executions")
    if written is None:
        inherited = [executions for executions in inherited_executions(module, name) if len(executions) > 1]
        assert not inherited, "--execution all reads the class alone, and would run none but the default"


def inherited_executions(module, name):
    """Return the executions that the bases of a built-in adapter write out, without importing any framework."""
    file = Path(targets.__file__).parent / "worker" / "adapters" / f"{module.rpartition('.')[2]}.py"
    tree = ast.parse(file.read_text("utf-8"))
    sources = {n.name: line.module for line in tree.body if isinstance(line, ast.ImportFrom) for n in line.names}
    (own,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    found = []
    for base in (base.id for base in own.bases if isinstance(base, ast.Name)):
        source = sources.get(base, module)
        if source.startswith(FOLDER):
            line = declaration(f"{source}:{base}", "executions")
            found += [ast.literal_eval(line.value)] if line else []
            found += inherited_executions(source, base)
    return found
