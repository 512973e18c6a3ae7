"""ONNX Runtime: an InferenceSession on a graph of one node."""

import onnxruntime

from bnspec.worker.adapter import Unsupported
from bnspec.worker.adapters.onnx_shared import AnyOnnx

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

# 1.8 was built without the operator's training mode (onnxruntime PR 7703); 1.9 has it again (PR 8269).
TRAINS = not onnxruntime.__version__.startswith("1.8.")


class OnnxRuntime(AnyOnnx):
    """InferenceSession; training mode is an attribute of the node, no other package is needed for it."""

    name = "onnxruntime"
    package = "onnxruntime"

    @classmethod
    def has_device(cls, device):
        return PROVIDERS[device] in onnxruntime.get_available_providers()

    def call(self, mode, x, **options):
        if mode == "train" and not TRAINS:
            raise Unsupported("this release of ONNX Runtime is built without the operator's training mode")
        return super().call(mode, x, **options)

    def compiled(self, model):
        return onnxruntime.InferenceSession(model.SerializeToString(), providers=[PROVIDERS[self.device]])

    def execute(self, compiled, feeds):
        return compiled.run(None, feeds)
