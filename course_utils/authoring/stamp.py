"""Write the repository's address into set-up cells, badges, README and CITATION.cff: `make stamp REPO=owner/name`."""

import re
from pathlib import Path

from course_utils.authoring import notebook_file, project
from course_utils.authoring.setup_cell import FIRST_LINE, badge, setup_cell

_BADGE = re.compile(r"\[!\[Open in Colab\]\([^)]*\)\]\([^)]*/([^/)]+\.ipynb)\)")
_ADDRESS = re.compile(r'^Repository = ".*"$', flags=re.MULTILINE)
_CLONE = re.compile(r"git clone https://\S+")
_WORKFLOWS = re.compile(r"https://github\.com/[^/\s)]+/[^/\s)]+(?=/actions/)")
_CITED = re.compile(r'^repository-code: ".*"$', flags=re.MULTILINE)


def stamp(owner_and_name: str | None = None, root: Path = project.ROOT) -> list[Path]:
    """Write the address everywhere and return the changed files; "owner/name", if given, becomes the new address.

    Raises ValueError, before writing anything, if a notebook's first code cell is not the set-up cell."""
    pyproject, readme = root / "pyproject.toml", root / "README.md"
    repository = project.repository(root) if owner_and_name is None else project.address(owner_and_name)
    stamped = {path: stamped_notebook(path, repository) for path in sorted(root.glob("notebooks/*.ipynb"))}
    stamped[readme] = stamped_markdown(readme.read_text(encoding="utf-8"), repository)
    stamped[pyproject] = _ADDRESS.sub(f'Repository = "{repository}"', pyproject.read_text(encoding="utf-8"))
    cited = root / "CITATION.cff"
    if cited.exists():
        stamped[cited] = _CITED.sub(f'repository-code: "{repository}"', cited.read_text(encoding="utf-8"))
    changed = [path for path, text in stamped.items() if text != path.read_text(encoding="utf-8")]
    for path in changed:
        notebook_file.replace(path, stamped[path])
    return changed


def stamped_markdown(text: str, repository: str) -> str:
    """The text with every Colab badge, `git clone` line and badge of a workflow pointing to the repository."""
    text = _WORKFLOWS.sub(repository, text)
    text = _BADGE.sub(lambda match: badge(repository, match[1]), text)
    return _CLONE.sub(f"git clone {repository}", text)


def stamped_notebook(path: Path, repository: str) -> str:
    """Text of the notebook file with updated set-up cell and badges; outputs are kept."""
    notebook = notebook_file.read(path)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    if not code or not code[0]["source"].startswith(FIRST_LINE):
        raise ValueError(f"{path.name}: the first code cell must be the set-up cell; "
                         "copy it from course_utils/authoring/setup_cell.py.")
    code[0]["source"] = setup_cell(repository)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = stamped_markdown(cell["source"], repository)
    return notebook_file.text(notebook)
