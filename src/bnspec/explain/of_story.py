"""What explain says of the model that a story leaves, told nothing of the story."""

import json
import tempfile
from pathlib import Path

import numpy as np

from bnspec.environments import Environment
from bnspec.explain.data import read_batch
from bnspec.explain.explanation import Explanation, explanation
from bnspec.explain.measuring import measured
from bnspec.stories.running import Story, api_of, options_of
from bnspec.targets import choose
from bnspec.worker.calls import pack

SECONDS = 300.0

MODEL = """\
from bnspec.worker.stories.calling import saved


def make_model():
    return saved({folder!r})
"""


def of_story(story: Story, scene: str, environment: Environment, python: Path | None = None) -> Explanation:
    """Return the explanation of the model that a scene leaves, on the images that it was trained on.

    python: an interpreter that has the environment, where it is not made. Raises NotExplained.
    """
    api = api_of(environment)
    x, labels = story.images
    with tempfile.TemporaryDirectory(prefix="bnspec-story-") as name:
        folder, arrays = Path(name), list[np.ndarray]()
        function = story.scenes[scene]["torch" if api == "torch" else "keras"]
        packed = pack([str(story.path), function, options_of(story, scene, api)], arrays)
        (folder / "arguments.json").write_text(json.dumps(packed), "utf-8")
        np.savez(folder / "arrays.npz", *arrays)
        (folder / "model.py").write_text(MODEL.format(folder=name), "utf-8")
        targets = labels if api == "torch" else np.eye(int(labels.max()) + 1, dtype=np.float32)[labels]
        batch = np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if api == "torch" else x
        np.savez(folder / "data.npz", x=batch, y=targets)
        interpreter, environ = python or environment.interpreter, choose(environment, None, "cpu").environ
        path = f"{folder / 'model.py'}:make_model"
        found = measured(interpreter, path, read_batch(folder / "data.npz"), environ, seconds=SECONDS)
    return explanation("model.py:make_model", "data.npz", found)
