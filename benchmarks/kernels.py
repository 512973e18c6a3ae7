"""How fast the fused kernels are at the layers of real networks: time, and share of the memory's bandwidth.

    python benchmarks/kernels.py OUTPUT.json [cuda|cpu]

A training call has to read its input twice at least (statistics, then output) and write its output once; an
inference reads once and writes once. That many bytes over the time, as a share of what a plain copy of the same
tensor reaches, is the share of bandwidth: 1 is as fast as memory allows, more means that the second reading came from
a cache. Medians of REPEATS calls after as many to warm up. Only what is installed is measured; nothing is judged here.
"""

import importlib.util
import itertools
import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SHAPES = ((64, 112), (256, 56), (512, 28), (1024, 14), (2048, 7), (96, 112), (144, 56), (1280, 7))
BATCH, REPEATS, SECONDS = 32, 10, 50.0
KINDS = ("float32", "float16", "bfloat16")


def median(call: Callable[[], Any], wait: Callable[[Any], None]) -> float:
    """Return the median time of a call in seconds."""
    times = []
    for number in range(2 * REPEATS):
        started = time.perf_counter()
        wait(call())
        if number >= REPEATS:
            times.append(time.perf_counter() - started)
    return statistics.median(times)


def of_torch(device: str) -> tuple[dict[str, Any], Callable[..., dict[str, float]]]:
    """Return what torch says of itself and the device, and what measures one layer."""
    import torch

    about = {"framework": f"torch {torch.__version__}", "threads": torch.get_num_threads()}
    if device == "cuda":
        about.update(
            device=torch.cuda.get_device_name(0), CUDA=torch.version.cuda, cuDNN=torch.backends.cudnn.version()
        )

    def wait(_: Any) -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    def measure(channels: int, side: int, kind: str, *, last: bool) -> dict[str, float]:
        x = torch.randn(BATCH, channels, side, side, device=device).to(getattr(torch, kind))
        x = x.contiguous(memory_format=torch.channels_last) if last else x
        bn, y = torch.nn.BatchNorm2d(channels).to(device), torch.empty_like(x)
        found = {"copy": median(lambda: y.copy_(x), wait)}
        with torch.no_grad():
            for mode in ("train", "infer"):
                bn.train(mode == "train")
                found[mode] = median(lambda: bn(x), wait)
        return found

    return about, measure


def of_jax(device: str) -> tuple[dict[str, Any], Callable[..., dict[str, float]]]:
    """Return what JAX and Flax say of themselves and the device, and what measures one layer, jitted."""
    import flax
    import jax
    import jax.numpy as jnp
    from flax import linen

    where = jax.devices("gpu" if device == "cuda" else "cpu")[0]
    about = {"framework": f"flax {flax.__version__}, jax {jax.__version__}", "device": where.device_kind}

    def measure(channels: int, side: int, kind: str, *, last: bool) -> dict[str, float]:
        axis = -1 if last else 1
        shape = (BATCH, side, side, channels) if last else (BATCH, channels, side, side)
        with jax.default_device(where):
            x = jax.random.normal(jax.random.PRNGKey(0), shape).astype(kind)
            bn = linen.BatchNorm(axis=axis, dtype=kind)
            variables = bn.init(jax.random.PRNGKey(0), x[:1], use_running_average=True)
            train = jax.jit(lambda v, x: bn.apply(v, x, use_running_average=False, mutable=["batch_stats"]))
            infer = jax.jit(lambda v, x: bn.apply(v, x, use_running_average=True))
            copy = jax.jit(jnp.copy)
            return {
                "copy": median(lambda: copy(x), jax.block_until_ready),
                "train": median(lambda: train(variables, x), jax.block_until_ready),
                "infer": median(lambda: infer(variables, x), jax.block_until_ready),
            }

    return about, measure


def main() -> None:
    """Measure until the time is over, and write what was measured."""
    output, device = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "cpu"
    end, told = time.monotonic() + SECONDS, []
    for package, prepare in (("torch", of_torch), ("flax", of_jax)):
        if importlib.util.find_spec(package) is None:
            told.append({"framework": package, "not run": "it is not installed"})
            continue
        about, measure = prepare(device)
        rows: list[dict[str, Any]] = []
        told.append({**about, "on": device, "layers": rows})
        for (channels, side), kind, last in itertools.product(SHAPES, KINDS, (False, True)):
            if time.monotonic() > end:
                break
            rows.append(
                row_of(measure(channels, side, kind, last=last), (BATCH, channels, side, side), kind, last=last)
            )
            output.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
        end += SECONDS
    output.write_text(json.dumps(told, indent=1) + "\n", "utf-8")


def row_of(seconds: dict[str, float], layer: tuple[int, ...], kind: str, *, last: bool) -> dict[str, Any]:
    """Return what is written of one layer: the times, and the shares of what a copy reaches."""
    size = math.prod(layer) * (4 if kind == "float32" else 2)
    plain = 2 * size / seconds["copy"]
    return {
        "layer": list(layer),
        "type": kind,
        "channels": "last" if last else "first",
        "microseconds": {name: round(1e6 * spent, 1) for name, spent in seconds.items()},
        "copy_gigabytes_per_second": round(plain / 1e9, 1),
        "train_share": round(3 * size / seconds["train"] / plain, 3),
        "infer_share": round(2 * size / seconds["infer"] / plain, 3),
    }


if __name__ == "__main__":
    main()
