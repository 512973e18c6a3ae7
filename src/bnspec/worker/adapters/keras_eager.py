"""Keras called eagerly: Keras 3 on TensorFlow, and tf.keras of TensorFlow 2 with Keras 2 inside."""

import functools
import inspect
import itertools

import tensorflow as tf

from bnspec.worker.adapter import Unsupported
from bnspec.worker.adapters.keras_shared import NAMES, AnyKeras

NUMBERS = itertools.count(1)


class Keras(AnyKeras):
    """keras.layers.BatchNormalization of Keras 3. KERAS_HOME keeps the settings of the user's home out."""

    name = "keras"
    package = "keras"
    environ = {"KERAS_BACKEND": "tensorflow", "KERAS_HOME": "/dev/null", "TF_CPP_MIN_LOG_LEVEL": "2"}
    executions = ("eager",)

    def __init__(self, layer, *, structure="bare", execution="eager", device="cpu"):
        if device == "cpu":
            tf.config.experimental.set_visible_devices([], "GPU")
        super().__init__(layer, structure=structure, execution=execution, device=device)

    @classmethod
    def has_device(cls, device):
        return bool(tf.config.experimental.list_physical_devices("GPU"))

    @staticmethod
    def namespace():
        import keras

        return keras

    def start(self):
        keras = self.namespace()
        # Kernels of dead variables and graphs of dead models stay; clearing each time would cost 10 ms.
        if next(NUMBERS) % 50 == 0:
            keras.backend.clear_session()
        return keras

    def users(self):
        return user_classes(self.keras)

    def call(self, mode, x, *, mask=None, record=True, collect=True, recompute=False):
        if not collect:
            raise Unsupported("keras has no updates to collect: the call makes them")
        options = {} if mode is None else {"training": mode == "train"}
        if mask is not None:
            if "mask" not in inspect.signature(self.bn.call).parameters:
                raise Unsupported("BatchNormalization of this release takes no mask")
            options["mask"] = tf.constant(mask)
        forward = tf.recompute_grad(self.outer) if recompute else self.outer
        self.x = tf.constant(x)
        if not record:
            return forward(self.x, **options).numpy()
        with tf.GradientTape() as self.tape:
            self.tape.watch(self.x)
            self.y = forward(self.x, **options)
        return self.y.numpy()

    def backward(self, dy):
        sources = {"x": self.x, "scale": self.bn.gamma, "offset": self.bn.beta}
        sources = {name: source for name, source in sources.items() if source is not None}
        gradients = self.tape.gradient(self.y, sources, output_gradients=tf.constant(dy))
        return {name: value.numpy() for name, value in gradients.items() if value is not None}

    def get_state(self):
        variables = {name: getattr(self.bn, own) for name, own in NAMES.items()}
        return {name: v.numpy().copy() for name, v in variables.items() if v is not None}

    def set_state(self, state):
        for name, value in state.items():
            getattr(self.bn, NAMES[name]).assign(value)

    def facts(self):
        return dict(super().facts(), tensorflow=tf.__version__)


class TfKeras(Keras):
    """tf.keras.layers.BatchNormalization."""

    name = "tf.keras"
    package = "tensorflow"
    environ = {"KERAS_HOME": "/dev/null", "TF_CPP_MIN_LOG_LEVEL": "2"}

    @staticmethod
    def namespace():
        return tf.keras


@functools.lru_cache(maxsize=None)
def user_classes(keras):
    """Return a Layer and a Model as users write them around a layer: their `call` knows no modes."""

    class UserLayer(keras.layers.Layer):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def call(self, inputs):
            return self.inner(inputs)

    class UserModel(keras.models.Model):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def call(self, inputs):
            return self.inner(inputs)

    return UserLayer, UserModel
