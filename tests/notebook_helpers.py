"""Small notebooks for tests: built, run and checked in a temporary folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat import v4


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
