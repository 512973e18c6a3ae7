"""What Flax's two APIs share: the constructor's arguments, JAX's devices and types, and what neither can say."""

import inspect
from typing import Any

import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np

from bnspec.worker.adapter import Adapter, Unsupported, switches
from bnspec.worker.adapters.flax_executions import OPTIONS, TRACED, lacking


class AnyFlax(Adapter):
    """A BatchNorm of Flax, the class `kind`."""

    package = "flax"
    kind: Any = None

    def __init__(self, layer, *, structure="bare", execution="eager", device="cpu"):
        super().__init__(layer, structure=structure, execution=execution, device=device)
        if not layer["tracked"]:
            raise Unsupported("Flax's BatchNorm always keeps moving statistics")
        if layer["frozen"]:
            self.freeze()
        # JAX has no float64 unless told so. Set for every layer anew: one of float64 changes no other program.
        jax.config.update("jax_enable_x64", execution == "x64" or "float64" in layer["dtypes"].values())
        self.where = jax.devices("gpu" if device == "cuda" else device)[0]

    @classmethod
    def has_device(cls, device):
        return any(found.platform == "gpu" for found in jax.devices())

    @classmethod
    def lacking(cls, execution, device):
        return lacking(cls.kind, execution)

    @classmethod
    def compilations(cls):
        return len(TRACED) or None

    def arguments(self):
        """Return the constructor's arguments that both APIs have, and those of the execution."""
        return dict(arguments(self.layer), **OPTIONS.get(self.execution, {}))

    def again(self):
        """Build the layer afresh, as a program that loads a checkpoint does."""
        fresh = type(self)(self.layer, structure=self.structure, execution=self.execution, device=self.device)
        self.__dict__.update(fresh.__dict__)

    def freeze(self, where="layer"):
        raise Unsupported("Flax cannot freeze a layer: an optimizer's mask freezes parameters only")

    unfreeze = freeze

    def untrack(self, how):
        raise Unsupported("Flax's BatchNorm always keeps moving statistics")

    def array(self, x):
        """Return the input as JAX takes it."""
        return jnp.asarray(x, jnp.bfloat16 if self.layer["dtypes"]["input"] == "bfloat16" else None)

    def mask(self, mask):
        """Return the call's argument: a mask of the input's rank, its channel axis of length 1."""
        if mask is None:
            return {}
        rank = self.layer["rank"]
        mask = mask.reshape((1,) * (rank - 1 - mask.ndim) + mask.shape)
        return {"mask": jnp.asarray(np.expand_dims(mask, self.layer["axis"] % rank))}

    def load_state(self, path):
        with open(path, "rb") as file:
            held = flax.serialization.msgpack_restore(file.read())
        if not isinstance(held, dict):
            raise Unsupported("the file holds a %s; expected a tree of dictionaries" % type(held).__name__)
        return {"/".join(map(str, names)): np.asarray(leaf) for names, leaf in leaves(held, ())}

    def save_state(self, path, state):
        tree: Any = {}
        for name, value in state.items():
            within, _, last = name.rpartition("/")
            branch = tree
            for part in within.split("/") if within else ():
                branch = branch.setdefault(part, {})
            branch[last] = value
        with open(path, "wb") as file:
            file.write(flax.serialization.msgpack_serialize(tree))

    def facts_of(self, batch_norm):
        """Return the facts of a class and of this layer of it."""
        given = inspect.signature(batch_norm.__init__).parameters
        state = self.get_state()
        return {
            "momentum": given["momentum"].default,
            "epsilon": given["epsilon"].default,
            "axis": given["axis"].default,
            "use_fast_variance": given["use_fast_variance"].default if "use_fast_variance" in given else None,
            "initial values": {name: float(value[0]) for name, value in state.items()},
            "state dtypes": {name: str(value.dtype) for name, value in state.items()},
            "counter": None,
            **({} if self.device == "cpu" else {"device": self.where.device_kind}),
            "arguments": [name for name in given if name not in ("self", "parent", "name")],
            "call arguments": [name for name in inspect.signature(batch_norm.__call__).parameters if name != "self"],
            "argument names": {"axis": "axis", "momentum": "momentum", "epsilon": "epsilon"},
            "parameter switches": switches(lambda has: {"use_scale": has["scale"], "use_bias": has["offset"]}),
            "mode words": {mode: "layer(x, use_running_average=%s)" % (mode == "infer") for mode in ("train", "infer")},
        }


def leaves(held, names):
    """Yield the arrays of nested dictionaries, with the names on the way to each."""
    for name, value in held.items():
        if isinstance(value, dict):
            yield from leaves(value, (*names, name))
        elif hasattr(value, "dtype"):
            yield (*names, name), value


def arguments(layer):
    """Return the constructor's arguments that both APIs have; the default types, and integers, stay unsaid."""
    types = layer["dtypes"]
    given = {
        "axis": layer["axis"],
        "epsilon": layer["epsilon"],
        "use_scale": layer["scale"],
        "use_bias": layer["offset"],
    }
    if set(types.values()) != {"float32"} and "int" not in types["compute"]:
        given.update(dtype=jnp.dtype(types["compute"]), param_dtype=jnp.dtype(types["parameters"]))
    return dict(given, **momentum(layer["momentum"]), **said(layer["mode"]))


def momentum(asked):
    """Return the constructor's argument: Flax's momentum is the weight of the old statistic."""
    if asked is None:
        return {}
    if asked.get("cumulative"):
        raise Unsupported("Flax's BatchNorm has no cumulative average")
    return {"momentum": asked["raw"] if "raw" in asked else asked["keep"]}


def said(mode):
    """Return the argument that says a mode, to the constructor or to the call."""
    return {} if mode is None else {"use_running_average": mode == "infer"}
