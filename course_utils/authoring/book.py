"""The notebooks as a web site that needs no server and no network: `make book`.

Sphinx with the theme Furo writes the pages: search, dark mode and the way back and forth are theirs. This module gives
them the notebooks as MyST Markdown, KaTeX's equations, and folded deeper sections.
"""

import base64
import re
import shutil
from io import StringIO
from pathlib import Path

from course_utils.authoring import browser, pages, project
from course_utils.authoring.setup_cell import badge

_CSS = """
details.deeper > summary { cursor: pointer } details.deeper > summary > * { display: inline; margin: 0 }
details.deeper { margin: 1rem 0 } img[alt] { background: #fff } .colab a { font-weight: 600 }
.katex-display { overflow-x: auto; overflow-y: hidden }
"""
# A link to a folded section opens it
_UNFOLD = """function unfold() {
  const place = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const details = place && (place.querySelector(":scope > details.deeper") || place.closest("details.deeper"));
  if (details && !details.open) { details.open = true; place.scrollIntoView() } }
addEventListener("hashchange", unfold); addEventListener("DOMContentLoaded", unfold);"""
_LINK = re.compile(r"\]\((?![a-z]+:)([^)\s#]*)(?:#([^)\s]*))?\)")
_IMAGE = re.compile(r'<img src="data/thumbnails/(\d+\.jpg)" width="\d+" alt="([^"]*)">')
_CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)


def build(notebooks: list[Path], folder: Path, chrome) -> list[Path]:
    """Write the site into the folder and return its first page.

    Raises ValueError for a broken link or equation, RuntimeError where a package is missing."""
    try:
        from sphinx.application import Sphinx
        from sphinx.errors import SphinxError
        from sphinx.util.docutils import docutils_namespace, patch_docutils
    except ModuleNotFoundError as error:
        raise RuntimeError("The Python packages sphinx, myst-parser and furo are missing: run make book, which "
                           "installs them.") from error
    source, work = folder.with_name("book-source"), folder.with_name("book-work")
    for old in (source, folder, work):
        shutil.rmtree(old, ignore_errors=True)
    _write(notebooks, source)
    _RENDERER.formulas.clear()
    said = StringIO()
    try:
        with patch_docutils(), docutils_namespace():
            Sphinx(source, None, folder, work, "html", _settings(), status=None, warning=said).build()
    except SphinxError as error:
        raise ValueError(f"The book was not built: {error}") from error
    if said.getvalue():
        raise ValueError(f"The book was not built: {said.getvalue().strip()}")
    katex = browser.package("katex/dist/katex.min.css").parent
    shutil.copy(katex / "katex.min.css", folder / "_static")
    shutil.copytree(katex / "fonts", folder / "_static" / "fonts", ignore=shutil.ignore_patterns("*.ttf", "*.woff"))
    (folder / "_static" / "course.css").write_text(_CSS, encoding="utf-8")
    _RENDERER.finish_files(sorted(folder.glob("*.html")), chrome)
    return [folder / "index.html"]


def _settings() -> dict:
    about = project.settings()
    return {"project": "Hands-on Diffusion", "author": about["authors"][0]["name"], "language": "en",
            "extensions": ["myst_parser", __name__], "html_theme": "furo", "html_title": "Hands-on Diffusion",
            "html_math_renderer": "katex", "html_copy_source": False, "html_show_sphinx": False,
            # Without a server a page cannot read the others
            "html_show_search_summary": False,
            "html_css_files": ["katex.min.css", "course.css"], "myst_heading_anchors": 4,
            "myst_enable_extensions": ["dollarmath", "attrs_inline"], "myst_dmath_double_inline": True,
            "suppress_warnings": ["misc.highlighting_failure"]}


def _write(notebooks: list[Path], source: Path) -> None:
    (source / "images").mkdir(parents=True)
    here = {path.name for path in notebooks}
    for path in notebooks:
        (source / f"{path.stem}.md").write_text(_chapter(path, source / "images", here), encoding="utf-8")
    for thumbnail in (project.ROOT / "data" / "thumbnails").glob("*.jpg"):
        shutil.copy(thumbnail, source / "images")
    readme = (project.ROOT / "README.md").read_text(encoding="utf-8")
    about = re.search(r"^# .*?(?=^!|^## )", readme, re.MULTILINE | re.DOTALL)[0]
    table = _IMAGE.sub(r"![\2](images/\1)", re.search(r"^\| no\..*?(?=\n\n)", readme, re.MULTILINE | re.DOTALL)[0])
    table = table.replace("](notebooks/", "](")
    names = "\n".join([path.stem for path in notebooks] + ["symbols"])
    (source / "index.md").write_text(f"{about}\n\n```{{toctree}}\n:hidden:\n\n{names}\n```\n\n"
                                     f"{_linked(table, here)}\n", encoding="utf-8")
    (source / "symbols.md").write_text(f"# Symbols\n\n{pages.notation()}", encoding="utf-8")


def _chapter(path: Path, images: Path, here: set[str]) -> str:
    """A notebook as MyST Markdown; its images become files."""
    text = []
    for number, part in enumerate(pages.blocks(path)):
        if part.kind == "text":
            pieces = _CODE.split(part.source)
            pieces[::2] = [_linked(piece, here) for piece in pieces[::2]]
            text.append("".join(pieces))
            if number == 0:
                address = re.search(r"\]\(([^)]*)\)\Z", badge(project.repository(), path.name))[1]
                text.append(f"[Open in Colab]({address}){{.colab}}")
        elif part.kind == "figure":
            kind, _, encoded = part.image.partition(";base64,")
            file = images / f"{path.stem[:2]}-{number}.{kind.rpartition('/')[2]}"
            file.write_bytes(base64.b64decode(encoded))
            alt = " ".join(part.alt.split())
            text.append(f"`````{{figure}} images/{file.name}\n:alt: {alt}\n\n{part.source}\n`````")
        else:
            text.append(f"`````{'python' if part.kind == 'code' else 'text'}\n{part.source}\n`````")
    return "\n\n".join(text) + "\n"


def _linked(markdown: str, here: set[str]) -> str:
    """The Markdown with links as the site wants them: to its own pages, and for all other files to the repository."""
    def target(match: re.Match) -> str:
        file, place = match[1], match[2]
        if file in here or not file:
            page = f"{file.removesuffix('.ipynb')}.md" if file else ""
            return f"]({page}{'#' + pages.place(place).lower() if place else ''})"
        return f"]({file if file.startswith('images/') else pages.in_repository(file)})"

    return _LINK.sub(target, markdown)


class _Equations(pages.Renderer):
    """The equations of all pages, rendered together when the site stands."""

    def finish_files(self, paths: list[Path], chrome) -> None:
        texts = [path.read_text(encoding="utf-8") for path in paths]
        rendered = self.finish("\0".join(texts), chrome).split("\0")
        for path, text in zip(paths, rendered):
            # Who has no mouse scrolls long lines and equations with the keys
            path.write_text(re.sub('<pre(?=>)|<span class="katex-display"', r'\g<0> tabindex="0"', text),
                            encoding="utf-8")


_RENDERER = _Equations()


def setup(app) -> dict:
    """What Sphinx calls: the renderer of equations, and folded sections."""

    def visit(displayed):
        def write(translator, node):
            from docutils import nodes

            translator.body.append(_RENDERER.formula(node.astext(), {"display_mode": displayed}))
            raise nodes.SkipNode
        return write

    app.add_html_math_renderer("katex", (visit(False), None), (visit(True), None))
    app.connect("doctree-resolved", _fold)
    app.add_js_file(None, body=_UNFOLD)
    return {"parallel_read_safe": False}


def _fold(app, doctree, name) -> None:
    from docutils import nodes

    for section in doctree.findall(nodes.section):
        if "going-deeper" in section["ids"]:
            for deeper in [child for child in section.children if isinstance(child, nodes.section)]:
                title, *rest = deeper.children
                deeper.children = [nodes.raw("", '<details class="deeper"><summary>', format="html"), title,
                                   nodes.raw("", "</summary>", format="html"), *rest,
                                   nodes.raw("", "</details>", format="html")]
