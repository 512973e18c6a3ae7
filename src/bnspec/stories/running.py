"""Running stories: every scene in every environment where it matters, judged, as results that pages are made from."""

import importlib.util
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from packaging.version import Version

from bnspec.calls import Caller, CallFailed
from bnspec.environments import Environment, EnvironmentProblem, make
from bnspec.paths import suite_folder
from bnspec.spec import SuiteError
from bnspec.stories.data import images
from bnspec.stories.judging import Judged, Setting
from bnspec.stories.network import initial, parse
from bnspec.targets import choose

CALL = "bnspec.worker.stories.calling:call"
SCENE_SECONDS = 300.0
BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}


class Story:
    """One module of conformance/stories: its words, its network, its scenes."""

    def __init__(self, path: Path, module: ModuleType) -> None:
        self.path, self.module, self.name = path, module, path.stem.replace("_", "-")
        self.environments: Sequence[str] = module.ENVIRONMENTS
        self.scenes: Mapping[str, Mapping[str, Any]] = module.SCENES

    @cached_property
    def network(self) -> Any:
        """The operations of its network."""
        return parse(self.module.NETWORK)

    @cached_property
    def images(self) -> Any:
        """The images that it trains on, and their labels."""
        return images(**self.module.IMAGES)

    @cached_property
    def held_out(self) -> Any:
        """Other images and their labels, where the story validates on them."""
        return images(**self.module.HELD_OUT) if hasattr(self.module, "HELD_OUT") else None

    @cached_property
    def start(self) -> Any:
        """The weights that it starts with: pretrained ones where the module makes them."""
        start = initial(self.network, channels=3, seed=1)
        return self.module.pretrained(self.network, start) if hasattr(self.module, "pretrained") else start

    @staticmethod
    def kind(environment: Environment) -> str:
        """Return how stories are told in an environment: `keras` or `torch`; empty where none is."""
        main = "".join(environment.families[:1])
        return {"keras": "keras", "tensorflow": "keras", "torch": "torch"}.get(main, "")

    @staticmethod
    def computes_at_once(environment: Environment) -> bool:
        """Return whether TensorFlow computes in the call there: tf.keras of TensorFlow 2, and Keras 3 on it."""
        main = "".join(environment.families[:1])
        version = Version(version_of(environment, main) or "0")
        on_tensorflow = "tensorflow" in environment.families
        return on_tensorflow and version >= Version("3" if main == "keras" else "2")

    def scenes_in(self, environment: Environment) -> list[str]:
        """Return the scenes that there are in an environment, by name."""
        kind, at_once = self.kind(environment), self.computes_at_once(environment)
        return [
            name for name, scene in self.scenes.items()
            if kind in scene and environment.name not in scene.get("not in", ())
            and environment.name in scene.get("only in", (environment.name,))
            and (at_once or not scene.get("at once"))
        ]  # fmt: skip

    def setting(self, scene: str) -> Setting:
        """Return what the reference needs to know of a scene."""
        x, labels = self.images
        return Setting(self.network, x, labels, self.scenes[scene]["keep"], self.module.EPSILON)


def load_stories() -> tuple[Story, ...]:
    """Return every story, by file name. Raises SuiteError where one cannot be loaded."""
    found = []
    for path in sorted((suite_folder() / "stories").glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"bnspec_stories_{path.stem}", path)
        if spec is None or spec.loader is None:
            raise SuiteError(f"{path} cannot be loaded")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found.append(Story(path, module))
    return tuple(found)


def api_of(environment: Environment) -> str:
    """Return how the story's function is spoken to: `keras`, `tf.keras` or `torch`."""
    return {"tensorflow": "tf.keras"}.get(environment.families[0], environment.families[0])


def version_of(environment: Environment, framework: str) -> str:
    """Return the version of a framework that an environment pins; empty where it pins none."""
    pins = environment.pins
    return str(pins.get(framework) or pins.get(f"{framework}-cpu") or "")


def title(environment: Environment) -> str:
    """Return what an environment is to a reader: the framework, its version, and on what it runs."""
    first, *others = environment.families
    version = {name: version_of(environment, name) for name in environment.families}
    name = {"keras": "Keras", "tensorflow": "tf.keras", "torch": "PyTorch"}[first]
    on = "".join(f" on {BACKENDS[other]} {version[other]}" for other in others)
    return f"{name} {version[first]}{on}"


def run_in(
    story: Story, environment: Environment, *, python: Path | None = None, scenes: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Run scenes of a story in one environment; return the results of each, or why there are none.

    python: an interpreter that has the environment, where it is not to be made; scenes: all where none are named.
    """
    head = {"environment": environment.name, "title": title(environment)}
    wanted = story.scenes_in(environment) if scenes is None else scenes
    began = time.perf_counter()
    try:
        if python is None:
            make(environment)
            began = time.perf_counter()
        target = choose(environment, None, "cpu")
        with Caller(python or environment.interpreter, CALL, target.environ) as caller:
            ready = caller.ready()
            head.update(python=ready["python"], packages=ready["packages"])
            found = [{**head, **run_scene(story, scene, environment, caller)} for scene in wanted]
    except (EnvironmentProblem, CallFailed) as problem:
        return [{**head, "failed": str(problem)}]
    for one in found:
        one["environment seconds"] = round(time.perf_counter() - began, 1)
    return found


def options_of(story: Story, scene: str, api: str) -> dict[str, Any]:
    """Return what the function of a scene is given."""
    x, labels = story.images
    what = story.scenes[scene]
    options = {"x": x, "labels": labels, "start": story.start, "keep": what["keep"], **what.get("options", {})}
    if api != "torch":
        options["api"] = api
    if story.held_out:
        options["held_out"] = story.held_out
    return options


def run_scene(story: Story, scene: str, environment: Environment, caller: Caller) -> dict[str, Any]:
    """Run and judge one scene."""
    api = api_of(environment)
    options = options_of(story, scene, api)
    function = story.scenes[scene]["torch" if api == "torch" else "keras"]
    began = time.perf_counter()
    try:
        record = caller.call(SCENE_SECONDS, file=str(story.path), function=function, options=options)
    except CallFailed as problem:
        return {"scene": scene, "failed": str(problem), "where": problem.trace}
    seconds = time.perf_counter() - began
    told = Judged(record, story.setting(scene)).told()
    return {"scene": scene, "seconds": round(seconds, 2), **told}
