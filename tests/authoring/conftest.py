"""A running Chromium with the web packages; its tests are skipped, with the reason, where either is missing."""

import pytest

from course_utils.authoring import browser
from tests.conftest import ROOT
from tests.notebook_helpers import asked


# Not for the whole session: playwright's event loop would be in the way of the notebooks' kernels
@pytest.fixture(scope="module")
def chrome():
    try:
        browser.package("katex/dist/katex.min.js")
        opened = browser.chromium()
        running = opened.__enter__()
    except RuntimeError as error:
        pytest.skip(f"{error}")
    yield running
    opened.__exit__(None, None, None)


def pytest_generate_tests(metafunc):
    """`notebook` is each notebook that --notebooks names, and the last one without it."""
    if "notebook" in metafunc.fixturenames:
        paths = asked(metafunc.config) if metafunc.config.getoption("--notebooks") else \
            sorted((ROOT / "notebooks").glob("*.ipynb"))[-1:]
        metafunc.parametrize("notebook", paths, ids=lambda path: path.stem, scope="module")
