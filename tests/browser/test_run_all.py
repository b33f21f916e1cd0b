"""A newcomer opens a notebook in JupyterLab and chooses "Run All Cells"; the first and the last, unless told."""

from tests.browser.lab import errors
from tests.notebook_helpers import asked


def pytest_generate_tests(metafunc):
    metafunc.parametrize("name", [path.name for path in asked(metafunc.config)])


def test_run_all_ends_without_an_error(lab, name):
    lab.open(name)
    cells = lab.run_all()
    assert errors(cells) == []
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert "".join(cells[0]["outputs"][0]["text"]) == "Ready.\n"
    assert lab.page_errors == []
