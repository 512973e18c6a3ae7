"""torch.nn in data-parallel training: DistributedDataParallel over real processes, SyncBatchNorm where synchronised.

On the CPU, and where there are fewer GPUs than replicas, the processes speak gloo; otherwise NCCL.
"""

import os
import sys
from typing import Any, Dict, Tuple

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from bnspec.worker.adapter import Unsupported
from bnspec.worker.adapters.torch_nn import TorchNN
from bnspec.worker.children import Elsewhere
from bnspec.worker.replicas import Replicas

MOST = 4
"""Replicas that there are; cases with fewer use the first ones, in a group of their own."""


class TorchReplicas(Elsewhere):
    """Four processes of one rank each."""

    path = __name__ + ":Rank"
    processes = MOST


class Rank(Replicas):
    """One replica, in a process of its own."""

    rank = 0
    groups: Dict[Tuple[str, int], Any] = {}

    @classmethod
    def prepare(cls):
        """Import what DistributedDataParallel imports when it is made: seconds, in every process anew."""
        getattr(torch, "_dynamo", None)

    @classmethod
    def join(cls, rank, processes, folder):
        """Meet the other ranks in a file of the folder."""
        torch.set_num_threads(1)
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
        distributed.init_process_group(
            "gloo",
            init_method="file://" + os.path.join(folder, "store"),
            rank=rank,
            world_size=processes,
        )
        cls.rank = rank
        kinds = {"cpu": "gloo", "cuda": "nccl" if torch.cuda.device_count() >= processes else "gloo"}
        for count in range(2, processes + 1):
            for device in kinds if torch.cuda.is_available() else ("cpu",):
                # Said only where it is another one: 1.0 takes no backend here.
                how = {} if kinds[device] == "gloo" else {"backend": kinds[device]}
                cls.groups[device, count] = distributed.new_group(list(range(count)), **how)

    def __init__(self, layer, *, count, synchronised, execution, device):
        super().__init__(layer, count=count, synchronised=synchronised, execution=execution, device=device)
        if synchronised and not hasattr(torch.nn, "SyncBatchNorm"):
            raise Unsupported("this release of torch has no SyncBatchNorm")
        self.group = self.groups[device, count]
        if device == "cuda":
            device = "cuda:%d" % (self.rank % torch.cuda.device_count())
            torch.cuda.set_device(device)
        self.own = TorchNN(layer, device=device)
        if synchronised:
            self.own.bn = torch.nn.SyncBatchNorm.convert_sync_batchnorm(self.own.bn, self.group)
        self.wrapped = False

    def wrap(self):
        """Wrap the layer when it is first called: older releases refuse here what they cannot synchronise."""
        if not self.wrapped:
            devices = [self.own.device] if "cuda" in self.own.device else None
            self.own.put_into(DistributedDataParallel(self.own.bn, device_ids=devices, process_group=self.group))
            self.wrapped = True

    def train(self, shares, masks=None, dys=None):
        if masks:
            raise Unsupported("batch normalization in torch takes no mask")
        self.wrap()
        (x,) = shares
        shown = {"y": self.own.call("train", x)}
        if dys:
            shown.update(self.own.backward(dys[0]))
            shown["dx"] = shown.pop("x")
        return [shown]

    def infer(self, shares):
        self.wrap()
        return [self.own.call("infer", x, record=False) for x in shares]

    def get_state(self):
        state = self.own.get_state()
        return [{name: state[name] for name in ("mean", "variance")}]

    def set_state(self, state):
        self.own.set_state(state)
