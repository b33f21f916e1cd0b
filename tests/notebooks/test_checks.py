"""The checks themselves: a notebook with one fault fails the check for that fault, a good one passes all."""

import base64
import copy
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from course_utils.authoring import notebook_file, project
from course_utils.authoring.execute import clean, execute
from course_utils.authoring.setup_cell import badge, setup_cell
from tests import notebook_checks, notebook_helpers

NAME = "03_architecture.ipynb"
PIXEL = base64.b64encode(bytes.fromhex("89504e470d0a1a0a")).decode()
FIGURE = ("from IPython.display import Markdown, display\n"
          f"display({{'image/png': '{PIXEL}', 'text/plain': 'dot'}}, raw=True,\n"
          "        metadata={'image/png': {'alt': 'a dot'}})\n"
          "display(Markdown('*A dot.*'))")
PARTS = ["See it first", "1 An idea", "2 Another", "Train it", "Measure it", "Break it", "Play", "Exercises"]


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A tiny notebook with all a notebook needs, executed as `make notebook` does it."""
    # The checkout lies above it, as it does above the real ones
    path = tmp_path_factory.mktemp("course") / "notebooks" / NAME
    path.parent.mkdir()
    (path.parents[1] / "course_utils").symlink_to(project.ROOT / "course_utils")
    address = project.repository()
    card = ("md:# 03\n\nWhy?\n\n**The idea.** Dots. What you will have built: a dot. 1 min. Needs: nothing. "
            f"{badge(address, NAME)}")
    parts = [f"md:## {part}\n\nHere $a_{{1}}$ and $$\\left(b\\right)$$" for part in PARTS]
    stubs = [cell for i in (1, 2, 3, 4) for cell in (f"md:### Exercise {i}", f"check = print\ncheck('e{i}')")]
    drawn = "from course_utils import show\nshow.pipeline([('a', 'b'), show.step(print)], 'A row.')"
    deeper = ["md:## Going deeper", "md:### Why dots?\n\n*Answers:* why. *Needs:* nothing.", "1 + 1", "md:### Again\n\n"
              "*Answers:* what else. *Needs:* section 1."]
    end = "md:## Summary\n\n[back](#See-it-first) and [here](03_architecture.ipynb). Symbols. References."
    return notebook_helpers.write(path, card, setup_cell(address), FIGURE,
                                  "# NBVAL_CHECK_OUTPUT\nprint(6 * 7)", drawn, *parts, *stubs, end,
                                  *deeper)


@pytest.fixture
def mutate(good, tmp_path):
    """Write the good notebook with a change, in a folder of its own."""
    execute_once(good)

    def write(change) -> notebook_checks.Notebook:
        content = copy.deepcopy(notebook_file.read(good))
        change(content, [cell for cell in content["cells"] if cell["cell_type"] == "code"])
        path = tmp_path / NAME
        path.write_text(notebook_file.text(content), encoding="utf-8")
        return notebook_checks.Notebook(path)
    return write


def execute_once(path):
    if notebook_file.read(path)["cells"][1]["execution_count"] is None:
        execute(path)


def complaints(notebook) -> list[str]:
    return [sentence for check in notebook_checks.CHECKS for sentence in check(notebook)]


def test_a_good_notebook_passes_all(mutate, good):
    assert complaints(mutate(lambda content, code: None)) == []
    code, said = notebook_helpers.nbval(good)
    assert code == 0, said


def strip(content, code):
    for cell in code:
        cell["outputs"], cell["execution_count"] = [], None


def markdown(find, replacement):
    def change(content, code):
        texts = [cell for cell in content["cells"] if cell["cell_type"] == "markdown"]
        cell = next(cell for cell in texts if find in cell["source"])
        cell["source"] = cell["source"].replace(find, replacement)
    return change


def set_item(*path_and_value):
    def change(content, code):
        *path, key, value = path_and_value
        item = {"content": content, "code": code}
        for step in path:
            item = item[step]
        item[key] = value
    return change


ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "", "traceback": []}
STDERR = {"output_type": "stream", "name": "stderr", "text": "Warning"}
VIEW = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}}
WIDGET = {"output_type": "display_data", "metadata": {}, "data": VIEW}

FAULTS = {
    "stripped": (strip, ["execution counts", "no outputs", "shows something"]),
    "out of order": (set_item("code", 1, "execution_count", 7), ["execution counts"]),
    "figure not stored": (set_item("code", 2, "outputs", []), ["shows something"]),
    "stored error": (set_item("code", 1, "outputs", [ERROR]), ["stores the error ValueError"]),
    "stored warning": (set_item("code", 2, "outputs", [STDERR]), ["stderr"]),
    "metadata.widgets": (set_item("content", "metadata", "widgets", {}), ["metadata.widgets"]),
    "live widget": (set_item("code", 2, "outputs", [WIDGET]), ["live widget"]),
    "Colab's marks": (set_item("content", "cells", 0, "metadata", {"id": "x"}), ["has metadata ['id']"]),
    "another kernel": (set_item("content", "metadata", "kernelspec", {"name": "mine"}), ["not python3"]),
    "no alt text": (set_item("code", 1, "outputs", 0, "metadata", {}), ["without alt text"]),
    "no caption": (lambda content, code: code[1]["outputs"].pop(), ["without a caption"]),
    "picture without alt": (markdown("Why?", "Why? ![](a.png)"), ["no alt text", "a.png leads nowhere"]),
    "long cell": (set_item("code", 2, "source", "1\n" * 21), ["21 lines"]),
    "import of all": (set_item("code", 2, "source", "from math import *"), ["imports *"]),
    "too large": (set_item("code", 2, "outputs", 0, "text", "x" * 1_000_001), ["more than 1,000,000"]),
    "changed set-up": (set_item("code", 0, "source", "import torch"), ["not the set-up cell"]),
    "badge of another": (markdown(NAME, "04_loss.ipynb"), ["badge"]),
    "no minutes": (markdown("1 min", "Quick"), ["lacks its minutes"]),
    "no measuring": (markdown("## Measure it", "### Measure it"), ["'Measure it' is missing"]),
    "unknown part": (markdown("## Play", "## Fun"), ["'## Fun' is no part", "'Play' is missing"]),
    "wrong order": (markdown("## Play", "## See it first"), ["not in the order", "'Play' is missing"]),
    "ideas misnumbered": (markdown("## 2 Another", "## 3 Another"), ["ideas are numbered"]),
    "three exercises": (markdown("### Exercise 4", "### Extra"), ["at least four"]),
    "no idea": (markdown("**The idea.** Dots.", ""), ["lacks its idea in one sentence"]),
    "no pipeline": (set_item("code", 3, "source", "1"), ["draws the pipeline"]),
    "too many cells": (lambda content, code: content["cells"].__setitem__(slice(4, 4), [content["cells"][4]] * 60),
                       ["more than 55", "execution counts"]),
    "too many words": (markdown("Why?", "Why? " + "word " * 2500), ["words, more than 2,500"]),
    "no answer": (markdown("*Answers:* why.", "Why."), ["'### Why dots?' does not begin with what it answers"]),
    "no deeper section": (markdown("### Why dots?", "#### Why dots?"), ["before its first section", "in Colab",
                                                                         "has metadata"]),
    "unfolded": (set_item("content", "cells", -1, "metadata", {}), ["'### Again' is not folded"]),
    "unfolded in Colab": (set_item("content", "metadata", "colab", {}), ["folded in Colab"]),
    "hidden heading": (markdown("what else.", "what else.\n\n## Other\n"), ["no part of the anatomy"]),
    "library in the middle": (markdown("## Play", "## Same as the library"), ["no part", "'Play' is missing"]),
    "no references": (markdown("References", ""), ["lacks references"]),
    "open dollar": (markdown("$a_{1}$", "$a_{1}"), ["$ is not closed"]),
    "open brace": (markdown("$a_{1}$", "$a_{1$"), ["braces"]),
    "open \\left": (markdown("\\right)", ")"), ["\\left and \\right"]),
    "open \\begin": (markdown("$a_{1}$", "$\\begin{matrix}1$"), ["\\begin and \\end"]),
    "dead link": (markdown("(03_architecture.ipynb)", "(03_gone.ipynb)"), ["03_gone.ipynb leads nowhere"]),
    "dead anchor": (markdown("(#See-it-first)", "(#See-it-last)"), ["leads to no heading"]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found(mutate, fault):
    change, sentences = FAULTS[fault]
    found = complaints(mutate(change))
    assert len(found) >= 1 and all(any(sentence in one for one in found) for sentence in sentences), found
    assert all(any(sentence in one for sentence in sentences) for one in found), found


@pytest.mark.parametrize("stems, right", [
    (["01_diffusion_physics", "02_pixel_noising"], True),
    (["01_diffusion_physics", "03_architecture"], False),
    (["01_diffusion_physics", "02_noise"], False),
])
def test_names_are_the_first_of_the_thirteen(stems, right):
    assert (notebook_checks.names(stems) == []) is right


def wrong_number(content, code):
    code[2]["outputs"][0]["text"] = ["41\n"]


def raises(content, code):
    code[2]["source"] = "raise ValueError('broken on purpose')"


@pytest.mark.parametrize("change, sentence", [
    (wrong_number, "mismatch 'stdout'"),
    (raises, "broken on purpose"),
])
def test_nbval_fails(mutate, change, sentence):
    code, said = notebook_helpers.nbval(mutate(change).path)
    assert code == 1 and sentence in said, said


def exercise(**changes):
    return SimpleNamespace(**{"hints": ("Think.",), "solution": "e1 = 1"} | changes)


@pytest.mark.parametrize("registered, sentence", [
    ({"e1": exercise()}, None),
    ({"e1": exercise(), "e2": exercise(solution="e2 = 1")}, "1 exercises in the text"),
    ({"other": exercise(solution="other = 1")}, "no cell calls check(other)"),
    ({"e1": exercise(hints=())}, "no hint"),
    ({"e1": exercise(solution="pass")}, "does not define"),
])
def test_exercises_without_check_hint_or_solution_are_found(tmp_path, registered, sentence):
    path = notebook_helpers.write(tmp_path / "03_x.ipynb", "md:### Exercise 1", "e1 = ...\n\ncheck(e1=e1)")
    checker = SimpleNamespace(exercises=registered, names=lambda: list(registered))
    found = notebook_checks.exercises(notebook_checks.Notebook(path), checker)
    assert (found == []) if sentence is None else any(sentence in one for one in found)


def test_execution_stores_nothing_that_differs_between_runs(good):
    execute_once(good)
    before = good.read_text()
    execute(good)
    assert good.read_text() == before
    assert notebook_file.text(notebook_file.read(good)) == before


@pytest.mark.parametrize("source, reason", [
    ("1 / 0", "ZeroDivisionError"),
    ("import sys; print('a warning', file=sys.stderr)", "to stderr"),
    ("for i in range(20_000): print('x' * 50)", "more than 1,000,000"),
])
def test_a_failed_execution_leaves_the_notebook_alone(tmp_path, source, reason):
    path = notebook_helpers.write(tmp_path / "bad.ipynb", source)
    before = path.read_text()
    with pytest.raises(RuntimeError, match=f"(?s)bad.ipynb was not stored.*{reason}"):
        execute(path)
    assert path.read_text() == before
    assert [file.name for file in tmp_path.iterdir()] == ["bad.ipynb"]


def test_a_widget_keeps_its_picture_and_a_progress_bar_goes():
    widget = WIDGET | {"data": VIEW | {"image/png": "", "text/plain": "Box"}}
    bar = WIDGET | {"data": VIEW | {"text/plain": "  0%|    | 0/3"}}
    cell = {"cell_type": "code", "metadata": {}, "source": "", "outputs": [widget, bar], "execution_count": 1}
    (cleaned,) = clean({"cells": [cell], "metadata": {}})["cells"]
    assert [sorted(output["data"]) for output in cleaned["outputs"]] == [["image/png", "text/plain"]]


def test_a_file_that_is_no_notebook_is_named(tmp_path):
    for text in ("{", "[]", json.dumps({"metadata": {}})):
        (tmp_path / "a.ipynb").write_text(text)
        with pytest.raises(ValueError, match="a.ipynb is not a notebook.*git checkout"):
            notebook_file.read(tmp_path / "a.ipynb")


def test_a_notebook_becomes_a_script(good, tmp_path):
    execute_once(good)
    command = [sys.executable, "-m", "nbconvert", "--to", "script", "--output-dir", str(tmp_path), str(good)]
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert "print(6 * 7)" in (tmp_path / "03_architecture.py").read_text()


def test_a_notebook_becomes_a_page_that_keeps_its_descriptions(good, tmp_path):
    """README says which template; that of JupyterLab, the default, leaves alternative texts out."""
    execute_once(good)
    options = ["--to", "html", "--template", "classic", "--output-dir", str(tmp_path)]
    command = [sys.executable, "-m", "nbconvert", *options]
    assert subprocess.run([*command, str(good)], capture_output=True).returncode == 0
    assert 'alt="a dot"' in (tmp_path / "03_architecture.html").read_text(encoding="utf-8")


def test_a_home_that_cannot_be_written_is_not_the_notebooks_fault(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    path = notebook_helpers.write(tmp_path / "plot.ipynb", "import os\nprint(os.environ['MPLCONFIGDIR'])")
    execute(path)
    said = notebook_file.read(path)["cells"][0]["outputs"][0]["text"]
    assert "mplconfigdir" in "".join(said)
