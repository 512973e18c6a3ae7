"""A model of Keras 3 or of tf.keras: predict, and a step of its own trainer."""

import contextlib
import functools
import inspect
import sys
from typing import Any, Dict, List, Tuple

import numpy as np

from bnspec.worker.adapters.keras_shared import NAMES
from bnspec.worker.explaining.jax_values import finish, traced, wait
from bnspec.worker.explaining.recording import Recorder, digests, flat, outputs, timed
from bnspec.worker.explaining.telling import CannotExplain, compared, layers_of, named, outside, refused, told

NEEDED = ("moving_mean", "moving_variance", "momentum", "epsilon", "axis")
"""What makes a layer batch normalization: Keras' own has it, and so have those that readers write like it."""


def measure(model: Any, x: Any, y: Any, recorder: Recorder) -> Dict[str, Any]:
    """Return what a batch shows of a Keras model; its variables and those of its optimizer are put back.

    The trainer runs without compiling, so that it shows what the layers get; it takes the same step.
    """
    name, keras = namespace(model)
    if not isinstance(model, keras.models.Model):
        raise CannotExplain(
            "the function returned a layer, %s; expected a model: keras.Sequential([layer]) makes one"
            % type(model).__name__
        )
    run_eagerly(model)
    known = layers_in(model)
    if not model.built or not all(built(layer) for layer in known):
        predict(model, x[:2])
        known = layers_in(model)
    names = named([(name_of(layer, model), layer) for layer in known])
    described = {id(layer): description(layer, own) for layer, own in zip(known, names)}

    def met(layer: Any) -> None:
        if id(layer) not in described:
            described[id(layer)] = description(layer, outside(layer, len(known) - len(names)))
            known.append(layer)

    before = values(variables(model))
    bits = digests(by_name(before))
    seconds, steps = {}, steps_of(model)  # type: Dict[str, float], Any
    with recorded(model, known, recorder, met) as shown:
        inferred = timed(recorder, "inference", seconds, lambda: predict(model, x))
        inference_moved = states(known)
        put_back(before)
        own, notes = compiled(keras, model, y)
        held = values(variables(model))
        with steps_alone(model, recorder):
            timed(recorder, "training", seconds, lambda: step(model, x, y if own else inferred))
        moved = states(known)
        put_back(held)
    if not known:
        raise CannotExplain(no_layers(model))
    for layer in known:
        described[id(layer)].update(after=moved[id(layer)], after_inference=inference_moved[id(layer)])
    return {
        "framework": name,
        "version": keras.__version__ if name != "tf.keras" else sys.modules["tensorflow"].__version__,
        "backend": keras.config.backend() if name == "keras" else None,
        "model": type(model).__name__,
        "trainer": "train_on_batch, the step that fit takes",
        "mode": None,
        "steps": steps,
        "notes": notes,
        "layers": layers_of(recorder, list(described.values())),
        "outputs": {"training": outputs(shown["training"]), "inference": outputs(shown["inference"])},
        "seconds": seconds,
        "unchanged": compared(bits, digests(by_name(values([variable for variable, _ in before])))),
    }


def namespace(model: Any) -> Tuple[str, Any]:
    """Return the name and the namespace of the Keras that a model is of. Raises CannotExplain for an old one."""
    kinds = {base.__module__.split(".")[0] for base in type(model).__mro__}
    if "tf_keras" in kinds:
        return "tf_keras", sys.modules["tf_keras"]
    keras = sys.modules.get("keras")
    if "keras" in kinds and keras is not None and keras.__version__ >= "3":
        return "keras", keras
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None or not hasattr(tensorflow, "executing_eagerly") or not tensorflow.executing_eagerly():
        raise CannotExplain("this is a Keras without eager execution; expected Keras 3, or tf.keras of TensorFlow 2")
    return "tf.keras", tensorflow.keras


def run_eagerly(model: Any) -> None:
    """Let a model's trainer compute where it is called, and forget what it has compiled."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None:
        config = tensorflow.config
        # 2.3 took it out of `experimental`.
        switch = getattr(config, "run_functions_eagerly", None) or config.experimental_run_functions_eagerly
        switch(True)
    model.run_eagerly = True
    if hasattr(model, "jit_compile"):
        model.jit_compile = False
    for name in ("train_function", "predict_function"):
        if hasattr(model, name):
            setattr(model, name, None)


def layers_in(model: Any) -> List[Any]:
    """Return the layers of batch normalization, in the model's order."""
    # 2.0 to 2.2 have no such method.
    every = list(getattr(model, "_flatten_layers", lambda: below(model))())
    every = list({id(layer): layer for layer in every}.values())
    return [layer for layer in every if all(hasattr(layer, name) for name in NEEDED) or is_layer(layer)]


def below(layer: Any) -> Any:
    """Yield the layers that a layer holds, at any depth; in tf.keras a list of layers stands between."""
    for child in getattr(layer, "_layers", ()):
        if not hasattr(child, "call"):
            for one in getattr(child, "layers", ()):
                yield one
                yield from below(one)
            continue
        yield child
        yield from below(child)


def is_layer(layer: Any) -> bool:
    """Return whether a layer is Keras' own batch normalization, which has no statistics before it is built."""
    return any(base.__name__ in ("BatchNormalization", "BatchNormalizationBase") for base in type(layer).__mro__)


def built(layer: Any) -> bool:
    """Return whether a layer has its statistics."""
    return getattr(layer, "moving_mean", None) is not None


def name_of(layer: Any, model: Any) -> str:
    """Return where a layer stands in the model, as the names of its variables say it."""
    variable = getattr(layer, "moving_mean", None)
    path = str(getattr(variable, "path", None) or getattr(variable, "name", ""))
    name = path.rpartition("/")[0] or layer.name
    begin = model.name + "/"
    return name[len(begin) :] if name.startswith(begin) else name


def no_layers(model: Any) -> str:
    """Say that a model has no batch normalization, and what it has."""
    kinds = sorted({type(layer).__name__ for layer in model.layers})
    return "the model %s has no batch normalization; its layers are: %s" % (
        type(model).__name__, ", ".join(kinds[:12]) or "none",
    )  # fmt: skip


def description(layer: Any, name: str) -> Dict[str, Any]:
    """Return what is read of a layer without a call. Keras' momentum is the weight of the old statistic."""
    state = state_of(layer)
    return {
        "id": id(layer),
        "name": name,
        "kind": type(layer).__name__,
        "axis": axis_of(layer),
        "epsilon": float(layer.epsilon),
        "momentum": float(layer.momentum),
        "keep": float(layer.momentum),
        "averaging": "exponential",
        "tracked": "mean" in state,
        "frozen": not layer.trainable,
        "mode": None,
        "reached": None,
        "count": None,
        "state": state,
    }


def axis_of(layer: Any) -> int:
    """Return the channel axis; tf.keras holds it in a list."""
    return int(layer.axis if isinstance(layer.axis, int) else next(iter(layer.axis)))


def state_of(layer: Any) -> Dict[str, Any]:
    """Return a layer's arrays by our names, those that it has."""
    found = {name: getattr(layer, own, None) for name, own in NAMES.items()}
    return {name: number(variable) for name, variable in found.items() if variable is not None}


def states(known: Any) -> Dict[int, Dict[str, Any]]:
    """Return the stored statistics of every layer."""
    return {id(layer): {name: state_of(layer)[name] for name in ("mean", "variance")} for layer in known}


def variables(model: Any) -> List[Any]:
    """Return the variables of a model and of its optimizer."""
    found = list(model.weights)
    held = getattr(getattr(model, "optimizer", None), "variables", ())
    found += list(held() if callable(held) else held)
    # Those of random numbers; Keras 3 has them as variables, too.
    found += list(getattr(model, "variables", ()))
    return list({id(variable): variable for variable in found}.values())


def values(some: Any) -> List[Tuple[Any, Any]]:
    """Return variables, each with its value."""
    return [(variable, number(variable)) for variable in some]


def by_name(held: Any) -> Dict[str, Any]:
    """Return the values of variables under names that are told apart."""
    names = named([(getattr(variable, "path", None) or variable.name, variable) for variable, _ in held])
    return {name: value for name, (_, value) in zip(names, held)}


def put_back(held: Any) -> None:
    """Give variables the values that they had."""
    for variable, value in held:
        variable.assign(value)


def number(tensor: Any) -> Any:
    """Return a tensor or a variable as an array of its own."""
    return np.array(seen(tensor))


def seen(tensor: Any) -> Any:
    """Return a tensor or a variable as an array, which may be its memory."""
    keras = sys.modules.get("keras")
    if keras is not None and hasattr(keras, "ops"):
        return keras.ops.convert_to_numpy(tensor)
    return tensor.numpy()


def steps_of(model: Any) -> Any:
    """Return how many steps the model's optimizer has made; None without one."""
    iterations = getattr(getattr(model, "optimizer", None), "iterations", None)
    return None if iterations is None else int(number(iterations))


def predict(model: Any, x: Any) -> Any:
    """Return what the model predicts. Raises CannotExplain where it raises."""
    try:
        found = model.predict_on_batch(x)
        wait()
        return found
    except Exception as error:
        raise refused(error, x, "predict_on_batch", [kind_of(variable) for variable in model.weights])


def kind_of(variable: Any) -> str:
    """Return the name of a variable's type."""
    return str(getattr(variable.dtype, "name", variable.dtype))


def compiled(keras: Any, model: Any, y: Any) -> Tuple[bool, List[str]]:
    """Compile a model that is not, or whose loss has no targets; whether it keeps what it had, and notes."""
    own = getattr(model, "optimizer", None) is not None
    if own and y is not None:
        return True, []
    notes = ["DATA has no y: the training step was one of SGD(0) on the mean squared error"] if own else []
    model.compile(keras.optimizers.SGD(0.0), "mse")
    run_eagerly(model)
    return False, notes


def step(model: Any, x: Any, target: Any) -> None:
    """Let the trainer take a step. Raises CannotExplain where it raises."""
    try:
        model.train_on_batch(x, target)
        wait()
    except Exception as error:
        raise CannotExplain(
            "the model's training step raised %s; x has shape %s and dtype %s, the targets %s"
            % (told(error), x.shape, x.dtype, " and ".join("%s %s" % (np.shape(t), t.dtype) for t in flat(target)))
        )


@contextlib.contextmanager
def recorded(model: Any, known: List[Any], recorder: Recorder, met: Any) -> Any:
    """Record every call of batch normalization, of any layer of the classes that the model has; give its outputs."""
    kinds = {type(layer) for layer in known}
    originals = {kind: kind.call for kind in kinds}
    for kind, original in originals.items():
        kind.call = recording(original, recorder, met)
    shown = {"training": None, "inference": None}  # type: Dict[str, Any]
    own = model.call

    @functools.wraps(own)
    def call(*given: Any, **options: Any) -> Any:
        y = own(*given, **options)
        if recorder.wanted():
            keep(y, shown, str(recorder.running))
        return y

    model.call = call
    try:
        yield shown
    finally:
        del model.call
        for kind, original in originals.items():
            kind.call = original


@contextlib.contextmanager
def steps_alone(model: Any, recorder: Recorder) -> Any:
    """Record only what runs in the training step: before it Keras 3 calls the layers to learn their shapes.

    2.0 and 2.1 have no such method, and no such calls.
    """
    own = getattr(model, "train_step", None)
    if own is None:
        yield
        return

    @functools.wraps(own)
    def train_step(*given: Any, **options: Any) -> Any:
        recorder.inside -= 1
        try:
            return own(*given, **options)
        finally:
            recorder.inside += 1

    recorder.inside += 1
    model.train_step = train_step
    try:
        yield
    finally:
        del model.train_step
        recorder.inside -= 1


def keep(y: Any, shown: Dict[str, Any], name: str) -> None:
    """Keep what a model gave."""
    leaves = flat(y)

    def kept(*arrays: Any) -> None:
        shown[name] = [np.asarray(array) for array in arrays]

    if any(traced(leaf) for leaf in leaves):
        sys.modules["jax"].debug.callback(kept, *leaves)
    else:
        kept(*[number(leaf) for leaf in leaves])


def recording(original: Any, recorder: Recorder, met: Any) -> Any:
    """Return a `call` that is recorded. Keras looks at its signature."""
    signature = inspect.signature(original)

    def call(self: Any, *given: Any, **options: Any) -> Any:
        if not recorder.wanted():
            return original(self, *given, **options)
        met(self)
        bound = signature.bind(self, *given, **options).arguments
        said = bound.get("training")
        record = recorder.begin(id(self), said if said is None else bool(said))
        recorder.inside += 1
        try:
            y = original(self, *given, **options)
        finally:
            recorder.inside -= 1
        finish(recorder, record, list(bound.values())[1], y, axis_of(self), seen)
        return y

    call.__signature__ = signature  # type: ignore[attr-defined]
    return call
