"""Keras on Theano: K.function compiles; the updates are pairs of a variable and its new value."""

import theano
from keras.backend import theano_backend

from bnspec.worker.adapters.keras_graph import GraphKeras


class KerasTheano(GraphKeras):
    """keras.layers.BatchNormalization. Theano runs without a compiler; no settings of the user's home reach it."""

    name = "keras-theano"
    package = "keras"
    environ = {
        "KERAS_BACKEND": "theano",
        "KERAS_HOME": "/dev/null",
        "THEANORC": "/dev/null",
        "THEANO_FLAGS": "cxx=,optimizer=fast_compile,device=cpu",
    }

    @classmethod
    def has_device(cls, device):
        return False

    def clear(self):
        theano.config.floatX = self.K.floatx()  # Theano's own name of the one type
        del theano_backend.NAME_SCOPE_STACK[:]  # a layer that raises leaves its own open

    def facts(self):
        return dict(super().facts(), theano=theano.__version__)
