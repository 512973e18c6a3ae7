"""Both layers run with the same state on the same input: what the fingerprints do not explain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bnspec.case import FLOAT32, Array, Case, Layer, Step, infer, place, read, silently, train
from bnspec.columns import Column
from bnspec.convert.layers import Converted, Spelling
from bnspec.data import SEED, SPATIAL
from bnspec.difference import ERROR_TEXT, LIMIT, Trace, compare
from bnspec.expectation import Expectation, Expected
from bnspec.porting import Porting, layout
from bnspec.results import DECIDED, cut
from bnspec.simulate import questions, simulate
from bnspec.simulate.asking import FLOOR
from bnspec.spec import AXES, Dialect, UndecidedError, UndefinedError
from bnspec.targets import Target

MOST = 1024
"""At most so many values per channel are run: up to here every way to compute a variance is accurate."""

INFERENCE, TRAINING, STATE = 1, 2, 3
"""The steps of the program that are compared, and what they are called."""

STEPS = {INFERENCE: "in inference", TRAINING: "in training", STATE: "after a training step"}


@dataclass(frozen=True)
class Side:
    """One end of a port: its results, what runs it, how its state is spelled, its rank and channel axis."""

    column: Column
    target: Target
    spelling: Spelling
    rank: int
    axis: int
    dialect: Dialect


@dataclass(frozen=True)
class Explained:
    """A difference that the fingerprints explain: of what, how large, and the answers that make it.

    share: in parts of the variance, for a variance; otherwise the size itself.
    """

    what: str
    size: float
    share: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Checked:
    """What became of one layer.

    ratio: the largest disagreement of the two that their fingerprints do not explain, in allowances; None where
    nothing could be compared; faults: what is wrong, in words; explained: what differs as the fingerprints say.
    """

    title: str
    ratio: float | None
    faults: tuple[str, ...]
    explained: tuple[Explained, ...]

    @property
    def agrees(self) -> bool:
        """Whether the two do the same, as far as their fingerprints let them."""
        return self.ratio is not None and self.ratio <= LIMIT and not self.faults


def side(column: Column, target: Target, spelling: Spelling, rank: int, epsilon: float) -> Side:
    """Return one end of a port, its channels where it has them by default."""
    axis = 1 if layout(column) == "first" else rank - 1
    return Side(column, target, spelling, rank, axis, dialect(column, epsilon, place(rank, axis)))


def dialect(column: Column, epsilon: float, where: str) -> Dialect:
    """Return the dialect that a target's results show.

    A small ε that was not asked about becomes what 1e-5 became: a floor is one for all below it.
    """
    rows = [(id.partition("[")[0], id.partition("[")[2].rstrip("]"), row) for id, row in column.rows.items()]
    asked = [
        (axis, situation, row) for axis, situation, row in rows if axis in AXES and row["verdict"] != "unsupported"
    ]
    answers = {
        (axis, situation): str(row["variant"])
        for axis, situation, row in asked
        if row["verdict"] in DECIDED and row.get("variant") in AXES[axis].variants
    }
    found = Dialect(answers)
    for axis, situation, _ in asked:
        if (axis, situation) not in answers:
            found = found.not_deciding([axis], situation)
    if 0 < epsilon < FLOOR:
        known = answers.get(("degenerate.epsilon", f"1e-5-infer-{where}"))
        own = f"{epsilon:.0e}-infer-{where}".replace("e-0", "e-")
        if known and ("degenerate.epsilon", own) not in answers:
            found = found.answering({"degenerate.epsilon": known}, own)
    return found


def cases(layers: Sequence[Converted], end: Side, porting: Porting, *, source: bool) -> tuple[Case, ...]:
    """Return a program per layer: its state written, an inference, a training step, the state read."""
    return tuple(case(number, layer, end, porting, source=source) for number, layer in enumerate(layers))


def case(number: int, layer: Converted, end: Side, porting: Porting, *, source: bool) -> Case:
    """Return the program of one layer; what was added for the target stands only there."""
    parts = {part: array for part, array in (layer.found.parts if source else layer.parts).items() if part != "count"}
    wide = any(array.dtype == np.float64 for array in parts.values())
    kind = "float64" if wide else "float32"
    state = {part: array.astype(kind) for part, array in parts.items()}
    first, second = batches(number, state, end, porting.n)
    return Case(
        clauses=("porting",),
        situation=f"layer{number}",
        layer=Layer(
            rank=end.rank,
            axis=end.axis,
            features=layer.found.features,
            epsilon=porting.epsilon,
            scale="scale" in parts,
            offset="offset" in parts,
            momentum={"keep": porting.keep},
            dtypes=dict.fromkeys(FLOAT32, kind),
        ),
        program=(silently(Step("set_state", state)), infer(first), train(second), read("mean", "variance")),
        why="The values of a saved model: the input lies around its moving statistics.",
    )


def batches(number: int, state: Mapping[str, Array], end: Side, n: int) -> tuple[Array, Array]:
    """Return two batches, one like the moving statistics and one a little off them."""
    count, features = min(n, MOST), len(state["mean"])
    positions = SPATIAL[end.rank]
    if count % int(np.prod(positions)):
        positions = (1,) * len(positions)
    normal = np.random.default_rng([SEED, number]).standard_normal((2, count, features))
    spread = np.sqrt(np.where(np.isfinite(state["variance"]) & (state["variance"] > 0), state["variance"], 1.0))
    centre = np.where(np.isfinite(state["mean"]), state["mean"], 0.0)
    values = (centre + spread * normal[0], centre + spread * (0.25 + 1.25 * normal[1]))
    size = (count // int(np.prod(positions)), *positions, features)
    first, second = (np.moveaxis(value.reshape(size), -1, end.axis) for value in values)
    kind = state["mean"].dtype
    return np.ascontiguousarray(first, dtype=kind), np.ascontiguousarray(second, dtype=kind)


def checked(
    layer: Converted, ends: tuple[Side, Side], programs: tuple[Case, Case], traces: tuple[Trace, Trace]
) -> Checked:
    """Hold what the two showed against each other, and each against its own fingerprint."""
    title = layer.found.title
    faults, expected = [], []
    for end, program, trace in zip(ends, programs, traces, strict=True):
        if trace.status != "ran":
            return Checked(title, None, (cut(f"{end.column.title}: {trace.status}: {trace.reason}", ERROR_TEXT),), ())
        try:
            expected.append(simulate(program, end.dialect))
        except (UndecidedError, UndefinedError) as open_question:
            return Checked(title, None, (f"{end.column.title}: {open_question} was not decided",), ())
        differing = compare(program, trace, expected[-1]).differences
        if differing:
            farthest = max(differing, key=lambda difference: difference.ratio)
            faults.append(f"{end.column.title}: {farthest.text}")
    ratio, sizes = 0.0, {}
    for step, name, values, shown in pairs(ends, expected, traces):
        worst, apart = beyond(values, shown, share=name == "variance")
        ratio = max(ratio, worst)
        if apart:
            sizes[f"{name} {STEPS[step]}", name == "variance"] = apart
    reasons = tuple(differing_answers(ends, programs)) if sizes else ()
    explained = tuple(Explained(what, size, share, reasons) for (what, share), size in sizes.items())
    return Checked(title, ratio, tuple(faults), explained)


def pairs(
    ends: tuple[Side, Side], expected: Sequence[Sequence[Expectation]], traces: tuple[Trace, Trace]
) -> list[tuple[int, str, list[Expected], list[Array]]]:
    """Return what both sides should show and did, channels last: step, name, expectations, arrays."""
    found = []
    for step in STEPS:
        for name in expected[0][step].values.keys() & expected[1][step].values.keys():
            shown = [trace.steps[step].arrays.get(name) for trace in traces]
            if any(array is None for array in shown):
                continue
            values = [one[step].values[name] for one in expected]
            axes = [end.axis if name == "y" else -1 for end in ends]
            moved = [np.moveaxis(array, axis, -1) for array, axis in zip(shown, axes, strict=True) if array is not None]
            if len({array.shape for array in moved}) == 1:
                found.append((step, name, [last(v, axis) for v, axis in zip(values, axes, strict=True)], moved))
    return found


def last(expected: Expected, axis: int) -> Expected:
    """Return an expectation with its channels last."""
    return Expected(np.moveaxis(expected.value, axis, -1), np.moveaxis(expected.allowance, axis, -1), expected.dtype)


def beyond(values: Sequence[Expected], shown: Sequence[Array], *, share: bool) -> tuple[float, float]:
    """Return by how many allowances two arrays differ more than they should, and how far they should, 0 for not.

    share: the latter in parts of the first.
    """
    there, here = values
    allowance = there.allowance + here.allowance
    with np.errstate(invalid="ignore", divide="ignore"):
        due = here.value - there.value
        error = np.abs(shown[1].astype(np.float64) - shown[0].astype(np.float64) - due)
        ratio = np.where(error == 0, 0.0, error / allowance)
        size = np.abs(due / there.value if share else due)
    judged = np.isfinite(due) & np.isfinite(allowance)
    worst = float(np.nan_to_num(ratio[judged], nan=np.inf).max(initial=0.0))
    return worst, float(size[judged & (np.abs(due) > allowance)].max(initial=0.0))


def differing_answers(ends: tuple[Side, Side], programs: tuple[Case, Case]) -> list[str]:
    """Return the axes on which the two programs depend and that the two answer differently, accuracy apart."""
    answers: list[dict[str, str]] = []
    for end, program in zip(ends, programs, strict=True):
        asked = questions(program, end.dialect)
        answers.append({axis: end.dialect.variant(axis, where) for axis, where in asked if not AXES[axis].accuracy})
    there, here = answers
    names = [axis for axis in AXES if axis in there.keys() & here.keys() and there[axis] != here[axis]]
    return [f"{axis}: {there[axis]} → {here[axis]}" for axis in names]
