"""What a name means: a framework, a part of a listed name, requirements; and one clear line for what it cannot mean."""

import os
import re
import sys
from pathlib import Path

import pytest

from bnspec.environments import EnvironmentProblem, at_python, find, frameworks, from_file

PYTHON_2 = [*Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/2*/bin/python")]
HOST = f"{sys.version_info.major}.{sys.version_info.minor}"

LISTED = {
    "py36-keras-2.2.4-tensorflow-1.10.0": "keras==2.2.4 tensorflow==1.10.0 numpy==1.14.5",
    "py36-keras-2.2.4-tensorflow-1.12.0": "keras==2.2.4 tensorflow==1.12.0 numpy==1.16.4",
    "py36-keras-2.2.4-theano-1.0.5": "keras==2.2.4 theano==1.0.5 numpy==1.16.4",
    "py38-torch-1.6.0": "torch==1.6.0 numpy==1.24.4 future==0.18.3",
    "py38-torch-1.8.1": "torch==1.8.1 numpy==1.24.4 typing_extensions==4.9.0",
    "py311-keras-3.6.0-jax-0.4.30": "keras==3.6.0 jax==0.4.30 jaxlib==0.4.30 numpy==1.26.4",
    "py311-keras-3.15.1-jax-0.10.2": "keras==3.15.1 jax==0.10.2 jaxlib==0.10.2 numpy==2.2.6",
    "py311-keras-3.15.1-tensorflow-2.21.0": "keras==3.15.1 tensorflow-cpu==2.21.0 numpy==2.2.6",
    "py311-keras-3.15.1-torch-2.13.0": "keras==3.15.1 torch==2.13.0 numpy==2.2.6",
    "py311-tensorflow-2.15.1": "tensorflow-cpu==2.15.1 keras==2.15.0 numpy==1.26.4",
    "py311-tf_keras-2.21.0-tensorflow-2.21.0": "tf-keras==2.21.0 tensorflow-cpu==2.21.0 keras==3.15.1",
    "py311-torch-2.13.0": "torch==2.13.0 numpy==2.3.3",
    "py312-torch-2.9.1": "torch==2.9.1 numpy==2.3.3",
    "py312-torch-2.15.0": "torch==2.15.0 numpy==2.3.3",
    "py38-onnx-1.9.0-onnxruntime-1.8.1": "onnx==1.9.0 onnxruntime==1.8.1 numpy==1.23.5",
    "py312-onnx-1.23.2-onnxruntime-1.31.1": "onnx==1.23.2 onnxruntime==1.31.1 numpy==2.3.3",
}


@pytest.fixture
def _listed(matrix):
    matrix(LISTED)


@pytest.mark.usefixtures("_listed")
@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("numpy", "numpy"),
        ("torch", "py312-torch-2.15.0"),
        ("keras", "py311-keras-3.15.1-tensorflow-2.21.0"),
        ("onnx", "py312-onnx-1.23.2-onnxruntime-1.31.1"),
        ("onnxruntime", "py312-onnx-1.23.2-onnxruntime-1.31.1"),
        ("jax", "py311-keras-3.15.1-jax-0.10.2"),
        ("theano", "py36-keras-2.2.4-theano-1.0.5"),
        ("tf-keras", "py311-tf_keras-2.21.0-tensorflow-2.21.0"),
        ("py38-torch-1.6.0", "py38-torch-1.6.0"),
        ("keras-2.2.4", "py36-keras-2.2.4-tensorflow-1.12.0"),
        ("keras-2.2", "py36-keras-2.2.4-tensorflow-1.12.0"),
        ("keras-2.2.4-th", "py36-keras-2.2.4-theano-1.0.5"),
        ("keras-3.15.1", "py311-keras-3.15.1-tensorflow-2.21.0"),
        ("torch-2.13.0", "py311-torch-2.13.0"),
        ("theano-1", "py36-keras-2.2.4-theano-1.0.5"),
    ],
)
def test_a_name_or_a_part_of_one_means_the_newest_that_it_can_mean(text, name):
    assert find(text).name == name


def test_what_a_comment_prefers_a_frameworks_name_means(tmp_path, matrix):
    matrix(LISTED)
    file = tmp_path / "suite" / "environments" / "py311-torch-2.13.0.txt"
    file.write_text("# PyTorch\n# preferred: small\ntorch==2.13.0\n", "utf-8")
    assert find("torch").name == frameworks()["torch"].name == "py311-torch-2.13.0"
    assert find("torch").requirements == ("torch==2.13.0",)


def test_the_names_in_the_readme_mean_what_it_shows():
    assert find("torch").name == "py311-torch-2.13.0"
    assert find("keras-2.2.4").name == "py36-keras-2.2.4-tensorflow-1.12.0"


@pytest.mark.usefixtures("_listed")
def test_a_part_of_names_that_differ_in_the_framework_or_its_version_lists_them():
    with pytest.raises(EnvironmentProblem, match=r"'torch-2' is a part of 3 names; .* one of py311-torch-2\.13\.0, "):
        find("torch-2")
    with pytest.raises(EnvironmentProblem, match=r"'tensorflow-2\.21\.0' is a part of 2 names"):
        find("tensorflow-2.21.0")
    with pytest.raises(EnvironmentProblem, match=r"'py3' is a part of 16 names; .*, …\.$"):
        find("py3")


@pytest.mark.usefixtures("_listed")
@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("torch==2.9.1", "py312-torch-2.9.1"),
        ("torch==2.9.1 + python==3.12", "py312-torch-2.9.1"),
        ("torch==2.13.0", "py311-torch-2.13.0"),
        ("torch==2.13.0 + keras==3.15.1", "py311-keras-3.15.1-torch-2.13.0"),
        ("jax==0.4.30", "py311-keras-3.6.0-jax-0.4.30"),
        ("keras==2.15.0", "py311-tensorflow-2.15.1"),
        ("keras==3.15.1", "py311-keras-3.15.1-tensorflow-2.21.0"),
        ("keras==3.15.1 + jax==0.10.2", "py311-keras-3.15.1-jax-0.10.2"),
        ("keras==2.2.4", "py36-keras-2.2.4-tensorflow-1.12.0"),
        ("Tf_Keras == 2.21.0", "py311-tf_keras-2.21.0-tensorflow-2.21.0"),
    ],
)
def test_requirements_that_a_listed_environment_has_are_that_environment(text, name):
    assert find(text).name == name


@pytest.mark.usefixtures("_listed")
@pytest.mark.parametrize(
    ("text", "python", "requirements"),
    [
        ("torch==1.7.1", "3.8", "torch==1.7.1 numpy==1.24.4 typing_extensions==4.9.0"),
        ("torch==1.6.1", "3.8", "torch==1.6.1 numpy==1.24.4 future==0.18.3"),
        ("torch==1.7.1 + numpy==1.19.5", "3.8", "torch==1.7.1 numpy==1.19.5 typing_extensions==4.9.0"),
        ("torch==1.7.1 + python==3.9.18", "3.9.18", "torch==1.7.1 numpy==1.24.4 typing_extensions==4.9.0"),
        ("torch==2.9.1 + python==3.11", "3.11", "torch==2.9.1 numpy==2.3.3"),
        ("torch==1.13.1 + python==3.8", "3.8", "torch==1.13.1 numpy==1.24.4 typing_extensions==4.9.0"),
        ("keras==2.2.0", "3.6", "keras==2.2.0 numpy==1.16.4 tensorflow==1.12.0"),
        ("keras==3.6.0 + tensorflow-cpu==2.17.0", "3.11", "keras==3.6.0 tensorflow-cpu==2.17.0 numpy==2.2.6"),
        ("keras==3.9.0 + torch==2.5.1", "3.11", "keras==3.9.0 torch==2.5.1 numpy==2.2.6"),
        ("keras==3.7.0", "3.11", "keras==3.7.0 numpy==2.2.6 tensorflow-cpu==2.21.0"),
        ("tensorflow==2.15.1", "3.11", "tensorflow==2.15.1 numpy==1.26.4 keras==2.15.0"),
        ("numpy==2.2.6 + torch==2.13.0", "3.11", "numpy==2.2.6 torch==2.13.0"),
        ("torch[opt]==2.9.1", "3.12", "torch[opt]==2.9.1 numpy==2.3.3"),
        ("torch>=2.9", "3.12", "torch>=2.9 numpy==2.3.3"),
        ("numpy==1.26.4", HOST, "numpy==1.26.4"),
        ("left-pad==1.3.0", HOST, "left-pad==1.3.0 numpy"),
    ],
)
def test_other_requirements_take_python_and_companions_of_the_nearest_release(text, python, requirements):
    found = find(text)
    given = [part for part in requirements.split() if part.partition("==")[0] in text.replace(" ", "")]
    assert (found.python, " ".join(found.requirements)) == (python, requirements)
    assert set(found.companions) == set(requirements.split()) - set(given)


@pytest.mark.parametrize(
    "text",
    ["", " ", "torhc", "torch==", "torch=1", "torch @ https://x", "-e .", "a==1 b==2", "python==3.8", "torch + flax"],
)
def test_what_names_nothing_says_what_was_expected(text):
    with pytest.raises(EnvironmentProblem, match="is no environment"):
        find(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("torch==1 + Torch==2", "names a package twice"),
        ("torch==1.7.1 + python>=3.8", "python>=3.8: expected a version of Python such as python==3.8"),
        ("torch==1.7.1 + python==3", "python==3: expected a version of Python such as python==3.8"),
        ("torch==1.7.1 + python==2.7", "python==2.7: expected a version of Python such as python==3.8"),
        ("torch==1.7.1 + python==3.5", "python==3.5: expected python==3.6 or later"),
    ],
)
def test_requirements_that_cannot_be_meant_are_one_clear_line(text, words):
    with pytest.raises(EnvironmentProblem, match=re.escape(words)):
        find(text)


def test_a_file_with_another_name_says_which_name_was_expected(tmp_path):
    with pytest.raises(EnvironmentProblem, match=r"torch\.txt: expected a name like py311-torch-2\.13\.0\.txt"):
        from_file(tmp_path / "torch.txt")


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ("3 5", "is Python 3.5; expected 3.6 or later"),
        ("3", "is not a Python interpreter"),
        ("3 11 7", "is not a Python interpreter"),
        ("three six", "is not a Python interpreter"),
        ("", "is not a Python interpreter"),
    ],
)
def test_a_program_that_answers_oddly_is_no_python(tmp_path, says, words):
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\necho '{says}'\n", "utf-8")
    program.chmod(0o755)
    with pytest.raises(EnvironmentProblem, match=re.escape(words)):
        at_python(str(program))


@pytest.mark.skipif(not PYTHON_2, reason="there is no Python 2 of pyenv here")
def test_a_python_2_is_named_for_what_it_is():
    with pytest.raises(EnvironmentProblem, match=r"is Python 2\.\d; expected 3\.6 or later"):
        at_python(str(PYTHON_2[0]))
