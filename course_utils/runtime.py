"""Where the course runs: folders, device, seeds. The only module that asks the outside world such questions."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import sys
from functools import cache
from pathlib import Path

# How long torch's threads spin while they wait for each other, before they sleep (libgomp reads it when torch loads).
# By default that is milliseconds: beside a browser or a second notebook, all of them then take several times as long
os.environ.setdefault("GOMP_SPINCOUNT", "3000")
# Triton reads once, when it is imported, whether to interpret kernels on the CPU. Asking torch for a GPU would be late
if sys.platform == "linux" and not any(map(os.path.exists, ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd"))):
    os.environ.setdefault("TRITON_INTERPRET", "1")


def root() -> Path:
    """The folder that holds `notebooks/`, `course_utils/` and `data/`."""
    return Path(__file__).resolve().parents[1]


def data_dir() -> Path:
    """Where the shipped data lies: `data/` in the checkout, or the folder that COURSE_DATA names."""
    return Path(os.environ.get("COURSE_DATA") or root() / "data")


def in_colab() -> bool:
    """True inside Google Colab, which loads `google.colab` before the first cell runs."""
    return "google.colab" in sys.modules


def hub_allowed() -> bool:
    """May weights be fetched from the Hugging Face hub? Not when one of its own offline switches is set."""
    offline = (os.environ.get(name, "") for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    return not any(value.upper() in ("1", "ON", "YES", "TRUE") for value in offline)


def need_hub(what: str, host: str = "huggingface.co") -> None:
    """Make sure that `what` can be fetched from the hub, or another host; the cells "At full scale" call this first.

    Raises RuntimeError with a sentence when fetching is switched off or the host does not answer.
    """
    if not hub_allowed():
        raise RuntimeError(f"{what} must be fetched from {host}, but HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set. "
                           "Unset it and restart the kernel, or skip this cell: nothing after it needs it.")
    try:
        socket.create_connection((host, 443), timeout=5).close()
    except OSError as error:
        raise RuntimeError(f"{what} must be fetched from {host}, which does not answer ({error}). "
                           "Check the network, or skip this cell: nothing after it needs it.") from error


def device():
    """The fastest torch device here: "cuda", "mps" or "cpu"."""
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


def precision(where) -> str:
    """The number format that networks run fastest in on the device `where`: "bf16", "fp16" or "no" (plain float32).

    bf16 where the hardware computes in it (NVIDIA from Ampere on; processors with AVX512_BF16 or AMX), fp16 on older
    NVIDIA cards such as Colab's T4. COURSE_PRECISION overrides it. Raises ValueError for an unknown override.
    """
    chosen = os.environ.get("COURSE_PRECISION")
    if chosen is None:
        return _probe(where.type)
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


def autocast(where, training: bool = False):
    """Run networks in the fast precision of the device `where` within a `with` block.

    With `training`, fp16 is left out: its gradients vanish unless the loss is scaled, which the trainer does itself.
    """
    import torch

    formats = {"bf16": torch.bfloat16} | ({} if training else {"fp16": torch.float16})
    name = precision(where)
    return torch.autocast(where.type, formats.get(name), enabled=name in formats)


def kernels() -> str:
    """Fused kernels: "auto" (where they are faster), "on" or "off", as COURSE_KERNELS says. ValueError otherwise."""
    chosen = os.environ.get("COURSE_KERNELS", "auto")
    if chosen not in ("auto", "on", "off"):
        raise ValueError(f"COURSE_KERNELS must be auto, on or off; it is {chosen!r}.")
    return chosen


@contextlib.contextmanager
def kernels_set_to(choice: str):
    """Within the block fused kernels are "auto", "on" or "off"."""
    before = os.environ.get("COURSE_KERNELS")
    os.environ["COURSE_KERNELS"] = choice
    try:
        yield
    finally:
        del os.environ["COURSE_KERNELS"]
        if before is not None:
            os.environ["COURSE_KERNELS"] = before


def ready() -> None:
    """The last word of the set-up cell, the same on every machine."""
    print("Ready.")
