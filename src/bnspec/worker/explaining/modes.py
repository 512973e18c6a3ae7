"""How a module of Flax is told its mode: by an argument of its call, which has one of a few names."""

import inspect
from typing import Any, List, Tuple

TRAINING = ("train", "training", "is_training")
INFERENCE = ("use_running_average", "deterministic", "eval", "inference", "is_eval")
"""Names of the argument by which a call says training, and by which it says the opposite."""


def told_mode(call: Any) -> Tuple[Any, List[str]]:
    """Return what gives the arguments that say a mode to a call, and a note where the call takes none."""
    taken = inspect.signature(call).parameters
    names = [name for name in TRAINING + INFERENCE if name in taken]

    def arguments(mode: str) -> Any:
        return {name: (mode == "training") == (name in TRAINING) for name in names}

    if names:
        return arguments, []
    known = ", ".join(TRAINING + INFERENCE)
    return arguments, ["the module's call takes no argument that says a mode; looked for: %s" % known]
