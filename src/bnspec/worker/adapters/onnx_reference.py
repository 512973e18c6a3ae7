"""onnx.reference: the evaluator in NumPy that comes with ONNX and shows what an operator means."""

from onnx.reference import ReferenceEvaluator

from bnspec.worker.adapters.onnx_shared import AnyOnnx


class OnnxReference(AnyOnnx):
    """ReferenceEvaluator on a graph of one node."""

    name = "onnx.reference"
    package = "onnx"

    @classmethod
    def has_device(cls, device):
        return False

    def compiled(self, model):
        return ReferenceEvaluator(model)

    def execute(self, compiled, feeds):
        return compiled.run(None, feeds)
