"""Read and write notebook files as plain JSON, in the layout that Jupyter itself uses."""

import json
import os
from pathlib import Path


def read(path: Path) -> dict:
    """The notebook as a dict; every cell's source is one string. Raises ValueError if the file is not a notebook."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            cell["source"] = "".join(cell["source"])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a notebook: {error}. Restore it: git checkout -- {path}") from error
    return notebook


def text(notebook: dict) -> str:
    """The text of the notebook file: one space of indentation, sources as lists of lines, sorted keys."""
    cells = [cell | {"source": cell["source"].splitlines(keepends=True)} for cell in notebook["cells"]]
    return json.dumps(notebook | {"cells": cells}, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def replace(path: Path, new_text: str) -> None:
    """Write the file under a temporary name, then rename it, so that an interruption leaves the old one intact."""
    part = path.with_name(path.name + ".part")
    part.write_text(new_text, encoding="utf-8", newline="\n")
    os.replace(part, path)
