"""What became of a state, as text for people, as Markdown and as JSON."""

from collections.abc import Iterator, Sequence
from typing import Any

from bnspec.compare.sizes import percent, plain
from bnspec.convert import Checked, Conversion
from bnspec.convert.check import MOST, Explained
from bnspec.porting import Porting
from bnspec.porting.telling import aligned, escaped, table
from bnspec.results import one_line

NAMED = 4
"""So many names are told, the others counted."""

HEAD = ("layer", "channels", "parameters", "worst")


def text(conversion: Conversion, porting: Porting, files: tuple[str, str]) -> str:
    """Return what became of a state as text. files: where it came from, where it is now."""
    lines = [f"{titled(conversion, porting, files)}:", *(f"  {row}" for row in aligned([HEAD, *rows(conversion)]))]
    return "\n".join([*lines, "", *notes(conversion, porting)])


def markdown(conversion: Conversion, porting: Porting, files: tuple[str, str]) -> str:
    """Return what became of a state as Markdown."""
    cells = ([escaped(cell) for cell in row] for row in rows(conversion))
    listed = "\n".join(f"- {escaped(note)}" for note in notes(conversion, porting))
    return f"## {escaped(titled(conversion, porting, files))}\n\n{table(HEAD, cells)}\n\n{listed}"


def as_json(conversion: Conversion) -> dict[str, Any]:
    """Return what became of a state as JSON values."""
    return {
        "agrees": conversion.agrees,
        "layers": [
            {
                "layer": layer.found.title,
                "channels": layer.found.features,
                "arrays": list(layer.arrays),
                "added": list(layer.added),
                "dropped": list(layer.dropped),
                "ratio": check.ratio,
                "faults": list(check.faults),
                "explained": [{**vars(reason), "reasons": list(reason.reasons)} for reason in check.explained],
            }
            for layer, check in zip(conversion.layers, conversion.checked, strict=True)
        ],
        "left": list(conversion.left),
    }


def titled(conversion: Conversion, porting: Porting, files: tuple[str, str]) -> str:
    """Return the headline."""
    count = len(conversion.layers)
    return (
        f"{count} layer{'s' * (count != 1)} of {files[0]} ({porting.source.title}), now in {files[1]} "
        f"({porting.target.title})"
    )


def rows(conversion: Conversion) -> Iterator[Sequence[str]]:
    """Yield the layers as rows."""
    for layer, check in zip(conversion.layers, conversion.checked, strict=True):
        yield one_line(layer.found.title), str(layer.found.features), layer.found.parameters, verdict(check)


def verdict(check: Checked) -> str:
    """Return the worst ratio of a layer, and whether that is right."""
    if check.ratio is None:
        return "not compared"
    return f"{check.ratio:.2g}{'' if check.agrees else ' WRONG'}"


def notes(conversion: Conversion, porting: Porting) -> Iterator[str]:
    """Yield what is to be said below the table."""
    yield (
        "worst: the largest disagreement of both layers, run with these values on the same input, that their "
        f"fingerprints do not explain; in allowances of the reference, the limit is 1 (N = {min(porting.n, MOST)})"
    )
    yield (
        f"a state holds neither ε nor momentum: the check took ε = {porting.epsilon:g} and keep = {porting.keep:g} for "
        "all layers; --eps and --momentum say others"
    )
    for check in conversion.checked:
        for fault in check.faults:
            yield one_line(f"layer {check.title}: {fault}")
    for explained, count in merged(conversion.checked):
        size = percent(explained.size) if explained.share else plain(explained.size)
        of = "all layers" if count == len(conversion.checked) else f"{count} of {len(conversion.checked)} layers"
        yield f"as the fingerprints say, {explained.what}: up to {size} apart in {of} ({'; '.join(explained.reasons)})"
    odd = [name for layer in conversion.layers for name in layer.odd]
    if odd:
        yield f"not finite, or a variance below 0, and converted as it is: {listed(odd)}"
    for what, names in (
        ("no counterpart, left out", [name for layer in conversion.layers for name in layer.dropped]),
        ("added, for the target wants it", [name for layer in conversion.layers for name in layer.added]),
        ("of no batch normalization, left out", conversion.left),
    ):
        if names:
            yield f"{what}: {listed(names)}"


def merged(checked: Sequence[Checked]) -> list[tuple[Explained, int]]:
    """Return every explained difference once, the largest of all layers, and in how many layers it is."""
    found: dict[tuple[str, tuple[str, ...]], list[Explained]] = {}
    for check in checked:
        for explained in check.explained:
            found.setdefault((explained.what, explained.reasons), []).append(explained)
    return [(max(some, key=lambda one: one.size), len(some)) for some in found.values()]


def listed(names: Sequence[str]) -> str:
    """Return names, those beyond the first few counted."""
    rest = len(names) - NAMED
    told = [one_line(name) for name in (names if rest <= 1 else names[:NAMED])]
    return ", ".join(told if rest <= 1 else [*told, f"{rest} more"])
