"""Replicas of a layer in data-parallel training: a small protocol beside Adapter.

`Adapter.replicas` returns the class. Where a framework's replicas are processes, or need a process that was started
otherwise than the worker, worker/children.py runs that class elsewhere.
"""

from typing import Any, List, Mapping, Optional, Sequence

from bnspec.worker.adapter import Arrays, Unsupported

STEPS = ("train_shares", "infer_shares", "get_shares")
"""Steps that replicas alone can do; they also take `set_state`."""


class Replicas:
    """Several replicas of one layer, each of which is given a share of the batch. Translate, calculate nothing.

    An exception of the framework is an observation, Unsupported says that it has no words for something, as with
    an Adapter.
    """

    def __init__(
        self, layer: Mapping[str, Any], *, count: int, synchronised: bool, execution: str, device: str
    ) -> None:
        """Build `count` replicas of the layer (Adapter says what it is): the framework's synchronised kind or not."""
        self.layer = layer
        self.count = count
        self.synchronised = synchronised
        self.execution = execution
        self.device = device

    def train(
        self, shares: Sequence[Any], masks: Optional[Sequence[Any]] = None, dys: Optional[Sequence[Any]] = None
    ) -> Sequence[Arrays]:
        """Take one training step of all replicas, each on its share; return {y} of each.

        dys: take the gradients of the loss Σ dy·y over all shares too, and return {y, dx, scale, offset}: what the
        framework leaves each replica with, whatever it does about the others.
        """
        raise Unsupported("the replicas do not train")

    def infer(self, shares: Sequence[Any]) -> Sequence[Any]:
        """Call every replica in inference mode on its share; return y of each."""
        raise Unsupported("the replicas do not infer")

    def get_state(self) -> Sequence[Arrays]:
        """Return {mean, variance} of every replica, as a user would save it; the same where they show but one."""
        raise Unsupported("the replicas have no state to read")

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Set the parts of the state that are given, in every replica."""
        raise Unsupported("the replicas have no state to set")

    def close(self) -> None:
        """Let go of what the replicas hold."""


def build(adapter: Any, job: Mapping[str, Any], how: Mapping[str, Any]) -> Any:
    """Make the replicas of an adapter's layer."""
    kind = getattr(adapter, "replicas", None)
    if kind is None:
        raise Unsupported("the adapter runs one layer, no replicas")
    asked = job["replicas"]
    return kind()(job["layer"], count=int(asked["count"]), synchronised=bool(asked["synchronised"]), **how)


def perform(replicas: Any, do: str, given: Mapping[str, Any]) -> Arrays:
    """Do one step and return its arrays, by their names and the numbers of the replicas."""
    if do == "train_shares":
        more = {"masks": listed(given, "mask"), "dys": listed(given, "dy")}
        several = replicas.train(listed(given, "x"), **{name: arrays for name, arrays in more.items() if arrays})
    elif do == "infer_shares":
        several = [{"y": y} for y in replicas.infer(listed(given, "x"))]
    else:
        several = replicas.get_state()
    return {"%s%d" % (name, n): array for n, one in enumerate(several) for name, array in one.items()}


def listed(given: Mapping[str, Any], name: str) -> List[Any]:
    """Return the arrays that are called so, by their numbers."""
    names = ("%s%d" % (name, n) for n in range(len(given)))
    return [given[one] for one in names if one in given]
