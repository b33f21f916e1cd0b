"""requirements.lock and environment.yml, both generated from the ranges in pyproject.toml: `make lock`."""

import re
import subprocess
import sys
from pathlib import Path

from course_utils.authoring import notebook_file, project

# torch's CUDA build alone depends on these
_FOLLOWS_TORCH = re.compile(r"(nvidia|cuda|triton)\b")

_LOCK_HEADER = """\
# Written by `make lock` from pyproject.toml: one version each for Python 3.11 to 3.13 on every system.
# What only torch's CUDA build needs is left out, because torch brings it where it is wanted
"""

_ENVIRONMENT = """\
# Written by `make lock` from pyproject.toml, for conda and Binder:  conda env create -f environment.yml
name: {name}
channels:
  - conda-forge
dependencies:
  - python {python}
  - pip >=24
  - pip:
      # The small CPU build of torch on Linux and Windows. With an NVIDIA card, remove this line
      - --extra-index-url https://download.pytorch.org/whl/cpu
{requirements}
"""


def write_lock(root: Path = project.ROOT) -> Path:
    """Resolve the ranges, with the extras "test" and "korean", into requirements.lock.

    Raises RuntimeError with uv's error message.
    """
    command = [sys.executable, "-m", "uv", "pip", "compile", "--universal", "--python-version=3.11",
               "--extra=test", "--extra=korean", "--no-annotate", "--no-header", "--no-emit-index-url",
               "--no-emit-find-links", "--quiet", "pyproject.toml"]
    uv = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if uv.returncode != 0:
        raise RuntimeError(f"uv could not make the lock: {uv.stderr.strip()}")
    lines = [line for line in uv.stdout.splitlines() if not _FOLLOWS_TORCH.match(line)]
    path = root / "requirements.lock"
    notebook_file.replace(path, _LOCK_HEADER + "\n".join(lines) + "\n")
    return path


def write_environment(root: Path = project.ROOT) -> Path:
    """Write environment.yml: Python and pip from conda-forge, the ranges of pyproject.toml for pip."""
    path = root / "environment.yml"
    notebook_file.replace(path, environment(project.settings(root)))
    return path


def environment(settings: dict) -> str:
    """The text of environment.yml for the [project] table of pyproject.toml."""
    wanted = settings["dependencies"] + settings.get("optional-dependencies", {}).get("korean", [])
    requirements = "\n".join(f"      - {requirement}" for requirement in wanted)
    python = settings["requires-python"]
    return _ENVIRONMENT.format(name=settings["name"], python=python, requirements=requirements)
