"""Replicas in processes of their own, with nothing but NumPy: they do what the layer says."""

import os
import time

import numpy as np

from bnspec.worker.adapter import Adapter, Unsupported
from bnspec.worker.children import Elsewhere
from bnspec.worker.replicas import Replicas


class Toy(Replicas):
    """The replica, or replicas, of one process."""

    rank = -1
    processes = 0

    @classmethod
    def join(cls, rank, processes, folder):
        assert os.path.isdir(folder)
        cls.rank, cls.processes = rank, processes

    def train(self, shares, masks=None, dys=None):
        what = self.layer["does"] if self.rank in self.layer["ranks"] else "goes on"
        if what == "raises or hangs":
            what = "hangs" if self.rank else "raises"
        if what == "hangs":
            time.sleep(600)
        if what == "dies":
            os._exit(7)
        if what == "raises":
            raise ArithmeticError(f"replica {self.rank} does not go on")
        if what == "has no words":
            raise Unsupported("there is no such share")
        if what == "is wrong":
            self.nothing()
        return [{"y": x + 10 * self.rank, "dx": dy} for x, dy in zip(shares, dys or shares, strict=True)]

    def infer(self, shares):
        return [x * 0 + os.getpid() for x in shares]

    def get_state(self):
        return [{"mean": self.mean + self.rank}]

    def set_state(self, state):
        self.mean = np.array(state["mean"])


class Four(Elsewhere):
    path = __file__ + ":Toy"
    processes = 4


class One(Elsewhere):
    path = __file__ + ":Toy"


class OfFour(Adapter):
    name = "toy"

    @classmethod
    def replicas(cls):
        return Four


class OfOne(OfFour):
    @classmethod
    def replicas(cls):
        return One
