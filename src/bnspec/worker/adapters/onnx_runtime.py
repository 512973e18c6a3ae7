"""ONNX Runtime: an InferenceSession on a graph of one node."""

import onnxruntime

from bnspec.worker.adapter import Unsupported
from bnspec.worker.adapters.onnx_shared import AnyOnnx

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

NO_TRAINING = "Training mode is not supported in this build"
"""What a runtime says that was built without it, as 1.8 was (onnxruntime PR 7703; 1.9 has it again, PR 8269)."""


class OnnxRuntime(AnyOnnx):
    """InferenceSession; training mode is an attribute of the node, no other package is needed for it."""

    name = "onnxruntime"
    package = "onnxruntime"

    @classmethod
    def has_device(cls, device):
        return PROVIDERS[device] in onnxruntime.get_available_providers()

    def compiled(self, model):
        try:
            return onnxruntime.InferenceSession(model.SerializeToString(), providers=[PROVIDERS[self.device]])
        except Exception as error:
            if NO_TRAINING in str(error):
                raise Unsupported(NO_TRAINING)
            raise

    def execute(self, compiled, feeds):
        return compiled.run(None, feeds)
