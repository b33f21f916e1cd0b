"""A newcomer opens each notebook in JupyterLab and chooses "Run All Cells"."""

import pytest

from tests.browser.lab import errors
from tests.conftest import ROOT

NAMES = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("name", NAMES)
def test_run_all_ends_without_an_error(lab, name):
    lab.open(name)
    cells = lab.run_all()
    assert errors(cells) == []
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert "".join(cells[0]["outputs"][0]["text"]) == "Ready.\n"
    assert lab.page_errors == []
