"""A newcomer opens a notebook in JupyterLab and chooses "Run All Cells"; the first and the last, unless told."""

import pytest

from tests.browser.lab import errors
from tests.conftest import ROOT

NAMES = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))


def pytest_generate_tests(metafunc):
    asked = metafunc.config.getoption("--notebooks")
    numbers = [name[:2] for name in NAMES]
    wanted = numbers if asked == "all" else asked.split() or [numbers[0], numbers[-1]]
    if not set(wanted) <= set(numbers):
        raise pytest.UsageError(f"--notebooks takes all, or numbers out of {', '.join(numbers)}; got {asked!r}.")
    metafunc.parametrize("name", [name for name in NAMES if name[:2] in wanted])


def test_run_all_ends_without_an_error(lab, name):
    lab.open(name)
    cells = lab.run_all()
    assert errors(cells) == []
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert "".join(cells[0]["outputs"][0]["text"]) == "Ready.\n"
    assert lab.page_errors == []
