"""The portable side: runs inside the framework's environment, on Python 3.6 and later.

It imports numpy, the standard library and the framework, nothing else. Whoever writes an adapter needs two
names: `Adapter` and `Unsupported`.
"""

from bnspec.worker.adapter import Adapter, Trainer, Unsupported

__all__ = ["Adapter", "Trainer", "Unsupported"]
