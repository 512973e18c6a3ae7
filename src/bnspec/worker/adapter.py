"""What an adapter is: a program's steps, translated into one API of one framework, and nothing more."""

from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple

import numpy as np

from bnspec.worker.frames import BFLOAT16

Arrays = Dict[str, Any]


def bfloat16(bits: Any) -> Any:
    """Return bfloat16 numbers, for which NumPy has no type, from an array of their bits (uint16)."""
    return np.ascontiguousarray(bits).view(np.uint16).view(BFLOAT16)


class Unsupported(Exception):  # noqa: N818 - the name is public, it is raised as a statement
    """The framework's API has no words for the step; the text says why."""


class Adapter:
    """One layer of one framework. Subclass it, translate, calculate nothing.

    A method that stays undefined raises Unsupported. An exception of the framework must not be caught: it
    is an observation.

    name: of the API (`torch.nn`); package: the distribution whose version counts; environ: environment
    variables to set before the process starts, a literal dict; executions: how it can run, the default first, a
    literal tuple: `--execution all` reads it without importing the file; slow: those of them that take minutes, a
    literal tuple: a run has them only where they are named.
    """

    name = "unnamed"
    package = ""
    environ: Mapping[str, str] = {}
    executions: Tuple[str, ...] = ("eager",)
    slow: Tuple[str, ...] = ()

    def __init__(self, layer: Mapping[str, Any], *, structure: str = "bare", execution: str, device: str) -> None:
        """Build the layer.

        layer: rank, axis, features, epsilon, scale, offset, tracked, dtypes {input, parameters, compute},
        mode and frozen (what the constructor is told of them, ordinarily nothing: None and False) and
        momentum: {"keep": weight of the old statistic}, {"raw": the framework's own number},
        {"cumulative": True}, or None for the framework's default. structure: `bare`, or what stands around
        the layer: `model`; `user-layer` or `user-model`, which does not pass the mode on; `nested-model`, a
        model in a model; `shared-twice`, which calls the layer and then calls it again on what it returned;
        `plain-list`, a user's model that holds it in a plain Python list; `pinned-train` or `pinned-infer`, a
        model that says this mode where it calls the layer.
        """
        self.layer = layer
        self.structure = structure
        self.execution = execution
        self.device = device

    @classmethod
    def has_device(cls, device: str) -> bool:
        """Return whether the framework sees a device; asked for others than `cpu`, before any layer is built."""
        return True

    @classmethod
    def lacking(cls, execution: str, device: str) -> str:
        """Say what this build and device lack for one of the executions; empty where they can run it."""
        return ""

    @classmethod
    def compilations(cls) -> Optional[int]:
        """Return how many times this process has compiled so far; None where nothing is compiled."""
        return None

    @classmethod
    def replicas(cls) -> Any:
        """Return the class of this layer's replicas in data-parallel training, a bnspec.worker.replicas.Replicas."""
        raise Unsupported("the adapter %s runs one layer, no replicas" % cls.name)

    def arrange(self, x: Any, layout: str) -> Any:
        """Return x in the framework's own type, as a view whose values do not lie one after the other.

        layout: `permuted`, the channels innermost where they come first, outermost where they come last; `sliced`,
        every second value of a larger one; `expanded`, one sample for the whole batch. A `call` takes it for x.
        """
        raise self.unsupported("layouts of memory")

    def capture(self, mode: str, x: Any) -> None:
        """Trace, script, compile or export the layer in this mode; every later call goes through what was made."""
        raise self.unsupported("capture: every call runs the layer itself")

    def set_threads(self, count: int) -> None:
        """Let the framework compute with so many threads.

        Of an adapter that does not define it, what a program does after this step runs with a layer of its own in a
        process that is bound to so many processors (spares.py).
        """
        raise self.unsupported("number of threads that could change while it runs")

    def call(
        self,
        mode: Optional[str],
        x: Any,
        *,
        mask: Any = None,
        record: bool = True,
        collect: bool = True,
        recompute: bool = False,
    ) -> Any:
        """Call the layer in mode `train`, `infer` or None (the caller says nothing) and return y.

        x comes in the type of layer["dtypes"]["input"], but a bfloat16 as the float32 of the same value: cast
        it. mask: booleans or weights of the shape of x without its channel axis. record: as in ordinary
        training, a gradient may be asked; False: within the framework's own way to record none. collect:
        apply the updates that the framework hands to the caller, if it does. recompute: run the call again
        for the backward pass, by the framework's own checkpointing.
        """
        raise self.unsupported("call")

    def backward(self, dy: Any) -> Arrays:
        """Return the gradients {x, scale, offset} of the last recorded call; it must not update again."""
        raise self.unsupported("backward")

    def freeze(self, where: str = "layer") -> None:
        """Freeze by the framework's own idiom: the `layer` itself, or its `parent`."""
        raise self.unsupported("freeze")

    def unfreeze(self, where: str = "layer") -> None:
        """Undo freeze."""
        raise self.unsupported("unfreeze")

    def get_state(self) -> Arrays:
        """Return {mean, variance, scale, offset}, those that exist, each of shape (features,).

        Also `count`, the number of training steps taken, as an array without dimensions, where there is one.
        """
        raise self.unsupported("get_state")

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Set the parts of the state that are given."""
        raise self.unsupported("set_state")

    def reload(self, missing: Sequence[str] = ()) -> None:
        """Save in the framework's own format and load into a fresh layer, which replaces this one.

        missing: parts of the state that the file does not hold, such as `count`; such a file is loaded into
        this very layer, which has them.
        """
        raise self.unsupported("reload")

    def set_mode(self, mode: str, where: str = "layer") -> None:
        """Set the `layer`, or its `parent`, to mode `train` or `infer`, where modes are set and not said in the call.

        A `call` without a mode then goes by it.
        """
        raise self.unsupported("set_mode")

    def untrack(self, how: str) -> None:
        """Tell the finished layer to keep no moving statistics: `switch` its attribute, or `remove` them."""
        raise self.unsupported("untrack")

    def snapshot(self) -> Any:
        """Return the framework's own state object, not copied, as a user would hold it."""
        raise self.unsupported("snapshot")

    def look(self, held: Any) -> Arrays:
        """Return what a state object of `snapshot` holds now, as `get_state` does."""
        raise self.unsupported("look")

    def facts(self) -> Dict[str, Any]:
        """Return defaults, names and order of the state, dtypes: plain JSON values."""
        return {}

    def load_state(self, path: str) -> Arrays:
        """Return the arrays of a file in the framework's own format, of whatever layers, by their names in it."""
        raise self.unsupported("load_state")

    def save_state(self, path: str, state: Mapping[str, Any]) -> None:
        """Write arrays to a file in the framework's own format, under these names and in this order."""
        raise self.unsupported("save_state")

    def unsupported(self, step: str) -> Unsupported:
        """Return the exception for a step that the API has no words for."""
        return Unsupported("the adapter %s has no %s" % (self.name, step))


def switches(arguments: Callable[[Mapping[str, bool]], Mapping[str, Any]]) -> Dict[str, Any]:
    """Return the constructor's arguments that say which parameters there are; None where it cannot say it."""
    found = {}  # type: Dict[str, Any]
    names = (("both", True, True), ("scale", True, False), ("offset", False, True), ("neither", False, False))
    for name, scale, offset in names:
        try:
            found[name] = dict(arguments({"scale": scale, "offset": offset}))
        except Unsupported:
            found[name] = None
    return found


class Trainer(Adapter):
    """An adapter of a framework that has a trainer of its own."""

    def prepare(self, *, learning_rate: float) -> None:
        """Compile: plain SGD, mean squared error, no shuffling."""
        raise self.unsupported("prepare")

    def fit(self, x: Any, target: Any, *, steps: int, batches: int = 1) -> Arrays:
        """Train that many epochs, x in so many equal batches; return {"loss": [one per epoch]}."""
        raise self.unsupported("fit")

    def evaluate(self, x: Any, target: Any) -> Arrays:
        """Return {"loss": [one number]}."""
        raise self.unsupported("evaluate")

    def predict(self, x: Any) -> np.ndarray:
        """Return the prediction."""
        raise self.unsupported("predict")
