"""For all tests: no network, neither here nor in kernels and other child processes."""

import importlib.util
import os
from pathlib import Path

import pytest
import torch

# Before any test imports a library that imports triton, which looks once whether to interpret kernels
import course_utils.runtime  # noqa: F401

ROOT = Path(__file__).resolve().parents[1]
OFFLINE = ROOT / "tests" / "offline"

_guard = importlib.util.spec_from_file_location("offline_guard", OFFLINE / "sitecustomize.py")
_guard.loader.exec_module(importlib.util.module_from_spec(_guard))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(OFFLINE), os.environ.get("PYTHONPATH")]))


def pytest_addoption(parser):
    parser.addoption("--notebooks", default="", help="which notebooks tests/browser and tests/colab run: numbers (\"03 "
                                                     "07\") or all; the first and the last unless told")


def unmarked(reports: list[pytest.TestReport]) -> list[str]:
    """Tests that took more than ten seconds without saying so; the cells of notebooks may."""
    return [f"{report.nodeid}: {report.duration:.0f} s" for report in reports if report.when == "call"
            and report.duration > 10 and "slow" not in report.keywords and ".ipynb" not in report.nodeid]


def pytest_terminal_summary(terminalreporter):
    found = unmarked(terminalreporter.getreports("passed"))
    if found:
        terminalreporter.section("more than ten seconds, not marked slow")
        terminalreporter.write_line("\n".join(found))


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Tensors are small here: threads that share them wait for each other, where other programs run for minutes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def plain_precision(monkeypatch):
    """Networks in float32, whatever is fast here; all trainings of a process share one precision."""
    monkeypatch.setenv("COURSE_PRECISION", "no")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT
