"""Targets: an environment, an adapter and a device."""

import ast
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from bnspec.environments import (
    REFERENCE,
    Environment,
    EnvironmentProblem,
    find,
    installed,
    listed,
    newest,
    normal,
    plain,
    reference,
)  # fmt: skip


@dataclass(frozen=True)
class BuiltIn:
    """A built-in adapter: where it is, for which versions of which distribution, and what must be beside that."""

    name: str
    path: str
    distributions: tuple[str, ...]
    versions: str = ""
    beside: tuple[str, ...] = ()


FOLDER = "bnspec.worker.adapters"
LONGEST_NAME = 200  # of a file, without its ending
TENSORFLOW = ("tensorflow", "tensorflow-cpu", "tensorflow-gpu")

BUILT_IN = (
    BuiltIn(REFERENCE, f"{FOLDER}.reference:Reference", ()),
    BuiltIn("torch.nn", f"{FOLDER}.torch_nn:TorchNN", ("torch",)),
    BuiltIn("torch.functional", f"{FOLDER}.torch_functional:TorchFunctional", ("torch",)),
    BuiltIn("keras", f"{FOLDER}.keras_eager:Keras", ("keras",), ">=2.4", TENSORFLOW),
    BuiltIn("keras", f"{FOLDER}.keras_session:Keras", ("keras",), "<2.4", TENSORFLOW),
    BuiltIn("keras-theano", f"{FOLDER}.keras_theano:KerasTheano", ("keras",), "<2.4", ("theano",)),
    BuiltIn("keras-jax", f"{FOLDER}.keras_jax:KerasJax", ("keras",), ">=3", ("jax",)),
    BuiltIn("keras-torch", f"{FOLDER}.keras_torch:KerasTorch", ("keras",), ">=3", ("torch",)),
    # Keras' backend of NumPy imports JAX; that of OpenVINO came with 3.8.
    BuiltIn("keras-numpy", f"{FOLDER}.keras_numpy:KerasNumpy", ("keras",), ">=3", ("jax",)),
    BuiltIn("keras-openvino", f"{FOLDER}.keras_openvino:KerasOpenVINO", ("keras",), ">=3.8", ("openvino",)),
    BuiltIn("tf.keras", f"{FOLDER}.keras_eager:TfKeras", TENSORFLOW, ">=2,<2.16"),
    BuiltIn("tf.keras", f"{FOLDER}.keras_session:TfKeras", TENSORFLOW, "<2"),
    BuiltIn("tf-keras", f"{FOLDER}.keras_eager:TfKerasPackage", ("tf-keras",), ">=2.14", TENSORFLOW),
    BuiltIn("tf.nn", f"{FOLDER}.tf_nn:TfNN", TENSORFLOW, ">=2"),
    BuiltIn("tf.nn.fused", f"{FOLDER}.tf_fused:TfFused", TENSORFLOW, ">=2.2"),
    BuiltIn("tf.layers", f"{FOLDER}.tf_layers:TfLayers", TENSORFLOW, "<2.16"),
    BuiltIn("flax.linen", f"{FOLDER}.flax_linen:Linen", ("flax",)),
    BuiltIn("flax.nnx", f"{FOLDER}.flax_nnx:NNX", ("flax",), ">=0.8.5"),
    BuiltIn("onnx.reference", f"{FOLDER}.onnx_reference:OnnxReference", ("onnx",), ">=1.13"),
    BuiltIn("onnxruntime", f"{FOLDER}.onnx_runtime:OnnxRuntime", ("onnxruntime",)),
)


@dataclass(frozen=True)
class Target:
    """What is tested: environment × adapter × device, in one execution (None is the adapter's default)."""

    environment: Environment
    adapter: str
    path: str
    device: str = "cpu"
    execution: str | None = None

    @property
    def name(self) -> str:
        """How results call it."""
        parts = [f"{self.environment.name}/{self.adapter}", "" if self.device == "cpu" else self.device]
        return "@".join(part for part in [*parts, self.execution or ""] if part)

    @cached_property
    def environ(self) -> Mapping[str, str]:
        """The environment variables that the adapter wants before its process starts."""
        return declared_environ(self.path)

    @property
    def file_name(self) -> str:
        """How its results file in a folder is called: the main adapter of an environment goes by the latter's name."""
        environment, at, how = self.name.partition("@")
        if self.adapter == next((found.name for found in adapters(self.environment)), None):
            environment = self.environment.name
        return re.sub(r"[^A-Za-z0-9_.=+@-]+", "_", f"{environment}{at}{how}")[:LONGEST_NAME] + ".jsonl"


def parse(text: str, *, adapter: str | None = None, device: str = "cpu", execution: str | None = None) -> Target:
    """Return the target that `ENVIRONMENT[/ADAPTER]` names; raises EnvironmentProblem where there is none."""
    name, slash, suffix = text.partition("/")
    # `onnxruntime` is an adapter, and a part of its environment's name: who says it means both.
    named = name if any(name == found.name for found in BUILT_IN) else None
    return choose(find(name), adapter or (suffix if slash else named), device, execution)


def everything(*, device: str = "cpu") -> list[Target]:
    """Return the targets of the whole matrix: the reference, and every listed environment with its main adapter.

    Every other adapter comes once, in the newest environment that can run it; one of its own framework, where
    there is any, comes before one that has the framework beside another.
    """
    environments = listed()
    found = [choose(one, None, device) for one in (reference(), *environments)]
    able = {environment.name: {built_in.name for built_in in adapters(environment)} for environment in environments}
    for adapter, distributions in {built_in.name: built_in.distributions for built_in in BUILT_IN}.items():
        if fitting := [environment for environment in environments if adapter in able[environment.name]]:
            target = choose(newest(plain(distributions[0]), fitting), adapter, device)
            found += [target] if target.name not in {other.name for other in found} else []
    return found


def choose(environment: Environment, adapter: str | None, device: str, execution: str | None = None) -> Target:
    """Return the target of an environment: the adapter that is named, or the one of its framework.

    Raises EnvironmentProblem for an adapter that is not there.
    """
    if adapter and ":" in adapter:
        check_path(adapter)
        declared_environ(absolute(adapter))
        return Target(environment, adapter, absolute(adapter), device, execution)
    fitting = adapters(environment)
    if adapter:
        fitting = [found for found in fitting if found.name == adapter]
    if not fitting:
        wanted = f"has no adapter {adapter!r}" if adapter else "has no framework that bnspec knows"
        names = ", ".join(dict.fromkeys(found.name for found in BUILT_IN))
        raise EnvironmentProblem(
            f"{environment.name} {wanted}. Built-in adapters: {names}; your own: --adapter FILE.py:Class."
        )
    return Target(environment, fitting[0].name, fitting[0].path, device, execution)


def adapters(environment: Environment) -> list[BuiltIn]:
    """Return the built-in adapters that an environment can run, that of its main framework first."""
    if environment.families == (REFERENCE,):
        return [BUILT_IN[0]]
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    packages = dict(environment.pins)
    if environment.made and not any(set(b.distributions) & packages.keys() for b in BUILT_IN):
        packages = installed(environment)
    main = environment.families[0] if environment.families else ""
    there = {*packages, *(normal(Requirement(requirement).name) for requirement in environment.requirements)}

    def fits(candidate: BuiltIn) -> bool:
        if candidate.beside and there.isdisjoint(candidate.beside):
            return False
        found = next((packages[d] for d in candidate.distributions if d in packages), None)
        if found is None:  # wanted in any version
            return main in candidate.distributions and not there.isdisjoint(candidate.distributions)
        return SpecifierSet(candidate.versions).contains(found, prereleases=True)

    return sorted((b for b in BUILT_IN if b.distributions and fits(b)), key=lambda b: main not in b.distributions)


def files_of(output: Path, targets: Sequence[Target]) -> dict[str, Path]:
    """Return the results file of every target, by its name: the output, or where that is a folder one in it."""
    folder = os.path.isdir(output)  # which a name that is too long is not; Path.is_dir would raise
    return {target.name: output / target.file_name if folder else output for target in targets}


def absolute(path: str) -> str:
    """Return `FILE.py:Class` with the file's full path; a module stays as it is."""
    where, _, name = path.rpartition(":")
    return f"{Path(where).resolve()}:{name}" if where.endswith(".py") else path


def check_path(path: str) -> None:
    """Raise EnvironmentProblem where `FILE.py:Class` names no file, or a file without that class."""
    where, _, name = path.rpartition(":")
    if not where.endswith(".py"):
        return
    tree = parsed(Path(where))
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    if name not in classes:
        there = ", ".join(classes) or "none"
        raise EnvironmentProblem(f"--adapter {path}: {where} has no class {name!r}; its classes: {there}")


def parsed(file: Path) -> ast.Module:
    """Return the syntax of a file; raises EnvironmentProblem where it cannot be read."""
    try:
        return ast.parse(file.read_text("utf-8"), str(file))
    except OSError as error:
        raise EnvironmentProblem(f"--adapter {file}: cannot be read: {error.strerror}") from None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise EnvironmentProblem(f"--adapter {file}: is not Python: {error}") from None


def every_execution(target: Target) -> list[Target]:
    """Return a target in each execution of its adapter but the slow ones, the default one first.

    Raises EnvironmentProblem where these are not written out.
    """
    slow = slow_executions(target)
    others = [name for name in literal_names(target.path, "executions")[1:] if name not in slow]
    return [target, *(replace(target, execution=name) for name in others)]


def in_execution(target: Target, name: str) -> Target:
    """Return a target in one execution; the default one has no name of its own, where it is written out."""
    try:
        default = literal_names(target.path, "executions")[:1] == [name]
    except EnvironmentProblem:  # only `all` needs to know them before the worker says them
        default = False
    return target if default else replace(target, execution=name)


def slow_executions(target: Target) -> list[str]:
    """Return the executions that a run has only where they are named. Raises EnvironmentProblem as above."""
    return literal_names(target.path, "slow")


def literal_names(path: str, attribute: str) -> list[str]:
    """Return the literal tuple of names that an adapter class assigns to an attribute; none where it does not.

    Raises EnvironmentProblem where it is no such tuple.
    """
    line = declaration(path, attribute)
    try:
        return [] if line is None else [str(name) for name in ast.literal_eval(getattr(line, "value", None) or "")]
    except (ValueError, SyntaxError, TypeError):
        raise EnvironmentProblem(
            f"--execution all: {attribute} of {path} is read before the file is imported; "
            'expected a literal tuple such as ("eager", "jit")'
        ) from None


def declared_environ(path: str) -> Mapping[str, str]:
    """Return the literal `environ = {...}` of an adapter class, read without importing it.

    Raises EnvironmentProblem where it is no literal dict.
    """
    line = declaration(path, "environ")
    return {} if line is None else literal_environ(line, path)


def declaration(path: str, attribute: str) -> ast.stmt | None:
    """Return the line in which an adapter class assigns an attribute; None where it does not, or has no file here."""
    where, _, name = path.rpartition(":")
    if where.startswith(FOLDER):
        file = Path(__file__).parent / "worker" / "adapters" / f"{where.rpartition('.')[2]}.py"
    elif where.endswith(".py"):
        file = Path(where)
    else:
        return None
    for node in parsed(file).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            for line in node.body:
                names = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
                if any(getattr(name, "id", "") == attribute for name in names):
                    return line
    return None


def literal_environ(line: ast.stmt, path: str) -> Mapping[str, str]:
    """Return the dict that a line assigns. Raises EnvironmentProblem where it is no literal dict."""
    try:
        value = ast.literal_eval(getattr(line, "value", None) or "")
        return {str(key): str(item) for key, item in value.items()}
    except (ValueError, SyntaxError, TypeError, AttributeError):
        raise EnvironmentProblem(
            f"--adapter {path}: line {line.lineno}: environ is set before the file is imported; "
            'expected a literal dict such as {"KERAS_BACKEND": "jax"}'
        ) from None
