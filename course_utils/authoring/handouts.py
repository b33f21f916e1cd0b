"""PDF handouts of the notebooks, for students and for teachers, and one bound volume: `make handouts`."""

import re
from datetime import date
from html import escape
from pathlib import Path

from course_utils.authoring import browser, pages, project

EDITIONS = ("student", "teacher")
_CSS = Path(__file__).parent / "web" / "handout.css"
# Words on a last page, head and number included, that are not worth the paper
_REST = 60
_CHECK = re.compile(r"^check\((\w+)", re.MULTILINE)


def build(notebooks: list[Path], folder: Path, chrome) -> list[Path]:
    """Write NAME-student.pdf and NAME-teacher.pdf for each notebook, and course.pdf with all of them.

    Raises ValueError for a broken equation or an image without alternative text, RuntimeError where Chromium or the
    web packages are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for path in notebooks:
        for edition in EDITIONS:
            written.append(folder / f"{path.stem}-{edition}.pdf")
            print_page(chrome, handout(path, edition, chrome), written[-1])
    return [*written, bind(notebooks, folder / "course.pdf", chrome)]


def handout(path: Path, edition: str, chrome) -> str:
    """HTML of one notebook: "student" is the main path with space to write, "teacher" everything and the solutions."""
    render, parts = pages.Renderer(), pages.blocks(path)
    body = render.finish(_chapter(parts, edition, path.stem[:2], render), chrome)
    name = pages.title(parts)
    return _page(f"{name} ({edition}s' handout)", body, name if edition == "student" else f"{name}, for teachers")


def _page(title: str, body: str, running: str) -> str:
    css = browser.styles(body) + _CSS.read_text(encoding="utf-8")
    return pages.page(title, css + f'@page {{ @top-right {{ content: "{running}" }} }}', body)


def _chapter(parts: list[pages.Block], edition: str, number: str, render: pages.Renderer) -> str:
    from course_utils import exercises

    checker, html = exercises.load(number), []
    for part, following in zip(parts, [*parts[1:], None]):
        if not part.main and edition == "student":
            break
        asked = _CHECK.search(part.cell["source"]) if part.cell["cell_type"] == "code" else None
        if part.kind == "text":
            text = render.text(part.source)
            html.append(f"<section class=card>{text}</section>" if part is parts[0] else text)
        elif part.kind == "code":
            html.append(pages.code(part.source))
        elif part.kind == "figure":
            html.append(render.figure(part))
        elif not asked:
            # What an unsolved exercise prints says nothing on paper
            html.append(pages.plain(part.source, "printed"))
        if asked and (following is None or following.cell is not part.cell):
            html.append("<div class=write></div>" if edition == "student"
                        else _answer(checker.exercises[asked[1]], render))
    return "\n".join(html)


def _answer(exercise, render: pages.Renderer) -> str:
    mistakes, hints = ("".join(f"<li>{render.line(_plain(sentence))}</li>" for sentence in sentences)
                       for sentences in (exercise.mistakes, exercise.hints))
    if mistakes:
        mistakes = f"<p><b>Common mistakes</b>, and what the check says to them:</p><ul>{mistakes}</ul>"
    return (f"<aside class=answer><h4>Solution</h4>{pages.code(exercise.solution)}"
            f"<p><b>What it means.</b> {render.line(_plain(exercise.means))}</p>"
            f"<p><b>Hints</b>, in the order in which they are given:</p><ol>{hints}</ol>{mistakes}</aside>")


def _plain(sentence: str) -> str:
    # The checks print plain text, in which a star is a multiplication and an underscore part of a name
    return re.sub(r"([\\`*_\[\]<$])", r"\\\1", sentence)


def bind(notebooks: list[Path], path: Path, chrome) -> Path:
    """One volume for students: title page, contents, all main paths, symbols, index; printed twice for the numbers."""
    known = {notebook.name: f"#nb{notebook.stem[:2]}" for notebook in notebooks}
    render = pages.Renderer(lambda target: known.get(target) or pages.in_repository(target))
    chapters, contents, css = [], [], []
    for notebook in notebooks:
        number, parts = notebook.stem[:2], pages.blocks(notebook)
        render.prefix = f"nb{number}-"
        name, html = pages.title(parts), _chapter(parts, "student", number, render)
        chapters.append(f'<section class=chapter id="nb{number}" style="page: nb{number}">{html}</section>')
        css.append(f'@page nb{number} {{ @top-right {{ content: "{name}" }} }}')
        heads = re.findall(r'<h2 id="([^"]*)">(.*?)</h2>', html)
        contents.append(_entry(f"nb{number}", f"<b>{escape(name)}</b>") + "<ul>"
                        + "".join(f"<li>{_entry(*head)}</li>" for head in heads) + "</ul>")
    render.prefix = ""
    symbols = f'<section class=chapter id=symbols><h1>Symbols</h1>{render.text(pages.notation())}</section>'
    html = (_title_page() + f"<nav class=contents><h1>Contents</h1>{''.join(contents)}{_entry('symbols', 'Symbols')}"
            f"{_entry('index', 'Index of terms')}</nav>{''.join(chapters)}{symbols}{_index(render.terms)}")
    html = _page("Hands-on Diffusion", f"<style>{''.join(css)}</style>{render.finish(html, chrome)}", "")
    print_page(chrome, html, path)
    print_page(chrome, _numbered(html, path), path)
    return path


def _entry(place: str, text: str) -> str:
    return f'<a href="#{escape(place)}"><span>{text}</span><i data-page="{escape(place)}">000</i></a>'


def _title_page() -> str:
    about = project.settings()
    return (f"<section class=title><h1>Hands-on Diffusion</h1><p>{escape(about['description'])}.</p>"
            f"<p>{escape(about['authors'][0]['name'])}, {date.today():%B %Y}.<br>{escape(project.repository())}<br>"
            "Text and code: MIT licence. The pictures keep the licences of their makers, named in the file NOTICE.</p>"
            "</section>")


def _index(terms: dict[str, str]) -> str:
    places: dict[str, list[str]] = {}
    for place, term in terms.items():
        places.setdefault(term.lower(), []).append(place)
    rows = "".join(f"<p>{escape(terms[found[0]])} "
                   + ", ".join(f'<a href="#{place}" data-page="{place}">000</a>' for place in found) + "</p>"
                   for _, found in sorted(places.items()))
    return f"<section class=chapter id=index><h1>Index of terms</h1><div class=index>{rows}</div></section>"


def _numbered(html: str, path: Path) -> str:
    """The HTML with the page numbers of the printed PDF, in which each place that is linked to has a name."""
    from pypdf import PdfReader

    printed = PdfReader(path)
    number = {name.lstrip("/"): printed.get_destination_page_number(place) + 1
              for name, place in printed.named_destinations.items()}
    return re.sub(r'data-page="([^"]*)">000<', lambda match: f">{number[match[1]]}<", html)


def print_page(chrome, html: str, path: Path) -> None:
    """Write a page as PDF, tagged for screen readers and with an outline.

    Where a few lines would be left for a page of their own, all is set a little closer."""
    with browser.page(chrome) as page:
        page.set_content(html, wait_until="load")
        # Those that only the margins use, too
        page.evaluate("Promise.all([...document.fonts].map(font => font.load())).then(() => null)")
        for _ in range(2):
            page.pdf(path=path, prefer_css_page_size=True, print_background=True, tagged=True, outline=True)
            if not _leaves_a_rest(path):
                break
            page.evaluate("document.body.classList.add('closer')")


def _leaves_a_rest(path: Path) -> bool:
    from pypdf import PdfReader

    *before, last = PdfReader(path).pages
    return bool(before) and len(last.extract_text().split()) < _REST and "/XObject" not in last["/Resources"]
