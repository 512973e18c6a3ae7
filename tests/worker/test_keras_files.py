"""What a Keras wrote to HDF5, read by the adapter's own module: by name, by number, in an archive."""

import importlib
import sys
import types
import zipfile

import pytest

from bnspec.worker.adapter import Unsupported

ORDER = ["gamma", "beta", "moving_mean", "moving_variance"]


class Array:
    """In the place of an h5py.Dataset."""

    def __init__(self, value):
        self.value = value

    def __getitem__(self, everything):
        assert everything == ()
        return self.value


class Group(dict):
    """In the place of an h5py.Group."""

    def __init__(self, content, **attrs):
        super().__init__(content)
        self.attrs = attrs

    def __getitem__(self, path):
        head, _, rest = path.partition("/")
        found = super().__getitem__(head)
        return found[rest] if rest else found

    def visititems(self, visit, path=""):
        for name, item in self.items():
            visit(path + name, item)
            if isinstance(item, Group):
                item.visititems(visit, f"{path}{name}/")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


@pytest.fixture
def files(monkeypatch):
    """The module, with an HDF5 library that opens what the test gives it; and that list."""
    opened = []
    stand_in = types.SimpleNamespace(Group=Group, File=lambda source, mode: opened.append(source) or opened[0])
    monkeypatch.setitem(sys.modules, "h5py", stand_in)
    monkeypatch.delitem(sys.modules, "bnspec.worker.adapters.keras_files", raising=False)
    module = importlib.import_module("bnspec.worker.adapters.keras_files")
    yield module, opened
    del sys.modules["bnspec.worker.adapters.keras_files"]


def read(files, tmp_path, content):
    """Return what the module reads of a file of this content."""
    module, opened = files
    opened.append(content)
    (tmp_path / "weights.h5").write_bytes(b"")
    return module.arrays_in(str(tmp_path / "weights.h5"), ORDER)


def numbered(*values, name=None):
    """Return the group of a layer as Keras 3 writes it."""
    vars = Group({str(n): Array(value) for n, value in enumerate(values)}, **({"name": name} if name else {}))
    return Group({"vars": vars})


def test_weights_of_keras_2_have_their_names(files, tmp_path):
    inner = Group({"bn_1": Group({"gamma:0": Array(1), "moving_mean:0": Array(2)})}, weight_names=[
        b"bn_1/gamma:0", "bn_1/moving_mean:0",
    ])  # fmt: skip
    assert read(files, tmp_path, Group({"bn_1": inner})) == {"bn_1/gamma:0": 1, "bn_1/moving_mean:0": 2}


def test_weights_of_keras_3_get_their_names_by_their_order_and_that_of_the_layer_from_the_file(files, tmp_path):
    layers = Group({
        "batch_normalization": numbered(1, 2, 3, 4, name="stem"),
        "batch_normalization_1": numbered(5, 6),
        "conv2d": numbered(7, 8, name="c"),
    })  # fmt: skip
    assert read(files, tmp_path, Group({"layers": layers, "vars": Group({})})) == {
        "stem/gamma": 1, "stem/beta": 2, "stem/moving_mean": 3, "stem/moving_variance": 4,
        "layers/batch_normalization_1/moving_mean": 5, "layers/batch_normalization_1/moving_variance": 6,
        "c/0": 7, "c/1": 8,
    }  # fmt: skip


def test_more_than_nine_weights_stay_in_their_order(files, tmp_path):
    assert list(read(files, tmp_path, Group({"l": numbered(*range(12), name="d")})).values()) == list(range(12))


def test_two_layers_of_one_name_keep_their_places(files, tmp_path):
    parts = {part: Group({"batch_normalization": numbered(1, 2, name="bn")}) for part in ("a", "b")}
    found = read(files, tmp_path, Group(parts))
    assert set(found) == {
        "bn/moving_mean", "bn/moving_variance",
        "b/batch_normalization/moving_mean", "b/batch_normalization/moving_variance",
    }  # fmt: skip


def test_three_numbered_weights_could_be_either_and_are_refused(files, tmp_path):
    with pytest.raises(Unsupported, match="stem has 3 weights"):
        read(files, tmp_path, Group({"batch_normalization": numbered(1, 2, 3, name="stem")}))


def test_the_archive_of_a_model_holds_such_a_file(files, tmp_path):
    module, opened = files
    opened.append(Group({"bn": Group({"w": Array(1)}, weight_names=["w"])}))
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("model.weights.h5", "inside")
    assert module.arrays_in(str(tmp_path / "model.keras"), ORDER) == {"w": 1}
    assert opened[1].read() == b"inside"
