"""What a learner does in JupyterLab, for tests: open a notebook, run all of it, look at a cell."""

import json
import time
import urllib.request
from pathlib import Path

IDLE = '.jp-Notebook-ExecutionIndicator[data-status="idle"]'
SECONDS = 60
START_SECONDS = 180  # the first kernel of a machine reads a few hundred megabytes of packages


class Lab:
    """A page with JupyterLab. `page` is playwright's, for all that the methods here do not do."""

    def __init__(self, page, address: str, folder: Path):
        self.page = page
        self.address = address
        self.folder = folder
        self.page_errors: list[str] = []
        page.on("pageerror", lambda error: self.page_errors.append(str(error)))
        page.set_default_timeout(SECONDS * 1000)

    def open(self, notebook: str) -> None:
        """Show a notebook by its file name and wait until its kernel is ready."""
        self.notebook = notebook
        self.page.goto(f"{self.address}/lab/tree/{notebook}?reset", timeout=START_SECONDS * 1000)
        self.page.wait_for_selector(IDLE, timeout=START_SECONDS * 1000)

    def menu(self, *labels: str) -> None:
        """Choose an entry of the menu bar: menu("Run", "Run All Cells")."""
        first, *others = labels
        self.page.click(f'.lm-MenuBar-itemLabel:text-is("{first}")')
        for label in others:
            self.page.click(f'.lm-Menu-itemLabel:text-is("{label}")')

    def run_all(self, seconds: float = 400) -> list[dict]:
        """Choose "Run All Cells", wait for the end, save; returns the code cells as they are stored then.

        Raises TimeoutError, with all that is known, if the notebook is not done in time."""
        self.menu("Edit", "Clear Outputs of All Cells")
        until, counts = time.monotonic() + seconds, []
        while time.monotonic() < until:
            # JupyterLab ignores the command while the kernel's connection is not there yet, as a learner would notice
            if not any(counts):
                self.menu("Run", "Run All Cells")
            # A save while cells run makes JupyterLab ask which version to keep
            self._rest(until)
            self._save()
            cells = [cell for cell in self.stored_cells() if cell["cell_type"] == "code"]
            counts = [cell["execution_count"] for cell in cells]
            if all(counts) or errors(cells):
                return cells
        log = (self.folder.parent / "lab.log").read_text(encoding="utf-8")
        raise TimeoutError(f"{self.notebook} was not done after {seconds} s; its cells have run as {counts}, "
                           f"the kernel is {self._status()}. The server says:\n{log[-3000:]}")

    def _status(self) -> str:
        """What the indicator beside the kernel's name shows: idle, busy, ..."""
        indicator = self.page.locator(".jp-Notebook-ExecutionIndicator").first
        return indicator.get_attribute("data-status") if indicator.count() else "not shown"

    def _save(self) -> None:
        """Save, and wait until the file is new."""
        file = self.folder / self.notebook
        before = file.stat().st_mtime_ns
        self.menu("File", "Save Notebook")
        until = time.monotonic() + 10
        while file.stat().st_mtime_ns == before and time.monotonic() < until:
            time.sleep(0.1)

    def _rest(self, until: float) -> None:
        """Wait until the kernel has rested for three seconds: between two cells it rests for a moment too."""
        rested = 0
        while rested < 6 and time.monotonic() < until:
            time.sleep(0.5)
            rested = rested + 1 if self.page.locator(IDLE).count() else 0

    def stored_cells(self) -> list[dict]:
        """The cells of the notebook as it is stored.

        Read from the disk: when the server reads a file that is being saved, it renames it to ".invalid"."""
        until = time.monotonic() + SECONDS
        while True:
            try:
                return json.loads((self.folder / self.notebook).read_text(encoding="utf-8"))["cells"]
            except json.JSONDecodeError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)

    def close(self) -> None:
        """Close the page and end its kernels, so that the next test starts with fresh ones."""
        self.page.close()
        with urllib.request.urlopen(f"{self.address}/api/kernels", timeout=SECONDS) as answer:
            kernels = json.load(answer)
        for kernel in kernels:
            end = urllib.request.Request(f"{self.address}/api/kernels/{kernel['id']}", method="DELETE")
            urllib.request.urlopen(end, timeout=SECONDS).close()

    def find_cell(self, text: str):
        """The first cell whose stored source has the text, scrolled into view, as a playwright locator."""
        sources = ["".join(cell["source"]) for cell in self.stored_cells()]
        index = next((i for i, source in enumerate(sources) if text in source), None)
        if index is None:
            raise ValueError(f"{self.notebook} has no cell with the text {text!r}")
        # JupyterLab only draws the cells near the visible ones, so walk there
        panel = self.page.locator(".jp-WindowedPanel-outer").first
        cell = self.page.locator(f'.jp-Cell[data-windowed-list-index="{index}"]')
        panel.evaluate("panel => panel.scrollTo(0, 0)")
        until = time.monotonic() + SECONDS
        while not cell.count() and time.monotonic() < until:
            panel.evaluate("panel => panel.scrollBy(0, panel.clientHeight / 2)")
            self.page.wait_for_timeout(200)
        cell.scroll_into_view_if_needed()
        return cell

    def screenshot(self, path: Path, cell=None) -> Path:
        """A picture of the page, or of one cell, for eyes; returns its path."""
        (cell or self.page).screenshot(path=path)
        return path


def errors(cells: list[dict]) -> list[str]:
    """Errors that stored code cells show."""
    return [f"{output['ename']}: {output['evalue']}" for cell in cells for output in cell["outputs"]
            if output["output_type"] == "error"]


def eventually(condition, seconds: float = 20) -> bool:
    """Whether the condition becomes true in time."""
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.2)
    return condition()


def says(picture, words: str) -> bool:
    """Whether the picture's description comes to hold these words in time."""
    return eventually(lambda: words in picture.get_attribute("alt"))


def stored(path) -> str:
    """What the kernel wrote, empty before it wrote anything."""
    return path.read_text() if path.exists() else ""
