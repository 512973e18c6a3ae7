"""The page of a story, before it is HTML or Markdown: every number on it comes from a run."""

import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bnspec.reference.forward import FACTORS
from bnspec.spec import AXES, CLAUSES
from bnspec.stories.judging import NONE, PARTS, UNDECIDED
from bnspec.stories.pictures import Picture, bars, dots, lines
from bnspec.stories.running import Story
from bnspec.stories.words import SYMBOLS, difference, estimators, normalises, number, share, stores

Run = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """A table: what it shows, its head, its rows."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Code:
    """A part of a story's module, as it ran."""

    title: str
    text: str


@dataclass(frozen=True)
class Page:
    """Everything that is told of a story.

    cause: why it is so, in two sentences; asked: the code, source: its file; tables: over versions; instead: what to
    write; explained: what `bnspec explain` says of the model; behind: clauses and axes with their sentences; details:
    further tables, folded; runs: where the numbers come from.
    """

    name: str
    title: str
    question: str
    cause: str
    pictures: tuple[Picture, ...]
    asked: Code
    source: str
    tables: tuple[Table, ...]
    instead: str
    cures: tuple[Code, ...]
    explained: Code
    behind: tuple[tuple[str, str], ...]
    details: tuple[Table, ...]
    checked: str
    runs: str


class Found:
    """The runs of a story, by scene and environment."""

    def __init__(self, story: Story, runs: Sequence[Run]) -> None:
        self.story = story
        order = {name: place for place, name in enumerate(story.environments)}
        self.runs = sorted(runs, key=lambda run: order.get(run["environment"], len(order)))

    def __call__(self, scene: str, environment: str) -> Run:
        """Return one run. Raises LookupError where there is none: a page without it would tell less than it says."""
        for run in self.runs:
            if run.get("scene") == scene and run["environment"] == environment and "failed" not in run:
                return run
        where = f"{self.story.name}: no result of scene {scene} in {environment}"
        raise LookupError(f"{where}; run: {self.again(environment)}")

    def again(self, environment: str) -> str:
        """Return the command that runs the story in an environment."""
        return f"uv run python tools/stories.py run {self.story.name} {environment}"

    def of(self, scene: str) -> list[Run]:
        """Return the runs of a scene, in the order of the environments."""
        return [run for run in self.runs if run.get("scene") == scene and "failed" not in run]

    @property
    def failed(self) -> list[Run]:
        """The runs that gave nothing."""
        return [run for run in self.runs if "failed" in run]


def page(story: Story, results: Mapping[str, Any]) -> Page:
    """Return the page of a story. Raises LookupError where its results lack what it tells."""
    found, module, explained = Found(story, results["runs"]), story.module, results["explained"]
    cause = module.cause(found)
    if explained is None:
        raise LookupError(f"{story.name}: nothing of explain; run: {found.again(module.EXPLAINED_IN)}")
    cells = any("cell" in scene for scene in story.scenes.values())
    tables = tuple(mode_tables(found) if cells else (scene_table(found, scene) for scene in story.scenes))
    details = [] if cells else [*(parts_table(found, scene) for scene in story.scenes), *layer_tables(found)]
    return Page(
        name=story.name,
        title=module.TITLE,
        question=module.QUESTION,
        cause=cause,
        pictures=tuple(PICTURES[module.PICTURE](found)),
        asked=code(story, module.ASKED),
        source=f"conformance/stories/{story.path.name}",
        tables=(*tables, *not_run(found)),
        instead=module.instead(found),
        cures=tuple(code(story, name) for name in module.CURES),
        explained=Code(f"{explained['title']}, {story.scenes[explained['scene']]['says']}", explained["text"].rstrip()),
        behind=tuple((id, (AXES[id].question if id in AXES else CLAUSES[id].sentence)) for id in module.CLAUSES),
        details=tuple(details),
        checked=checked(found),
        runs=origin(found),
    )


def code(story: Story, name: str) -> Code:
    """Return a function of a story's module as it stands there."""
    return Code(name, textwrap.dedent(inspect.getsource(getattr(story.module, name))).rstrip())


def scene_table(found: Found, scene: str) -> Table:
    """Return what a scene shows, a row per version."""
    runs, held_out = found.of(scene), bool(found.story.held_out)
    head = ["version", "normalises in training with", "stores", "loss fit reports", "loss of evaluate"]
    head += ["accuracy: fit", "other images" if held_out else "evaluate"]
    rows = []
    for run in runs:
        evaluate = run["evaluate"]
        after = run["curve"]["validation accuracy"][-1] if held_out else evaluate["accuracy"]
        row = [run["title"], normalises(run["layers"]), stores(run["layers"]), number(run["loss"])]
        rows.append((*row, number(evaluate["loss"]), share(run["accuracy"]), share(after)))
    return Table(str(found.story.scenes[scene]["says"]), tuple(head), tuple(rows))


def parts_table(found: Found, scene: str) -> Table:
    """Return how the loss that fit reports becomes that of evaluate, a row per version."""
    runs = found.of(scene)
    there = {part["what"] for run in runs for part in run["parts"]}
    order = [what for what in PARTS if what in there]
    rows = [(run["title"], *steps_of(run, order), number(run["evaluate"]["loss"])) for run in runs]
    title = f"How the loss of fit becomes that of evaluate, exactly: {found.story.scenes[scene]['says']}"
    return Table(title, ("version", *order, "evaluate, observed"), tuple(rows))


def steps_of(run: Run, order: Sequence[str]) -> Iterator[str]:
    """Yield the first loss of a run, then what every part adds to it."""
    known = {part["what"]: part["loss"] for part in run["parts"]}
    before: float | None = None
    for what in order:
        value = known.get(what)
        yield "–" if value is None else number(value) if before is None else difference(value - before)
        before = before if value is None else value


def layer_tables(found: Found) -> Iterator[Table]:
    """Yield how far every layer's stored statistics are from the batch's, per version, as asked."""
    scene = next(iter(found.story.scenes))
    for run in found.of(scene):
        rows = []
        for name, layer in run["layers"].items():
            steps = "never" if layer["steps"] is None else str(layer["steps"])
            span = f"{number(layer['low'])} to {number(layer['high'])}"
            rows.append((name, str(layer["count"]), layer["mode"], number(layer["sd"]), span, steps))
        head = ("layer", "N", "normalises with", "mean off by (sd)", "stored variance / batch's", "steps until 1 %")
        yield Table(f"Layer by layer, as asked: {run['title']}", head, tuple(rows))


def mode_tables(found: Found) -> Iterator[Table]:
    """Yield the table of modes: what was said, and what it did, a column per version."""
    for kind, title in MODE_TITLES.items():
        scenes = {name: scene for name, scene in found.story.scenes.items() if kind in scene}
        titles = list(dict.fromkeys(run["title"] for name in scenes for run in found.of(name)))
        for what, cell in MODE_CELLS:
            rows = []
            for name, scene in scenes.items():
                by = {run["title"]: cell(run) for run in found.of(name)}
                said = scene["cell"]
                frozen = "trainable" if said["trainable"] else "frozen"
                rows.append((said["trainer"], said["said"], frozen, *(by.get(one, "–") for one in titles)))
            yield Table(f"{title}: {what}", ("trainer", "said", "the layers are", *titles), tuple(rows))


MODE_TITLES = {"keras": "TensorFlow", "torch": "PyTorch"}
"""What a table of modes is about, by the kind of scene."""


def does(run: Run) -> str:
    """Return what the layers of a run did."""
    layers = run["layers"].values()
    moved = any(layer["averaging"] != [NONE] for layer in layers)
    words = [normalises(run["layers"]), "moves" if moved else "does not move"]
    words.append("learns" if any(layer["learns"] for layer in layers) else "does not learn")
    return ", ".join(words)


def becomes(run: Run) -> str:
    """Return the losses of a run."""
    evaluate = run["evaluate"]
    by = "" if evaluate["mode"] == "stored" else f" by {evaluate['mode']}"
    moved = ", and moves" if evaluate["moved"] else ""
    return f"{number(run['loss'])} → {number(evaluate['loss'])}{by}{moved}"


MODE_CELLS: tuple[tuple[str, Callable[[Run], str]], ...] = (
    ("what normalises in training; do the stored statistics move; do scale and offset learn", does),
    ("loss of the last step → loss of evaluation", becomes),
)
"""What the cells of the tables of modes hold."""


def not_run(found: Found) -> Iterator[Table]:
    """Yield the table of what could not be run, where anything could not."""
    if found.failed:
        rows = tuple((run["title"], str(run.get("scene", "all")), str(run["failed"])) for run in found.failed)
        yield Table("Not run, or without result", ("version", "scene", "why"), rows)


def checked(found: Found) -> str:
    """Return how well the reference explains the runs."""
    runs = [run for run in found.runs if "failed" not in run]
    steps = sum(run["checked"] for run in runs)
    worst = max(max(run["ratio"], run["evaluate"]["ratio"]) for run in runs)
    layers = [layer for run in runs for layer in run["layers"].values()]
    unexplained = sum(not layer["estimator"] and layer["averaging"] != [NONE] for layer in layers)
    open_modes = sum(layer["mode"] == UNDECIDED for layer in layers)
    margin = min(run["margin"] for run in runs)
    sequential = sum(layer["accumulation"] == "sequential" for layer in layers)
    words = [
        f"{len(runs)} runs were judged at {steps} steps: the loss that the reference computes from the recorded "
        f"weights is off by at most {worst:.2g} of what float32 allows, and any other choice of modes by {margin:,.0f} "
        f"or more.",
        f"What {len(layers)} layers stored is explained for all but {unexplained}; the mode of {open_modes} is "
        f"undecided.",
    ]
    if sequential:
        words.append(f"{sequential} of them sum one value after the other (precision.accumulation), and are judged so.")
    off: dict[str, float] = {}
    for run in runs:
        if (run["gradient"] or 0) > NO_GRADIENT:
            off[run["title"]] = max(off.get(run["title"], 0.0), run["gradient"])
    if off:
        words.append(
            "Not explained by batch normalization: a step of SGD is not the gradient in "
            + ", ".join(f"{name} (up to {100 * size:.0f} % off)" for name, size in off.items())
            + ". The judge starts every step from the weights that were there."
        )
    if off and all(" on TensorFlow 1." in name for name in off):
        words.append(
            "Variables of TensorFlow 1 are references: one is updated while gradients that need it are still being "
            "computed."
        )
    return " ".join(words)


NO_GRADIENT = 0.01
"""Further off than so much, a step is not the gradient."""


def origin(found: Found) -> str:
    """Return when and where the runs were made."""
    known = [run["provenance"] for run in found.runs]
    dates = sorted({str(one["date"])[:10] for one in known})
    machines = sorted({f"{one['cores']} cores of {one['cpu']}" for one in known})
    seconds = max((run["environment seconds"] for run in found.runs if "environment seconds" in run), default=0.0)
    return f"Run {' and '.join(dates)} on {', '.join(machines)}, at most {seconds:.0f} s per version, judging included."


def picture_of_steps(found: Found) -> Iterator[Picture]:
    """Yield losses and stored statistics over steps, the closed form beside them."""
    scene = next(iter(found.story.scenes))
    run, keep = found.of(scene)[0], found.story.scenes[scene]["keep"]
    curve = run["curve"]
    yield lines(
        f"{run['title']}, momentum {keep:g}: loss in training and in inference on the same images",
        curve["step"],
        {
            "training, as fit reports it": ("line", curve["loss"]),
            "inference, as fit reports it": ("dots", curve["validation"]),
            "inference, by the closed form": ("closed", curve["closed"]),
        },
        log=False,
    )
    yield lines(
        f"{run['title']}: how far the stored variance is from the batch's, in the worst channel",
        curve["step"],
        {
            "|stored/batch's − 1|": ("dots", curve["variance"]),
            f"{keep:g}ᵏ of the distance at the start": (
                "closed",
                [curve["variance"][0] * keep ** (step - curve["step"][0]) for step in curve["step"]],
            ),
        },
        log=True,
    )


def picture_of_layers(found: Found) -> Iterator[Picture]:
    """Yield how far the stored variance is from the batch's, by layer and scene, and what the estimator alone makes."""
    for environment in dict.fromkeys((found.runs[0]["environment"], found.runs[-1]["environment"])):
        runs = {scene: found(scene, environment) for scene, told in found.story.scenes.items() if "only in" not in told}
        layers = next(iter(runs.values()))["layers"]
        series = {
            str(found.story.scenes[scene]["says"]): (kind, [run["layers"][name]["variance"] for name in layers])
            for (scene, run), kind in zip(runs.items(), ("dots", "first", "line"), strict=False)
        }
        names = [name for name in estimators(layers) if name != "population"]
        if names:
            counts = np.array([layer["count"] for layer in layers.values()], np.float64)
            factors = FACTORS[names[0]](counts, found.story.module.EPSILON) - 1
            series[f"{SYMBOLS[names[0]]} in the place of v"] = ("closed", factors.tolist())
        rows = [f"{name}, N = {layer['count']:,}" for name, layer in layers.items()]
        title = f"{next(iter(runs.values()))['title']}: how far the stored variance is from the batch's, by layer"
        yield dots(title, "|stored/batch's − 1|, worst channel", rows, series)


def picture_of_losses(found: Found) -> Iterator[Picture]:
    """Yield the loss in training and in inference mode on the same images, a bar each per version."""
    for scene, told in found.story.scenes.items():
        if told.get("picture"):
            rows = [(run["title"], run["loss"], run["evaluate"]["loss"]) for run in found.of(scene)]
            yield bars(f"Loss on the same images, {told['says']}", rows, ("fit", "evaluate"))


def picture_of_modes(found: Found) -> Iterator[Picture]:
    """Yield the loss in training and in inference mode of everything that can be said, for the newest version."""
    for kind, title in MODE_TITLES.items():
        scenes = {name: scene["cell"] for name, scene in found.story.scenes.items() if kind in scene}
        newest = found.of(next(iter(scenes)))[-1]
        rows = []
        for name, cell in scenes.items():
            run = found(name, newest["environment"])
            label = f"{cell['trainer']}, {cell['said']}, {'trainable' if cell['trainable'] else 'frozen'}"
            rows.append((label, run["loss"], run["evaluate"]["loss"]))
        yield bars(f"{title}, {newest['title']}: loss of the last step, and evaluated", rows, ("training", "evaluated"))


PICTURES: Mapping[str, Callable[[Found], Iterator[Picture]]] = {
    "steps": picture_of_steps,
    "layers": picture_of_layers,
    "losses": picture_of_losses,
    "modes": picture_of_modes,
}
