"""Small notebooks for tests: built, run and checked in a temporary folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from tests.conftest import ROOT


def write(path: Path, *sources: str) -> Path:
    """Write a notebook; a source that begins with "md:" becomes a markdown cell, any other a code cell."""
    cells = [v4.new_markdown_cell(source[3:]) if source.startswith("md:") else v4.new_code_cell(source)
             for source in sources]
    nbformat.write(v4.new_notebook(cells=cells), path)
    return path


def nbval(path: Path, python: str = sys.executable, **environment: str) -> tuple[int, str]:
    """Run one notebook through nbval in a process of its own; returns the exit code and what pytest said."""
    command = [python, "-m", "pytest", "-c", os.devnull, f"--rootdir={path.parent}", "-p", "no:cacheprovider",
               "--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=300", str(path)]
    result = subprocess.run(command, cwd=path.parent, env=os.environ | environment,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return result.returncode, re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)


def asked(config: pytest.Config) -> list[Path]:
    """The notebooks of the course that --notebooks names; without it the first and the last."""
    paths = {path.name[:2]: path for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
    said = config.getoption("--notebooks")
    wanted = list(paths) if said == "all" else said.split() or [min(paths), max(paths)]
    if not set(wanted) <= set(paths):
        raise pytest.UsageError(f"--notebooks takes all, or numbers out of {', '.join(paths)}; got {said!r}.")
    return [path for number, path in paths.items() if number in wanted]
