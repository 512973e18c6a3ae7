"""Functions called in an environment: what they are given and what they return travels as JSON and arrays."""

import importlib
import importlib.util
import os
import sys
import traceback
from typing import Any, Callable, Dict, List, Mapping, Tuple

import numpy as np

ARRAY = "array"
"""The only key of what stands for an array: its place among those of the frame."""

TEXT_LIMIT = 2000
TRACE_LIMIT = 4000


def load(path: str) -> Any:
    """Return what `package.module:name` or `FILE.py:name` names; what lies beside a file can be imported.

    Raises whatever the file raises, and AttributeError where it has no such name.
    """
    where, _, name = path.rpartition(":")
    if not where.endswith(".py"):
        return getattr(importlib.import_module(where), name)
    # Last, so that none of what lies beside the file hides a package.
    sys.path.append(os.path.dirname(os.path.abspath(where)))
    spec = importlib.util.spec_from_file_location("bnspec_loaded", where)
    if spec is None or spec.loader is None:
        raise ImportError("cannot load %s" % where)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return getattr(module, name)


def answer(function: Callable[..., Any], header: Mapping[str, Any], arrays: List[Any]) -> Tuple[Dict[str, Any], Any]:
    """Call a function with the arguments of a frame; return the answer's header and its arrays."""
    results = []  # type: List[Any]
    try:
        value = pack(function(**unpack(header["arguments"], arrays)), results)
        return {"event": "returned", "value": value}, results
    except Exception as error:
        told = {"event": "raised", "class": type(error).__name__, "text": str(error)[:TEXT_LIMIT]}
        return dict(told, trace=traceback.format_exc()[-TRACE_LIMIT:]), []


def pack(value: Any, arrays: List[Any]) -> Any:
    """Return a value as JSON, its arrays appended to `arrays`. Raises TypeError for what is neither."""
    if isinstance(value, dict):
        return {str(key): pack(item, arrays) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [pack(item, arrays) for item in value]
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {ARRAY: len(arrays) - 1}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError("%s of type %s cannot be sent" % (str(value)[:100], type(value).__name__))


def unpack(value: Any, arrays: List[Any]) -> Any:
    """Return the value that was packed. Raises LookupError or TypeError where an array is not there."""
    if isinstance(value, dict):
        return arrays[value[ARRAY]] if set(value) == {ARRAY} else {k: unpack(v, arrays) for k, v in value.items()}
    return [unpack(item, arrays) for item in value] if isinstance(value, list) else value
