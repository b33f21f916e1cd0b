"""The settings of pyproject.toml: the repository's address and the version ranges, defined nowhere else."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def settings(root: Path = ROOT) -> dict:
    """The [project] table of pyproject.toml."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def repository(root: Path = ROOT) -> str:
    """URL of the repository, e.g. "https://github.com/owner/name"."""
    return settings(root)["urls"]["Repository"]


def address(owner_and_name: str) -> str:
    """URL of the GitHub repository "owner/name". Raises ValueError for any other form."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+", owner_and_name):
        raise ValueError(f"REPO must look like owner/name, as GitHub shows it; got {owner_and_name!r}.")
    return f"https://github.com/{owner_and_name.removesuffix('.git')}"
