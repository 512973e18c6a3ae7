"""DATA.npz: the batch that goes through the model."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bnspec.case import Array
from bnspec.worker.frames import BODY_LIMIT

BROKEN = (ValueError, KeyError, EOFError, OSError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What NumPy and zipfile raise for a file that is not what it should be."""

MADE = "numpy.savez(FILE, x=…) makes one"
"""What to type for a file that can be used."""


class BadData(Exception):  # noqa: N818 - it is shown as it is, one clear line
    """DATA holds no batch; the message says what it holds, what was expected, and what to do."""


@dataclass(frozen=True)
class Batch:
    """A batch, of rank 2 at least, samples first, and its targets where there are any."""

    x: Array
    y: Array | None = None


def read_batch(path: Path, x: str | None = None, y: str | None = None) -> Batch:
    """Read a batch: the array that is named, `x`, or the only one; the targets likewise, `y` or none.

    Raises BadData.
    """
    try:
        opened = np.load(path, allow_pickle=False)
        if not isinstance(opened, np.lib.npyio.NpzFile):
            raise BadData(f"{path}: is a single array, not an archive; {MADE}")
        with opened as archive:
            names = list(archive.files)
            name = chosen(path, names, x, y)
            target = y if y is not None else "y" if "y" in names and name != "y" else None
            if y is not None and y not in names:
                raise BadData(f"{path}: has no array {y!r}; it has: {listed(names)}")
            found = array_of(archive, path, name)
            targets = None if target is None else array_of(archive, path, target)
    except FileNotFoundError:
        raise BadData(f"{path}: there is no such file; expected an .npz with the batch: {MADE}") from None
    except OSError as error:
        raise BadData(f"{path}: cannot be read: {error.strerror or error}") from None
    except BROKEN:
        raise BadData(f"{path}: is no .npz; {MADE}") from None
    check(path, name, found)
    if target is not None and targets is not None:
        check_targets(path, target, targets, len(found))
    return Batch(found, targets)


def chosen(path: Path, names: list[str], x: str | None, y: str | None) -> str:
    """Return the name of the array that is the batch. Raises BadData where that is not clear."""
    if not names:
        raise BadData(f"{path}: holds no array; {MADE}")
    if x is not None:
        if x not in names:
            raise BadData(f"{path}: has no array {x!r}; it has: {listed(names)}")
        return x
    if "x" in names:
        return "x"
    others = [name for name in names if name not in ("y", y)]
    if len(others) != 1:
        raise BadData(f"{path}: has no array 'x'; it has: {listed(names)}; name the batch by --x NAME")
    return others[0]


def listed(names: list[str]) -> str:
    """Return some names, the rest counted."""
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def array_of(archive: "np.lib.npyio.NpzFile", path: Path, name: str) -> Array:
    """Return an array of an archive. Raises BadData where it is none of numbers."""
    try:
        found: Array = archive[name]
    except ValueError as error:
        if "pickle" in str(error).lower():
            raise BadData(
                f"{path}: {name!r} holds Python objects, which are not unpickled; save plain numbers"
            ) from None
        raise BadData(f"{path}: {name!r} is no array: {error}") from None
    except BROKEN as error:
        raise BadData(f"{path}: {name!r} cannot be read: {error}") from None
    if not isinstance(found, np.ndarray):
        raise BadData(f"{path}: {name!r} is no array; {MADE}")
    return found


def check(path: Path, name: str, x: Array) -> None:
    """Raise BadData for what is no batch of numbers."""
    say = f"{path}: {name!r} has shape {x.shape} and dtype {x.dtype}"
    if x.dtype.kind not in "fiu" or x.dtype.itemsize > 8:
        raise BadData(f"{say}; expected floating-point numbers or integers")
    if x.ndim < 2:
        raise BadData(f"{say}; expected a batch: samples first, and at least one more axis")
    if x.size == 0:
        raise BadData(f"{say}: it is empty; expected a batch of two samples or more")
    if len(x) < 2:
        raise BadData(f"{say}: one sample has no batch statistics; expected two or more")
    if x.nbytes > BODY_LIMIT:
        raise BadData(f"{say}: more than {BODY_LIMIT >> 30} GiB; a batch will do")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        at = tuple(int(n) for n in np.argwhere(~np.isfinite(x))[0])
        bad = int((~np.isfinite(x)).sum())
        raise BadData(f"{path}: {name!r} has {bad} values that are NaN or infinite, the first at {at}; clean the data")


def check_targets(path: Path, name: str, y: Array, samples: int) -> None:
    """Raise BadData for targets that do not belong to the batch."""
    say = f"{path}: {name!r} has shape {y.shape} and dtype {y.dtype}"
    if y.dtype.kind not in "fiub" or y.dtype.itemsize > 8:
        raise BadData(f"{say}; expected numbers")
    if not y.ndim or len(y) != samples:
        raise BadData(f"{say}; expected a target for each of the {samples} samples")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise BadData(f"{path}: {name!r} has NaN or infinite values; clean the data")
