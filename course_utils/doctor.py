"""Checks of this computer for what the course needs: `python -m course_utils doctor`."""

import importlib.metadata
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import course_utils
from course_utils import runtime

ROOT = runtime.root()
# Only `make lab` needs it; Colab and editors bring their own front end
_FRONT_END = {"jupyterlab"}
# Installing another version of these breaks a running Colab session
_NEVER_ON_COLAB = {"torch", "numpy", "ipywidgets", "ipykernel"}


class Trouble(Exception):
    """Something that the course needs is missing or wrong; the message says what to do."""


def need_packages() -> None:
    """Make sure that the packages of pyproject.toml are installed; the set-up cell calls this.

    On Colab, missing or outdated packages are installed, except those that a running session cannot replace.
    Raises RuntimeError if a package is missing or too old otherwise."""
    wanted = [requirement for requirement in requirements() if _name(requirement) not in _FRONT_END]
    unmet = [requirement for requirement in wanted if not _met(requirement)]
    if not unmet:
        return
    has = ", ".join(f"{_name(requirement)} {_version(requirement) or 'missing'}" for requirement in unmet)
    if not runtime.in_colab():
        raise RuntimeError(f"The course needs {', '.join(unmet)}; this kernel ({sys.executable}) has {has}. "
                           "Choose the course's own kernel (menu Kernel, Change Kernel), or run `make lab`.")
    if _NEVER_ON_COLAB & {_name(requirement) for requirement in unmet}:
        raise RuntimeError(f"The course needs {', '.join(unmet)}; this Colab runtime has {has}. Choose the "
                           "newest one: menu Runtime, Change runtime type, Runtime version.")
    pip = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *unmet],
                         capture_output=True, text=True)
    if pip.returncode != 0:
        raise RuntimeError(f"Installing {', '.join(unmet)} failed: {pip.stderr.strip()[-300:]}")


def requirements() -> list[str]:
    """The version ranges of pyproject.toml, such as "torch>=2.11"."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]


def versions() -> int:
    """Print the versions of Python and the packages without importing them; returns exit code 0."""
    print(f"hands-on-diffusion {course_utils.__version__}")
    print(f"python {platform.python_version()} ({platform.platform()})")
    for requirement in requirements():
        print(_name(requirement), _version(requirement) or "missing")
    return 0


def examine() -> int:
    """Print a line per check, [OK] or [FAIL] with what to do; returns exit code 0 if all pass, 1 otherwise."""
    failures = 0
    for check in CHECKS:
        try:
            for line in check():
                print(f"[OK]   {line}", flush=True)
        except Exception as trouble:
            # Any error is a finding: a broken package must not stop the other checks
            failures += 1
            kind = "" if isinstance(trouble, Trouble) else f"{type(trouble).__name__}: "
            for line in f"{check.__name__.strip('_')}: {kind}{trouble}".splitlines():
                print(f"[FAIL] {line}", flush=True)
    print(f"{failures} of {len(CHECKS)} checks failed." if failures else "All the course needs is here.")
    return 1 if failures else 0


def _course() -> Iterator[str]:
    git = shutil.which("git")
    command = [git, "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True).stdout.strip() if git else ""
    yield f"hands-on-diffusion {course_utils.__version__}, commit {commit or 'unknown'}, in {ROOT}"


def _python() -> Iterator[str]:
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise Trouble(f"{platform.python_version()} is not 3.11, 3.12 or 3.13. Install one of them, remove "
                      ".venv and run `make lab`.")
    yield f"python {platform.python_version()}, {platform.platform()}, {sys.executable}"


def _packages() -> Iterator[str]:
    unneeded = _FRONT_END if runtime.in_colab() else set()
    unmet = [requirement for requirement in requirements()
             if not _met(requirement) and _name(requirement) not in unneeded]
    have = [f"{_name(requirement)} {_version(requirement)}" for requirement in requirements()
            if requirement not in unmet]
    if have:
        yield ", ".join(have)
    if unmet:
        elsewhere = {_name(requirement): place for requirement in unmet if (place := _foreign(_name(requirement)))}
        if elsewhere:
            places = ", ".join(f"{name} from {place}" for name, place in elsewhere.items())
            raise Trouble(f"{', '.join(unmet)} missing or too old: Python takes {places}, which is not the course's "
                          "environment. Unset PYTHONPATH (and PYTHONUSERBASE), then start again.")
        raise Trouble(f"{', '.join(unmet)} missing or too old. Run `make lab`, or: "
                      f"{sys.executable} -m pip install {' '.join(map(repr, unmet))}")


def _device() -> Iterator[str]:
    import torch

    device = runtime.device()
    name = torch.cuda.get_device_name() if device.type == "cuda" else platform.machine()
    yield f"device {device} ({name}), torch {torch.__version__}, {torch.get_num_threads()} threads"
    if device.type == "cpu" and shutil.which("nvidia-smi"):
        yield ("note: an NVIDIA driver is here but torch does not use it; the table in README.md says how "
               "to install the CUDA build")


def _memory() -> Iterator[str]:
    import psutil

    gigabytes = psutil.virtual_memory().total / 1e9
    if gigabytes < 4:
        raise Trouble(f"{gigabytes:.1f} GB; the notebooks need 4 GB. Close other programs, or use Colab.")
    yield f"memory {gigabytes:.0f} GB, of which {psutil.virtual_memory().available / 1e9:.0f} GB are free"


def _disk() -> Iterator[str]:
    gigabytes = shutil.disk_usage(ROOT).free / 1e9
    if gigabytes < 1:
        raise Trouble(f"{gigabytes:.1f} GB are free at {ROOT}; the course needs 1 GB.")
    yield f"disk {gigabytes:.0f} GB free"


def _data() -> Iterator[str]:
    from course_utils import files

    rows = files.verify_all()
    wrong = [message for _, ok, message in rows if not ok]
    if wrong:
        raise Trouble("\n".join(wrong))
    yield f"data: {len(rows)} files as listed in SHA256SUMS"


def _kernel() -> Iterator[str]:
    from jupyter_client.kernelspec import KernelSpecManager

    kernel = KernelSpecManager().get_kernel_spec("python3")
    program = kernel.argv[0]
    # Jupyter runs its own Python for a kernel whose command is just "python"
    if Path(program).name != program and Path(program).resolve() != Path(sys.executable).resolve():
        fix = f"{sys.executable} -m ipykernel install --sys-prefix"
        if not Path(kernel.resource_dir).is_relative_to(sys.prefix):
            # One of the user's own comes before the environment's, however often that is installed
            fix = f"rename or remove the folder {kernel.resource_dir}, which comes first, then: {fix}"
        raise Trouble(f"the notebook kernel python3 runs {program}, not {sys.executable}. Fix it: {fix}")
    yield f"notebook kernel python3 runs {sys.executable}"


def _widgets() -> Iterator[str]:
    import anywidget
    import ipywidgets

    yield f"widgets: ipywidgets {ipywidgets.__version__}, anywidget {anywidget.__version__}"


def _cache() -> Iterator[str]:
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache):
            pass
    except OSError as error:
        raise Trouble(f"{cache} cannot be written ({error}). Set HF_HOME to a folder of yours.") from error
    yield f"model cache {cache}, hub {'allowed' if runtime.hub_allowed() else 'switched off'}"


CHECKS: list[Callable[[], Iterator[str]]] = [
    _course, _python, _packages, _device, _memory, _disk, _data, _kernel, _widgets, _cache,
]


def _name(requirement: str) -> str:
    return re.match(r"[\w.-]+", requirement)[0]


def _version(requirement: str) -> str | None:
    try:
        return importlib.metadata.version(_name(requirement))
    except importlib.metadata.PackageNotFoundError:
        return None


def _foreign(name: str) -> str:
    """Where a package comes from, when that is not this environment; otherwise nothing."""
    try:
        place = Path(str(importlib.metadata.distribution(name).locate_file("")))
    except importlib.metadata.PackageNotFoundError:
        return ""
    return "" if place.resolve().is_relative_to(Path(sys.prefix).resolve()) else str(place)


def _met(requirement: str) -> bool:
    version = _version(requirement)
    floor = requirement.partition(">=")[2]
    return version is not None and _numbers(version) >= _numbers(floor)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version.partition("+")[0])]
