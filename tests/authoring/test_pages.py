"""What of a notebook stands on a page."""

import ast

import pytest
from nbformat import v4

from course_utils.authoring import browser, pages
from tests.authoring import small
from tests.conftest import ROOT


def test_setup_cell_badge_and_widgets_are_left_out(tmp_path):
    widget = v4.new_code_cell("show.play()", outputs=[
        v4.new_output("display_data", {"text/plain": "Explorer(...)"}), *small.figure("Its twin")])
    parts = pages.blocks(small.write(tmp_path, widget))
    text = "\n".join(part.source for part in parts)
    assert "Open in Colab" not in text and "Set-up, the same" not in text and "Explorer" not in text
    assert [part.source for part in parts if part.kind == "figure"] == ["The $x$ of it", "Its twin"]
    assert [part.main for part in parts] == [True] * (len(parts) - 2) + [False] * 2


@pytest.mark.parametrize("alt", ["", " \n"])
def test_an_image_without_alternative_text_is_refused(tmp_path, alt):
    with pytest.raises(ValueError, match="05_small.ipynb, cell 6: an image has no alternative text"):
        pages.blocks(small.write(tmp_path, v4.new_code_cell("show()", outputs=small.figure("A caption", alt=alt))))


@pytest.mark.parametrize("source, without", [
    ("show.figure(fig, caption='a', alt='b')", "show.figure(fig)"),
    ("show.images(x,\n    caption=f'{n} a' 'b',\n    alt='b\\n'\n  'c', photo=True)", "show.images(x, photo=True)"),
    ("y = f(é, 'ü', alt='ö')  # ä", "y = f(é, 'ü')  # ä"),
    ("a(b(1, alt='x'), caption='y')", "a(b(1))"),
    ("box(words, caption=prompts[5])", "box(words, caption=prompts[5])"),
    ("show(alt='first', x=1)", "show(alt='first', x=1)"),
    ("f(1, alt=('in', 'brackets'))", "f(1, alt=('in', 'brackets'))"),
    ("f(1, alt=('in brackets'))", "f(1)"),
    ("f((1), alt='behind brackets')", "f((1), alt='behind brackets')"),
    ("%matplotlib", "%matplotlib"),
])
def test_descriptions_of_figures_are_left_out_of_code(source, without):
    assert pages.without_descriptions(source) == without


def test_code_loses_nothing_but_descriptions(notebook):
    for part in pages.blocks(notebook):
        if part.kind == "code":
            names = {node.id for node in ast.walk(ast.parse(part.source)) if isinstance(node, ast.Name)}
            left = ast.walk(ast.parse(pages.without_descriptions(part.source)))
            in_captions = {node.id for call in ast.walk(ast.parse(part.source)) if isinstance(call, ast.Call)
                           for word in call.keywords if word.arg in ("alt", "caption")
                           for node in ast.walk(word) if isinstance(node, ast.Name)}
            assert names - in_captions <= {node.id for node in left if isinstance(node, ast.Name)}


def test_links_lead_into_the_repository_and_places_have_names():
    render = pages.Renderer()
    render.prefix = "nb05-"
    html = render.text("## One *idea*\n\n[a](06_b.ipynb) [c](../data/d.md) [e](#One-idea) [f](https://g.org) **term**")
    base = f"{pages.project.repository()}/blob/main/"
    for address in (f"{base}notebooks/06_b.ipynb", f"{base}data/d.md", "#nb05-One-idea", "https://g.org"):
        assert f'href="{address}"' in html
    assert render.terms == {"nb05-term-0": "term"} and 'id="nb05-term-0"' in html


@pytest.mark.parametrize("bold, term", [("token", True), ("classifier-free guidance", True), ("Is it?", False),
                                        ("The idea.", False), ("Symbols", False), ("a\nb", False), ("$x$", False)])
def test_terms_are_what_stands_in_bold_and_is_no_sentence(bold, term):
    render = pages.Renderer()
    render.text(f"A **{bold}** here")
    assert (bold in render.terms.values()) == term


def test_all_broken_equations_are_named(chrome):
    with pytest.raises(ValueError, match=r"(?s)\\frac\{1.*\\nonsense"):
        browser.equations(chrome, [("x^2", False), (r"\frac{1", True), (r"\nonsense", False)])


def test_a_comma_stays_with_its_formula(chrome):
    render = pages.Renderer()
    html = render.finish(render.text("A word is ($x$), $a+b+c+d+e$, and $y$ is bare."), chrome)
    page = chrome.new_page()
    # As narrow as a letter: every line is broken that can be
    page.set_content(f'<style>{browser.styles(html)} p {{ width: 1px; font: 10px/2 serif }}</style>{html}')
    whole = page.evaluate("""[...document.querySelectorAll('[style="white-space: nowrap"]')].map(
        one => [one.querySelector("annotation").textContent, one.getBoundingClientRect().height < 30])""")
    page.close()
    assert whole == [["x", True]], "short ones whole, long ones free to be broken"


def test_fonts_cover_what_is_shown_and_no_more(chrome):
    latin, korean = browser.styles("abc"), browser.styles("abc 확산 ─")
    assert "Noto Sans KR" not in latin and "Noto Sans KR" in korean
    assert "url(data:font/woff2" in latin and "url(fonts" not in latin and "url(./" not in latin
    assert len(latin) < 1_500_000


def test_what_is_missing_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(browser.project, "ROOT", tmp_path)
    with pytest.raises(RuntimeError, match="apt install npm"):
        browser.package("katex/dist/katex.min.js")


def test_lines_of_diagrams_are_as_wide_as_letters(chrome):
    style = browser.styles("abc ─└┬ 확산")
    page = chrome.new_page()
    page.set_content(pages.page("", style + (ROOT / "course_utils/authoring/web/handout.css").read_text("utf-8"),
                                "<code>aaaaaaaaaa</code><br><code>──└┬──────</code><br><code>확산</code>"))
    page.evaluate("Promise.all([...document.fonts].map(font => font.load())).then(() => null)")
    letters, lines, _ = page.evaluate("[...document.querySelectorAll('code')].map(one => one.offsetWidth)")
    page.close()
    assert abs(lines / letters - 1) < 0.02
