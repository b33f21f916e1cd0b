"""When an operation runs as a fused Triton kernel, and when as plain torch; the only importer of triton."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from torch import Tensor

# Before triton: without a GPU, runtime asks it for its interpreter
from course_utils.runtime import kernels as wanted

try:
    import triton
    import triton.language as tl
except ImportError:  # there is none for macOS, and the course does without
    triton = tl = None

MEASUREMENTS = Path(__file__).parent / "measurements.json"


def jit(function):
    """A Triton kernel, or the bare function where there is no Triton."""
    return triton.jit(function) if triton else function


def interpreted() -> bool:
    """Do kernels run here through Triton's interpreter, in Python, on the CPU?"""
    return triton is not None and bool(triton.knobs.runtime.interpret)


def use_kernel(op: str, like: Tensor) -> bool:
    """Should the operation `op` on a tensor `like` this one run as a kernel?

    By itself on an NVIDIA GPU only, from the size on that a benchmark found it to be faster from (measurements.json;
    no measurement, no kernel). COURSE_KERNELS=on or off decides for all. RuntimeError when it says "on" and that is
    impossible.
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
    """What keeps kernels from running on a tensor like this one, in words; None when nothing does."""
    if triton is None:
        return "Triton is not installed (pip install triton; Linux only)"
    if like.device.type != ("cpu" if interpreted() else "cuda"):
        return f"a tensor on {like.device.type} cannot be given to it"
    return None


def measurements() -> dict | None:
    """What `python -m course_utils bench kernels` has recorded; None when nobody has run it on a GPU yet."""
    return json.loads(MEASUREMENTS.read_text(encoding="utf-8")) if MEASUREMENTS.exists() else None


@cache
def faster_from() -> dict[str, float]:
    """The number of elements from which each operation's kernel was faster, as measured; empty without measurements."""
    return (measurements() or {"faster_from": {}})["faster_from"]


def next_power_of_2(n: int) -> int:
    """The smallest power of two that is at least n: the sizes of Triton's blocks."""
    return 1 << (n - 1).bit_length()


def warps(elements: int) -> int:
    """Groups of 32 threads for a program that holds so many elements: about sixteen for each thread."""
    return min(16, max(1, elements // 512))
