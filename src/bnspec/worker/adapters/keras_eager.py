"""Keras on TensorFlow that computes in the call: Keras 3, and tf.keras of TensorFlow 2 with Keras 2 inside.

`function` and `xla` call it within a tf.function of each layer, told the mode as a bool.
"""

import functools
from typing import Tuple

import tensorflow as tf

from bnspec.worker.adapter import Unsupported
from bnspec.worker.adapters import tf_functions
from bnspec.worker.adapters.keras_called import CalledKeras


class Keras(CalledKeras):
    """keras.layers.BatchNormalization of Keras 3. KERAS_HOME keeps the settings of the user's home out."""

    name = "keras"
    package = "keras"
    environ = {"KERAS_BACKEND": "tensorflow", "KERAS_HOME": "/dev/null", "TF_CPP_MIN_LOG_LEVEL": "2"}
    executions: Tuple[str, ...] = ("eager", "function", "xla", "trainer-jit", "trainer-plain", "trainer-eager")

    @classmethod
    def has_device(cls, device):
        return bool(tf.config.experimental.list_physical_devices("GPU"))

    @classmethod
    def lacking(cls, execution, device):
        return tf_functions.lacking(execution) or super().lacking(execution, device)

    @classmethod
    def compilations(cls):
        return len(tf_functions.TRACED) or None

    @classmethod
    def replicas(cls):
        from bnspec.worker.adapters.tf_replicas import KerasReplicas

        return KerasReplicas

    def start(self):
        self.functions = {}
        if self.device == "cpu":
            tf.config.experimental.set_visible_devices([], "GPU")
        return super().start()

    def tensor(self, x, dtype=None):
        tensor = tf.constant(x)
        return tensor if dtype is None else tf.cast(tensor, dtype)

    def forward(self, x, options, record, recompute):
        forward = self.callable(recompute)
        if not record:
            return forward(x, **options).numpy()
        self.x = x
        with tf.GradientTape() as self.tape:
            self.tape.watch(x)
            self.y = forward(x, **options)
        return self.y.numpy()

    def callable(self, recompute=False):
        """Return what calls what is outermost: itself, or the tf.function of this layer."""
        forward = self.recomputed if recompute else self.outer
        if self.execution not in tf_functions.EXECUTIONS:
            return forward
        if recompute not in self.functions:
            self.functions[recompute] = tf_functions.function(self.execution, forward)
        return self.functions[recompute]

    def recomputed(self, x, **options):
        # keras.remat of Keras 3 is this very function; tf.keras has none. Within a tf.function it takes no keywords.
        return tf.recompute_grad(functools.partial(self.outer, **options))(x)

    def capture(self, mode, x):
        if self.execution not in tf_functions.EXECUTIONS:
            return super().capture(mode, x)
        x = self.tensor(x, self.layer["dtypes"]["input"])
        self.callable().get_concrete_function(x, training=mode == "train")

    def backward(self, dy):
        y = self.recorded()
        sources = {name: variable for name, variable in self.variables().items() if name in ("scale", "offset")}
        sources["x"] = self.x
        gradients = self.tape.gradient(y, sources, output_gradients=self.tensor(dy, y.dtype))
        return {name: value.numpy() for name, value in gradients.items() if value is not None}

    def facts(self):
        return dict(super().facts(), tensorflow=tf.__version__)


class TfKeras(Keras):
    """tf.keras.layers.BatchNormalization. It takes the fused kernel where there is one.

    `unfused`: never; `fused`: the layer is told to.
    """

    name = "tf.keras"
    package = "tensorflow"
    environ = {"KERAS_HOME": "/dev/null", "TF_CPP_MIN_LOG_LEVEL": "2"}
    executions = ("eager", "unfused", "fused", "function", "xla")

    @staticmethod
    def namespace():
        return tf.keras

    @classmethod
    def replicas(cls):
        from bnspec.worker.adapters.tf_replicas import TfKerasReplicas

        return TfKerasReplicas

    def types(self):
        options = super().types()
        if "mixed" in options.get("dtype", "") and not hasattr(self.namespace().mixed_precision, "Policy"):
            # 2.4 made policies public, and took their names from then on.
            options["dtype"] = tf.keras.mixed_precision.experimental.Policy(options["dtype"])
        return options

    def kernel(self):
        layer = self.layer
        if self.execution != "fused":
            return {"fused": False} if self.execution == "unfused" else {}
        if layer["rank"] not in (4, 5) or layer["axis"] % layer["rank"] not in (1, layer["rank"] - 1):
            raise Unsupported("the fused kernel takes ranks 4 and 5, the channels first or last")
        if "float64" in layer["dtypes"].values():
            raise Unsupported("the fused kernel computes in float32")
        return {"fused": True}


class TfKerasPackage(TfKeras):
    """tf_keras.layers.BatchNormalization: what tf.keras was up to 2.15, as a package of its own."""

    name = "tf-keras"
    package = "tf-keras"
    environ = {"KERAS_HOME": "/dev/null", "TF_CPP_MIN_LOG_LEVEL": "2"}
    executions = ("eager", "unfused", "fused", "function", "xla")

    @staticmethod
    def namespace():
        import tf_keras

        return tf_keras

    @classmethod
    def replicas(cls):
        from bnspec.worker.adapters.tf_replicas import TfKerasPackageReplicas

        return TfKerasPackageReplicas
