"""Keras 3 on JAX: the call moves the statistics; gradients are those of the same call in a StatelessScope.

`jit` compiles that call, once for each layer and mode.
"""

from typing import Any, List

import jax
import numpy as np

from bnspec.worker.adapters.keras_called import CalledKeras

TRACED: List[Any] = []
"""An entry each time that JAX traces a call to compile it."""


class KerasJax(CalledKeras):
    """keras.layers.BatchNormalization. KERAS_HOME keeps the settings of the user's home out."""

    name = "keras-jax"
    package = "keras"
    environ = {"KERAS_BACKEND": "jax", "KERAS_HOME": "/dev/null"}
    executions = ("eager", "jit", "trainer-jit", "trainer-plain")

    @classmethod
    def has_device(cls, device):
        return any(found.platform == "gpu" for found in jax.devices())

    @classmethod
    def compilations(cls):
        return len(TRACED) or None

    def start(self):
        self.functions = {}
        jax.config.update("jax_default_device", jax.devices("gpu" if self.device == "cuda" else self.device)[0])
        jax.config.update("jax_enable_x64", "float64" in self.layer["dtypes"].values())
        return super().start()

    def forward(self, x, options, record, recompute):
        said = {name: value for name, value in options.items() if name != "mask"}
        self.asked = said, recompute, self.given(x, options.get("mask"))
        if self.execution != "jit" and not recompute:
            return np.asarray(self.outer(x, **options))
        # jax.checkpoint, not keras.remat or keras.RematScope: on JAX those raise where the call takes `training`.
        y, updated = self.function("forward", said, recompute)(*self.asked[2])
        for name, variable in self.variables().items():
            variable.assign(updated[name])
        return np.asarray(y)

    def given(self, x, mask):
        """Return what the call is a function of: the layer's variables, x and the mask."""
        return {name: variable.value for name, variable in self.variables().items()}, x, mask

    def function(self, what, options, recompute=False):
        """Return a call as a function, `forward` or its `gradient`; in `jit` the same one for all that say the same."""
        function = self.pure(options, recompute)
        function = gradient(function) if what == "gradient" else function
        if self.execution != "jit":
            return function
        return self.functions.setdefault((what, recompute, *options.items()), jax.jit(traced(function)))

    def pure(self, options, recompute):
        """Return a call as a function of what is given; the values it leaves come second."""
        variables = self.variables()

        # Not stateless_call: it hands `training` to a user's `call`, which does not know it.
        def forward(values, x, mask):
            mapping = [(variable, values[name]) for name, variable in variables.items()]
            with self.keras.StatelessScope(mapping) as scope:
                y = self.outer(x, **options, **({} if mask is None else {"mask": mask}))
            return y, {name: scope.get_current_value(variable) for name, variable in variables.items()}

        return jax.checkpoint(forward) if recompute else forward

    def capture(self, mode, x):
        if self.execution != "jit":
            return super().capture(mode, x)
        given = self.given(self.tensor(x, self.layer["dtypes"]["input"]), None)
        self.function("forward", {"training": mode == "train"}).lower(*given).compile()

    def backward(self, dy):
        options, recompute, given = self.asked
        gradients, dx = self.function("gradient", options, recompute)(*given, self.tensor(dy))
        own = [name for name in ("scale", "offset") if name in gradients]
        return dict({name: np.asarray(gradients[name]) for name in own}, x=np.asarray(dx))

    def facts(self):
        return dict(super().facts(), jax=jax.__version__)


def gradient(forward):
    """Return what gives the gradients by the values and by x."""

    def gradients(values, x, mask, dy):
        y, pull_back, _ = jax.vjp(lambda values, x: forward(values, x, mask), values, x, has_aux=True)
        return pull_back(dy.astype(y.dtype))

    return gradients


def traced(function):
    def counted(*given):
        TRACED.append(function)
        return function(*given)

    return counted
