"""What is wrong with the batch normalization of a reader's own model, from one batch in training and in inference.

`measuring` has it measured in the model's environment, `judged` holds every layer against the reference, `causes` says
what follows, and `text`, `records` and `page` show it.
"""

from bnspec.explain.data import BadData, Batch, read_batch
from bnspec.explain.explanation import Explanation, explanation
from bnspec.explain.measuring import NotExplained, measured
from bnspec.explain.wording import Cause, Weight

__all__ = [
    "BadData",
    "Batch",
    "Cause",
    "Explanation",
    "NotExplained",
    "Weight",
    "explanation",
    "measured",
    "read_batch",
]
