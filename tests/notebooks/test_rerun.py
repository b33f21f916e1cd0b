"""A name keeps its meaning: after Run All, any cell of the main path can be run once more by itself."""

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests import notebook_checks, notebook_helpers
from tests.notebooks.test_notebooks import PATHS

SECONDS = 300


def rerun(path) -> list[str]:
    """Run the notebook, then each code cell of its main path again in another order; what failed, as sentences.

    First those with odd numbers, from the last to the first, then the others: a name that two cells set is then
    found by what stood between them.
    """
    notebook = nbformat.read(path, as_version=4)
    main, _ = notebook_checks.Notebook(path).paths()
    client = NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", store_widget_state=False,
                            extra_arguments=["--log-level=ERROR"], resources={"metadata": {"path": str(path.parent)}})
    found = []
    with client.setup_kernel():
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type == "code":
                client.execute_cell(cell, index)
        order = [i for i in range(len(main)) if notebook.cells[i].cell_type == "code"]
        for index in [*order[1::2][::-1], *order[::2][::-1]]:
            cell = notebook.cells[index]
            try:
                client.execute_cell(cell, index)
            except CellExecutionError as error:
                found.append(f"cell {index} ({cell.source[:60]!r}): {error.ename}: {error.evalue[:200]}")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_any_cell_can_be_run_again(path):
    assert rerun(path) == []


@pytest.mark.slow
def test_a_name_that_changed_its_meaning_is_found(tmp_path):
    path = notebook_helpers.write(tmp_path / "03_x.ipynb", "x = 1", "y = x + 1")
    assert rerun(path) == []
    path = notebook_helpers.write(tmp_path / "03_x.ipynb", "x = 1", "y = x + 1", "x = 'text'")
    (sentence,) = rerun(path)
    assert "y = x + 1" in sentence and "TypeError" in sentence
