"""What the two APIs of torch share: tensors and their types, the recorded call, its gradient, the momentum."""

import inspect
from collections import OrderedDict

import numpy as np
import torch
from torch.utils.checkpoint import checkpoint

from bnspec.worker.adapter import Adapter, Unsupported, bfloat16

# torch 1.11 made a second implementation of checkpointing, the one that later releases' documentation asks for.
RECOMPUTE = {"use_reentrant": False} if "use_reentrant" in inspect.signature(checkpoint).parameters else {}


class AnyTorch(Adapter):
    """A batch normalization of torch, run eagerly. A subclass says `forward` and holds `scale` and `offset`."""

    package = "torch"

    def __init__(self, layer, *, structure="bare", execution="eager", device="cpu"):
        super().__init__(layer, structure=structure, execution=execution, device=device)
        types = layer["dtypes"]
        if layer["rank"] not in (2, 3, 4, 5):
            raise Unsupported("torch has batch normalization for ranks 2 to 5")
        if layer["axis"] % layer["rank"] != 1:
            raise Unsupported("torch normalises over the channel axis 1 only")
        if layer["mode"] is not None:
            raise Unsupported("torch is not told a mode where a layer is built: train() and eval() or the call say it")
        if layer["frozen"]:
            raise Unsupported("torch takes no word on freezing where a layer is built: requires_grad is set later")
        if types["compute"] != types["input"]:
            raise Unsupported("torch takes no type to compute in: the input's type decides")
        self.input_type, self.parameter_type = (type_called(types[name]) for name in ("input", "parameters"))

    @classmethod
    def has_device(cls, device):
        return torch.cuda.is_available()

    def call(self, mode, x, *, mask=None, record=True, collect=True, recompute=False):
        if mask is not None:
            raise Unsupported("batch normalization in torch takes no mask")
        self.recorded = None
        forward = self.forward(mode)
        x = self.arranged(x if isinstance(x, torch.Tensor) else self.tensor(x))
        # An integer has no gradient; whether the layer takes it is for the layer to say.
        x.requires_grad = record and x.is_floating_point()
        self.make_ready(x)
        with torch.set_grad_enabled(record):
            y = checkpoint(forward, x, **RECOMPUTE) if recompute else forward(x)
        self.recorded = x, y
        return array(y)

    def tensor(self, x):
        """Return an array as a tensor of the input's type."""
        return torch.tensor(x, dtype=self.input_type, device=self.device)

    def make_ready(self, x):
        """Make ready for a call with x, in the mode that is set."""

    def arranged(self, x):
        """Return an input, or a gradient by the output, as the execution lays it out in memory."""
        return x

    def arrange(self, x, layout):
        x = self.tensor(x)
        if layout == "expanded":
            return x[:1].expand(x.shape)
        if layout == "sliced":
            larger = x.new_zeros([2 * length for length in x.shape])
            view = larger[tuple(slice(None, None, 2) for _ in x.shape)]
            return view.copy_(x)
        last = [0, *range(2, x.dim()), 1]
        return x.permute(last).contiguous().permute([last.index(place) for place in range(x.dim())])

    def set_threads(self, count):
        torch.set_num_threads(count)

    def backward(self, dy):
        if self.recorded is None:
            raise ValueError("the last call raised: there is nothing to take the gradient of")
        x, y = self.recorded
        leaves = dict(self.parameters(), x=x)
        for leaf in leaves.values():
            leaf.grad = None
        y.backward(self.arranged(torch.tensor(dy, dtype=y.dtype, device=self.device)))
        return {name: array(leaf.grad) for name, leaf in leaves.items() if leaf.grad is not None}

    def load_state(self, path):
        # 1.13 brought weights_only, which unpickles tensors and nothing else.
        safe = {"weights_only": True} if "weights_only" in inspect.signature(torch.load).parameters else {}
        held = torch.load(path, map_location="cpu", **safe)
        if not isinstance(held, dict):
            raise Unsupported("the file holds a %s; expected a state_dict" % type(held).__name__)
        return {name: array(tensor) for name, tensor in tensors_in(held, "")}

    def save_state(self, path, state):
        torch.save(OrderedDict((name, torch.tensor(value)) for name, value in state.items()), path)

    def forward(self, mode):
        """Return the function of x that a call in this mode is."""
        raise NotImplementedError

    def parameters(self):
        """Return the tensors of scale and offset, those that there are."""
        raise NotImplementedError


def of_device(device):
    """Return what torch tells of a GPU, as facts; nothing of a CPU."""
    if device == "cpu":
        return {}
    return {
        "device": torch.cuda.get_device_name(0),
        "CUDA": torch.version.cuda,
        "cuDNN": torch.backends.cudnn.version(),
    }


def tensors_in(held, path):
    """Yield the tensors of nested dictionaries, as a checkpoint holds them, with the names on the way to each."""
    for name, value in held.items():
        if isinstance(value, dict):
            yield from tensors_in(value, "%s%s." % (path, name))
        elif isinstance(value, torch.Tensor):
            yield "%s%s" % (path, name), value


def type_called(name):
    """Return torch's type of that name."""
    if not hasattr(torch, name):
        raise Unsupported("this release of torch has no %s" % name)
    return getattr(torch, name)


def array(tensor):
    """Return a tensor's numbers as NumPy has them."""
    tensor = tensor.detach().cpu()
    if str(tensor.dtype) != "torch.bfloat16":
        return tensor.numpy()
    # The upper half of the float32 of the same value: tensor.view(dtype) came in 1.7.
    return bfloat16((tensor.float().numpy().view(np.uint32) >> 16).astype(np.uint16))


def momentum(asked):
    """Return the argument: torch's momentum is the weight of the new statistic."""
    if asked is None:
        return {}
    if asked.get("cumulative"):
        return {"momentum": None}
    return {"momentum": asked["raw"] if "raw" in asked else 1 - asked["keep"]}
