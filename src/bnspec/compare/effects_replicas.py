"""What a change of replicas amounts to."""

from collections.abc import Mapping

import numpy as np

from bnspec.compare.effects import Effect
from bnspec.compare.sizes import Typical, at_sizes, percent, plain

COUNT = 4
"""So many replicas are told of, each with an equal share of N values."""


def moments(before: str, after: str, typical: Typical) -> str:
    """Return how far a share's mean is from that of all shares; of equal shares the mean of the moments is theirs."""
    if "local" not in (before, after):
        return "nothing where the shares are equal; of unequal ones the small weigh as much as the large"
    return at_sizes(
        f"the mean of one of R = {COUNT} shares is off by sd·√((R − 1)/N) from that of all N values",
        lambda n: f"{plain(float(np.sqrt((COUNT - 1) / n)))} sd",
        typical,
    )


def stored(before: str, after: str, typical: Typical) -> str:
    """Return how far the stored variance goes."""

    def factor(answer: str, n: int) -> float:
        counted = {"global": n, "local": n / COUNT}.get(answer, np.inf)
        return float(1 / (1 - 1 / counted)) if counted > 1 else float("nan")

    def told(n: int) -> str:
        return percent(abs(factor(after, n) / factor(before, n) - 1)) if n > COUNT else "no number"

    return at_sizes(f"the stored variance of {COUNT} replicas with N values together goes by", told, typical)


def gradient(before: str, after: str, typical: Typical) -> str:
    """Return what the caller has to do who goes on training as before."""
    if {before, after} == {"summed", "averaged"}:
        return f"a factor of R, the number of replicas: with R = {COUNT} the learning rate changes {COUNT}-fold"
    return "whoever added the replicas' gradients up has to leave it, or has to begin"


def remaining(before: str, after: str, typical: Typical) -> str:
    """Return how far the first replica's moving mean is from the mean over all."""
    if {before, after} == {"averaged", "averaged-when-read"}:
        return "a replica's inference while it is trained; what is saved is the same"
    spread = (1 - typical.keep) / (1 + typical.keep) * (COUNT - 1)
    return at_sizes(
        f"one replica's moving mean is off by sd·√((R − 1)/N·(1 − keep)/(1 + keep)) from the mean over R = {COUNT}, "
        f"at keep = {typical.keep:g}",
        lambda n: f"{plain(float(np.sqrt(spread / n)))} sd",
        typical,
    )


REPLICAS: Mapping[str, Effect] = {
    "replicas.plain": remaining,
    "replicas.moments": moments,
    "replicas.stored-variance": stored,
    "replicas.gradient": gradient,
}
"""The effect of every axis of replicas."""
