"""Keras on TensorFlow in data-parallel training: MirroredStrategy over logical devices of one process, run eagerly.

Synchronised is `BatchNormalization(synchronized=True)`, or the SyncBatchNormalization of releases before 2.12.
"""

import inspect
from types import SimpleNamespace
from typing import Any, Dict, Tuple

import numpy as np
import tensorflow as tf

from bnspec.worker.adapter import Unsupported
from bnspec.worker.adapters import keras_eager
from bnspec.worker.children import Elsewhere
from bnspec.worker.replicas import Replicas

MOST = 4
PARTS = ("mean", "variance")
MADE: Dict[Tuple[int, str], Any] = {}


class KerasReplicas(Elsewhere):
    """Keras 3."""

    path = __name__ + ":OfKeras"


class TfKerasReplicas(Elsewhere):
    """tf.keras."""

    path = __name__ + ":OfTfKeras"


class TfKerasPackageReplicas(Elsewhere):
    """tf_keras."""

    path = __name__ + ":OfTfKerasPackage"


class AnyReplicas(Replicas):
    """Replicas of a BatchNormalization. A subclass says which Keras builds the layer."""

    keras: Any = None

    @classmethod
    def prepare(cls):
        """Divide the CPU into logical devices, which TensorFlow does before it uses any."""
        config = tf.config if hasattr(tf.config, "set_logical_device_configuration") else tf.config.experimental
        divide = getattr(config, "set_logical_device_configuration", None) or config.set_virtual_device_configuration
        kind = getattr(config, "LogicalDeviceConfiguration", None) or config.VirtualDeviceConfiguration
        divide(tf.config.experimental.list_physical_devices("CPU")[0], [kind() for _ in range(MOST)])

    def __init__(self, layer, *, count, synchronised, execution, device):
        super().__init__(layer, count=count, synchronised=synchronised, execution=execution, device=device)
        kind = "GPU" if device == "cuda" else "CPU"
        if len(tf.config.experimental.list_logical_devices(kind)) < count:
            raise Unsupported("there are fewer devices than replicas")
        key = (count, kind)
        if key not in MADE:
            MADE[key] = tf.distribute.MirroredStrategy(["%s:%d" % (kind, n) for n in range(count)])
        self.strategy = MADE[key]
        with self.strategy.scope():
            self.own = synchronised_kind(self.keras)(layer) if synchronised else self.keras(layer)
        self.tapes: Dict[int, Any] = {}

    def each(self, function, *several):
        """Call a function of a replica's number and of its arrays, in all replicas at once; return what each gave."""

        def run(*parts):
            number = tf.distribute.get_replica_context().replica_id_in_sync_group
            number = int(tf.get_static_value(number)) if tf.is_tensor(number) else int(number)
            return function(number, *[tf.constant(arrays[number]) for arrays in several])

        given = getattr(self.strategy, "run", None) or self.strategy.experimental_run_v2
        return self.strategy.experimental_local_results(given(run))

    def train(self, shares, masks=None):
        if masks and "mask" not in inspect.signature(self.own.bn.call).parameters:
            raise Unsupported("BatchNormalization of this release takes no mask")

        def step(number, x, *mask):
            with tf.GradientTape(persistent=True) as tape:
                tape.watch(x)
                y = self.own.bn(x, training=True, **({"mask": mask[0]} if mask else {}))
            self.tapes[number] = tape, x, y
            return y

        self.tapes = {}
        return [y.numpy() for y in self.each(step, shares, *([masks] if masks else []))]

    def infer(self, shares):
        return [y.numpy() for y in self.each(lambda number, x: self.own.bn(x, training=False), shares)]

    def backward(self, dys):
        if len(self.tapes) < self.count:
            raise ValueError("the last call raised: there is no gradient of it")

        def gradients(number, dy):
            tape, x, y = self.tapes[number]
            held = self.own.variables()
            sources = dict({name: held[name] for name in ("scale", "offset") if name in held}, x=x)
            found = tape.gradient(y, list(sources.values()), output_gradients=dy)
            return dict(zip(sources, found))

        several = self.each(gradients, dys)
        return [{name: array.numpy() for name, array in one.items()} for one in several]

    def get_state(self):
        """Read outside of the replicas, as whoever saves the layer does: one state for all."""
        state = self.own.get_state()
        return [{name: np.asarray(state[name]) for name in PARTS}] * self.count

    def set_state(self, state):
        with self.strategy.scope():
            self.own.set_state(state)


def synchronised_kind(kind):
    """Return the class of a Keras whose layer is synchronised."""

    class Synchronised(kind):
        def start(self):
            keras = super().start()
            if "synchronized" in inspect.signature(keras.layers.BatchNormalization.__init__).parameters:
                return keras
            older = getattr(keras.layers.experimental, "SyncBatchNormalization", None)
            if older is None:
                raise Unsupported("this release has no synchronised batch normalization")
            layers = SimpleNamespace(BatchNormalization=older)
            return SimpleNamespace(layers=layers, backend=keras.backend, models=keras.models)

        def kernel(self):
            own = inspect.signature(self.keras.layers.BatchNormalization.__init__).parameters
            return {"synchronized": True} if "synchronized" in own else {}

    return Synchronised


class OfKeras(AnyReplicas):
    """Keras 3 in this process."""

    keras = keras_eager.Keras


class OfTfKeras(AnyReplicas):
    """tf.keras in this process."""

    keras = keras_eager.TfKeras


class OfTfKerasPackage(AnyReplicas):
    """tf_keras in this process."""

    keras = keras_eager.TfKerasPackage
