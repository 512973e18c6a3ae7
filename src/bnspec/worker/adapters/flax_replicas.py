"""Flax's BatchNorm in data-parallel training, `axis_name` where synchronised, on virtual devices of one process."""

import inspect

import jax.numpy as jnp

from bnspec.worker.adapters.flax_replicas_shared import AnyReplicas
from bnspec.worker.adapters.flax_shared import said
from bnspec.worker.children import Elsewhere

STATE = {"mean": "mean", "variance": "var", "scale": "scale", "offset": "bias"}


class Devices(Elsewhere):
    """One process with as many devices as there are replicas: JAX is told so before it starts."""

    executions = ("eager", "jit")
    environ = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


class LinenReplicas(Devices):
    """flax.linen.BatchNorm."""

    path = __name__ + ":OfLinen"


class NNXReplicas(Devices):
    """flax.nnx.BatchNorm."""

    path = __name__ + ":OfNNX"


class OfLinen(AnyReplicas):
    """flax.linen.BatchNorm in this process."""

    def call_arguments(self):
        import flax.linen as nn

        return inspect.signature(nn.BatchNorm.__call__).parameters

    def apply(self, parameters, stats, x, mask, mode):
        import flax.linen as nn

        variables = {"params": {STATE[name]: array for name, array in parameters.items()}}
        variables["batch_stats"] = {STATE[name]: array for name, array in stats.items()}
        options = dict(said(mode), **({} if mask is None else {"mask": mask}))
        y, updated = nn.BatchNorm(**self.options).apply(variables, jnp.asarray(x), mutable=["batch_stats"], **options)
        return y, {name: updated["batch_stats"][STATE[name]] for name in stats}


class OfNNX(AnyReplicas):
    """flax.nnx.BatchNorm in this process."""

    def call_arguments(self):
        from flax import nnx

        return inspect.signature(nnx.BatchNorm.__call__).parameters

    def apply(self, parameters, stats, x, mask, mode):
        from flax import nnx

        from bnspec.worker.adapters.flax_nnx_releases import assign

        module = nnx.BatchNorm(self.layer["features"], rngs=nnx.Rngs(0), **self.options)
        for name, array in dict(parameters, **stats).items():
            assign(getattr(module, STATE[name]), array)
        y = module(jnp.asarray(x), **said(mode), **({} if mask is None else {"mask": mask}))
        return y, {name: value_of(getattr(module, STATE[name])) for name in stats}


def value_of(variable):
    """Return a variable's array; the older releases say `.value`."""
    from bnspec.worker.adapters.flax_nnx_releases import OLDER

    return variable.value if OLDER else variable[...]
