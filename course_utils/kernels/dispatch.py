"""The choice between a fused Triton kernel and plain torch; the only module that imports triton."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from torch import Tensor

# Before triton: without a GPU, runtime selects Triton's interpreter
from course_utils.runtime import kernels as wanted

try:
    import triton
    import triton.language as tl
except ImportError:  # there is no Triton for macOS and Windows, and the course works without
    triton = tl = None

MEASUREMENTS = Path(__file__).parent / "measurements.json"


def jit(function):
    """Decorator: a Triton kernel, or the plain function without Triton."""
    return triton.jit(function) if triton else function


def interpreted() -> bool:
    """Whether kernels run in Triton's interpreter, in Python, on the CPU."""
    return triton is not None and bool(triton.knobs.runtime.interpret)


def use_kernel(op: str, like: Tensor) -> bool:
    """Whether the operation `op` on a tensor `like` this one should run as a kernel.

    By default only on an NVIDIA GPU, from the smallest size at which a benchmark found it faster (measurements.json;
    without a measurement, never). COURSE_KERNELS=on or off overrides this. Raises RuntimeError when it is "on" and the
    kernel cannot run.
    """
    choice = wanted()
    if choice == "off" or choice == "auto" and not (like.is_cuda and triton):
        return False
    if choice == "auto":
        return like.numel() >= faster_from().get(op, float("inf"))
    if why_not(like) is not None:
        raise RuntimeError(f"COURSE_KERNELS is on, but {op} cannot run as a kernel here: {why_not(like)}. Set "
                           "COURSE_KERNELS to auto or off.")
    return True


def why_not(like: Tensor) -> str | None:
    """The reason why kernels cannot run on a tensor like this one; None when they can."""
    if triton is None:
        return "Triton is not installed (pip install triton; Linux only)"
    if like.device.type != ("cpu" if interpreted() else "cuda"):
        return f"it does not support tensors on {like.device.type}"
    return None


def measurements() -> dict | None:
    """The results of `python -m course_utils bench kernels`; None when it has not been run on a GPU yet."""
    return json.loads(MEASUREMENTS.read_text(encoding="utf-8")) if MEASUREMENTS.exists() else None


@cache
def faster_from() -> dict[str, float]:
    """The measured number of elements from which each operation's kernel was faster; empty without measurements."""
    return (measurements() or {"faster_from": {}})["faster_from"]


def next_power_of_2(n: int) -> int:
    """The smallest power of two that is at least n; Triton's block sizes are powers of two."""
    return 1 << (n - 1).bit_length()


def warps(elements: int) -> int:
    """The number of warps (32 threads) of a program with this many elements: about 16 elements per thread, 1..16."""
    return min(16, max(1, elements // 512))
