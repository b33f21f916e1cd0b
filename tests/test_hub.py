"""The registry of real models: true to the libraries, named nowhere else, and able to say what is gone."""

import ast
import re
from importlib import import_module
from types import SimpleNamespace

import pytest
from huggingface_hub.errors import RepositoryNotFoundError

from course_utils import __main__ as command_line
from course_utils import hub, runtime
from course_utils.authoring import notebook_file
from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LOADS = {"from_pretrained", "from_single_file", "hf_hub_download", "snapshot_download", "load_dataset"}


def loaded_by_name(source: str) -> list[str]:
    """Names on the hub that code loads without asking the registry."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and node.args]
    names = [(getattr(call.func, "attr", getattr(call.func, "id", "")), call.args[0]) for call in calls]
    return [given.value for name, given in names
            if name in LOADS and isinstance(given, ast.Constant) and re.fullmatch(r"[\w.-]+/[\w.-]+", str(given.value))]


def texts() -> dict[str, str]:
    """What people read and run, by name: notebooks without outputs, package, tests, README without its table."""
    found = {path.name: "\n".join(cell["source"] for cell in notebook_file.read(path)["cells"]) for path in NOTEBOOKS}
    for path in [*ROOT.glob("course_utils/**/*.py"), *ROOT.glob("tests/**/*.py"), *ROOT.glob("*.md")]:
        found[str(path.relative_to(ROOT))] = path.read_text(encoding="utf-8").replace(hub.table(), "")
    return found


def test_no_id_stands_anywhere_else():
    ids = [one.id for one in hub.models().values() if one.host == hub.HUB]
    assert [(name, model) for name, text in texts().items() for model in ids if model in text] == []


@pytest.mark.parametrize("source, found", [
    ("Pipeline.from_pretrained('some/model', dtype=half)", ["some/model"]),
    ("hf_hub_download('some/model', 'a.bin')", ["some/model"]),
    ("Pipeline.from_pretrained(hub.need('sd'))", []), ("Pipeline.from_pretrained(folder / 'a')", []),
])
def test_what_loads_a_model_by_name_is_seen(source, found):
    assert loaded_by_name(source) == found


def test_notebooks_load_what_the_registry_knows():
    used = {}
    for path in NOTEBOOKS:
        code = [cell for cell in notebook_file.read(path)["cells"] if cell["cell_type"] == "code"]
        assert [name for cell in code for name in loaded_by_name(cell["source"])] == []
        texts_of = [node.value for cell in code if "full-scale" in cell["metadata"].get("tags", [])
                    for node in ast.walk(ast.parse(cell["source"])) if isinstance(node, ast.Constant)]
        # The notebook of an entry is the first that loads it
        used = {text: path.name[:2] for text in texts_of if text in hub.models()} | used
    there = {path.name[:2] for path in NOTEBOOKS}
    assert used == {name: one.notebook for name, one in hub.models().items() if one.notebook in there}


@pytest.mark.slow
@pytest.mark.parametrize("name, one", hub.models().items())
def test_each_entry_is_complete_and_its_class_exists(name, one):
    assert all((one.name, one.id, one.licence, one.download, one.memory, one.checked.year > 2025))
    module, _, kind = one.opens.rpartition(".")
    if one.host == hub.HUB:
        assert hasattr(getattr(import_module(module), kind), "from_pretrained")
        assert re.fullmatch(r"[\w-]+/[\w.-]+", one.id)
    else:
        assert one.page.startswith("https://")


def test_an_unknown_model_is_a_sentence_with_all_names():
    with pytest.raises(ValueError, match="no model 'dalle' in models.toml; there are dit, "):
        hub.need("dalle")


def test_need_asks_and_returns_the_id(monkeypatch):
    asked = []
    monkeypatch.setattr(runtime, "need_hub", lambda what, **where: asked.append((what, where)))
    assert hub.need("dit") == hub.model("dit").id
    assert asked == [("DiT-XL/2 (about 3 GB, licence: CC BY-NC 4.0)", {"host": hub.HUB, "repo": hub.model("dit").id})]
    hub.need("glide")
    assert asked[1][1] == {"host": "openaipublic.blob.core.windows.net", "repo": None}


def test_requirements_of_models_that_are_opened_together():
    said = hub.requirements("sd", "controlnet-edges")
    assert said == "This needs an NVIDIA GPU with 8 GB of memory and 3.7 GB from huggingface.co. On Colab choose a T4."
    assert ", 10 GB from huggingface.co, and its licence, accepted at" in hub.requirements("deepfloyd-if")


def test_readme_has_the_table_of_the_registry():
    assert hub.table() in (ROOT / "README.md").read_text("utf-8"), "paste what python -m course_utils models prints"


@pytest.fixture
def answers(monkeypatch):
    """A hub that has all models as noted, but for those in the dict that is returned: gated, or None if gone."""
    other = {}

    def model_info(self, name, timeout):
        gate = next(bool(one.gate) for one in hub.models().values() if one.id == name)
        if other.get(name, gate) is None:
            raise RepositoryNotFoundError("404", response=SimpleNamespace(headers={}, status_code=404, request=None))
        return SimpleNamespace(gated="auto" if other.get(name, gate) else False)

    monkeypatch.setattr(runtime, "need_hub", lambda *what, **_: None)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", model_info)
    monkeypatch.setattr("huggingface_hub.get_session", lambda: SimpleNamespace(
        head=lambda address, timeout: SimpleNamespace(status_code=other.get(address, 200))))
    return other


def test_the_hub_is_asked_only_when_told(answers, capsys, monkeypatch):
    assert command_line.main(["models", "--check"]) == 0
    assert capsys.readouterr().out.count("[OK]") == len(hub.models())
    monkeypatch.setattr(hub, "check", lambda: pytest.fail("asked the hub"))
    assert command_line.main(["models"]) == 0
    assert capsys.readouterr().out.strip() == hub.table()


@pytest.mark.parametrize("name, answer, said", [
    ("dit", None, "is gone"), ("dit", True, "is gated"), ("deepfloyd-if", False, "is not gated"),
    ("glide", 404, "answers 404")])
def test_what_is_gone_or_gated_is_said(answers, capsys, name, answer, said):
    one = hub.model(name)
    answers[one.id if one.host == hub.HUB else one.page] = answer
    assert command_line.main(["models", "--check"]) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "[FAIL]" in line]
    assert one.id in line and said in line and f"notebook {one.notebook}" in line


def test_a_hub_that_is_switched_off_is_a_sentence(monkeypatch, capsys):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert command_line.main(["models", "--check"]) == 1
    assert "HF_HUB_OFFLINE" in capsys.readouterr().err
