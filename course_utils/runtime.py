"""The environment: folders, device, seeds, precision. The only module that reads environment variables."""

from __future__ import annotations

import contextlib
import hashlib
import operator
import os
import shlex
import subprocess
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


def need_hub(what: str, host: str = "huggingface.co", repo: str | None = None) -> None:
    """Check that `what` can be loaded from the hub, or from another host; the cells "At full scale" call this first.

    repo: its name on the hub; when it is in the cache, nothing is asked. `huggingface_hub` asks, so that proxies,
    mirrors (HF_ENDPOINT) and its offline switches count. Raises RuntimeError when it cannot be loaded.
    """
    from huggingface_hub import constants, get_session

    if repo and _is_cached(repo):
        return
    skip = "or skip this cell: nothing after it needs it."
    if not hub_allowed():
        raise RuntimeError(f"{what} must be downloaded from {host}, but HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set. "
                           f"Unset it and restart the kernel, {skip}")
    address = constants.ENDPOINT if host == "huggingface.co" else f"https://{host}"
    try:
        get_session().head(address, timeout=5)
    # Which exception it is depends on the library's version and on what stands between: requests, httpx, ssl, proxies
    except Exception as error:
        raise RuntimeError(f"{what} must be downloaded from {address}, which does not answer ({error}). "
                           f"Check the network, {skip}") from error


def _is_cached(repo: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return any(isinstance(try_to_load_from_cache(repo, name), str) for name in ("model_index.json", "config.json"))


def command(*arguments: str | Path) -> str:
    """A command of the course as it can be pasted into a shell, for this environment's Python."""
    words = [sys.executable, "-m", "course_utils", *map(str, arguments)]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def whole(value, name: str, least: int | None = None) -> int:
    """A whole number as int, also a NumPy one or 7.0. ValueError for others, and for those below `least`."""
    try:
        plain = value.item() if hasattr(value, "item") else value
        number = int(plain) if isinstance(plain, float) and plain.is_integer() else operator.index(plain)
    except (TypeError, ValueError, RuntimeError):  # RuntimeError: a tensor of several numbers
        number = None
    if number is None or isinstance(value, bool) or (least is not None and number < least):
        bound = "" if least is None else f", {least} or more"
        raise ValueError(f"{name} must be a whole number{bound}; got {value!r}.")
    return number


def kernel_environment(folder: Path) -> dict[str, str]:
    """The environment for the kernel of a notebook: where the home folder cannot be written, caches lie in `folder`.

    Otherwise each library would warn about that, and the notebook would get the blame.
    """
    names = ("MPLCONFIGDIR", "IPYTHONDIR", "XDG_CACHE_HOME", "HF_HOME", "JUPYTER_RUNTIME_DIR")
    moved = {} if os.access(Path.home(), os.W_OK) else {name: str(folder / name.lower()) for name in names}
    return dict(os.environ) | moved


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

    seed = whole(seed, "a seed")
    if purpose:
        digest = hashlib.sha256(f"{purpose} {seed}".encode()).digest()
        seed = int.from_bytes(digest[:7], "big")
    if not -(2**63) <= seed < 2**64:
        raise ValueError(f"a seed must lie between -2**63 and 2**64 - 1; got {seed}.")
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
