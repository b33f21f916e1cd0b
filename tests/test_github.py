"""What GitHub reads: workflows with pinned actions and targets that exist, and how to cite the course."""

import re

import pytest
import yaml

from course_utils.authoring import project
from tests.conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_and_make_targets_exist(path):
    text = path.read_text(encoding="utf-8")
    jobs = yaml.safe_load(text)["jobs"].values()
    steps = [step for job in jobs for step in job["steps"]]
    for step in steps:
        if "uses" in step:
            # A tag can be moved to other code, a commit cannot; the comment is for readers and for Dependabot
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"])
            assert re.search(rf"{step['uses']} # v\d", text)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = [name for step in steps for line in re.findall(r"^make (.*)$", step.get("run", ""), re.MULTILINE)
             for name in re.findall(r"(?<!\S)[a-z-]+(?!\S)", line)]
    assert set(named) <= targets
    assert all("timeout-minutes" in job for job in jobs)


def test_there_are_workflows_for_tests_links_and_release():
    assert [path.stem for path in WORKFLOWS] == ["links", "release", "tests"]


def test_the_course_is_cited_with_its_address_and_licence():
    cited, about = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8")), project.settings()
    assert cited["repository-code"] == project.repository()
    assert cited["license"] == about["license"]
    assert [author["name"] for author in cited["authors"]] == [author["name"] for author in about["authors"]]
