"""The modules of torch.nn that a layer is: their classes, their arguments, the tensors they hold."""

import inspect

import torch

from bnspec.worker.adapter import Unsupported
from bnspec.worker.adapters.torch_shared import momentum

STATE = {
    "mean": "running_mean",
    "variance": "running_var",
    "scale": "weight",
    "offset": "bias",
    "count": "num_batches_tracked",
}


def built(layer, execution):
    """Return the module of a layer."""
    kind = torch.nn.SyncBatchNorm if execution == "synchronised" else kind_of(layer["rank"])
    options = dict(eps=layer["epsilon"], track_running_stats=layer["tracked"], **momentum(layer["momentum"]))
    options.update(affine(kind, layer))
    if execution != "lazy":
        return kind(layer["features"], **options)
    bn = getattr(torch.nn, "Lazy" + kind.__name__)(**options).eval()
    bn(torch.zeros([2, layer["features"]] + [1] * (layer["rank"] - 2)))
    return bn.train()


def kind_of(rank):
    """Return the class for a rank."""
    return {4: torch.nn.BatchNorm2d, 5: torch.nn.BatchNorm3d}.get(rank, torch.nn.BatchNorm1d)


def affine(kind, layer):
    """Return the arguments that say which parameters there are."""
    if layer["scale"] == layer["offset"]:
        return {"affine": layer["scale"]}
    if layer["offset"]:
        raise Unsupported("torch.nn has no batch normalization with an offset and without a scale")
    if "bias" not in inspect.signature(kind).parameters:
        raise Unsupported("this release of torch.nn has one switch, affine, for scale and offset together")
    return {"affine": True, "bias": False}


def held_by(module):
    """Return the tensors of a BatchNorm, those that it has."""
    found = {name: getattr(module, own) for name, own in STATE.items()}
    return {name: tensor for name, tensor in found.items() if tensor is not None}


def values(array):
    """Return the number that an array is filled with; torch 1.0 and 1.1 draw the scale by chance."""
    return array.flat[0].item() if (array == array.flat[0]).all() else "random"
