"""tf.function, how it is told to compile with XLA, and how often it traced."""

import inspect
from typing import Any, List

import tensorflow as tf

# 2.1 made experimental_compile, 2.5 called it jit_compile.
SPELLED = [
    name for name in ("jit_compile", "experimental_compile") if name in inspect.signature(tf.function).parameters
]
EXECUTIONS = ("function", "xla")

TRACED: List[Any] = []
"""An entry each time that TensorFlow traces one of these functions."""


def function(execution, forward):
    """Return a tf.function, which traces for every signature and every value that is no tensor."""

    def traced(*given, **options):
        TRACED.append(forward)
        return forward(*given, **options)

    return tf.function(traced, **({SPELLED[0]: True} if execution == "xla" else {}))


def lacking(execution):
    """Say why this release cannot run an execution; empty where it can."""
    return "tf.function of this release does not compile with XLA" if execution == "xla" and not SPELLED else ""
