"""The function that `bnspec explain` calls in an environment."""

import platform
import sys
import time
from typing import Any, Dict

import numpy as np

from bnspec.worker import calls
from bnspec.worker.explaining.recording import Recorder
from bnspec.worker.explaining.telling import CannotExplain, told, where

EXPECTED = "expected a model of Keras, tf.keras or torch, a module of flax.nnx, or (module, variables) of flax.linen"


def explain(path: str, shown: str, x: Any, y: Any = None) -> Dict[str, Any]:
    """Return what one batch shows of a model's batch normalization.

    path: `FILE.py:function` or `package.module:function`, the function without arguments; shown: the path as the
    reader wrote it; x: the batch; y: its targets, None for none. Raises CannotExplain.
    """
    started = time.perf_counter()
    model = made(path, shown)
    seconds = time.perf_counter() - started
    measure = measurer(model, shown)
    recorder = Recorder(path.rpartition(":")[0])
    found = measure(model, np.array(x), None if y is None else np.array(y), recorder)
    found["seconds"] = dict(found["seconds"], load=seconds, measuring=recorder.seconds)
    return dict(found, python=platform.python_version())


def made(path: str, shown: str) -> Any:
    """Return what the reader's function returns. Raises CannotExplain where it does not come to that."""
    file, _, name = path.rpartition(":")
    given = shown.rpartition(":")[0]
    try:
        function = calls.load(path)
    except AttributeError as error:
        module = sys.modules.get("bnspec_loaded" if file.endswith(".py") else file)
        if module is None or hasattr(module, name) or name not in str(error):
            raise CannotExplain("%s does not import: %s%s" % (given, told(error), where(error, file)))
        own = [key for key, value in vars(module).items() if callable(value) and own_of(value, module)]
        raise CannotExplain("%s has no function %r; it has: %s" % (given, name, ", ".join(own) or "none"))
    except (Exception, SystemExit) as error:
        raise CannotExplain("%s does not import: %s%s%s" % (given, told(error), where(error, file), hint(error)))
    if not callable(function):
        raise CannotExplain("%s is %s; expected a function that returns a model" % (shown, described(function)))
    try:
        return function()
    except (Exception, SystemExit) as error:
        raise CannotExplain("%s() raised %s%s%s" % (shown, told(error), where(error, file), hint(error)))


def own_of(value: Any, module: Any) -> bool:
    """Return whether a module defines something itself."""
    return getattr(value, "__module__", None) == module.__name__


def hint(error: BaseException) -> str:
    """Return what to do about a package that is not there; nothing for another error."""
    if not isinstance(error, ImportError):
        return ""
    return "; name the Python that has it: --python PATH, or --environment NAME (this is %s)" % sys.executable


def measurer(model: Any, shown: str) -> Any:
    """Return what measures a model of its framework. Raises CannotExplain where it is none."""
    kinds = roots(model)
    pair = model if isinstance(model, tuple) and len(model) == 2 else None
    if pair is not None and "flax.linen" in roots(pair[0]):
        from bnspec.worker.explaining import of_linen

        return of_linen.measure
    if "flax.linen" in kinds:
        raise CannotExplain(
            "%s() returned a module of flax.linen alone; expected (module, variables), as module.init gives them"
            % shown
        )
    if "flax.nnx" in kinds:
        from bnspec.worker.explaining import of_nnx

        return of_nnx.measure
    # First: on its backend of PyTorch a Keras layer is a module of torch as well.
    if kinds & {"keras", "tensorflow.keras", "tf_keras"}:
        from bnspec.worker.explaining import of_keras

        return of_keras.measure
    if "torch" in kinds:
        from bnspec.worker.explaining import of_torch

        return of_torch.measure
    raise CannotExplain("%s() returned %s; %s" % (shown, described(model), EXPECTED))


def roots(model: Any) -> Any:
    """Return the frameworks that the classes of a model come from."""
    found = set()
    for base in type(model).__mro__:
        names = base.__module__.split(".")
        if names[0] in ("keras", "tf_keras", "torch"):
            found.add(names[0])
        elif names[0] == "tensorflow" and "keras" in names:
            found.add("tensorflow.keras")
        elif names[0] == "flax" and ("nnx" in names or "linen" in names):
            found.add("flax.nnx" if "nnx" in names else "flax.linen")
    return found


def described(value: Any) -> str:
    """Return a value in words: what it is."""
    if value is None:
        return "None"
    kind = type(value)
    name = (
        kind.__qualname__
        if kind.__module__ in ("builtins", "bnspec_loaded")
        else kind.__module__ + "." + kind.__qualname__
    )
    if isinstance(value, type):
        return "the class %s, not an instance of it" % value.__name__
    if isinstance(value, (tuple, list)):
        return "a %s of %d" % (name, len(value))
    return "%s %s" % ("an" if name[:1] in "aeiou" else "a", name)
