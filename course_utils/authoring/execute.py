"""Run a notebook from top to bottom and store clean outputs: `make notebook NB=01`."""

import base64
import hashlib
import io
import re
import tempfile
import time
from pathlib import Path

from course_utils import runtime
from course_utils.authoring import notebook_file

MAX_BYTES = 1_000_000
CELL_SECONDS = 600
DEEPER = "## Going deeper"
_KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
# What nbconvert needs to make a script of it
_LANGUAGE = {"name": "python", "file_extension": ".py", "nbconvert_exporter": "python", "pygments_lexer": "ipython3"}
_KEPT_CELL_METADATA = {"tags", "jupyter", "slideshow"}
_WIDGET = "application/vnd.jupyter.widget-view+json"
_PROGRESS_BAR = re.compile(r"\s*\d+%\|")


def execute(path: Path) -> str:
    """Run the notebook in a fresh kernel in its folder, store it with its outputs, and return a one-line summary.

    Raises RuntimeError, leaving the file unchanged, if a cell fails or writes to stderr (a warning or
    a progress bar would be stored), or if the result is larger than 1 MB."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook_file.read(path)
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", record_timing=False,
                            store_widget_state=False, coalesce_streams=True,
                            extra_arguments=["--log-level=ERROR"],
                            resources={"metadata": {"path": str(path.resolve().parent)}})
    started = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory() as folder:
            client.execute(env=runtime.kernel_environment(Path(folder)))
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise RuntimeError(f"{path.name} was not stored: {error}") from error
    seconds = time.perf_counter() - started
    cleaned = clean(notebook)
    text = nbformat.writes(nbformat.from_dict(cleaned)) + "\n"
    for problem in problems(cleaned, text):
        raise RuntimeError(f"{path.name} was not stored: {problem}")
    notebook_file.replace(path, text)
    thumbnail(cleaned, path.resolve().parents[1] / "data" / "thumbnails" / f"{path.name[:2]}.jpg")
    return f"{path.name}: {seconds:.0f} s, {len(text.encode()) / 1000:.0f} kB{_peak_memory()}"


def clean(notebook: dict) -> dict:
    """The notebook without what differs between runs: timings, live widgets, versions, editor metadata.

    The deeper sections are folded.
    """
    kept = {key: notebook["metadata"][key] for key in ("accelerator", "colab") if key in notebook["metadata"]}
    cells, seen = [], set()
    for cell in notebook["cells"]:
        metadata = {key: value for key, value in cell["metadata"].items() if key in _KEPT_CELL_METADATA}
        cleaned = cell | {"metadata": metadata, "id": _identifier(cell["source"], seen)}
        if cell["cell_type"] == "code":
            cleaned["outputs"] = [output for output in map(_without_widget, cell["outputs"]) if output]
        cells.append(cleaned)
    folded = sections(cells)
    for cell in folded:
        # Colab names cells by their metadata, JupyterLab by the cell's own id
        cell["metadata"] |= {"jp-MarkdownHeadingCollapsed": True, "id": cell["id"]}
    colab = {key: value for key, value in kept.pop("colab", {}).items() if key != "collapsed_sections"}
    colab |= {"collapsed_sections": [cell["id"] for cell in folded]} if folded else {}
    kept |= {"colab": colab} if colab else {}
    metadata = {"kernelspec": _KERNELSPEC, "language_info": _LANGUAGE} | kept
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def sections(cells: list[dict]) -> list[dict]:
    """The cells that begin a section "### ..." of "Going deeper"; JupyterLab and Colab open with them folded."""
    return [cell for cell in cells[deeper(cells) :]
            if cell["cell_type"] == "markdown" and cell["source"].startswith("### ")]


def deeper(cells: list[dict]) -> int:
    """Where the main path ends: the index of the heading "Going deeper", or the number of cells without one."""
    begins = (i for i, cell in enumerate(cells)
              if cell["cell_type"] == "markdown" and cell["source"].startswith(DEEPER))
    return next(begins, len(cells))


def thumbnail(notebook: dict, path: Path) -> None:
    """Store the first image of the cell with the tag "thumbnail", 240 pixels high, for the README's table."""
    from PIL import Image

    tagged = [cell for cell in notebook["cells"] if "thumbnail" in cell["metadata"].get("tags", ())]
    shown = [output.get("data", {}) for cell in tagged for output in cell["outputs"]]
    images = [data[kind] for data in shown for kind in data if kind.startswith("image/")]
    if images:
        image = Image.open(io.BytesIO(base64.b64decode(images[0]))).convert("RGB")
        path.parent.mkdir(parents=True, exist_ok=True)
        image.thumbnail((480, 240))
        image.save(path.with_suffix(".part"), "jpeg", quality=85)
        path.with_suffix(".part").replace(path)


def _identifier(source: str, seen: set[str]) -> str:
    # Derived from the cell's text, so that it changes only when the cell does; equal cells get different ones
    identifier = hashlib.sha256(source.encode()).hexdigest()[:8]
    while identifier in seen:
        identifier = hashlib.sha256(identifier.encode()).hexdigest()[:8]
    seen.add(identifier)
    return identifier


def _without_widget(output: dict) -> dict | None:
    # A stored widget refers to a model that died with its kernel; its image or text is kept
    if _WIDGET not in output.get("data", {}):
        return output
    data = {kind: content for kind, content in output["data"].items() if kind != _WIDGET}
    return None if _PROGRESS_BAR.match(data.get("text/plain", "")) else output | {"data": data}


def problems(notebook: dict, text: str) -> list[str]:
    """The reasons not to store an executed notebook, as sentences; empty if there are none."""
    found = []
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                found.append(f"cell [{cell['execution_count']}] wrote {output['text'][:300]!r} to stderr. "
                             "Fix the cause of the warning, or show progress with tqdm.auto.")
    if len(text.encode()) > MAX_BYTES:
        largest = max(notebook["cells"], key=lambda cell: len(str(cell.get("outputs"))))
        found.append(f"it has {len(text.encode()):,} bytes, more than {MAX_BYTES:,}; cell "
                     f"[{largest['execution_count']}] stores most. Make figures smaller, or store photographs as JPEG.")
    return found


def _peak_memory() -> str:
    try:
        import resource
    except ImportError:
        return ""
    kilobytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return f", peak memory {kilobytes / 1e6:.1f} GB"
