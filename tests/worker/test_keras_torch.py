"""Keras on PyTorch, without either: what goes through torch.compile, how often, and with what."""

import importlib
import sys
import types
from unittest.mock import MagicMock

import pytest

FOLDER = "bnspec.worker.adapters"
PYTORCH = ("torch", "torch.nn", "torch.utils", "torch.utils.checkpoint", "torch._dynamo", "torch._dynamo.utils")
OURS = ("keras_torch", "torch_executions", "torch_captured", "torch_kernels", "torch_eager")


@pytest.fixture
def stand_in(monkeypatch):
    """In the place of torch: what it compiles is the function itself, and it has made seven graphs."""
    modules = {name: MagicMock(name=name) for name in PYTORCH}
    torch = modules["torch"]
    torch.nn, torch._dynamo = modules["torch.nn"], modules["torch._dynamo"]
    torch.compile.side_effect = lambda function, **how: function
    modules["torch._dynamo.utils"].counters = {"stats": {"unique_graphs": 7}}
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    kept = {name: module for name, module in sys.modules.items() if name.startswith(FOLDER)}
    for name in OURS:
        sys.modules.pop(f"{FOLDER}.{name}", None)
    yield torch
    for name in OURS:
        sys.modules.pop(f"{FOLDER}.{name}", None)
    sys.modules.update(kept)


@pytest.fixture
def on_torch(stand_in):
    """The adapter, on that."""
    return importlib.import_module(f"{FOLDER}.keras_torch").KerasTorch


@pytest.fixture
def compiled(stand_in):
    """The execution of torch.nn that keras-torch shares."""
    return importlib.import_module(f"{FOLDER}.torch_captured").Compiled


def test_only_what_goes_through_torch_compile_lacks_a_compiler(on_torch, compiled, monkeypatch):
    monkeypatch.setattr(compiled, "lacking", classmethod(lambda cls, device: "no compiler"))
    compile = types.SimpleNamespace(compile=lambda self, jit_compile=None, run_eagerly=None: None)
    keras = types.SimpleNamespace(models=types.SimpleNamespace(Model=compile))
    monkeypatch.setattr(on_torch, "namespace", staticmethod(lambda: keras))
    lacking = {execution: on_torch.lacking(execution, "cpu") for execution in on_torch.executions}
    assert {execution for execution, why in lacking.items() if why} == {"compile", "trainer-jit"}
    assert set(lacking.values()) == {"", "no compiler"}


@pytest.mark.parametrize(
    ("execution", "graphs"), [("compile", 7), ("trainer-jit", 7), ("trainer-plain", None), ("eager", None)]
)
def test_compilations_are_the_graphs_that_dynamo_counted(on_torch, monkeypatch, execution, graphs):
    monkeypatch.setattr(on_torch, "namespace", staticmethod(MagicMock()))
    assert on_torch.compilations() is None
    layer = on_torch.__new__(on_torch)
    layer.execution, layer.device = execution, "cpu"
    layer.start()
    assert on_torch.compilations() == graphs


def test_what_a_call_says_beside_x_reaches_the_compiled_module(compiled):
    asked = []
    module = MagicMock(side_effect=lambda x, **options: asked.append(options) or x)
    x = types.SimpleNamespace(dtype="float32")
    assert compiled(module)(x) is x
    assert compiled(module)(x, training=True, mask=None) is x
    assert asked == [{}, {"training": True, "mask": None}]


def test_a_function_in_which_something_raised_is_compiled_anew(stand_in, compiled):
    module = MagicMock(side_effect=[1, ValueError("wrong shape"), 2, 3])
    x = types.SimpleNamespace(dtype="float32")
    way = compiled(module)
    way(x)
    with pytest.raises(ValueError, match="wrong shape"):
        way(x, training=True)
    assert [way(x), way(x)] == [2, 3]
    functions = [call.args[0] for call in stand_in.compile.call_args_list]
    assert len(functions) == 2
    assert functions[0].__code__ is not functions[1].__code__
