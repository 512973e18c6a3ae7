"""Keras before TensorFlow 2: a graph, a session, and updates that somebody has to run."""

import keras
import keras.backend as K  # noqa: N812 - the name that everybody gave it
import tensorflow as tf

from bnspec.worker.adapter import Unsupported
from bnspec.worker.adapters.keras_models import SUBCLASSED, user_classes
from bnspec.worker.adapters.keras_shared import NAMES, AnyKeras


class UserLayer(keras.layers.Layer):
    """A user's layer around the layer; `call` knows no modes. Weights are not found: users listed them."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def build(self, input_shape):
        self._trainable_weights = self.inner.trainable_weights
        super().build(input_shape)

    def call(self, inputs):
        return self.inner(inputs)

    def compute_output_shape(self, input_shape):
        return self.inner.compute_output_shape(input_shape)


class KerasGraph(AnyKeras):
    """keras.layers.BatchNormalization. KERAS_HOME keeps the settings of the user's home out."""

    name = "keras"
    package = "keras"
    environ = {"KERAS_BACKEND": "tensorflow", "KERAS_HOME": "/dev/null", "TF_CPP_MIN_LOG_LEVEL": "2"}
    executions = ("graph",)

    def __init__(self, layer, *, structure="bare", execution="graph", device="cpu"):
        self.y = self.gradients = None
        super().__init__(layer, structure=structure, execution=execution, device=device)
        if structure not in SUBCLASSED:
            self.connect()

    @classmethod
    def has_device(cls, device):
        return tf.test.is_gpu_available()

    def start(self):
        kinds = {kind for kind in self.layer["dtypes"].values() if "float" in kind}
        if len(kinds) > 1:
            raise Unsupported("this keras has one type for everything, floatx")
        if "bfloat16" in kinds:
            raise Unsupported("this keras knows no bfloat16")
        K.set_floatx(kinds.pop())
        K.clear_session()  # the graph of the layer before; its session closes with it
        options = {"device_count": {"GPU": 0}} if self.device == "cpu" else {}
        K.set_session(tf.Session(config=tf.ConfigProto(**options)))
        return keras

    def types(self):
        return {}

    def users(self):
        return dict(user_classes(keras), **{"user-layer": UserLayer})

    def connect(self):
        """Make the graph's input and output, once: what changes later must act on this graph."""
        if self.structure in SUBCLASSED:
            self.x = K.placeholder(shape=self.shape)
            self.y = self.outer(self.x)
        else:
            # The trainer's own: a second call of the layer would make a second set of updates.
            self.x, self.y = self.trained().inputs[0], self.trained().outputs[0]

    def call(self, mode, x, *, mask=None, record=True, collect=True, recompute=False):
        if mask is not None:
            raise Unsupported("BatchNormalization of this release takes no mask")
        if recompute:
            raise Unsupported("this keras has no recomputation")
        if self.y is None:
            self.connect()
        updates = self.outer.updates if mode == "train" and collect else []
        self.feed = {self.x: x}
        if mode is not None:
            self.feed[K.learning_phase()] = mode == "train"
        return K.get_session().run([self.y, updates], self.feed)[0]

    def backward(self, dy):
        if self.gradients is None:
            self.dy = K.placeholder(shape=self.shape)
            sources = {name: v for name, v in self.variables().items() if name in ("scale", "offset")}
            sources["x"] = self.x
            found = tf.gradients(self.y, list(sources.values()), grad_ys=self.dy)
            self.gradients = {name: found[i] for i, name in enumerate(sources) if found[i] is not None}
        feed = dict(self.feed)
        feed[self.dy] = dy
        return K.get_session().run(self.gradients, feed)

    def get_state(self):
        return K.get_session().run(self.variables())

    def set_state(self, state):
        K.batch_set_value([(getattr(self.bn, NAMES[name]), value) for name, value in state.items()])

    def facts(self):
        return dict(super().facts(), tensorflow=tf.__version__)
