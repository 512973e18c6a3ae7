"""The batch normalization layers in the arrays of a saved model, found and renamed by the names of their state."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bnspec.case import Array
from bnspec.porting import SWITCHES

STATISTICS = ("mean", "variance")
"""The parts that make a layer one of batch normalization: a scale and an offset other layers have too."""

OUTPUT_NUMBER = re.compile(r":\d+$")
"""What TensorFlow puts behind the name of a variable."""

TOLD = 3
"""So many faults of a file are told."""

START = {"scale": 1.0, "offset": 0.0, "count": 0}
"""What is written for a part that the target wants and the source does not have; it changes no output."""


class BadState(Exception):  # noqa: N818 - it is shown as it is, one clear line
    """A state that cannot be converted: the message names the file, and the layer and the array if there is one."""


@dataclass(frozen=True)
class Spelling:
    """How a target names the parts of a layer's state in a file.

    paths: by our names, in the layer's order, `*` for the layer's own place: `*.weight`, `params/*/scale`;
    switches: which parts a layer can have, None for what it cannot, as the facts tell it.
    """

    paths: Mapping[str, str]
    switches: Mapping[str, object]

    @property
    def separator(self) -> str:
        """What stands between the parts of a place."""
        return next((path[path.index("*") + 1] for path in self.paths.values()), "/")

    def place(self, part: str, name: str) -> tuple[str, ...] | None:
        """Return the place of the layer of which an array is this part; None where it is another."""
        before, _, after = self.paths[part].partition("*")
        if name == before + after[1:]:
            return ()
        if not (name.startswith(before) and name.endswith(after)) or len(name) <= len(before) + len(after):
            return None
        return tuple(name[len(before) : len(name) - len(after)].split(self.separator))

    def name(self, part: str, place: Sequence[str]) -> str:
        """Return the name of a part of the layer at a place."""
        before, _, after = self.paths[part].partition("*")
        return before + self.separator.join(place) + after if place else before + after[1:]

    def beside(self, name: str, places: Mapping[tuple[str, ...], object]) -> tuple[str, ...] | None:
        """Return the place of the layer to which an array belongs that is no part of its state, if it does."""
        for path in self.paths.values():
            before = path.partition("*")[0]
            if name.startswith(before):
                *place, _ = name[len(before) :].split(self.separator)
                if tuple(place) in places:
                    return tuple(place)
        return None

    def has(self, scale: bool, offset: bool) -> bool:
        """Whether there is a layer with these parameters; where the facts do not tell, there is."""
        return not self.switches or self.switches.get(called(scale, offset)) is not None


def called(scale: bool, offset: bool) -> str:
    """Return how the facts call a layer with these parameters."""
    return {(True, True): "both", (True, False): "scale", (False, True): "offset"}.get((scale, offset), "neither")


@dataclass(frozen=True)
class Found:
    """One layer: its place in the model, and its arrays by our names."""

    place: tuple[str, ...]
    parts: Mapping[str, Array]

    @property
    def features(self) -> int:
        """The number of channels."""
        return len(self.parts["mean"])

    @property
    def title(self) -> str:
        """How the layer is called."""
        return ".".join(self.place) or "the layer"

    @property
    def parameters(self) -> str:
        """Which parameters it has, in words."""
        return SWITCHES[called("scale" in self.parts, "offset" in self.parts)]


@dataclass(frozen=True)
class Converted:
    """One layer as the target names it, in the target's order.

    parts: the arrays by our names; arrays: by the target's; added, dropped: what has no counterpart.
    """

    found: Found
    parts: Mapping[str, Array]
    arrays: Mapping[str, Array]
    added: tuple[str, ...]
    dropped: tuple[str, ...]

    @property
    def odd(self) -> tuple[str, ...]:
        """The arrays in which no number, an infinite one or a negative variance stands."""
        return tuple(
            name
            for part, name in zip(self.parts, self.arrays, strict=True)
            if not np.isfinite(self.parts[part]).all() or (part == "variance" and (self.parts[part] < 0).any())
        )


def layers_in(arrays: Mapping[str, Array], spelling: Spelling) -> tuple[tuple[Found, ...], tuple[str, ...]]:
    """Return the layers in the order of the file, and the names of the arrays that belong to none.

    Only arrays of the layers are looked at. Raises BadState where there is no layer, or where arrays are missing,
    too many or of the wrong shape.
    """
    names = {OUTPUT_NUMBER.sub("", name): name for name in arrays}
    places: dict[tuple[str, ...], dict[str, str]] = {}
    for part in spelling.paths:
        for short, name in names.items():
            place = spelling.place(part, short)
            if place is not None:
                places.setdefault(place, {})[part] = name
    places = {place: parts for place, parts in places.items() if parts.keys() & set(STATISTICS)}
    if not places:
        wanted = " and ".join(spelling.name(part, ("LAYER",)) for part in STATISTICS)
        some = ", ".join(list(names)[:TOLD]) or "nothing"
        raise BadState(
            f"no batch normalization in it: expected arrays {wanted}; it holds {some}{', …' * (len(names) > TOLD)}"
        )
    taken = {name for parts in places.values() for name in parts.values()}
    faults = list(extra(names, taken, spelling, places))
    order = {name: number for number, name in enumerate(arrays)}
    ordered = sorted(places, key=lambda place: min(order[name] for name in places[place].values()))
    found = [Found(place, {part: arrays[name] for part, name in places[place].items()}) for place in ordered]
    for layer in found:
        faults += missing(layer, spelling)
        faults += misshapen(layer, spelling)
    if faults:
        more = f"; and {len(faults) - TOLD} more" if len(faults) > TOLD else ""
        raise BadState("; ".join(faults[:TOLD]) + more)
    return tuple(found), tuple(name for name in arrays if name not in taken)


def extra(
    names: Mapping[str, str], taken: set[str], spelling: Spelling, places: Mapping[tuple[str, ...], object]
) -> Iterator[str]:
    """Yield the arrays that stand right beside those of a layer and are no part of its state."""
    for short, name in names.items():
        place = None if name in taken else spelling.beside(short, places)
        if place:
            yield f"layer {'.'.join(place)}: {name} is no part of its state; expected {listed(spelling, place)}"


def listed(spelling: Spelling, place: Sequence[str]) -> str:
    """Return the names of all parts of a layer's state."""
    return ", ".join(spelling.name(part, place) for part in spelling.paths)


def missing(layer: Found, spelling: Spelling) -> Iterator[str]:
    """Yield the arrays that a layer should have and has not."""
    size = common(layer)
    shape = f"({size},)" if size else "one number per channel"
    wanted = list(STATISTICS)
    if not spelling.has("scale" in layer.parts, "offset" in layer.parts):
        wanted += [part for part in ("scale", "offset") if part in spelling.paths]
    for part in wanted:
        if part not in layer.parts:
            name = spelling.name(part, layer.place)
            yield f"layer {layer.title}: {name} is missing; expected an array of shape {shape}"


def misshapen(layer: Found, spelling: Spelling) -> Iterator[str]:
    """Yield the arrays of a layer that have another shape, or hold no real numbers."""
    size = common(layer)
    for part, array in layer.parts.items():
        name = spelling.name(part, layer.place)
        shape = () if part == "count" else (size,)
        if size == 0 or array.shape != shape:
            wanted = str(shape) if size else "one number per channel, such as (64,)"
            yield f"layer {layer.title}: {name} has shape {array.shape}; expected {wanted}"
        elif array.dtype.kind not in ("iu" if part == "count" else "f"):
            wanted = "an integer" if part == "count" else "floating-point numbers"
            yield f"layer {layer.title}: {name} is of type {array.dtype}; expected {wanted}"


def common(layer: Found) -> int:
    """Return the number of channels that most of a layer's arrays have; 0 where none has one."""
    sizes = [len(array) for part, array in layer.parts.items() if part != "count" and array.ndim == 1]
    return max(sizes, key=sizes.count, default=0)


def converted(layer: Found, there: Spelling, here: Spelling, types: Mapping[str, str]) -> Converted:
    """Return a layer under the target's names, in its order; not a bit of an array changes.

    types: of the target's state by our names, for what is added.
    """
    parts = dict(layer.parts)
    scale, offset = "scale" in parts, "offset" in parts
    if not here.has(scale, offset):
        for part in ("scale", "offset"):
            parts.setdefault(part, np.full(layer.features, START[part], parts["mean"].dtype))
    if "count" in here.paths:
        parts.setdefault("count", np.array(START["count"], types.get("count", "int64")))
    kept = [part for part in here.paths if part in parts]
    return Converted(
        layer,
        {part: parts[part] for part in kept},
        {here.name(part, layer.place): parts[part] for part in kept},
        tuple(here.name(part, layer.place) for part in kept if part not in layer.parts),
        tuple(there.name(part, layer.place) for part in layer.parts if part not in here.paths),
    )
