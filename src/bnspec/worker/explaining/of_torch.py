"""A module of torch: forward and backward in training mode, forward in inference mode."""

import contextlib
import time
from typing import Any, Dict, List

import numpy as np
import torch
from torch.nn.modules import batchnorm

from bnspec.worker.adapters.torch_layers import STATE
from bnspec.worker.explaining.recording import Recorder, digests, flat, outputs, timed
from bnspec.worker.explaining.telling import CannotExplain, compared, layers_of, named, outside, refused, told

KIND = batchnorm._BatchNorm
INSTANCE = tuple(vars(torch.nn)[name] for name in ("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"))
"""Before 1.4 these were subclasses of batch normalization."""


def measure(model: Any, x: Any, y: Any, recorder: Recorder) -> Dict[str, Any]:
    """Return what a batch shows of a torch model; its weights, buffers, modes and gradients are put back."""
    if "RecursiveScriptModule" in [base.__name__ for base in type(model).__mro__]:
        raise CannotExplain("the model is compiled by TorchScript; return it as it is before torch.jit")
    model = getattr(model, "_orig_mod", model)
    known = [(name, module) for name, module in model.named_modules() if is_layer(module)]
    flags = {module: module.training for module in model.modules()}
    before = digests(weights(model))
    kept = [(tensor, tensor.clone()) for tensor in model.buffers()]
    described = {id(layer): description(layer, name) for (_, layer), name in zip(known, named(known))}
    for _, layer in known:
        described[id(layer)]["reached"] = reached(model, layer)
    set_modes(flags)

    def met(layer: Any) -> None:
        if id(layer) in described:
            return
        name = outside(layer, len(outsiders))
        described[id(layer)] = dict(description(layer, name), reached=[False, False])
        known.append(("", layer))
        flags.update({layer: layer.training})
        kept.extend((tensor, tensor.clone()) for tensor in layer.buffers())
        before.update(digests(weights(layer, name + ".")))
        outsiders.append((name, layer))

    outsiders, notes = [], []  # type: List[Any], List[str]
    seconds = {}  # type: Dict[str, float]
    with recorded(recorder, met), seed_kept():
        if not flags[model]:
            model.train()
        trained = timed(recorder, "training", seconds, lambda: run(model, x, "training mode"))
        notes += gradient(trained, list(model.parameters()), seconds)
        moved = states(known)
        put_back(kept, flags)
        model.eval()
        with torch.no_grad():
            inferred = timed(recorder, "inference", seconds, lambda: run(model, x, "inference mode"))
        inference_moved = states(known)
        put_back(kept, flags)
    if not known:
        raise CannotExplain(no_layers(model))
    after = weights(model)
    for name, layer in outsiders:
        after.update(weights(layer, name + "."))
    for _, layer in known:
        described[id(layer)].update(after=moved[id(layer)], after_inference=inference_moved[id(layer)])
    return {
        "framework": "torch",
        "version": torch.__version__,
        "backend": None,
        "model": type(model).__name__,
        "trainer": "train(), a forward and a backward pass",
        "mode": "training" if flags[model] else "inference",
        "steps": None,
        "notes": notes,
        "layers": layers_of(recorder, list(described.values())),
        "outputs": {"training": outputs(numbers(trained)), "inference": outputs(numbers(inferred))},
        "seconds": seconds,
        "unchanged": compared(before, digests(after)),
    }


def is_layer(module: Any) -> bool:
    """Return whether a module is batch normalization."""
    return isinstance(module, KIND) and not isinstance(module, INSTANCE)


def no_layers(model: Any) -> str:
    """Say that a model has no batch normalization, and what it has."""
    kinds = sorted({type(module).__name__ for module in model.modules()} - {type(model).__name__})
    return "the model %s has no batch normalization; its modules are: %s" % (
        type(model).__name__, ", ".join(kinds[:12]) or "none",
    )  # fmt: skip


def description(layer: Any, name: str) -> Dict[str, Any]:
    """Return what is read of a layer without a call. torch's momentum is the weight of the new statistic."""
    state = state_of(layer)
    own = [parameter for parameter in (layer.weight, layer.bias) if parameter is not None]
    cumulative = layer.momentum is None
    return {
        "id": id(layer),
        "name": name or type(layer).__name__,
        "kind": type(layer).__name__,
        "axis": 1,
        "epsilon": layer.eps,
        "momentum": layer.momentum,
        "keep": None if cumulative else 1 - layer.momentum,
        "averaging": "cumulative" if cumulative else "exponential",
        "tracked": "mean" in state,
        "frozen": bool(own) and not any(parameter.requires_grad for parameter in own),
        "mode": "training" if layer.training else "inference",
        "count": int(state["count"]) if "count" in state else None,
        "state": {name: np.array(value) for name, value in state.items() if name != "count"},
    }


def state_of(layer: Any) -> Dict[str, Any]:
    """Return a layer's arrays by our names, those that it has."""
    found = {name: getattr(layer, own, None) for name, own in STATE.items()}
    return {name: number(tensor) for name, tensor in found.items() if tensor is not None}


def states(known: Any) -> Dict[int, Dict[str, Any]]:
    """Return copies of the stored statistics of every layer."""
    return {
        id(layer): {name: np.array(value) for name, value in state_of(layer).items() if name in ("mean", "variance")}
        for _, layer in known
    }


def weights(model: Any, begin: str = "") -> Dict[str, Any]:
    """Return all parameters and buffers by name. begin: what stands before each."""
    found = {begin + name: number(parameter) for name, parameter in model.named_parameters()}
    found.update((begin + name, number(tensor)) for name, tensor in model.named_buffers())
    return found


def put_back(kept: Any, flags: Any) -> None:
    """Give every buffer the values that it had, and every module its mode."""
    with torch.no_grad():
        for tensor, value in kept:
            tensor.copy_(value)
    set_modes(flags)


def set_modes(flags: Any) -> None:
    """Set the mode of every module."""
    for module, training in flags.items():
        module.training = training


def reached(model: Any, layer: Any) -> List[bool]:
    """Return whether train() and eval() of the model set a layer's mode."""
    found = []
    for mode in (True, False):
        layer.training = not mode
        model.train(mode)
        found.append(layer.training is mode)
    return found


@contextlib.contextmanager
def recorded(recorder: Recorder, met: Any) -> Any:
    """Record every call of batch normalization, also of layers that no module holds: `met` is called with each."""
    original = KIND.__call__

    def call(self: Any, *given: Any, **options: Any) -> Any:
        if not (recorder.wanted() and is_layer(self)):
            return original(self, *given, **options)
        met(self)
        record = recorder.begin(id(self), self.training)
        recorder.inside += 1
        try:
            y = original(self, *given, **options)
        finally:
            recorder.inside -= 1
        x = given[0] if given else next(iter(options.values()))
        recorder.finish(record, x, y, 1, number)
        return y

    KIND.__call__ = call
    try:
        yield
    finally:
        del KIND.__call__


@contextlib.contextmanager
def seed_kept() -> Any:
    """Leave torch's random numbers as they were: dropout draws some."""
    held = torch.get_rng_state()
    try:
        yield
    finally:
        torch.set_rng_state(held)


def run(model: Any, x: Any, mode: str) -> Any:
    """Return what the model gives for the batch. Raises CannotExplain where it raises."""
    try:
        return model(torch.from_numpy(x).to(next((p.device for p in model.parameters()), torch.device("cpu"))))
    except Exception as error:
        raise refused(error, x, mode, [str(parameter.dtype).rpartition(".")[2] for parameter in model.parameters()])


def gradient(trained: Any, parameters: List[Any], seconds: Dict[str, float]) -> List[str]:
    """Take the gradient of what a model gave: a layer that is computed again in it moves again. Returns notes.

    The parameters' own gradients are as they were.
    """
    parts = [leaf for leaf in flat(trained) if isinstance(leaf, torch.Tensor) and leaf.requires_grad]
    if not parts:
        return []
    started = time.perf_counter()
    held = [(parameter, parameter.grad) for parameter in parameters]
    for parameter in parameters:
        parameter.grad = None
    try:
        sum((part.float() ** 2).mean() for part in parts).backward()
    except Exception as error:
        return ["the backward pass was not taken: %s" % told(error)]
    finally:
        for parameter, value in held:
            parameter.grad = value
        seconds["backward"] = time.perf_counter() - started
    return []


def numbers(y: Any) -> List[Any]:
    """Return the tensors that a model gave, as arrays."""
    return [number(leaf) for leaf in flat(y) if isinstance(leaf, torch.Tensor)]


def number(tensor: Any) -> Any:
    """Return a tensor as an array; a bfloat16 becomes the float32 of the same value."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()
