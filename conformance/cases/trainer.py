"""What the framework's own trainer reports: `trainer.*`.

The loss that fit prints is computed before or after the step that it belongs to (`trainer.reported-loss`), and
is that of the last batch or the mean over the epoch (`trainer.loss-scope`). Two batches of very different
targets and a large learning rate set the four answers far apart. Scale and offset are what is learned.
"""

from itertools import product

import numpy as np

from bnspec.case import Case, Layer, fit, write
from bnspec.data import batch, channels, shape


def reported():
    size = shape(2, -1, 3, batch=16)
    x = batch(size, -1, seed=95)
    target = np.concatenate([x[:8] + 1, 3 - 2 * x[8:]]).astype(np.float32)
    return Case(
        clauses=("trainer.reported-loss", "trainer.loss-scope"),
        situation="two-batches",
        layer=Layer(),
        structure="model",
        program=(
            write(scale=channels(3, 1.5, 0.5, 2.0), offset=channels(3, 0.25, -1.0, 0.5)),
            fit(x, target, steps=2, batches=2, learning_rate=0.25),
        ),
        rivals=tuple(
            {"trainer.reported-loss": when, "trainer.loss-scope": scope}
            for when, scope in product(("before-update", "after-update"), ("running-mean", "batch"))
        ),
        why="Two batches an epoch with unlike targets, plain gradient descent of rate 0.25, two epochs.",
    )


CASES = (reported(),)
