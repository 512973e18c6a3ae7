"""Keras 3 on OpenVINO, which compiles a graph whenever a number is asked for; like NumPy, it does not train."""

import openvino

from bnspec.worker.adapters.keras_numpy import KerasNumpy


class KerasOpenVINO(KerasNumpy):
    """keras.layers.BatchNormalization. KERAS_HOME keeps the settings of the user's home out."""

    name = "keras-openvino"
    environ = {"KERAS_BACKEND": "openvino", "KERAS_HOME": "/dev/null"}

    def facts(self):
        return dict(super().facts(), openvino=openvino.__version__)
