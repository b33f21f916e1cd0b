"""Every notebook has the structure that learners, GitHub, Colab and screen readers rely on."""

import re

import pytest

from course_utils import exercises
from course_utils.authoring import project, stamp
from tests import notebook_checks
from tests.conftest import ROOT

PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module", params=PATHS, ids=lambda path: path.stem)
def notebook(request) -> notebook_checks.Notebook:
    return notebook_checks.Notebook(request.param)


def test_the_first_notebooks_of_the_series_are_there():
    assert len(PATHS) >= 2
    assert notebook_checks.names([path.stem for path in PATHS]) == []


@pytest.mark.parametrize("check", notebook_checks.CHECKS, ids=lambda check: check.__name__)
def test_structure(notebook, check):
    assert check(notebook) == []


def test_exercises_have_check_hint_and_solution(notebook):
    checker = exercises.load(f"{notebook.number:02d}")
    assert notebook_checks.exercises(notebook, checker) == []


def test_address_is_stamped_everywhere():
    repository = project.repository()
    for path in PATHS:
        text = path.read_text(encoding="utf-8")
        assert stamp.stamped_notebook(path, repository) == text, "run `make stamp`"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert stamp.stamped_markdown(readme, repository) == readme, "run `make stamp`"


def test_readme_lists_the_thirteen_and_links_those_that_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d\d) \|.*$", readme, re.MULTILINE)
    assert rows == [name[:2] for name in notebook_checks.NAMES]
    linked = re.findall(r"\]\(notebooks/(\w+)\.ipynb\)", readme)
    assert sorted(set(linked)) == [path.stem for path in PATHS]


def test_the_plans_for_lectures_name_sections_that_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?:two|four) hours \| (.*?) \|", readme, re.MULTILINE)
    named = {path.stem[:2]: set(re.findall(r"^## (\d) ", notebook_checks.Notebook(path).prose, re.MULTILINE))
             for path in PATHS}
    planned = {}
    for row in rows:
        for notebooks, sections in re.findall(r"(\d\d(?: (?:and|to) \d\d)?): ([^.]*)", row):
            first, last = re.findall(r"\d\d", notebooks)[0], re.findall(r"\d\d", notebooks)[-1]
            wanted = {str(n) for begin, end in re.findall(r"(\d)(?: to (\d))?", sections)
                      for n in range(int(begin), int(end or begin) + 1)}
            planned |= {f"{n:02d}": planned.get(f"{n:02d}", set()) | wanted for n in range(int(first), int(last) + 1)}
    assert len(rows) == 2 and len(planned) == 13
    assert {number: wanted - named[number] for number, wanted in planned.items()
            if number in named and not wanted <= named[number]} == {}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_no_dead_links_in_the_documents(name):
    text = notebook_checks.CODE_IN_TEXT.sub("", (ROOT / name).read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        assert not file or (ROOT / file).exists(), f"{name} links to {file}, which is not there"
        assert not anchor or file or anchor in anchors, f"{name} links to #{anchor}, which is no heading"
