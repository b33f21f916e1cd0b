"""Translations: what is translated, what is left as it is, and what is said when a catalogue is out of step."""

import re
from collections import Counter

import pytest
from babel.messages.pofile import read_po
from nbformat import v4

from course_utils import __main__ as command_line
from course_utils.authoring import notebook_file, pages, translate
from tests.authoring import small
from tests.conftest import ROOT

KOREAN = translate.FOLDER / "ko"
UNTOUCHED = re.compile(r"`[^`]+`|\$[^$]+\$|\]\([^)]*\)|\d+")


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course of one small notebook, whose translation into Latin lacks nothing."""
    (tmp_path / "notebooks").mkdir()
    tmp_path.joinpath("CONTRIBUTING.md").write_text("## One notation\n\n| a |\n|--|\n| word |\n\n## More\n")
    small.write(tmp_path / "notebooks", v4.new_markdown_cell(
        "Text that\nis wrapped.\n\n```python\n# Code stays\n```\n\n$$x$$\n\n- one\n  thing\n- two\n"))
    monkeypatch.setattr(translate.project, "ROOT", tmp_path)
    monkeypatch.setattr(translate.pages.project, "ROOT", tmp_path)
    monkeypatch.setattr(translate, "FOLDER", tmp_path / "translations")
    (tmp_path / "translations" / "la").mkdir(parents=True)
    for name, template in translate.templates().items():
        for message in template:
            if message.id:
                message.string = message.id.upper()
        translate._write(template, tmp_path / "translations" / "la" / f"{name}.po")
    return tmp_path


def rewritten(course, old: str, new: str):
    """The notebook with another text."""
    path = course / "notebooks" / "05_small.ipynb"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_an_edition_has_all_that_people_read_and_the_code_as_it_was(course):
    assert translate.edition("la", course / "build") == []
    before, after = (notebook_file.read(place / "notebooks" / "05_small.ipynb") for place in (course, course / "build"))
    for old, new in zip(before["cells"], after["cells"], strict=True):
        if old["cell_type"] == "code":
            assert new["source"] == old["source"]
        else:
            assert new["source"] != old["source"] and old["metadata"] == new["metadata"]
    text = "\n\n".join(cell["source"] for cell in after["cells"] if cell["cell_type"] == "markdown")
    for said in ("# 05 · A SMALL NOTEBOOK\n", "TEXT THAT IS WRAPPED.\n\n```python\n# Code stays\n```\n\n$$x$$\n\n",
                 "- ONE THING\n- TWO\n", "### EXERCISE 1 (PREDICT)\nA BAG OF FOUR. HOW MANY?", "[![Open in Colab]",
                 "$$s = \\frac{1}{2}$$", "](#GOING-DEEPER)"):
        assert said in text
    (figure,) = [cell["outputs"] for cell in after["cells"] if "show.figure" in cell["source"]]
    assert figure[0]["metadata"]["image/png"]["alt"] == "A RED STRIPE"
    assert "".join(figure[1]["data"]["text/markdown"]) == "*THE $X$ OF IT*"
    assert (course / "build" / "symbols.md").read_text("utf-8").strip() == "| A |\n|--|\n| WORD |"


@pytest.mark.parametrize("old, new, said", [
    ("Text that", "A text that", ["cell 6: no translation of 'A text that is wrapped.' in la/05_small.po",
                                  "cell 6: la/05_small.po has 'Text that is wrapped.', which is no longer"]),
    ("1 Where is the sun?", "1 Where is it?", ["cell 3: no translation of '1 Where is it?' in la/headings.po",
                                               "cell 3: la/headings.po has '1 Where is the sun?', which is no"]),
    ("*The $x$ of it*", "*The $y$*", ["cell 4: no translation of 'The $y$' in", "cell 4: la/05_small.po has 'The $x$"]),
])
def test_a_catalogue_out_of_step_names_the_cells(course, old, new, said):
    rewritten(course, old, new)
    found = translate.edition("la", course / "build")
    assert len(found) == len(said)
    for sentence, part in zip(sorted(found), sorted(said)):
        assert sentence.startswith("05_small.ipynb, ") and part in sentence


def test_a_small_change_leaves_a_translation_to_be_looked_at(course):
    rewritten(course, "How many?", "How many are there?")
    translate.catalogue(course / "catalogue")
    with (course / "translations" / "la" / "05_small.po").open("rb") as file:
        changed = read_po(file)["A bag of four. How many are there?"]
    assert changed.fuzzy and changed.string == "A BAG OF FOUR. HOW MANY?"
    assert [sentence for sentence in translate.edition("la", course / "build") if "How many are there?" in sentence]
    assert "How many are there?" in (course / "build" / "notebooks" / "05_small.ipynb").read_text("utf-8")


def test_templates_are_what_translations_are_made_of(course):
    translate.catalogue(course / "catalogue")
    before = {path: path.read_bytes() for path in (course / "translations").glob("*/*.po")}
    written = translate.catalogue(course / "catalogue")
    assert {path.name for path in written} >= {"05_small.pot", "headings.pot", "symbols.pot"}
    assert {path: path.read_bytes() for path in before} == before, "nothing changes where the texts have not"
    text = (course / "catalogue" / "05_small.pot").read_text("utf-8")
    assert "#. caption\n#: 05_small.ipynb:4\nmsgid \"The $x$ of it\"\nmsgstr \"\"" in text
    assert "#. alternative text" in text and "Code stays" not in text and "Colab" not in text and "..." not in text


def test_an_unknown_language_is_a_sentence(course, capsys):
    assert command_line.main(["edition", "xx"]) == 1
    assert "There are no catalogues for 'xx'; there are some for la." in capsys.readouterr().err


def test_the_command_fails_where_something_is_missing(course, capsys):
    assert command_line.main(["edition", "la"]) == 0
    rewritten(course, "Text that", "A text that")
    assert command_line.main(["edition", "la"]) == 1
    assert "05_small.ipynb, cell 6" in capsys.readouterr().out


# The Korean that there is

def messages(path) -> list:
    with path.open("rb") as file:
        return [message for message in read_po(file, locale="ko") if message.id]


@pytest.mark.parametrize("path", sorted(KOREAN.glob("*.po")), ids=lambda path: path.stem)
def test_korean_keeps_formulas_code_links_and_numbers(path):
    render = pages.Renderer()
    for message in messages(path):
        before, after = (Counter(UNTOUCHED.findall(text)) for text in (message.id, message.string))
        assert {kind: before[kind] - after[kind] for kind in before if before[kind] > after[kind]} == {}, message.id
        # A closing ** between a bracket and a letter closes nothing
        assert "**" not in re.sub(r"<[^>]*>", "", render.text(message.string)), message.string


@pytest.mark.parametrize("name, share", [("01_diffusion_physics", 0.9), ("headings", 0.6), ("symbols", 1)])
def test_korean_is_there(name, share):
    # Not all: who changes a sentence need not know Korean; make edition LANG=ko says what is missing
    known, wanted = translate._known("ko"), [message.id for message in translate.templates()[name] if message.id]
    assert sum(text in known for text in wanted) >= share * len(wanted)


def test_korean_ends_sentences_in_one_way():
    sentences = [sentence.strip(" *)") for path in KOREAN.glob("*.po") for message in messages(path)
                 if not message.string.startswith(("**참고 문헌", "|"))
                 for sentence in re.findall(r"[^.?!:()]*[가-힣*)][.?!](?=\s|$)", message.string)]
    plain = [sentence for sentence in sentences if re.search(r"(?<![니시])다[.]$|[요죠][.?!]$", sentence)]
    assert len(sentences) > 200 and plain == []


def test_a_heading_of_the_deeper_sections_is_still_found():
    known = translate._known("ko")
    assert known["Going deeper"].startswith("Going deeper")
    assert sum(path.stat().st_size for path in KOREAN.glob("*.po")) < 300_000
    assert (ROOT / "notebooks" / "01_diffusion_physics.ipynb").exists()
