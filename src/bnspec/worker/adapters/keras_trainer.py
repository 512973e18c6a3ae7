"""The trainer of every Keras, and its checkpoints."""

import inspect
import os
import tempfile
from typing import Any

from bnspec.worker.adapter import Trainer, Unsupported

COMPILE = {
    "trainer-jit": {"jit_compile": True},
    "trainer-plain": {"jit_compile": False},
    "trainer-eager": {"run_eagerly": True},
}
"""What `compile` is told, by execution; calls outside the trainer are those of the default one."""


class KerasTrainer(Trainer):
    """What compiles, fits and saves; a subclass makes the layer and its models."""

    keras: Any
    bn: Any
    shape: Any
    model: Any
    rate: Any

    @staticmethod
    def namespace():
        """Return the namespace of this Keras."""
        raise NotImplementedError

    @classmethod
    def lacking(cls, execution, device):
        asked = COMPILE.get(execution, {})
        given = inspect.signature(cls.namespace().models.Model.compile).parameters if asked else {}
        return "".join("Model.compile of this release has no %s" % name for name in asked if name not in given)

    def functional(self, inner):
        """Return a functional model of one layer."""
        raise NotImplementedError

    def trained(self):
        """Return the model that the trainer gets; a bare layer is put into one."""
        if self.model is None:
            self.model = self.functional(self.bn)
        return self.model

    def reload(self, missing=()):
        if missing:
            raise Unsupported("keras' BatchNormalization has no counter")
        rate = self.rate
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "layer.weights.h5")
            self.built_model().save_weights(path)
            type(self).__init__(
                self, self.layer, structure=self.structure, execution=self.execution, device=self.device
            )
            self.built_model().load_weights(path)
        if rate is not None:
            self.prepare(learning_rate=rate)

    def built_model(self):
        """Return the model with its weights made: a subclassed one has none before it saw a shape."""
        model = self.trained()
        if not model.built:
            model.build(self.shape)
        return model

    def prepare(self, *, learning_rate):
        self.rate = learning_rate
        self.trained().compile(self.keras.optimizers.SGD(learning_rate), "mse", **COMPILE.get(self.execution, {}))

    def fit(self, x, target, *, steps, batches=1):
        options = {"batch_size": len(x) // batches, "epochs": steps, "shuffle": False, "verbose": 0}
        return {"loss": self.trained().fit(x, target, **options).history["loss"]}

    def evaluate(self, x, target):
        return {"loss": [self.trained().evaluate(x, target, batch_size=len(x), verbose=0)]}

    def predict(self, x):
        # An empty batch is no batch size; Keras' own default is.
        return self.trained().predict(x, batch_size=len(x) or None, verbose=0)
