"""JupyterLab in a real Chromium: one server, one browser, a fresh page for each test."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest
from nbformat import v4

from course_utils.authoring import project
from course_utils.authoring.setup_cell import setup_cell
from tests.browser.lab import Lab, errors
from tests.conftest import ROOT

START_SECONDS = 90


@pytest.fixture(scope="session")
def chromium():
    """A running Chromium of this system; the tests are skipped, with the reason, where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="run make test-browser: it installs playwright")
    program = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
    if program is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    # Chromium's own sandbox does not work as root, which CI is
    options = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=options)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Address and folder of a JupyterLab that serves a copy of notebooks/, beside the real course_utils/ and data/."""
    course = tmp_path_factory.mktemp("course")
    shutil.copytree(ROOT / "notebooks", course / "notebooks")
    for folder in ("course_utils", "data", "pyproject.toml"):
        (course / folder).symlink_to(ROOT / folder)
    settings = course / "settings" / "overrides.json"
    settings.parent.mkdir()
    # No question about news, which would lie over the notebook
    settings.write_text('{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "jupyter", "lab", course / "notebooks", "--no-browser", "--allow-root",
               f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=",
               "--ServerApp.disable_check_xsrf=True",
               f"--LabApp.app_settings_dir={settings.parent}", f"--LabApp.workspaces_dir={course / 'workspaces'}"]
    with open(course / "lab.log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait(address, process, course / "lab.log")
        yield address, course / "notebooks"
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture
def lab(chromium, server):
    """A fresh page; `lab.open("01_diffusion_physics.ipynb")` shows a notebook on it."""
    opened = Lab(chromium.new_page(viewport={"width": 1400, "height": 1000}), *server)
    yield opened
    opened.close()


@pytest.fixture
def run(lab):
    """Write a notebook with the set-up cell and this source beside the course's own, and run all of it."""

    def write_and_run(name: str, source: str):
        cells = [v4.new_code_cell(setup_cell(project.repository())), v4.new_code_cell(source)]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(notebook, lab.folder / name)
        lab.open(name)
        assert errors(lab.run_all()) == []
        return lab.page

    return write_and_run


@pytest.fixture
def explorer(run, lab):
    """Run this source, in which an explorer is played; returns the page and the explorer's picture."""

    def play(name: str, source: str):
        page = run(name, source)
        picture = page.locator(".widget-html-content img")
        picture.wait_for()
        return page, picture

    yield play
    assert lab.page_errors == []


def _wait(address, process, log) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/api/status", timeout=5).close()
            return
        except OSError:
            time.sleep(0.3)
    pytest.fail(f"JupyterLab did not start within {START_SECONDS} s:\n{log.read_text()[-2000:]}")
