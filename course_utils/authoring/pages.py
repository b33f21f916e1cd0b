"""A notebook as blocks, and the blocks as HTML: the common ground of handouts, slides and book."""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from itertools import accumulate, pairwise
from pathlib import Path

from course_utils.authoring import notebook_file, project
from course_utils.authoring.execute import deeper
from course_utils.authoring.setup_cell import FIRST_LINE

_BADGE = re.compile(r"\[!\[Open in Colab\]\([^)]*\)\]\([^)]*\)\n*")
_EQUATION = re.compile(r'(\(?)(<span class="math inline">)?<equation-(\d+)(-spoken)?>(?(2)</span>)([,.;:?!)]*)')
# A term stands in bold where it is introduced; questions, labels and sentences do so, too
_TERM = re.compile(r"(?!What is new|Symbols|References|Next|[Ff]igure \d|no )[A-Za-z][\w'’-]+(?: [\w'’-]+){0,3}")


# What the style sheets do not colour: names, operators, numbers
_PLAIN = re.compile(r'<span class="(?!(?:k|kn|kc|ow|c1|sd|s1|s2)")\w+">([^<]*)</span>')


@dataclass
class Block:
    """Text, code, printed text or a figure of one cell, in the order of the page.

    `source` is Markdown, Python or plain text, and for a figure its caption.
    """

    kind: str
    source: str
    cell: dict
    main: bool
    alt: str = ""
    image: str = ""


def blocks(path: Path) -> list[Block]:
    """The notebook without set-up cell, badge and live widgets.

    Raises ValueError if an image has no alternative text.
    """
    notebook = notebook_file.read(path)
    end = deeper(notebook["cells"])
    return [block for number, cell in enumerate(notebook["cells"])
            for block in _of_cell(cell, number < end, f"{path.name}, cell {number + 1}")]


def _of_cell(cell: dict, main: bool, where: str) -> list[Block]:
    if cell["cell_type"] == "markdown":
        return [Block("text", _BADGE.sub("", cell["source"]).strip(), cell, main)]
    if cell["cell_type"] != "code" or cell["source"].startswith(FIRST_LINE):
        return []
    made = [Block("code", cell["source"], cell, main)]
    for output in cell["outputs"]:
        data = {kind: "".join(content) for kind, content in output.get("data", {}).items()}
        image = next((kind for kind in data if kind.startswith("image/")), None)
        if image:
            alt = output["metadata"].get(image, {}).get("alt", "").strip()
            if not alt:
                raise ValueError(f"{where}: an image has no alternative text.")
            encoded = data[image].replace("\n", "")
            made.append(Block("figure", "", cell, main, alt, f"data:{image};base64,{encoded}"))
        elif "text/markdown" in data and made[-1].kind == "figure":
            made[-1].source = data["text/markdown"].strip().strip("*")
        elif output["output_type"] == "stream" and "".join(output["text"]).strip():
            made.append(Block("printed", "".join(output["text"]).rstrip(), cell, main))
    return made


def title(parts: list[Block]) -> str:
    """The notebook's title, such as "05 · Classifier guidance"."""
    return re.match(r"# (.*)", parts[0].source)[1].strip()


class Renderer:
    """Turns Markdown into HTML, and gathers equations and terms on the way.

    `link(address)` says where the link to a file of the repository leads; `prefix` keeps names of places in a page of
    several notebooks apart. `finish` puts the equations in.
    """

    def __init__(self, link: Callable[[str], str] | None = None):
        from markdown_it import MarkdownIt
        from mdit_py_plugins.dollarmath import dollarmath_plugin

        self.formulas, self.terms, self.prefix = [], {}, ""
        self._link = link or in_repository
        self._markdown = MarkdownIt("commonmark", {"highlight": lambda text, name, _: code(text, name)})
        self._markdown.enable("table").use(dollarmath_plugin, renderer=self.formula, double_inline=True)
        self._markdown.core.ruler.push("places", self._places)

    def text(self, markdown: str) -> str:
        """HTML of a Markdown cell."""
        return self._markdown.render(markdown)

    def parse(self, markdown: str) -> list:
        """The tokens of a Markdown text, for `html`."""
        return self._markdown.parse(markdown)

    def html(self, tokens: list) -> str:
        """HTML of some of the tokens."""
        return self._markdown.renderer.render(tokens, self._markdown.options, {})

    def line(self, markdown: str) -> str:
        """HTML of a caption or another single line, without a paragraph around it."""
        return self._markdown.renderInline(markdown)

    def figure(self, block: Block) -> str:
        """HTML of a figure with its caption."""
        return (f'<figure><img src="{block.image}" alt="{escape(block.alt)}">'
                f"<figcaption>{self.line(block.source)}</figcaption></figure>")

    def formula(self, tex: str, options: dict) -> str:
        """The place of an equation, which `finish` fills; options["display_mode"] is true for a displayed one."""
        self.formulas.append((tex, options["display_mode"]))
        return f"<equation-{len(self.formulas) - 1}>"

    def finish(self, html: str, browser) -> str:
        """The HTML with all equations rendered, "spoken" ones as MathML; ValueError names those that are broken."""
        from course_utils.authoring.browser import equations

        made = equations(browser, self.formulas)
        spoken = [one.partition('<span class="katex-html"')[0] + "</span>" for one in made]

        def put(match: re.Match) -> str:
            before, _, number, is_spoken, after = match.groups()
            equation = (spoken if is_spoken else made)[int(number)]
            # No line begins with the comma that ends a formula; a long one must be broken somewhere
            together = (before or after) and equation.count("katex-base") <= 2
            whole = f"{before}{equation}{after}"
            return f'<span style="white-space: nowrap">{whole}</span>' if together else whole

        return _EQUATION.sub(put, html)

    def _places(self, state) -> None:
        for token, following in zip(state.tokens, [*state.tokens[1:], None]):
            if token.type == "heading_open":
                token.attrSet("id", self.prefix + place(following.content))
            children = token.children or []
            for child, inside, after in zip(children, children[1:] + [None], children[2:] + [None] * 2):
                if child.type == "link_open":
                    child.attrSet("href", self._address(child.attrs["href"]))
                elif child.type == "strong_open" and after.type == "strong_close" and _TERM.fullmatch(inside.content):
                    name = f"{self.prefix}term-{len(self.terms)}"
                    child.attrSet("id", name)
                    self.terms[name] = inside.content

    def _address(self, target: str) -> str:
        if re.match(r"[a-z]+:", target):
            return target
        return f"#{self.prefix}{place(target[1:])}" if target.startswith("#") else self._link(target)


def place(heading: str) -> str:
    """The name of a heading, which links lead to; a name stays as it is."""
    return re.sub(r"[^-\w]", "", heading.replace(" ", "-"))


def notation() -> str:
    """The table of symbols of the whole course, as Markdown, which stands in CONTRIBUTING.md."""
    text = (project.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return re.search(r"^## One notation\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)[1]


def in_repository(target: str) -> str:
    """Address on GitHub of a file that a notebook links to."""
    inside = target.removeprefix("../") if target.startswith("../") else f"notebooks/{target}"
    return f"{project.repository()}/blob/main/{inside}"


def code(text: str, language: str = "python") -> str:
    """Highlighted source, each line in an element of its own, so that a line that is wrapped can hang."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name

    if language not in ("python", "bash"):
        return plain(text, "diagram")
    text = without_descriptions(text) if language == "python" else text
    html = highlight(text, get_lexer_by_name(language), HtmlFormatter(nowrap=True)).rstrip("\n")
    # Fewer parts of a page, printed in half the time
    html = _PLAIN.sub(r"\1", html)
    # A page does not end with the first line of a function or a loop
    lines = [f'<span class="line{" opens" * source.endswith(":")}" '
             f'style="--indent:{len(source) - len(source.lstrip())}ch">{line or " "}</span>'
             for line, source in zip(html.split("\n"), text.split("\n"))]
    short = " short" if len(lines) <= 12 else ""
    return f'<pre class="code{short}">{"".join(lines)}</pre>'


def plain(text: str, kind: str) -> str:
    """A diagram or what a cell printed, with the number of letters in its widest line for the style sheet."""
    return f'<pre class={kind} style="--widest: {max(map(len, text.splitlines()))}">{escape(text)}</pre>'


def without_descriptions(source: str) -> str:
    """Python source without the texts `alt=...` and `caption=...`, which stand on the page already, with the figure."""
    data, cuts = source.encode(), []
    starts = [0, *accumulate(len(line) for line in data.splitlines(keepends=True))]
    try:
        calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
        for call in calls:
            given = sorted([*call.args, *call.keywords], key=lambda node: (node.lineno, node.col_offset))
            for before, node in pairwise(given):
                if isinstance(node, ast.keyword) and node.arg in ("alt", "caption") \
                        and isinstance(node.value, (ast.Constant, ast.JoinedStr)):
                    cuts.append([starts[end.end_lineno - 1] + end.end_col_offset for end in (before, node)])
        for begin, end in sorted(cuts, reverse=True):
            data = data[:begin] + data[end:]
        ast.parse(data)
    except SyntaxError:
        return source
    return data.decode()


def page(title: str, css: str, body: str, head: str = "") -> str:
    """A whole HTML page."""
    return (f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
            f"<style>{css}</style>{head}</head><body>{body}</body></html>")
