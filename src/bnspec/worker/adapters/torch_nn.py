"""torch.nn: BatchNorm1d, BatchNorm2d and BatchNorm3d, from torch 1.0 on.

Frozen means `requires_grad_(False)`, the idiom of PyTorch's own transfer learning pages.
"""

import torch

from bnspec.worker.adapter import Adapter, Unsupported

NAMES = {"mean": "running_mean", "variance": "running_var", "scale": "weight", "offset": "bias"}


class Parent(torch.nn.Module):
    """A user's module around the layer; torch passes the mode on by itself."""

    def __init__(self, layer):
        super().__init__()
        self.inner = layer

    def forward(self, x):
        return self.inner(x)


class TorchNN(Adapter):
    """torch.nn.BatchNorm1d/2d/3d."""

    name = "torch.nn"
    package = "torch"

    def __init__(self, layer, *, structure="bare", execution="eager", device="cpu"):
        super().__init__(layer, structure=structure, execution=execution, device=device)
        rank = layer["rank"]
        if rank not in (2, 3, 4, 5):
            raise Unsupported("torch.nn has BatchNorm for ranks 2 to 5")
        if layer["axis"] % rank != 1:
            raise Unsupported("torch.nn.BatchNorm takes the channel axis 1 only")
        if layer["scale"] != layer["offset"]:
            raise Unsupported("torch.nn.BatchNorm has one switch, affine, for scale and offset")
        kind = {4: torch.nn.BatchNorm2d, 5: torch.nn.BatchNorm3d}.get(rank, torch.nn.BatchNorm1d)
        self.bn = kind(
            layer["features"],
            eps=layer["epsilon"],
            affine=layer["scale"],
            track_running_stats=layer["tracked"],
            **momentum(layer["momentum"]),
        ).to(device)
        self.outer = self.bn if structure == "bare" else Parent(self.bn)

    @classmethod
    def has_device(cls, device):
        return torch.cuda.is_available()

    def call(self, mode, x, *, mask=None, record=True, collect=True, recompute=False):
        if mask is not None:
            raise Unsupported("torch.nn.BatchNorm takes no mask")
        if not collect:
            raise Unsupported("torch.nn.BatchNorm has no updates to collect: the call makes them")
        if mode is not None:
            self.outer.train(mode == "train")
        self.x = torch.tensor(x, device=self.device, requires_grad=record)
        self.y = self.outer(self.x)
        return self.y.detach().cpu().numpy()

    def backward(self, dy):
        self.bn.zero_grad()
        self.y.backward(torch.tensor(dy, device=self.device))
        given = {"x": self.x.grad, "scale": self.bn.weight, "offset": self.bn.bias}
        for name in ("scale", "offset"):
            given[name] = None if given[name] is None else given[name].grad
        return {name: value.cpu().numpy() for name, value in given.items() if value is not None}

    def freeze(self, where="layer"):
        self.set_requires_grad(where, False)

    def unfreeze(self, where="layer"):
        self.set_requires_grad(where, True)

    def set_requires_grad(self, where, value):
        for parameter in (self.outer if where == "parent" else self.bn).parameters():
            parameter.requires_grad = value

    def get_state(self):
        tensors = {name: getattr(self.bn, own) for name, own in NAMES.items()}
        return {name: t.detach().cpu().numpy().copy() for name, t in tensors.items() if t is not None}

    def set_state(self, state):
        with torch.no_grad():
            for name, value in state.items():
                getattr(self.bn, NAMES[name]).copy_(torch.tensor(value))

    def facts(self):
        default = torch.nn.BatchNorm1d(3)
        return {
            "momentum": default.momentum,
            "epsilon": default.eps,
            "state": list(default.state_dict()),
            "parameters dtype": str(default.weight.dtype),
            "threads": torch.get_num_threads(),
        }


def momentum(asked):
    """Return the constructor's argument: torch's momentum is the weight of the new statistic."""
    if asked is None:
        return {}
    if asked.get("cumulative"):
        return {"momentum": None}
    return {"momentum": asked["raw"] if "raw" in asked else 1 - asked["keep"]}
