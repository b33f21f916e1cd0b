"""PDFs for students and teachers: what is in them, and what fails the build."""

import re

import pytest
from nbformat import v4

from course_utils import exercises
from course_utils.authoring import handouts, pages
from course_utils.exercises.base import Exercise, choice, number, tensors
from tests.authoring import small

pypdf = pytest.importorskip("pypdf", reason="run make test-handouts: it installs pypdf")


def printed(path, edition, chrome, folder):
    """The PDF of a notebook, and its text without the ends of lines."""
    handouts.print_page(chrome, handouts.handout(path, edition, chrome), folder / "a.pdf")
    read = pypdf.PdfReader(folder / "a.pdf")
    return read, " ".join(" ".join(page.extract_text() for page in read.pages).split())


def alternatives(read) -> list[str]:
    """The alternative texts in the PDF's structure, which a screen reader reads."""
    last = len(read.xref_objStm) + sum(map(len, read.xref.values()))
    objects = [read.get_object(number) for number in range(1, last)]
    # Roots in equations are drawn, and are figures to Chromium; their text is the equation's
    figures = [each for each in objects if isinstance(each, dict) and each.get("/S") == "/Figure"]
    return [figure["/Alt"] for figure in figures if "/Alt" in figure]


def fonts(read) -> dict[str, bool]:
    """Which fonts the pages use, and whether they are inside."""
    found = {}
    for page in read.pages:
        for font in page["/Resources"].get("/Font", {}).values():
            font = font.get_object()
            inner = font["/DescendantFonts"][0].get_object() if "/DescendantFonts" in font else font
            described = inner.get("/FontDescriptor", {})
            found[font["/BaseFont"]] = any(key in described for key in ("/FontFile", "/FontFile2", "/FontFile3"))
    return found


@pytest.mark.slow
def test_students_get_space_and_teachers_the_solution(tmp_path, chrome):
    path = small.write(tmp_path)
    _, student = printed(path, "student", chrome, tmp_path)
    _, teacher = printed(path, "teacher", chrome, tmp_path)
    (solved,) = [one for one in exercises.load("05").exercises.values() if one.name == "times_too_small"]
    for secret in ("Solution", "Common mistakes", solved.means[:25], "Because"):
        assert secret not in student and secret in teacher
    for text in (student, teacher):
        assert "A bag of four" in text and "check(times_too_small" in text
        assert not re.search(r"not done yet|Open in Colab|Set-up, the same|In ?\[|Out ?\[|A red stripe", text)
    assert "class=write" in handouts.handout(path, "student", chrome)
    assert "class=write" not in handouts.handout(path, "teacher", chrome)


def test_long_lines_are_wrapped_and_nothing_is_cut(tmp_path, chrome):
    html = handouts.handout(small.write(tmp_path), "student", chrome)
    # The width of A4 between the margins
    page = chrome.new_page(viewport={"width": 680, "height": 1000})
    page.set_content(html)
    wide = page.evaluate("[...document.querySelectorAll('body *')].filter(one => !one.closest('.katex') && "
                         "one.getBoundingClientRect().right > 681).map(one => one.outerHTML.slice(0, 90))")
    page.close()
    assert wide == []


def test_what_belongs_together_is_on_one_page(tmp_path, chrome):
    render = pages.Renderer()
    exercise = f"<h3>Head@e</h3><p>Asked</p>{pages.code('x = ...')}<div class=write></div><p>Lines</p>"
    table = render.text("Symbols\n\n| a | b |\n|--|--|\n| Row@e | 2 |")
    loops = pages.code("\n".join(f"def f{i}(x):\n    return x + {i}\n" for i in range(12)))
    # Each of them behind so many millimetres
    heights = range(140, 260, 4)
    html = "".join(f'<div style="break-before: page; height: {height}mm"></div>{kind.replace("@", str(height))}'
                   for height in heights for kind in (exercise, table, loops))
    handouts.print_page(chrome, handouts._page("t", html, "t"), tmp_path / "a.pdf")
    read = [page.extract_text() for page in pypdf.PdfReader(tmp_path / "a.pdf").pages]
    for height in heights:
        (asked,), (symbols,) = ([page for page in read if f"{name}{height}e" in page] for name in ("Head", "Row"))
        assert "Asked" in asked and "x = ..." in asked and "Symbols" in symbols
    # No page ends with the first line of a function
    first, last = r"def\s+f(\d+)", r"return\s+x \+ (\d+)"
    functions = [set(re.findall(pattern, page)) for page in read for pattern in (first, last)]
    assert set().union(*functions) == set(map(str, range(12))) and functions[::2] == functions[1::2]


@pytest.mark.parametrize("paragraphs, pages_of_it", [(18, 1), (20, 1), (36, 2)])
def test_a_few_lines_get_no_page_of_their_own(tmp_path, chrome, paragraphs, pages_of_it):
    html = "<div style='height: 120mm'></div>" + "<p>Some words on a line.</p>" * paragraphs
    handouts.print_page(chrome, handouts._page("t", html, "t"), tmp_path / "a.pdf")
    assert len(pypdf.PdfReader(tmp_path / "a.pdf").pages) == pages_of_it


def test_no_letter_is_too_small_to_read(tmp_path, chrome):
    wide = v4.new_code_cell("print(x)", outputs=[v4.new_output("stream", text="w " * 90)])
    diagram = v4.new_markdown_cell("```text\n" + "a ----> " * 11 + "\n```")
    page = chrome.new_page()
    page.set_content(handouts.handout(small.write(tmp_path, wide, diagram), "student", chrome))
    sizes = page.evaluate("""[...document.querySelectorAll('body *')].filter(one => one.innerText?.trim()
        && !one.closest('.katex')).map(one => 0.75 * parseFloat(getComputedStyle(one).fontSize))""")
    page.close()
    assert min(sizes) >= 6.4


@pytest.mark.parametrize("cell, said", [
    (v4.new_markdown_cell("A broken $\\frac{1$ one"), "Broken equations"),
    (v4.new_code_cell("show()", outputs=small.figure("A caption", alt="")), "no alternative text"),
    (v4.new_code_cell("show()", outputs=small.figure("Broken: $\\nonsense$")), "nonsense"),
])
def test_what_fails_the_build(tmp_path, chrome, cell, said):
    with pytest.raises(ValueError, match=said):
        handouts.handout(small.write(tmp_path, cell), "student", chrome)


@pytest.mark.slow
def test_figures_are_whole_described_and_all_there(notebook, tmp_path, chrome):
    read, text = printed(notebook, "student", chrome, tmp_path)
    shown = [part for part in pages.blocks(notebook) if part.kind == "figure" and part.main]
    assert sorted(alternatives(read)) == sorted(part.alt for part in shown)
    # A figure that is split over two pages is drawn on both
    drawn = [len(re.findall(rb"/(?:Im|X)\d+ Do", page.get_contents().get_data())) for page in read.pages]
    assert sum(drawn) == len(shown)
    assert all(fonts(read).values()) and len(fonts(read)) >= 5
    own = ("SourceSans3", "SourceSerif4", "SourceCodePro", "KaTeX", "DejaVuSansMono", "NotoSansKR")
    assert [name for name in fonts(read) if not any(known in name for known in own)] == []
    assert read.trailer["/Root"]["/MarkInfo"]["/Marked"]
    width, height = read.pages[0].mediabox[2:]
    assert (round(width), round(height)) == (595, 842)
    assert not re.search(r"\$\$|\\frac|\\sqrt|<equation", text)


@pytest.mark.slow
def test_the_volume_has_contents_and_an_index_with_the_right_pages(tmp_path, chrome):
    handouts.bind([small.write(tmp_path)], tmp_path / "course.pdf", chrome)
    read = [page.extract_text() for page in pypdf.PdfReader(tmp_path / "course.pdf").pages]
    assert "Hands-on Diffusion" in read[0] and "Contents" in read[1]
    for title in ("05 · A small notebook", "1 Where is the sun?", "Exercises", "Symbols", "Index of terms"):
        numbered = re.search(re.escape(title) + r"\s*(\d+)", read[1])
        assert title in read[int(numbered[1]) - 1].replace("\n", " ")
    where = next(number for number, text in enumerate(read, start=1) if "From noon on" in text)
    assert re.search(rf"south {where}\b", read[-1])
    assert "000" not in "".join(read[1:2] + read[-1:])


def test_mistakes_of_each_kind_of_check_are_listed():
    def grade(answer):
        """A text for readers of the code."""
        return f"Too {answer} by far." if answer else "Never nothing."

    def kind(grader):
        return Exercise("name", grader, ("hint",), "name = 1", "means").mistakes

    assert kind(number({2: "Half."}, 1, "No.")) == ["2: Half."]
    assert kind(choice("a", {"b": "Not b."})) == ["b: Not b."]
    assert kind(tensors(list, max, {"Swapped.": min}, "No.")) == ["Swapped."]
    assert kind(grade) == ["Never nothing."]


def test_the_checks_know_mistakes(notebook):
    known = [exercise.mistakes for exercise in exercises.load(notebook.name[:2]).exercises.values()]
    assert sum(map(bool, known)) >= len(known) - 1
    assert all(sentence.strip() for sentences in known for sentence in sentences)
