"""Keras 3 on NumPy: it calls, evaluates and predicts; Keras gives this backend no gradients and no `fit`."""

from bnspec.worker.adapter import Unsupported
from bnspec.worker.adapters.keras_called import CalledKeras


class KerasNumpy(CalledKeras):
    """keras.layers.BatchNormalization. KERAS_HOME keeps the settings of the user's home out."""

    name = "keras-numpy"
    package = "keras"
    environ = {"KERAS_BACKEND": "numpy", "KERAS_HOME": "/dev/null"}

    @classmethod
    def has_device(cls, device):
        return False

    def forward(self, x, options, record, recompute):
        if recompute:
            raise Unsupported("keras has no gradients on this backend, and so nothing to compute again for them")
        return self.keras.ops.convert_to_numpy(self.outer(x, **options))

    def backward(self, dy):
        raise Unsupported("keras has no gradients on this backend")

    def fit(self, x, target, *, steps, batches=1):
        raise Unsupported("keras has no fit on this backend: it raises NotImplementedError whatever it is given")
