"""The worker's loop, in this process: whose fault an exception is, and what is kept of a result."""

import string
import sys

import numpy as np
import pytest

from bnspec.worker.adapter import Adapter, Trainer, Unsupported, bfloat16, switches
from bnspec.worker.frames import Decoder, encode
from bnspec.worker.loop import load_adapter, run

X = np.float32([[1.0, 2.0], [3.0, 4.0]])
LAYER = {"rank": 2, "axis": -1, "features": 2, "epsilon": 1e-3}


class Plain(Adapter):
    """Gives back its input, and its state by reference."""

    def __init__(self, layer, **options):
        super().__init__(layer, **options)
        self.mean = np.zeros(2, dtype=np.float32)

    def call(self, mode, x, *, mask=None, record=True, collect=True, recompute=False):
        self.recorded = record
        self.mean += 1
        return x

    def backward(self, dy):
        return {"x": dy, "recorded": np.array(self.recorded)}

    def get_state(self):
        return {"mean": self.mean, "variance": None}


def do(adapter, *steps):
    """Run steps, each `name` or `(name, arrays, options)`, and return the answer and the arrays."""
    arrays, asked = [], []
    for step in steps:
        name, given, options = (*(step if isinstance(step, tuple) else (step,)), {}, {})[:3]
        asked.append({"do": name, "arrays": {n: len(arrays) + i for i, n in enumerate(given)}, "options": options})
        arrays.extend(given.values())
    return run(adapter, {"layer": LAYER, "steps": asked}, arrays, {})


def raising(error):
    """Return an adapter whose call raises."""

    class Raising(Plain):
        def call(self, mode, x, **options):
            raise error

    return Raising


def test_a_program_shows_its_steps_in_order():
    answer, arrays = do(Plain, ("train", {"x": X}), "get_state")
    assert answer["status"] == "ran"
    assert answer["steps"] == [{"arrays": {"y": 0}}, {"arrays": {"mean": 1}}]
    assert np.array_equal(arrays[0], X)
    assert answer["seconds"] >= 0


def test_a_layer_that_updates_in_place_does_not_change_what_earlier_steps_showed():
    _, arrays = do(Plain, "get_state", ("train", {"x": X}), "get_state")
    assert arrays[0].tolist() == [0, 0]
    assert arrays[2].tolist() == [1, 1]


@pytest.mark.parametrize("options", [{}, {"record": True}, {"record": False}])
def test_a_call_is_recorded_unless_the_step_says_otherwise(options):
    _, arrays = do(Plain, ("train", {"x": X}, options), "get_state", ("backward", {"dy": X}))
    assert bool(arrays[-1]) is options.get("record", True)


def test_a_file_is_read_and_written_by_the_adapter_and_what_cannot_travel_is_left_out():
    class Files(Plain):
        def load_state(self, path):
            halves = bfloat16(np.array([0x3F80], dtype=np.uint16))
            return {"a": X, path: 3, "half": halves, "text": np.array(["x"]), "complex": np.array([1j])}

        def save_state(self, path, state):
            raise ValueError(f"{path} holds {list(state)}")

    answer, arrays = do(Files, ("load_state", {}, {"path": "p"}), ("save_state", {"b": X, "a": X}, {"path": "q"}))
    assert answer["steps"][0] == {"arrays": {"a": 0, "p": 1, "half": 2}}
    assert arrays[1] == 3
    assert answer["steps"][1]["error"]["text"] == "q holds ['b', 'a']"


def test_an_adapter_that_knows_no_files_says_so():
    answer, _ = do(Plain, ("load_state", {}, {"path": "p"}))
    assert (answer["status"], answer["reason"]) == ("unsupported", "the adapter unnamed has no load_state")


def test_the_switches_of_an_adapter_are_asked_of_every_layer_and_none_where_it_refuses():
    def arguments(has):
        if has["offset"] and not has["scale"]:
            raise Unsupported("no offset alone")
        return {"affine": has["scale"]}

    assert switches(arguments) == {
        "both": {"affine": True}, "scale": {"affine": True}, "offset": None, "neither": {"affine": False},
    }  # fmt: skip


def test_an_attempt_is_a_call_in_training_mode():
    class Tells(Plain):
        def call(self, mode, x, **options):
            raise ValueError(mode)

    assert do(Tells, ("attempt", {"x": X}))[0]["steps"] == [{"error": {"class": "ValueError", "text": "train"}}]


def test_a_state_object_is_held_between_the_steps_and_shown_as_it_is_then():
    class Holds(Plain):
        def snapshot(self):
            return self.mean

        def look(self, held):
            return {"mean": held}

    _, arrays = do(Holds, "snapshot", ("train", {"x": X}), "look")
    assert arrays[-1].tolist() == [1, 1]


def test_a_trainer_is_compiled_once_unless_it_is_asked_to():
    class Counts(Trainer):
        compiled = 0

        def prepare(self, *, learning_rate):
            self.compiled += 1

        def predict(self, x):
            return np.array(self.compiled)

    _, arrays = do(Counts, ("predict", {"x": X}), ("predict", {"x": X}), "prepare", ("predict", {"x": X}))
    assert [int(array) for array in arrays] == [1, 1, 2]


def test_bfloat16_goes_as_its_bits():
    class Halves(Plain):
        def call(self, mode, x, **options):
            return bfloat16((x.view(np.uint32) >> 16).astype(np.uint16))

    answer, arrays = do(Halves, ("train", {"x": X}))
    [(header, received)] = Decoder().feed(encode(answer, arrays))
    assert header["arrays"][0]["dtype"] == "bfloat16"
    assert received[0].tolist() == X.tolist()


@pytest.mark.parametrize("error", [RuntimeError("no"), ValueError("no"), TypeError("no")])
def test_an_exception_is_an_observation_and_the_program_goes_on(error):
    answer, arrays = do(raising(error), ("train", {"x": X}), "get_state")
    assert answer["status"] == "ran"
    assert answer["steps"][0] == {"error": {"class": type(error).__name__, "text": "no"}}
    assert len(arrays) == 1


@pytest.mark.parametrize(
    "error", [NameError("no"), AttributeError("no"), ImportError("no"), KeyError("no"), IndexError("no")]
)
def test_a_slip_in_the_adapters_own_lines_is_a_fault_of_the_adapter(error):
    answer, arrays = do(raising(error), ("train", {"x": X}))
    assert answer["status"] == "error"
    assert f"{type(error).__name__} at test_loop.py:" in answer["reason"]
    assert arrays == []


def test_a_slip_in_a_base_class_of_the_adapter_is_a_fault_of_the_adapter():
    class Derived(raising(KeyError("no"))):
        __module__ = "another"

    assert do(Derived, ("train", {"x": X}))[0]["status"] == "error"


def test_such_an_exception_from_the_framework_is_an_observation():
    class Framework(Plain):
        def call(self, mode, x, **options):
            return string.Template("$missing").substitute({})

    assert do(Framework, ("train", {"x": X}))[0]["steps"][0]["error"]["class"] == "KeyError"


def test_a_method_that_does_not_take_what_every_adapter_is_given_is_a_fault_of_the_adapter():
    class Narrow(Plain):
        def call(self, mode, x):
            return x

    answer, _ = do(Narrow, ("train", {"x": X}, {"recompute": True}))
    assert answer["status"] == "error"
    assert "unexpected keyword argument" in answer["reason"]


@pytest.mark.parametrize("given", ["text", object(), [[1.0], [2.0, 3.0]], np.complex64([1]), np.longdouble([1])])
def test_a_result_that_is_no_array_of_real_numbers_is_a_fault_of_the_adapter(given):
    class Odd(Plain):
        def call(self, mode, x, **options):
            return given

    assert do(Odd, ("train", {"x": X}))[0]["status"] == "error"


def test_gradients_that_are_no_dict_are_a_fault_of_the_adapter():
    class Odd(Plain):
        def backward(self, dy):
            return None

    assert do(Odd, ("train", {"x": X}), ("backward", {"dy": X}))[0]["status"] == "error"


def test_an_exception_while_the_layer_is_made_is_shown_by_every_step():
    class Unmakable(Plain):
        def __init__(self, layer, **options):
            raise ValueError("no such layer")

    answer, _ = do(Unmakable, ("train", {"x": X}), "get_state")
    assert [step["error"]["text"] for step in answer["steps"]] == ["no such layer"] * 2


def test_unsupported_ends_the_program_with_its_reason():
    answer, _ = do(raising(Unsupported("no mask")), ("train", {"x": X}))
    assert answer["status"] == "unsupported"
    assert answer["reason"] == "no mask"


def test_an_adapter_without_a_trainer_does_not_support_fit():
    answer, _ = do(Plain, ("fit", {"x": X, "target": X}))
    assert answer["status"] == "unsupported"
    assert "no trainer of its own" in answer["reason"]


def test_a_trainer_is_prepared_once():
    class Counting(Trainer):
        def prepare(self, *, learning_rate):
            self.prepared = getattr(self, "prepared", 0) + 1

        def predict(self, x):
            return np.array(self.prepared)

    _, arrays = do(Counting, ("predict", {"x": X}), ("predict", {"x": X}))
    assert [int(array) for array in arrays] == [1, 1]


def test_an_unknown_step_is_an_error():
    assert "does not know the step 'dance'" in do(Plain, "dance")[0]["reason"]


@pytest.mark.parametrize("error", [RuntimeError("\N{SNOWMAN}" * 5000), KeyError("x" * 5000)])
def test_texts_are_cut(error):
    answer, _ = do(raising(error), ("train", {"x": X}))
    text = answer.get("reason") or answer["steps"][0]["error"]["text"]
    assert len(text) <= 2000


def test_a_file_is_loaded_as_a_module_that_can_be_found(tmp_path):
    file = tmp_path / "own.py"
    file.write_text("class A:\n    pass\n", "utf-8")
    adapter = load_adapter(f"{file}:A")
    assert sys.modules.pop(adapter.__module__).A is adapter


def test_an_adapter_that_is_no_class_is_refused(tmp_path):
    file = tmp_path / "own.py"
    file.write_text("A = 3\n", "utf-8")
    with pytest.raises(TypeError, match="is not a class"):
        load_adapter(f"{file}:A")
