"""A saved state, converted to another framework's names and order, and checked by running both."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bnspec.case import Array, Case, Layer, Step
from bnspec.columns import Column
from bnspec.convert.check import Checked, Side, cases, checked, side
from bnspec.convert.files import Archive, SafeTensors, replacing, write_npz
from bnspec.convert.layers import STATISTICS, BadState, Converted, Spelling, converted, layers_in
from bnspec.difference import Trace
from bnspec.driver import Driver, Timeouts
from bnspec.environments import make
from bnspec.porting import Porting, fact
from bnspec.results import cut
from bnspec.targets import Target

__all__ = ["BadState", "Checked", "Conversion", "Converted", "convert"]

PATH = re.compile(r"[^*]*\*\W[^*]+")
"""How a fact tells where an array is: `*` stands for the place of the layer, and is followed by a separator."""

SAID = 200
"""So many characters of an error are told: torch goes on to explain how to unpickle the file all the same."""

ARRAYS = ".npz"
"""The format that bnspec writes itself; any other is the framework's own."""

READERS: Mapping[str, Callable[[Path], Mapping[str, Array]]] = {ARRAYS: Archive, ".safetensors": SafeTensors}
"""The formats that it reads itself."""


@dataclass(frozen=True)
class Conversion:
    """What became of a state: the layers in the order of the file, the check of each, the arrays of no layer."""

    layers: tuple[Converted, ...]
    checked: tuple[Checked, ...]
    left: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether every layer does the same on both sides, as far as the fingerprints let it."""
        return all(check.agrees for check in self.checked)


def convert(
    porting: Porting,
    source: Target,
    target: Target,
    path: Path,
    output: Path,
    *,
    rank: int = 4,
    tell: Callable[[str], None] = lambda doing: None,
) -> Conversion:
    """Convert the batch normalization in a file, write it, and run every layer on both sides.

    rank: of the input that they are run on; tell: is told what is being done.

    Raises BadState for a file that cannot be converted or written, EnvironmentProblem or TargetFailed where a
    side does not start. Then an existing output is as it was.
    """
    there = side(porting.source, source, spelling(porting.source), rank, porting.epsilon)
    here = side(porting.target, target, spelling(porting.target), rank, porting.epsilon)
    try:
        tell(f"reading {path}")
        found, left = layers_in(read(path, there), there.spelling)
    except BadState as fault:
        raise BadState(f"{path}: {fault}" if str(path) not in str(fault) else str(fault)) from None
    types = {name: str(kind) for name, kind in fact(porting.target, "state dtypes").items()}
    layers = tuple(converted(layer, there.spelling, here.spelling, types) for layer in found)
    arrays = {name: array for layer in layers for name, array in layer.arrays.items()}
    own, other = cases(layers, there, porting, source=True), cases(layers, here, porting, source=False)
    with replacing(output) as beside:
        saving = () if output.suffix == ARRAYS else (file_case(here, "save_state", beside, arrays),)
        if not saving:
            write_npz(beside, arrays)
        tell(f"running {len(layers)} layers in {here.column.title}")
        shown = traces(here, (*saving, *other))
        for step in saving:
            done(output, here, shown[step.key], "write")
        tell(f"running {len(layers)} layers in {there.column.title}")
        before = traces(there, own)
    results = tuple(
        checked(layer, (there, here), (mine, theirs), (before[mine.key], shown[theirs.key]))
        for layer, mine, theirs in zip(layers, own, other, strict=True)
    )
    return Conversion(layers, results, left)


def spelling(column: Column) -> Spelling:
    """Return how a target names its state. Raises BadState where its facts do not tell."""
    told = fact(column, "state paths").items()
    paths = {part: path for part, path in told if isinstance(path, str) and PATH.fullmatch(path)}
    if not set(STATISTICS) <= paths.keys():
        raise BadState(
            f"{column.title} does not tell how it names its state, or its results are of an older suite; "
            f"run it anew: bnspec run {column.name}"
        )
    return Spelling(paths, fact(column, "parameter switches"))


def read(path: Path, end: Side) -> Mapping[str, Array]:
    """Return the arrays of a file. Raises BadState where it cannot be read."""
    if path.suffix in READERS:
        return READERS[path.suffix](path)
    program = file_case(end, "load_state", path)
    trace = traces(end, (program,))[program.key]
    done(path, end, trace, "read")
    return trace.steps[0].arrays


def file_case(end: Side, do: str, path: Path, arrays: Mapping[str, Array] | None = None) -> Case:
    """Return the program that reads or writes a file in the framework's own format."""
    step = Step(do, arrays or {}, {"path": str(path.resolve())})
    return Case(("porting",), do, Layer(rank=end.rank, axis=end.axis), (step,), why="")


def done(path: Path, end: Side, trace: Trace, what: str) -> None:
    """Raise BadState where the framework could not read or write a file."""
    error = trace.steps[0].error if trace.status == "ran" else ("", trace.reason)
    if error:
        said = ": ".join(filter(None, (error[0], *error[1].splitlines()[:1])))
        hint = f"expected an {ARRAYS}, or a file in its own format"
        raise BadState(f"{path}: {end.column.title} cannot {what} it: {cut(said, SAID)}; {hint}")


def traces(end: Side, programs: Sequence[Case]) -> dict[str, Trace]:
    """Run programs on one side. Raises EnvironmentProblem or TargetFailed where it does not start."""
    make(end.target.environment)
    driver = Driver(end.target, Timeouts())
    driver.connect()
    return dict(driver.traces(programs))
