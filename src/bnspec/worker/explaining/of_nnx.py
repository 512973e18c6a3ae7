"""A module of flax.nnx: train() and eval(), and the call's own word for the mode where it takes one."""

import contextlib
import inspect
from typing import Any, Dict, List

import flax
import numpy as np
from flax import nnx

from bnspec.worker.adapters.flax_nnx_releases import assign, numbers, there
from bnspec.worker.explaining.jax_values import finish, wait
from bnspec.worker.explaining.modes import told_mode
from bnspec.worker.explaining.recording import Recorder, digests, flat, outputs, timed
from bnspec.worker.explaining.telling import CannotExplain, compared, layers_of, named, outside, refused

STATE = {"mean": "mean", "variance": "var", "scale": "scale", "offset": "bias"}
SWITCHES = ("use_running_average", "deterministic")
"""What train() and eval() set."""


def measure(model: Any, x: Any, y: Any, recorder: Recorder) -> Dict[str, Any]:
    """Return what a batch shows of an nnx module; its variables and modes are put back."""
    nodes = [(path, node) for path, node in nnx.iter_graph(model)]
    known = [(".".join(map(str, path)), node) for path, node in nodes if isinstance(node, nnx.BatchNorm)]
    switches = [(node, name, getattr(node, name)) for _, node in nodes for name in SWITCHES if own(node, name)]
    held = [(".".join(map(str, path)), node, value_of(node)) for path, node in nodes if isinstance(node, nnx.Variable)]
    before = digests({name: value for name, _, value in held if value is not None})
    names = named(known)
    described = {id(layer): description(layer, name) for (_, layer), name in zip(known, names)}
    for training in (True, False):
        (model.train if training else model.eval)()
        for _, layer in known:
            described[id(layer)]["reached"].append(layer.use_running_average is not training)
    put_back(held, switches)

    def met(layer: Any) -> None:
        if id(layer) not in described:
            name = outside(layer, len(known) - len(names))
            described[id(layer)] = dict(description(layer, name), reached=[False, False])
            known.append(("", layer))
            switches.append((layer, "use_running_average", layer.use_running_average))
            own = [value for value in vars(layer).values() if isinstance(value, nnx.Variable)]
            held.extend(("", variable, value_of(variable)) for variable in own)

    argument, _ = told_mode(type(model).__call__)
    seconds, moved, shown = {}, {}, {}  # type: Dict[str, float], Dict[str, Any], Dict[str, Any]

    def run(mode: str) -> Any:
        (model.train if mode == "training" else model.eval)()
        try:
            found = model(x, **argument(mode))
            wait()
            return found
        except Exception as error:
            kinds = [str(value.dtype) for _, _, value in held if value is not None and value.dtype.kind == "f"]
            raise refused(error, x, "%s mode" % mode, kinds)

    with recorded(recorder, met):
        for mode in ("training", "inference"):
            shown[mode] = timed(recorder, mode, seconds, lambda mode=mode: run(mode))  # type: ignore[misc]
            moved[mode] = {id(layer): state_of(layer) for _, layer in known}
            put_back(held, switches)
    if not known:
        raise CannotExplain("the module %s has no flax.nnx.BatchNorm" % type(model).__name__)
    for _, layer in known:
        for name, mode in (("after", "training"), ("after_inference", "inference")):
            state = moved[mode][id(layer)]
            described[id(layer)][name] = {part: state[part] for part in ("mean", "variance")}
    after = digests({name: value_of(node) for name, node, value in held if value is not None})
    return {
        "framework": "flax.nnx",
        "version": flax.__version__,
        "backend": None,
        "model": type(model).__name__,
        "trainer": "train() and a call",
        "mode": None,
        "steps": None,
        "notes": [],
        "layers": layers_of(recorder, list(described.values())),
        "outputs": {mode: outputs([np.asarray(leaf) for leaf in flat(value)]) for mode, value in shown.items()},
        "seconds": seconds,
        "unchanged": compared(before, after),
    }


def own(node: Any, name: str) -> bool:
    """Return whether a node has a switch of its own."""
    return isinstance(node, nnx.Module) and name in vars(node)


def value_of(variable: Any) -> Any:
    """Return a variable's array; None for keys of random numbers, which a call does not change."""
    try:
        return np.array(numbers(variable))
    except TypeError:
        return None


def put_back(held: List[Any], switches: List[Any]) -> None:
    """Give every variable the value that it had, and every module its mode."""
    for _, variable, value in held:
        if value is not None:
            assign(variable, nnx_array(value))
    for node, name, value in switches:
        setattr(node, name, value)


def nnx_array(value: Any) -> Any:
    """Return an array as JAX has it."""
    import jax.numpy as jnp

    return jnp.asarray(value)


def description(layer: Any, name: str) -> Dict[str, Any]:
    """Return what is read of a layer without a call. Flax's momentum is the weight of the old statistic."""
    return {
        "id": id(layer),
        "name": name or type(layer).__name__,
        "kind": type(layer).__name__,
        "axis": layer.axis if isinstance(layer.axis, int) else layer.axis[0],
        "epsilon": layer.epsilon,
        "momentum": layer.momentum,
        "keep": layer.momentum,
        "averaging": "exponential",
        "tracked": True,
        "frozen": False,
        "mode": None if layer.use_running_average is None else "inference" if layer.use_running_average else "training",
        "reached": [],
        "count": None,
        "state": state_of(layer),
    }


def state_of(layer: Any) -> Dict[str, Any]:
    """Return a layer's arrays by our names, those that it has."""
    found = {name: getattr(layer, own, None) for name, own in STATE.items()}
    return {name: np.array(numbers(variable)) for name, variable in found.items() if there(variable)}


@contextlib.contextmanager
def recorded(recorder: Recorder, met: Any) -> Any:
    """Record every call of nnx.BatchNorm."""
    original = nnx.BatchNorm.__call__
    signature = inspect.signature(original)

    def call(self: Any, *given: Any, **options: Any) -> Any:
        if not recorder.wanted():
            return original(self, *given, **options)
        met(self)
        bound = signature.bind(self, *given, **options).arguments
        said = bound.get("use_running_average")
        said = self.use_running_average if said is None else said
        record = recorder.begin(id(self), None if said is None else not said)
        y = original(self, *given, **options)
        axis = self.axis if isinstance(self.axis, int) else self.axis[0]
        finish(recorder, record, list(bound.values())[1], y, axis, np.asarray)
        return y

    nnx.BatchNorm.__call__ = call
    try:
        yield
    finally:
        nnx.BatchNorm.__call__ = original
