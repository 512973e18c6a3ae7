"""ONNX Runtime: an InferenceSession on a graph of one node."""

import onnxruntime

from bnspec.worker.adapters.onnx_shared import AnyOnnx

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class OnnxRuntime(AnyOnnx):
    """InferenceSession; training mode is an attribute of the node, no other package is needed for it."""

    name = "onnxruntime"
    package = "onnxruntime"

    @classmethod
    def has_device(cls, device):
        return PROVIDERS[device] in onnxruntime.get_available_providers()

    def compiled(self, model):
        return onnxruntime.InferenceSession(model.SerializeToString(), providers=[PROVIDERS[self.device]])

    def execute(self, compiled, feeds):
        return compiled.run(None, feeds)
