"""The networks of the stories in float64: the reference of a network is that of its layers, one after the other.

A network is a list of operations on the newest array, as worker.stories.networks tells it. Arrays are (batch, height,
width, channels), kernels (3, 3, in, out). Any batch normalization can be run with the batch's or with its stored
statistics, so that of every combination of modes it is known what the loss would be.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bnspec.reference import UNIT, Arithmetic, Moments, moments, normalize
from bnspec.reference.allowance import of_moments
from bnspec.reference.statistics import Array, Floats, mean_size

Parameters = Mapping[str, Mapping[str, Floats]]
"""Per named layer its arrays: kernel and bias, or scale, offset, mean and variance."""

U = UNIT["float32"]

MODES = ("batch", "stored")
"""By which statistics a layer can normalise."""


@dataclass(frozen=True)
class Operation:
    """What is done to the newest array; name, channels: of the layer whose parameters it uses."""

    kind: str
    name: str = ""
    channels: int = 0


def parse(text: str) -> tuple[Operation, ...]:
    """Return the operations of a line such as `conv c1 8, bn b1, relu, mean, dense d 3`."""
    found = []
    for part in text.split(", "):
        kind, *more = part.split()
        found.append(Operation(kind, "".join(more[:1]), int("".join(more[1:]) or 0)))
    return tuple(found)


def norms(network: Sequence[Operation]) -> tuple[str, ...]:
    """Return the names of the batch normalizations of a network, in order."""
    return tuple(operation.name for operation in network if operation.kind == "bn")


def initial(network: Sequence[Operation], channels: int, seed: int) -> dict[str, dict[str, Array]]:
    """Return the weights that a network starts with, float32.

    Kernels are normal with variance 2/(values that enter a sum) (He et al. 2015, arXiv:1502.01852), 1/… for a dense
    layer; scale 1, offset 0, mean 0, variance 1. channels: of the images.
    """
    generator = np.random.default_rng(seed)
    found: dict[str, dict[str, Floats]] = {}
    now, kept = channels, list[int]()
    for operation in network:
        if operation.kind in ("conv", "dense"):
            shape = (3, 3, now, operation.channels) if operation.kind == "conv" else (now, operation.channels)
            taken = int(np.prod(shape[:-1]))
            spread = np.sqrt((2 if operation.kind == "conv" else 1) / taken)
            found[operation.name] = {"kernel": generator.normal(0, spread, shape)}
            now = operation.channels
            if operation.kind == "dense":
                found[operation.name]["bias"] = np.zeros(now)
        elif operation.kind == "bn":
            zeros, ones = np.zeros(now), np.ones(now)
            found[operation.name] = {"scale": ones, "offset": zeros, "mean": zeros, "variance": ones}
        elif operation.kind == "fork":
            kept.append(now)
        elif operation.kind in ("add", "concat"):
            before = kept.pop()
            now = before + now if operation.kind == "concat" else now
    return {name: {part: value.astype(np.float32) for part, value in own.items()} for name, own in found.items()}


@dataclass(frozen=True)
class Input:
    """The input of a batch normalization: its moments, and mean |x| of every channel."""

    batch: Moments
    size: Floats

    def allowance(self, accumulation: str = "wide") -> Moments:
        """Return the allowances of the moments of this very input."""
        count = int(self.batch.count[0])
        arithmetic = Arithmetic(accumulation=accumulation)
        return of_moments(np.empty((count, len(self.size))), arithmetic=arithmetic, batch=self.batch, size=self.size)


@dataclass(frozen=True)
class Pass:
    """One forward pass: the mode of every batch normalization, its input as it matters here, and the logits."""

    modes: Mapping[str, str]
    inputs: Mapping[str, Input]
    logits: Floats


class Noise:
    """Rounding errors by chance, uniform within their bounds (Monte Carlo arithmetic: Parker 1997, CSD-970002)."""

    def __init__(self, seed: int | None, bounds: list[Floats] | None = None) -> None:
        """Seed the errors; None is exact arithmetic.

        bounds: what a pass before this one of the same weights and modes found, in order: they hardly change.
        """
        self.generator = None if seed is None else np.random.default_rng(seed)
        self.bounds = [] if bounds is None else bounds
        self.asked = 0

    def __call__(self, result: Floats, bound: Callable[[], Floats]) -> Floats:
        """Return a result with an error; bound: how large it may be."""
        if self.generator is None:
            return result
        if self.asked == len(self.bounds):
            self.bounds.append(bound())
        size = self.bounds[self.asked]
        self.asked += 1
        return np.asarray(result + size * (2 * self.generator.random(result.shape) - 1))


def forward(
    network: Sequence[Operation],
    parameters: Parameters,
    x: Floats,
    modes: Mapping[str, str],
    epsilon: float,
    noise: Noise | None = None,
) -> Pass:
    """Run a network once; modes: `batch` or `stored` for every batch normalization."""
    return next(passes(network, parameters, x, {name: (mode,) for name, mode in modes.items()}, epsilon, noise))


def passes(
    network: Sequence[Operation],
    parameters: Parameters,
    x: Floats,
    choices: Mapping[str, Sequence[str]],
    epsilon: float,
    noise: Noise | None = None,
) -> Iterator[Pass]:
    """Run a network in every combination of the modes that each batch normalization may have."""
    begun = Pass({}, {}, np.asarray(x, np.float64))
    yield from continued(network, parameters, begun, (), choices, epsilon, noise or Noise(None))


def continued(
    network: Sequence[Operation],
    parameters: Parameters,
    begun: Pass,
    kept: tuple[Floats, ...],
    choices: Mapping[str, Sequence[str]],
    epsilon: float,
    noise: Noise,
) -> Iterator[Pass]:
    """Go on with a pass whose newest array stands where the logits will, in every combination of modes."""
    now = begun.logits
    for at, operation in enumerate(network):
        own = parameters.get(operation.name, {})
        if operation.kind == "bn":
            entered = Input(moments(now), mean_size(now))
            for mode in choices[operation.name]:
                there = Pass(
                    {**begun.modes, operation.name: mode},
                    {**begun.inputs, operation.name: entered},
                    normalized(now, own, mode, entered, epsilon, noise),
                )
                yield from continued(network[at + 1 :], parameters, there, kept, choices, epsilon, noise)
            return
        if operation.kind == "fork":
            kept = (*kept, now)
        elif operation.kind == "add":
            total = now + kept[-1]
            now, kept = noise(total, lambda total=total: U * np.abs(total)), kept[:-1]  # type: ignore[misc]
        elif operation.kind == "concat":
            now, kept = np.concatenate([kept[-1], now], axis=-1), kept[:-1]
        else:
            now = PLAIN[operation.kind](now, own, noise)
    yield replace(begun, logits=now)


def normalized(x: Floats, own: Mapping[str, Floats], mode: str, entered: Input, epsilon: float, noise: Noise) -> Floats:
    """Return the output of a batch normalization in a mode."""
    if mode == "batch":
        mean = noise(entered.batch.mean, lambda: entered.allowance().mean)
        variance = np.maximum(noise(entered.batch.variance, lambda: entered.allowance().variance), 0)
    else:
        mean, variance = np.asarray(own["mean"], np.float64), np.asarray(own["variance"], np.float64)
    y = normalize(x, mean=mean, variance=variance, scale=own["scale"], offset=own["offset"], epsilon=epsilon)
    gain = np.abs(own["scale"]) / np.sqrt(variance + epsilon)
    return noise(y, lambda: 4 * U * (gain * (np.abs(x) + np.abs(mean)) + np.abs(y)))


def convolved(x: Floats, own: Mapping[str, Floats], noise: Noise) -> Floats:
    """Return a convolution of 3 × 3 that keeps height and width."""
    kernel = np.asarray(own["kernel"], np.float64)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    rows = windows.transpose(0, 1, 2, 4, 5, 3).reshape(*x.shape[:3], -1)
    weights = kernel.reshape(-1, kernel.shape[-1])
    return noise(rows @ weights, lambda: len(weights) * U * (np.abs(rows) @ np.abs(weights)))


def dense(x: Floats, own: Mapping[str, Floats], noise: Noise) -> Floats:
    """Return x·kernel + bias."""
    kernel = np.asarray(own["kernel"], np.float64)
    return noise(
        x @ kernel + own["bias"], lambda: (len(kernel) + 1) * U * (np.abs(x) @ np.abs(kernel) + np.abs(own["bias"]))
    )


def halved(x: Floats, own: Mapping[str, Floats], noise: Noise) -> Floats:
    """Return the means of blocks of 2 × 2."""
    batch, height, width, channels = x.shape
    blocks = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
    return noise(blocks.mean((2, 4)), lambda: 4 * U * np.abs(blocks).mean((2, 4)))


def mean(x: Floats, own: Mapping[str, Floats], noise: Noise) -> Floats:
    """Return the mean of every channel of every image."""
    return noise(x.mean((1, 2)), lambda: x.shape[1] * x.shape[2] * U * np.abs(x).mean((1, 2)))


def relu(x: Floats, own: Mapping[str, Floats], noise: Noise) -> Floats:
    """Return the positive part."""
    return np.maximum(x, 0.0)


PLAIN: Mapping[str, Callable[[Floats, Mapping[str, Floats], Noise], Floats]] = {
    "conv": convolved,
    "dense": dense,
    "halve": halved,
    "mean": mean,
    "relu": relu,
}
"""The operations that take the newest array alone."""


def cross_entropy(logits: Floats, labels: Array) -> float:
    """Return the mean cross-entropy of logits (batch, classes) and integer labels (batch,), in nats."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    chosen = np.take_along_axis(shifted, labels[:, None], axis=1)[:, 0]
    return float((np.log(np.exp(shifted).sum(axis=1)) - chosen).mean())
