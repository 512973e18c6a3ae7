"""Having a model measured in its environment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bnspec.calls import Caller, CallFailed
from bnspec.explain.data import Batch

FUNCTION = "bnspec.worker.explaining.entry:explain"

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2"}


class NotExplained(Exception):  # noqa: N818 - it is shown as it is, one clear line
    """The model could not be measured; the message says why and what to do."""


def absolute(path: str) -> str:
    """Return `FILE.py:function` with the file's full path; a module stays. Raises NotExplained where there is none."""
    where, colon, name = path.rpartition(":")
    if not colon or not where or not name.isidentifier():
        raise NotExplained(f"{path!r}: expected FILE.py:FUNCTION, a function without arguments that returns the model")
    if not where.endswith(".py"):
        if "/" in where or Path(where).exists():
            raise NotExplained(f"{where}: is no .py file; expected FILE.py:FUNCTION or package.module:FUNCTION")
        return path
    file = Path(where)
    if not file.is_file():
        raise NotExplained(f"{where}: {'is no file' if file.exists() else 'there is no such file'}")
    return f"{file.resolve()}:{name}"


def measured(python: Path, path: str, batch: Batch, environ: Mapping[str, str], *, seconds: float) -> Mapping[str, Any]:
    """Return what one batch shows of a model, as the worker says it. Raises NotExplained.

    python: the interpreter that has the model's framework; path: as the reader writes it; environ: variables that
    its process is to have; seconds: how long it may take.
    """
    found = absolute(path)
    try:
        with Caller(python, FUNCTION, {**QUIET, **environ}) as worker:
            worker.ready(seconds)
            targets = {} if batch.y is None else {"y": batch.y}
            answer: Mapping[str, Any] = worker.call(seconds, path=found, shown=path, x=batch.x, **targets)
            return answer
    except CallFailed as failed:
        name, text = failed.error
        if name == "CannotExplain":
            raise NotExplained(text) from None
        if "No module named 'numpy'" in str(failed):
            raise NotExplained(f"{python} has no NumPy, and so no framework; name another Python by --python") from None
        if failed.kind == "timeout":
            raise NotExplained(f"{path}: {failed}; --timeout gives it longer, a smaller batch takes less") from None
        last = failed.trace.strip().splitlines()[-3:-2] if failed.kind == "raised" else []
        raise NotExplained(f"{path} cannot be explained: {failed}{''.join(last)}") from None
