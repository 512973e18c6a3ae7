"""Answers that are lost: a process of the worker's own that gave none, a machine without memory for it."""

from typing import Any

EXHAUSTED = (
    "out of memory",  # CUDA, and XLA: "RESOURCE_EXHAUSTED: Out of memory allocating 154140672 bytes."
    "can't allocate memory",  # torch on a CPU: "DefaultCPUAllocator: can't allocate memory: you tried to allocate …"
    "oom when allocating",  # TensorFlow's ResourceExhaustedError
    "failed to allocate memory",  # ONNX Runtime
    "alloc_failed",  # cuDNN and cuBLAS
    "bad_alloc",  # C++ that nobody caught
)
"""How frameworks say that memory is out. Those of XLA, torch on a CPU and TensorFlow were seen under a limit."""


class Lost(Exception):  # noqa: N818 - it says what became of the answer
    """No answer: status `timeout`, `crash` or `not-run`, and the reason."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def check_memory(error: Any) -> None:
    """Raise Lost where an exception says that memory is out: that is about the machine, and not about the layer."""
    said = "%s: %s" % (type(error).__name__, error)
    if isinstance(error, MemoryError) or any(words in said.lower() for words in EXHAUSTED):
        raise Lost("not-run", "memory was out: %s" % said)
