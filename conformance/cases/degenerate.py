"""Degenerate input: `degenerate.*`.

One value per channel has no spread: its population variance is 0 and its sample variance is 0/0. What a
training step returns then (`degenerate.single`) and what enters the moving variance
(`degenerate.single-update`) differ; an error is a legitimate answer.
"""

from bnspec.case import Case, Layer, place, read, train, write
from bnspec.data import channels

RIVALS = (
    {"degenerate.single": "raises", "degenerate.single-update": "not-applicable"},
    *(
        {"degenerate.single": output, "degenerate.single-update": entered}
        for output in ("offset", "input", "nan")
        for entered in ("zero", "unchanged", "nan")
    ),
)


def single(rank, axis):
    sizes = [1] * (rank - 1)
    sizes.insert(axis % rank, 3)
    x = channels(3, 0.75, -0.5, 2.0).reshape(sizes)
    return Case(
        clauses=("degenerate.single", "degenerate.single-update"),
        situation=place(rank, axis),
        layer=Layer(rank=rank, axis=axis),
        program=(
            write(mean=channels(3, 0.5), variance=channels(3, 4.0), offset=channels(3, 1.0, -2.0, 0.5)),
            train(x),
            read("mean", "variance"),
        ),
        rivals=RIVALS,
        why="One value per channel, a moving variance of 4 and an offset that is no input.",
    )


CASES = tuple(single(rank, axis) for rank, axis in ((2, -1), (4, -1), (4, 1)))
