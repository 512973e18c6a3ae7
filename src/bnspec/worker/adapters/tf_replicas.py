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
from bnspec.worker.adapters.keras_called import CalledKeras
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
        if device == "cpu":
            tf.config.experimental.set_visible_devices([], "GPU")
        kind = "GPU" if device == "cuda" else "CPU"
        if len(tf.config.experimental.list_logical_devices(kind)) < count:
            raise Unsupported("there are fewer devices than replicas")
        key = (count, kind)
        if key not in MADE:
            # Two strategies in one process: TensorFlow's own tests set this, so that their groups have other keys.
            own = {"_collective_key_base": 100000 * count}
            strategy = type("MirroredStrategy", (tf.distribute.MirroredStrategy,), own)
            MADE[key] = strategy(["%s:%d" % (kind, n) for n in range(count)])
        self.strategy = MADE[key]
        with self.strategy.scope():
            kinds = (Synchronised, self.keras) if synchronised else (self.keras,)
            self.own = type("Layer", kinds, {})(layer)

    def each(self, function, **several):
        """Call a function of a replica's arrays, by their names, in all replicas at once; return what each returned."""

        def run():
            number = int(tf.distribute.get_replica_context().replica_id_in_sync_group)
            return function({name: tf.constant(arrays[number]) for name, arrays in several.items() if arrays})

        found = (getattr(self.strategy, "run", None) or self.strategy.experimental_run_v2)(run)
        parts = {name: self.strategy.experimental_local_results(array) for name, array in found.items()}
        return [{name: part[n] for name, part in parts.items()} for n in range(self.count)]

    def train(self, shares, masks=None, dys=None):
        if masks and "mask" not in inspect.signature(self.own.bn.call).parameters:
            raise Unsupported("BatchNormalization of this release takes no mask")

        def step(given):
            x = given["x"]
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = self.own.bn(x, training=True, **({"mask": given["mask"]} if masks else {}))
            if not dys:
                return {"y": y}
            held = self.own.variables()
            sources = dict({name: held[name] for name in ("scale", "offset") if name in held}, dx=x)
            # In the same step: the gradient of what was added up over replicas is known to these alone.
            found = tape.gradient(y, list(sources.values()), output_gradients=given["dy"])
            return dict(zip(sources, found), y=y)

        several = self.each(step, x=shares, mask=masks, dy=dys)
        return [{name: array.numpy() for name, array in one.items()} for one in several]

    def infer(self, shares):
        several = self.each(lambda given: {"y": self.own.bn(given["x"], training=False)}, x=shares)
        return [one["y"].numpy() for one in several]

    def get_state(self):
        """Read outside of the replicas, as whoever saves the layer does: one state for all."""
        state = self.own.get_state()
        return [{name: np.asarray(state[name]) for name in PARTS}] * self.count

    def set_state(self, state):
        with self.strategy.scope():
            self.own.set_state(state)


class Synchronised(CalledKeras):
    """What turns the layer of a Keras into its synchronised one."""

    def start(self):
        keras = super().start()
        if "synchronized" in inspect.signature(keras.layers.BatchNormalization.__init__).parameters:
            return keras
        older = getattr(getattr(keras.layers, "experimental", None), "SyncBatchNormalization", None)
        if older is None:
            raise Unsupported("this release has no synchronised batch normalization")
        return SimpleNamespace(layers=SimpleNamespace(BatchNormalization=older), backend=keras.backend)

    def kernel(self):
        own = inspect.signature(self.keras.layers.BatchNormalization.__init__).parameters
        return {"synchronized": True} if "synchronized" in own else {}


class OfKeras(AnyReplicas):
    """Keras 3 in this process."""

    keras = keras_eager.Keras


class OfTfKeras(AnyReplicas):
    """tf.keras in this process."""

    keras = keras_eager.TfKeras


class OfTfKerasPackage(AnyReplicas):
    """tf_keras in this process."""

    keras = keras_eager.TfKerasPackage
