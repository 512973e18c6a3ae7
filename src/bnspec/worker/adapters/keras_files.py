"""What a Keras wrote: HDF5 files of weights, and the archive of a whole model, which holds one."""

import zipfile
from typing import Any

import h5py

from bnspec.worker.adapter import Unsupported

WEIGHTS = "model.weights.h5"
"""The member of a .keras archive."""

LAYER = "batch_normalization"
"""How Keras 3 calls the groups of such layers, a number behind it for all but the first."""


def arrays_in(path, order):
    """Return the arrays of a file by their names; order: those of a layer with all its weights."""
    archive = zipfile.ZipFile(path) if zipfile.is_zipfile(path) else None
    with h5py.File(archive.open(WEIGHTS) if archive else path, "r") as file:
        groups = []
        file.visititems(lambda name, item: groups.append((name, item)) if isinstance(item, h5py.Group) else None)
        found: Any = {}
        for name, group in groups:
            found.update(by_name(group) if "weight_names" in group.attrs else by_place(name, group, order, found))
        return found


def by_name(group):
    """Return the arrays of a layer as Keras 1 and 2 wrote them: each has its name."""
    names = [name.decode("utf-8") if isinstance(name, bytes) else name for name in group.attrs["weight_names"]]
    return {name: group[name][()] for name in names}


def by_place(path, group, order, known):
    """Return the arrays of a layer as Keras 3 writes them: numbered, the layer's name an attribute."""
    parent, _, last = path.rpartition("/")
    if last != "vars" or not parent:
        return {}
    layer = group.attrs.get("name", parent)
    names = sorted(group, key=int)
    if parent.rpartition("/")[2].startswith(LAYER):
        named = {len(order): order, 2: order[-2:]}
        if len(names) not in named:
            raise Unsupported(
                "%s has %d weights, numbered: whether a scale or an offset is among them it does not say; save an "
                ".npz of their names" % (layer, len(names))
            )
        names, numbers = named[len(names)], names
    else:
        numbers = names
    layer = parent if any(name.startswith(layer + "/") for name in known) else layer
    return {"%s/%s" % (layer, name): group[numbers[i]][()] for i, name in enumerate(names)}
