"""The environment: folders, device, seeds, precision. The only module that reads environment variables."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import sys
from functools import cache
from pathlib import Path

# How long torch's threads spin before they sleep while waiting for each other (libgomp reads it when torch loads).
# The default is milliseconds, which makes everything several times slower beside a browser or a second notebook
os.environ.setdefault("GOMP_SPINCOUNT", "3000")
# Triton reads this once, on import; asking torch for a GPU would be too late
if sys.platform == "linux" and not any(map(os.path.exists, ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd"))):
    os.environ.setdefault("TRITON_INTERPRET", "1")


def root() -> Path:
    """The folder that holds `notebooks/`, `course_utils/` and `data/`."""
    return Path(__file__).resolve().parents[1]


def data_dir() -> Path:
    """The folder of the shipped data: `data/` in the checkout, or COURSE_DATA."""
    return Path(os.environ.get("COURSE_DATA") or root() / "data")


def in_colab() -> bool:
    """Whether this is Google Colab, which imports `google.colab` before the first cell runs."""
    return "google.colab" in sys.modules


def hub_allowed() -> bool:
    """Whether weights may be downloaded from the Hugging Face hub: not when one of its offline switches is set."""
    offline = (os.environ.get(name, "") for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    return not any(value.upper() in ("1", "ON", "YES", "TRUE") for value in offline)


def need_hub(what: str, host: str = "huggingface.co") -> None:
    """Check that `what` can be downloaded from the hub, or another host; the cells "At full scale" call this first.

    Raises RuntimeError when downloads are switched off or the host does not answer.
    """
    if not hub_allowed():
        raise RuntimeError(f"{what} must be downloaded from {host}, but HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set. "
                           "Unset it and restart the kernel, or skip this cell: nothing after it needs it.")
    try:
        socket.create_connection((host, 443), timeout=5).close()
    except OSError as error:
        raise RuntimeError(f"{what} must be downloaded from {host}, which does not answer ({error}). "
                           "Check the network, or skip this cell: nothing after it needs it.") from error


def device():
    """The fastest available torch.device: cuda, mps or cpu."""
    import torch

    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def seeded(seed: int, device="cpu", purpose: str = ""):
    """A `torch.Generator` for a seed and a purpose, so that equal ones give equal draws whatever ran before.

    No two seeds and no two purposes share a stream: the noise of a sampler's steps has nothing to do with the noise
    that another seed starts from. Without a purpose it is torch's own generator of that seed.
    """
    import torch

    if purpose:
        digest = hashlib.sha256(f"{purpose} {seed}".encode()).digest()
        seed = int.from_bytes(digest[:7], "big")
    return torch.Generator(device).manual_seed(seed)


def precision(device) -> str:
    """The fastest precision for networks on `device`: "bf16", "fp16" or "no" (plain float32).

    bf16 where the hardware supports it (NVIDIA from Ampere on; CPUs with AVX512_BF16 or AMX), fp16 on older NVIDIA
    GPUs such as Colab's T4. COURSE_PRECISION overrides it. Raises ValueError for an unknown override.
    """
    chosen = os.environ.get("COURSE_PRECISION")
    if chosen is None:
        return _probe(device.type)
    if chosen not in ("bf16", "fp16", "no"):
        raise ValueError(f"COURSE_PRECISION must be bf16, fp16 or no; it is {chosen!r}.")
    return chosen


@cache
def _probe(kind: str) -> str:
    import torch

    if kind == "cuda":
        # is_bf16_supported() says yes on a T4 too, where bf16 is emulated and slow
        return "bf16" if torch.cuda.get_device_capability() >= (8, 0) else "fp16"
    able = torch.cpu.get_capabilities()
    return "bf16" if kind == "cpu" and (able.get("avx512_bf16") or able.get("amx_bf16")) else "no"


def autocast(device, training: bool = False):
    """A context manager that runs networks in the precision of `device`.

    With `training`, fp16 is not used: its gradients underflow unless the loss is scaled, which the trainer does.
    """
    import torch

    formats = {"bf16": torch.bfloat16} | ({} if training else {"fp16": torch.float16})
    name = precision(device)
    return torch.autocast(device.type, formats.get(name), enabled=name in formats)


def kernels() -> str:
    """The setting COURSE_KERNELS of fused kernels: "auto" (where faster), "on" or "off"; ValueError if other."""
    chosen = os.environ.get("COURSE_KERNELS", "auto")
    if chosen not in ("auto", "on", "off"):
        raise ValueError(f"COURSE_KERNELS must be auto, on or off; it is {chosen!r}.")
    return chosen


@contextlib.contextmanager
def kernels_set_to(choice: str):
    """A context manager that sets fused kernels to "auto", "on" or "off"."""
    before = os.environ.get("COURSE_KERNELS")
    os.environ["COURSE_KERNELS"] = choice
    try:
        yield
    finally:
        del os.environ["COURSE_KERNELS"]
        if before is not None:
            os.environ["COURSE_KERNELS"] = before


def ready() -> None:
    """Print the last line of the set-up cell, the same on every machine."""
    print("Ready.")
