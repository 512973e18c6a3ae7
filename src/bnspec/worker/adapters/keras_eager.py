"""Keras on TensorFlow, called eagerly: Keras 3, and tf.keras of TensorFlow 2 with Keras 2 inside."""

import tensorflow as tf

from bnspec.worker.adapters.keras_called import CalledKeras


class Keras(CalledKeras):
    """keras.layers.BatchNormalization of Keras 3. KERAS_HOME keeps the settings of the user's home out."""

    name = "keras"
    package = "keras"
    environ = {"KERAS_BACKEND": "tensorflow", "KERAS_HOME": "/dev/null", "TF_CPP_MIN_LOG_LEVEL": "2"}

    @classmethod
    def has_device(cls, device):
        return bool(tf.config.experimental.list_physical_devices("GPU"))

    @classmethod
    def replicas(cls):
        from bnspec.worker.adapters.tf_replicas import KerasReplicas

        return KerasReplicas

    def start(self):
        if self.device == "cpu":
            tf.config.experimental.set_visible_devices([], "GPU")
        return super().start()

    def tensor(self, x, dtype=None):
        tensor = tf.constant(x)
        return tensor if dtype is None else tf.cast(tensor, dtype)

    def forward(self, x, options, record, recompute):
        # keras.remat of Keras 3 is this very function; tf.keras has none.
        forward = tf.recompute_grad(self.outer) if recompute else self.outer
        if not record:
            return forward(x, **options).numpy()
        self.x = x
        with tf.GradientTape() as self.tape:
            self.tape.watch(x)
            self.y = forward(x, **options)
        return self.y.numpy()

    def backward(self, dy):
        y = self.recorded()
        sources = {name: variable for name, variable in self.variables().items() if name in ("scale", "offset")}
        sources["x"] = self.x
        gradients = self.tape.gradient(y, sources, output_gradients=self.tensor(dy, y.dtype))
        return {name: value.numpy() for name, value in gradients.items() if value is not None}

    def facts(self):
        return dict(super().facts(), tensorflow=tf.__version__)


class TfKeras(Keras):
    """tf.keras.layers.BatchNormalization. It takes the fused kernel where there is one; `unfused`: never."""

    name = "tf.keras"
    package = "tensorflow"
    environ = {"KERAS_HOME": "/dev/null", "TF_CPP_MIN_LOG_LEVEL": "2"}
    executions = ("eager", "unfused")

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
        return {"fused": False} if self.execution == "unfused" else {}


class TfKerasPackage(TfKeras):
    """tf_keras.layers.BatchNormalization: what tf.keras was up to 2.15, as a package of its own."""

    name = "tf-keras"
    package = "tf-keras"
    environ = {"KERAS_HOME": "/dev/null", "TF_CPP_MIN_LOG_LEVEL": "2"}

    @staticmethod
    def namespace():
        import tf_keras

        return tf_keras

    @classmethod
    def replicas(cls):
        from bnspec.worker.adapters.tf_replicas import TfKerasPackageReplicas

        return TfKerasPackageReplicas
