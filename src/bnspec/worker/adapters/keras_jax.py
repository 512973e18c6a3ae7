"""Keras 3 on JAX: the call moves the statistics; gradients are those of the same call in a StatelessScope."""

import jax
import numpy as np

from bnspec.worker.adapters.keras_called import CalledKeras


class KerasJax(CalledKeras):
    """keras.layers.BatchNormalization. KERAS_HOME keeps the settings of the user's home out."""

    name = "keras-jax"
    package = "keras"
    environ = {"KERAS_BACKEND": "jax", "KERAS_HOME": "/dev/null"}

    @classmethod
    def has_device(cls, device):
        return any(found.platform == "gpu" for found in jax.devices())

    def start(self):
        jax.config.update("jax_default_device", jax.devices("gpu" if self.device == "cuda" else self.device)[0])
        jax.config.update("jax_enable_x64", "float64" in self.layer["dtypes"].values())
        return super().start()

    def forward(self, x, options, record, recompute):
        self.asked = ({name: v.value for name, v in self.variables().items()}, x, options, recompute)
        if not recompute:
            return np.asarray(self.outer(x, **options))
        # jax.checkpoint, not keras.remat or keras.RematScope: on JAX those raise where the call takes `training`.
        values, inputs, _, _ = self.asked
        y, updated = self.pure()(values, inputs)
        for name, variable in self.variables().items():
            variable.assign(updated[name])
        return np.asarray(y)

    def pure(self):
        """Return the last call as a function of the layer's variables and x; the values it leaves come second."""
        _, _, options, recompute = self.asked
        variables = self.variables()

        # Not stateless_call: it hands `training` to a user's `call`, which does not know it.
        def forward(values, x):
            mapping = [(variable, values[name]) for name, variable in variables.items()]
            with self.keras.StatelessScope(mapping) as scope:
                y = self.outer(x, **options)
            return y, {name: scope.get_current_value(variable) for name, variable in variables.items()}

        return jax.checkpoint(forward) if recompute else forward

    def backward(self, dy):
        values, x, _, _ = self.asked
        y, pull_back, _ = jax.vjp(self.pure(), values, x, has_aux=True)
        gradients, dx = pull_back(self.tensor(dy, y.dtype))
        own = [name for name in ("scale", "offset") if name in gradients]
        return dict({name: np.asarray(gradients[name]) for name in own}, x=np.asarray(dx))

    def facts(self):
        return dict(super().facts(), jax=jax.__version__)
