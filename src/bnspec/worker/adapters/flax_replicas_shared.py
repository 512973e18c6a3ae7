"""What Flax's two APIs share in data-parallel training: how a pure function is run in all replicas at once.

The default execution runs under jax.pmap, another one under jit and shard_map. Both take shares of one shape.
"""

import json
from typing import Any, Dict

import jax
import numpy as np

from bnspec.worker.adapter import Unsupported
from bnspec.worker.adapters.flax_shared import arguments
from bnspec.worker.replicas import Replicas

AXIS = "replicas"
PARAMETERS = ("scale", "offset")
COMPILED: Dict[Any, Any] = {}


class AnyReplicas(Replicas):
    """Replicas of a BatchNorm; a subclass says how a pure function calls it.

    parameters: our names → one array for all replicas; stats: our names → arrays with an axis of replicas in front.
    """

    def __init__(self, layer, *, count, synchronised, execution, device):
        super().__init__(layer, count=count, synchronised=synchronised, execution=execution, device=device)
        if not layer["tracked"] or layer["frozen"]:
            raise Unsupported("Flax's BatchNorm always keeps moving statistics, and cannot be frozen")
        self.devices = jax.devices("gpu" if device == "cuda" else device)[:count]
        if len(self.devices) < count:
            raise Unsupported("there are %d devices, fewer than replicas" % len(self.devices))
        self.options = dict(arguments(layer), **({"axis_name": AXIS} if synchronised else {}))
        vector = np.ones(layer["features"], layer["dtypes"]["parameters"])
        self.parameters = {name: vector * (name == "scale") for name in PARAMETERS if layer[name]}
        self.stats = {"mean": self.each(vector * 0), "variance": self.each(vector)}

    def each(self, array):
        return np.stack([array] * self.count)

    def call_arguments(self):
        """Return what a call of the layer takes, by name."""
        raise NotImplementedError

    def apply(self, parameters, stats, x, mask, mode):
        """Call the layer: return y and the new statistics."""
        raise NotImplementedError

    def over_replicas(self, what, *arguments):
        """Run what takes parameters, and arguments with one part per replica, in all replicas; compiled once."""
        built_as = json.dumps([self.layer, self.count, self.synchronised, self.execution, self.device], sort_keys=True)
        key = (type(self), built_as, what, len(arguments))
        if key not in COMPILED:
            COMPILED[key] = self.compiled(getattr(self, what), len(arguments))
        return COMPILED[key](self.parameters, *arguments)

    def compiled(self, function, count):
        """Return a function of parameters, and of so many arguments with one part per replica."""
        if self.execution == "eager":
            return jax.pmap(function, AXIS, in_axes=(None, *[0] * count), devices=self.devices)
        P = jax.sharding.PartitionSpec
        mesh = jax.sharding.Mesh(np.asarray(self.devices), (AXIS,))

        def part(parameters, *arguments):
            own = jax.tree_util.tree_map(lambda array: array[0], arguments)
            return jax.tree_util.tree_map(lambda array: array[None], function(parameters, *own))

        specs = (P(), *[P(AXIS)] * count)
        return jax.jit(shard_map()(part, mesh=mesh, in_specs=specs, out_specs=P(AXIS)))

    def stacked(self, shares):
        if len({share.shape for share in shares}) > 1:
            raise Unsupported("jax.pmap and shard_map take shares of one shape")
        return np.stack(shares)

    def train(self, shares, masks=None, dys=None):
        arrays = [self.stacked(shares)]
        if masks and dys:
            raise Unsupported("the adapter takes no gradient of a masked step")
        if masks:
            if "mask" not in self.call_arguments():
                raise Unsupported("BatchNorm of this release takes no mask")
            arrays.append(np.expand_dims(np.stack(masks), 1 + self.layer["axis"] % self.layer["rank"]))
        if dys:
            arrays.append(self.stacked(dys))
        y, updated, *more = self.over_replicas("learning" if dys else "training", self.stats, *arrays)
        # Held here: arrays that lie on the devices already would be compiled for anew.
        self.stats = {name: np.asarray(array) for name, array in updated.items()}
        parts = dict(*more, y=y)
        return [{name: np.asarray(array)[n] for name, array in parts.items()} for n in range(self.count)]

    def infer(self, shares):
        return list(np.asarray(self.over_replicas("inference", self.stats, self.stacked(shares))))

    def training(self, parameters, stats, x, mask=None):
        return self.apply(parameters, stats, x, mask, "train")

    def inference(self, parameters, stats, x):
        return self.apply(parameters, stats, x, None, "infer")[0]

    def learning(self, parameters, stats, x, dy):
        def step(parameters, x):
            return self.training(parameters, stats, x)

        y, pullback, updated = jax.vjp(step, parameters, x, has_aux=True)
        found, dx = pullback(dy)
        return y, updated, dict(found, dx=dx)

    def get_state(self):
        return [{name: np.asarray(array[n]) for name, array in self.stats.items()} for n in range(self.count)]

    def set_state(self, state):
        for name, value in state.items():
            if name in PARAMETERS:
                self.parameters[name] = value
            else:
                self.stats = dict(self.stats, **{name: self.each(value)})


def shard_map():
    """Return jax.shard_map, which was experimental first."""
    if hasattr(jax, "shard_map"):
        return jax.shard_map
    from jax.experimental.shard_map import shard_map as first

    return first
