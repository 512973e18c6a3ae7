"""A module of flax.linen with its variables: applied in training and in inference mode."""

import inspect
from typing import Any, Dict

import flax
import flax.linen as nn
import jax
import numpy as np

from bnspec.worker.explaining.jax_values import finish, wait
from bnspec.worker.explaining.modes import told_mode
from bnspec.worker.explaining.recording import Recorder, digests, flat, outputs, timed
from bnspec.worker.explaining.telling import CannotExplain, compared, layers_of, refused

STATE = {
    "mean": ("batch_stats", "mean"),
    "variance": ("batch_stats", "var"),
    "scale": ("params", "scale"),
    "offset": ("params", "bias"),
}


def measure(pair: Any, x: Any, y: Any, recorder: Recorder) -> Dict[str, Any]:
    """Return what a batch shows of (module, variables); variables of JAX cannot change."""
    if not hasattr(nn, "intercept_methods"):
        raise CannotExplain("flax %s lets nobody see the calls of a module; expected 0.6.4 or later" % flax.__version__)
    module, variables = pair
    if not hasattr(variables, "items") or not any(kind in variables for kind in ("params", "batch_stats")):
        raise CannotExplain("the second of (module, variables) holds no params; expected what module.init returned")
    before = digests(leaves(variables))
    described = {}  # type: Dict[str, Dict[str, Any]]
    seconds, updated, shown = {}, {}, {}  # type: Dict[str, float], Dict[str, Any], Dict[str, Any]
    others = sorted({"batch_stats", *variables} - {"params"})
    argument, unsaid = told_mode(type(module).__call__)

    def intercept(following: Any, given: Any, options: Any, context: Any) -> Any:
        layer = context.module
        if not (isinstance(layer, nn.BatchNorm) and context.method_name == "__call__" and recorder.wanted()):
            return following(*given, **options)
        path = "/".join(layer.path)
        if path not in described:
            described[path] = description(layer, path, variables)
        signature = inspect.signature(type(layer).__call__)
        said = signature.bind(layer, *given, **options).arguments.get("use_running_average")
        said = layer.use_running_average if said is None else said
        record = recorder.begin(path, None if said is None else not said)
        y = following(*given, **options)
        axis = layer.axis if isinstance(layer.axis, int) else layer.axis[0]
        finish(recorder, record, given[0] if given else options["x"], y, axis, np.asarray)
        return y

    def run(mode: str) -> Any:
        rngs = {name: jax.random.PRNGKey(number) for number, name in enumerate(("params", "dropout"))}
        given = argument(mode)
        try:
            with nn.intercept_methods(intercept):
                found = module.apply(variables, x, **given, mutable=others, rngs=rngs)
            wait()
            return found
        except Exception as error:
            raise refused(error, x, "%s mode" % mode, [str(leaf.dtype) for leaf in leaves(variables).values()])

    for mode in ("training", "inference"):
        shown[mode], updated[mode] = timed(recorder, mode, seconds, lambda mode=mode: run(mode))  # type: ignore[misc]
    if not described:
        raise CannotExplain("the module %s calls no flax.linen.BatchNorm" % type(module).__name__)
    for path, layer in described.items():
        after = {name: parts(dict(variables, **value), path) for name, value in updated.items()}
        for name, moved in (("after", after["training"]), ("after_inference", after["inference"])):
            layer[name] = {part: moved[part] for part in ("mean", "variance") if part in moved}
    return {
        "framework": "flax.linen",
        "version": flax.__version__,
        "backend": None,
        "model": type(module).__name__,
        "trainer": "apply(…, mutable=['batch_stats'])",
        "mode": None,
        "steps": None,
        "notes": unsaid,
        "layers": layers_of(recorder, list(described.values())),
        "outputs": {mode: outputs([np.asarray(leaf) for leaf in flat(value)]) for mode, value in shown.items()},
        "seconds": seconds,
        "unchanged": compared(before, digests(leaves(variables))),
    }


def description(layer: Any, path: str, variables: Any) -> Dict[str, Any]:
    """Return what is read of a layer without a call. Flax's momentum is the weight of the old statistic."""
    state = parts(variables, path)
    return {
        "id": path,
        "name": path or type(layer).__name__,
        "kind": type(layer).__name__,
        "axis": layer.axis if isinstance(layer.axis, int) else layer.axis[0],
        "epsilon": layer.epsilon,
        "momentum": layer.momentum,
        "keep": layer.momentum,
        "averaging": "exponential",
        "tracked": "mean" in state,
        "frozen": False,
        "mode": None,
        "reached": None,
        "count": None,
        "state": state,
    }


def parts(variables: Any, path: str) -> Dict[str, Any]:
    """Return a layer's arrays by our names, those that there are."""
    found = {}
    for name, (kind, own) in STATE.items():
        held = variables.get(kind, {})
        for step in path.split("/") if path else ():
            held = held.get(step, {})
        if own in held:
            found[name] = np.asarray(held[own])
    return found


def leaves(variables: Any) -> Dict[str, Any]:
    """Return all arrays by name."""
    found = {}  # type: Dict[str, Any]
    waiting = [("", variables)]  # type: Any
    while waiting:
        name, held = waiting.pop()
        if hasattr(held, "items"):
            waiting += [("%s/%s" % (name, key), value) for key, value in held.items()]
        elif hasattr(held, "dtype"):
            found[name] = np.asarray(held)
    return found
