"""What stands around a layer in Keras: models of Keras' own, and layers and models as users write them."""

import functools

from bnspec.worker.adapter import Unsupported

FUNCTIONAL = {
    "model": lambda bn: bn,
    "nested-model": lambda bn: bn,
    "shared-twice": lambda bn: lambda inputs: bn(bn(inputs)),
    "pinned-train": lambda bn: lambda inputs: bn(inputs, training=True),
    "pinned-infer": lambda bn: lambda inputs: bn(inputs, training=False),
}
"""Structures that are functional models: what is applied to the model's input."""

SUBCLASSED = ("user-model", "plain-list")
"""Structures that are a user's subclass of Model."""


def surround(adapter, structure):
    """Return the parent of the adapter's layer, and what is called: the outermost of what stands around it."""
    if structure in FUNCTIONAL:
        parent = adapter.functional(FUNCTIONAL[structure](adapter.bn))
        return parent, adapter.functional(parent) if structure == "nested-model" else parent
    if structure not in adapter.users():
        raise Unsupported("the adapter builds no %s" % structure)
    parent = adapter.users()[structure](adapter.bn, **adapter.types())
    return parent, parent if structure in SUBCLASSED else adapter.functional(parent)


@functools.lru_cache(maxsize=None)
def user_classes(keras):
    """Return a Layer and Models as users write them around a layer: their `call` knows no modes."""

    class UserLayer(keras.layers.Layer):
        def __init__(self, inner, **options):
            super().__init__(**options)
            self.inner = inner

        def call(self, inputs):
            return self.inner(inputs)

    class UserModel(keras.models.Model):
        def __init__(self, inner, **options):
            super().__init__(**options)
            self.inner = inner

        def call(self, inputs):
            return self.inner(inputs)

    class ListModel(keras.models.Model):
        def __init__(self, inner, **options):
            super().__init__(**options)
            self.inner = [inner]

        def call(self, inputs):
            return self.inner[0](inputs)

    return {"user-layer": UserLayer, "user-model": UserModel, "plain-list": ListModel}
