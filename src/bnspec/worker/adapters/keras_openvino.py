"""Keras 3 on OpenVINO; like NumPy, it does not train.

A call makes a graph of constants, which OpenVINO folds when a number is asked for: no kernel runs. `predict` takes what
is called in inference mode through Model.predict, which compiles a graph with an input, once.
"""

import openvino

from bnspec.worker.adapters.keras_numpy import KerasNumpy


class KerasOpenVINO(KerasNumpy):
    """keras.layers.BatchNormalization. KERAS_HOME keeps the settings of the user's home out."""

    name = "keras-openvino"
    environ = {"KERAS_BACKEND": "openvino", "KERAS_HOME": "/dev/null"}
    executions = ("eager", "predict")
    slow = ("predict",)

    def forward(self, x, options, record, recompute):
        if self.execution == "predict" and options == {"training": False} and not recompute:
            return self.predict(self.keras.ops.convert_to_numpy(x))
        return super().forward(x, options, record, recompute)

    def facts(self):
        return dict(super().facts(), openvino=openvino.__version__)
