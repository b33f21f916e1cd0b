"""Slides: what stands on them, and that nothing overflows."""

import pytest
from nbformat import v4

from course_utils.authoring import pages, slides
from tests.authoring import small


def made(tmp_path, *between):
    """The slides of the small notebook, as (title, kinds)."""
    found = slides.slides(pages.blocks(small.write(tmp_path, *between)), pages.Renderer())
    return [(slide.title, [kind for kind, _ in slide.pieces]) for slide in found]


BEFORE = [("05 · A small notebook", ["question", "large"]), ("1 Where is the sun?", ["question", "equation"]),
          ("1 Where is the sun?", ["figure", "follows"])]
AFTER = [("Exercises", ["exercise"]), ("Summary", ["large"])]


def test_slides_follow_from_the_anatomy(tmp_path):
    assert made(tmp_path) == BEFORE + AFTER


@pytest.mark.parametrize("cell, between", [
    (v4.new_markdown_cell("**Is it?** Yes. **Was it?** No. **Will it?** Perhaps."),
     [("1 Where is the sun?", ["question", "lead", "question"]), ("1 Where is the sun?", ["question"])]),
    (v4.new_markdown_cell("- a\n- b\n\n| a | b |\n|--|--|\n| 1 | 2 |"),
     [("1 Where is the sun?", ["large"]), ("1 Where is the sun?", ["large"])]),
    (v4.new_markdown_cell("It rises in the east:\n\n$$x$$\n\n**Where does it set?**\n\n*It sets in the west, too.*"),
     [("1 Where is the sun?", ["lead", "equation", "question", "follows"])]),
    (v4.new_markdown_cell("**Where does it set?** There.\n\nYou know. *It sets in the west, too.*"),
     [("1 Where is the sun?", ["question", "lead", "follows"])]),
    (v4.new_markdown_cell("Wait. **Where does it set?**\n\nYou know. *It sets in the west, too.*"),
     [("1 Where is the sun?", ["question"]), ("1 Where is the sun?", ["lead", "follows"])]),
    (v4.new_markdown_cell("**What is new** since then: a line.\n\n```text\na -> b\n```"),
     [("What is new", ["lead", "diagram"])]),
    (v4.new_markdown_cell("### A third\n\n*Not a sentence*, and *two words.*"), []),
    (v4.new_code_cell("x = 1"), []),
    (v4.new_code_cell("x = 1", metadata={"slideshow": {"slide_type": "slide"}}),
     [("1 Where is the sun?", ["lead", "code"])]),
    (v4.new_code_cell("x", outputs=small.figure("A"), metadata={"slideshow": {"slide_type": "notes"}}), []),
    (v4.new_markdown_cell("## 2 **Why?**\n\n**Why?**", metadata={"slideshow": {"slide_type": "skip"}}), []),
    (v4.new_markdown_cell("Plain text.", metadata={"slideshow": {"slide_type": "slide"}}),
     [("1 Where is the sun?", ["large"])]),
])
def test_marks_and_rules(tmp_path, cell, between):
    assert made(tmp_path, cell) == BEFORE + between + AFTER


def test_marks_are_those_that_the_slides_know(notebook):
    marks = {part.cell["metadata"]["slideshow"]["slide_type"] for part in pages.blocks(notebook)
             if "slideshow" in part.cell["metadata"]}
    assert marks <= slides.MARKS


def test_an_answer_comes_with_the_next_click(tmp_path):
    _, question, figure, *_ = slides.slides(pages.blocks(small.write(tmp_path)), pages.Renderer())
    assert '<div class="equation fragment">' in slides.html(question)
    assert "fragment" not in slides.html(figure)


def test_all_text_of_the_main_path_is_said(tmp_path):
    silent = v4.new_markdown_cell("### A heading\n\nNothing to show.\n\n### And one more\n\n- a")
    found = slides.slides(pages.blocks(small.write(tmp_path, silent)), pages.Renderer())
    notes = "".join(note for slide in found for note in slide.notes)
    for said in ("From noon on the sun sinks", "a compass", "And north is not", "A bag of four", "Nothing to show"):
        assert said in notes
    assert "Because" not in notes


def test_a_slide_that_overflows_is_named(tmp_path, chrome):
    long = v4.new_markdown_cell("word " * 1500, metadata={"slideshow": {"slide_type": "slide"}})
    with pytest.raises(ValueError, match="slide 4, 1 Where is the sun"):
        slides.deck(small.write(tmp_path, long), chrome)


@pytest.mark.slow
def test_nothing_overflows_and_nothing_is_fetched(notebook, tmp_path, chrome):
    path, asked = tmp_path / "slides.html", []
    path.write_text(slides.deck(notebook, chrome), encoding="utf-8")
    page = chrome.new_page(viewport={"width": slides.WIDTH, "height": slides.HEIGHT})
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_function("Reveal.isReady()")
    assert [url[:60] for url in asked[1:] if not url.startswith("data:")] == []
    # Each slide as it is shown: what lies inside, and ends outside of 16:9 or under the letters below
    outside = page.evaluate("""([width, height]) => Reveal.getSlides().flatMap((slide, number) => {
        Reveal.slide(number)
        return [...slide.querySelectorAll("h2, p, li, pre, img, figcaption, table, .katex-html .base")]
            .filter(part => !part.closest(".notes")).map(part => [part, part.getBoundingClientRect()])
            .filter(([part, box]) => box.left < 0 || box.top < 0 || box.right > width + 1 || box.bottom > height + 1
                || box.width * box.height == 0 || part.scrollWidth > part.clientWidth + 1 && part.tagName == "PRE")
            .map(([part, box]) => `${number + 1}: ${part.tagName} ${part.textContent.slice(0, 40)}
                                   ${JSON.stringify(box)}`)
        })""", [slides.WIDTH, slides.HEIGHT])
    assert outside == []
    images = page.evaluate("[...document.images].filter(image => !image.alt.trim() || !image.naturalWidth).length")
    count = page.evaluate("Reveal.getTotalSlides()")
    page.close()
    assert images == 0
    assert 18 <= count <= 34, "about 25 slides: mark cells with slide_type notes or slide"
