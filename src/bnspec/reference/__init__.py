"""The reference: batch normalization in NumPy float64, the only authority on expected values.

Plain formulas, no cleverness. `moments`, `normalize` and `training_step` are the forward pass and the
moving statistics; `training_gradients` and `inference_gradients` the backward pass; `allowance` says how
far a correct implementation in a narrower type may be from each of them.
"""

from bnspec.reference.allowance import UNIT, Arithmetic
from bnspec.reference.forward import State, Step, estimate_variance, new_weight, normalize, training_step
from bnspec.reference.gradients import Gradients, inference_gradients, training_gradients
from bnspec.reference.statistics import Moments, moments

__all__ = [
    "UNIT",
    "Arithmetic",
    "Gradients",
    "Moments",
    "State",
    "Step",
    "estimate_variance",
    "inference_gradients",
    "moments",
    "new_weight",
    "normalize",
    "training_gradients",
    "training_step",
]
