"""Keras and tf.keras on the graphs of TensorFlow: a session runs them; in 2.0 K.function does without one."""

import tensorflow as tf

from bnspec.worker.adapters.keras_graph import GraphKeras


class Keras(GraphKeras):
    """keras.layers.BatchNormalization before 2.4. KERAS_HOME keeps the settings of the user's home out."""

    name = "keras"
    package = "keras"
    environ = {"KERAS_BACKEND": "tensorflow", "KERAS_HOME": "/dev/null", "TF_CPP_MIN_LOG_LEVEL": "2"}

    @classmethod
    def has_device(cls, device):
        return tf.test.is_gpu_available()

    def clear(self):
        self.K.clear_session()  # its session closes with it
        if tf.__version__ >= "2":  # 2.0 has no sessions
            if self.device == "cpu":
                tf.config.experimental.set_visible_devices([], "GPU")
        else:
            options = {"device_count": {"GPU": 0}} if self.device == "cpu" else {}
            self.K.set_session(tf.Session(config=tf.ConfigProto(**options)))

    def facts(self):
        return dict(super().facts(), tensorflow=tf.__version__)


class TfKeras(Keras):
    """tf.keras.layers.BatchNormalization of TensorFlow 1. It takes the fused kernel where there is one.

    Its parameters are float32 where it is told a half-precision type.
    """

    name = "tf.keras"
    package = "tensorflow"
    environ = {"KERAS_HOME": "/dev/null", "TF_CPP_MIN_LOG_LEVEL": "2"}
    executions = ("graph", "unfused")

    @staticmethod
    def namespace():
        return tf.keras

    def choose_type(self):
        """Nothing: the layer is told its type."""

    def types(self):
        kind = self.layer["dtypes"]["compute"]
        return {} if kind == "float32" or "float" not in kind else {"dtype": kind}

    def updates(self):
        # All that there are hold those of a nested model's own input too, which nobody feeds.
        return self.outer.get_updates_for(None) + self.outer.get_updates_for([self.x])

    def kernel(self):
        return {"fused": False} if self.execution == "unfused" else {}
