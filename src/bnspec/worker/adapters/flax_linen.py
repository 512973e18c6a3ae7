"""flax.linen.BatchNorm: functional, so that the caller carries the variables from call to call."""

from typing import Any, Dict

import flax.linen as nn
import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np

from bnspec.worker.adapter import Adapter, Unsupported

STATISTICS = {"mean": "mean", "variance": "var"}
PARAMETERS = {"scale": "scale", "offset": "bias"}


class Silent(nn.Module):
    """A user's module around the layer that does not pass the mode on."""

    inner: nn.Module

    def __call__(self, x, use_running_average=None):
        return self.inner(x)


class Linen(Adapter):
    """flax.linen.BatchNorm, applied eagerly."""

    name = "flax.linen"
    package = "flax"

    def __init__(self, layer, *, structure="bare", execution="eager", device="cpu"):
        super().__init__(layer, structure=structure, execution=execution, device=device)
        self.where = jax.devices("gpu" if device == "cuda" else device)[0]
        self.module = nn.BatchNorm(
            axis=layer["axis"],
            epsilon=layer["epsilon"],
            use_scale=layer["scale"],
            use_bias=layer["offset"],
            **momentum(layer["momentum"]),
        )
        self.variables: Any = {"params": {}, "batch_stats": {}}
        with jax.default_device(self.where):
            if structure == "bare":
                self.variables = self.module.init(jax.random.key(0), self.example(), use_running_average=True)
            else:
                self.module = Silent(self.module)
        self.gradient: Any = None

    @classmethod
    def has_device(cls, device):
        return any(found.platform == "gpu" for found in jax.devices())

    def example(self):
        shape = [2] * self.layer["rank"]
        shape[self.layer["axis"]] = self.layer["features"]
        return jnp.zeros(shape, jnp.float32)

    def call(self, mode, x, *, mask=None, record=True, collect=True, recompute=False):
        options = {} if mode is None else {"use_running_average": mode == "infer"}
        if mask is not None:
            options["mask"] = jnp.asarray(mask)
        with jax.default_device(self.where):
            if not self.variables["batch_stats"]:
                self.variables = self.module.init(jax.random.key(0), jnp.asarray(x), **options)
            statistics = self.variables["batch_stats"]

            def forward(parameters, inputs):
                variables = {"params": parameters, "batch_stats": statistics}
                return self.module.apply(variables, inputs, mutable=["batch_stats"], **options)

            parameters, inputs = self.variables.get("params", {}), jnp.asarray(x)
            if record:
                y, self.gradient, updated = jax.vjp(forward, parameters, inputs, has_aux=True)
            else:
                y, updated = forward(parameters, inputs)
            if collect:
                self.variables = {"params": parameters, "batch_stats": updated["batch_stats"]}
        return np.asarray(y)

    def backward(self, dy):
        parameters, x = self.gradient(jnp.asarray(dy))
        named = {name: parameters.get(own) for name, own in PARAMETERS.items()}
        return {name: np.asarray(value) for name, value in dict(named, x=x).items() if value is not None}

    def freeze(self, where="layer"):
        raise Unsupported("flax.linen cannot freeze a layer: an optimizer mask freezes parameters only")

    def get_state(self):
        found: Dict[str, Any] = {}
        for kind, names in (("batch_stats", STATISTICS), ("params", PARAMETERS)):
            values = self.variables.get(kind, {})
            found.update((name, np.asarray(values[own])) for name, own in names.items() if own in values)
        return found

    def set_state(self, state):
        kinds = {kind: dict(self.variables.get(kind, {})) for kind in ("batch_stats", "params")}
        for kind, names in (("batch_stats", STATISTICS), ("params", PARAMETERS)):
            for name, own in names.items():
                if name in state:
                    kinds[kind][own] = jnp.asarray(state[name])
        self.variables = kinds

    def reload(self):
        data = flax.serialization.to_bytes(self.variables)
        self.variables = flax.serialization.from_bytes(self.variables, data)

    def facts(self):
        return {
            "momentum": nn.BatchNorm.momentum,
            "epsilon": nn.BatchNorm.epsilon,
            "axis": nn.BatchNorm.axis,
            "use_fast_variance": getattr(nn.BatchNorm, "use_fast_variance", None),
            "state": sorted("%s/%s" % (kind, name) for kind, v in self.variables.items() for name in v),
            "jax_enable_x64": bool(jax.config.jax_enable_x64),
        }


def momentum(asked):
    """Return the constructor's argument: Flax's momentum is the weight of the old statistic."""
    if asked is None:
        return {}
    if asked.get("cumulative"):
        raise Unsupported("flax.linen.BatchNorm has no cumulative average")
    return {"momentum": asked["raw"] if "raw" in asked else asked["keep"]}
