"""Slides of a notebook's main path, one HTML file each with reveal.js inside: `make slides`.

What stands on a slide follows from the anatomy of a notebook: headings, the questions in bold, displayed equations,
tables, lists and diagrams, figures with their captions, and the sentences in italics, which say what follows. All the
text is in the speaker notes. A cell's metadata `slideshow.slide_type` decides otherwise: "slide" shows a cell of code
or the whole text of a cell on a slide of its own, "notes" leaves it to the notes, "skip" leaves it out.
"""

import re
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from pathlib import Path

from course_utils.authoring import browser, pages

WIDTH, HEIGHT = 1280, 720
MARKS = {"slide", "notes", "skip"}
_CSS = Path(__file__).parent / "web" / "slides.css"
_MOST_WORDS = 150
# Words of the sentence before a question or an equation, which says what it is about
_CONTEXT = 32
# Of what is said in one slide: two questions, two equations, two consequences
_MOST = 2
_ALONE = {"figure", "large", "diagram", "code"}
_STEPS = (1.35, 1.2, 1.1, 1, 0.92, 0.84, 0.76, 0.68, 0.62)
# For each slide: is there a tall picture, how large may the letters be, and how large its equations
_FIT = """async steps => {
    await Promise.all([...document.fonts].map(font => font.load()))
    await Promise.all([...document.images].map(image => image.decode()))
    return [...document.querySelectorAll("section")].map(slide => {
        const equations = [...slide.querySelectorAll("div.equation, div.diagram, div.code")]
        const image = slide.querySelector("img")
        const kind = !image ? "said" : image.naturalWidth < 1.5 * image.naturalHeight
            && slide.querySelector(".question, .follows") ? "tall" : "wide"
        slide.className = kind
        const inside = element => element.scrollWidth <= element.clientWidth
        const fits = step => {
            slide.style.fontSize = `${step}em`
            sizes = equations.map(equation => [1.15, 1.05, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6].find(size => {
                equation.style.fontSize = `${size}em`
                return inside(equation) }) ?? 0)
            return inside(slide) && slide.scrollHeight <= slide.clientHeight && !sizes.includes(0) }
        let sizes = []
        const scale = steps.find(step => (step <= 1 || kind == "said") && fits(step)) ?? 0
        return {kind, equations: sizes, scale} }) }"""
_START = f"""<script>Reveal.initialize({{plugins: [RevealNotes], width: {WIDTH}, height: {HEIGHT}, margin: 0,
center: false, hash: true, slideNumber: true, controls: false, transition: "none"}})</script>"""


@dataclass
class Slide:
    """A heading, pieces of HTML (kind, content) in their order, and the notes."""

    title: str
    pieces: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def room(self, kind: str) -> bool:
        """Whether one more piece of this kind fits. A picture, code, a table or a list stands alone, or under its
        question, and what follows from it below."""
        kinds = [piece for piece, _ in self.pieces]
        if kind in _ALONE:
            return kinds in ([], ["question"], ["lead"], ["question", "lead"])
        if kind == "exercise":
            return set(kinds) <= {kind}
        if kind == "follows":
            # Below a question alone it would look like the answer
            return kinds.count(kind) < _MOST and set(kinds) != {"question"}
        return kinds.count(kind) < _MOST and not {"follows", *_ALONE} & set(kinds)


def build(notebooks: list[Path], folder: Path, chrome) -> list[Path]:
    """Write NAME.html for each notebook. Raises ValueError for a slide that overflows however small its letters."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for path in notebooks:
        written.append(folder / f"{path.stem}.html")
        written[-1].write_text(deck(path, chrome), encoding="utf-8")
    return written


def deck(path: Path, chrome) -> str:
    """HTML of the slides of a notebook."""
    parts, render = pages.blocks(path), pages.Renderer()
    body = render.finish("".join(map(html, slides(parts, render))), chrome)
    css = browser.styles(body) + _CSS.read_text(encoding="utf-8")
    body = _fitted(body, css, path, chrome)
    reveal = browser.package("reveal.js/dist/reveal.css").read_text(encoding="utf-8")
    scripts = "".join(f"<script>{browser.package(f'reveal.js/dist/{name}').read_text(encoding='utf-8')}</script>"
                      for name in ("reveal.js", "plugin/notes.js"))
    return pages.page(pages.title(parts), reveal + css, f'<div class="reveal"><div class="slides">{body}</div></div>'
                      + scripts + _START)


def slides(parts: list[pages.Block], render: pages.Renderer) -> list[Slide]:
    """The slides of the main path."""
    made, before = [Slide("")], ""

    def add(kind: str, html: str) -> None:
        if not made[-1].room(kind):
            made.append(Slide(made[-1].title))
        if before and not made[-1].pieces and kind in ("equation", "follows", *_ALONE - {"figure"}):
            made[-1].pieces.append(("lead", before))
        made[-1].pieces.append((kind, html))

    for part in parts:
        mark = part.cell["metadata"].get("slideshow", {}).get("slide_type")
        if not part.main or mark == "skip":
            continue
        if part is parts[0]:
            _card(part, render, made[0])
        elif part.kind == "text" and mark == "slide":
            made.append(Slide(made[-1].title, [("large", render.text(part.source))]))
        elif part.kind == "text":
            for kind, content in _said(part.source, render):
                if kind == "heading":
                    made.append(Slide(content))
                elif kind == "notes":
                    made[-1].notes.append(content)
                elif kind == "before":
                    before = content
                elif mark != "notes":
                    add(kind, content)
        elif part.kind == "figure" and mark != "notes" and made[-1].title != "Exercises":
            add("figure", render.figure(part))
        elif part.kind == "code" and mark == "slide":
            add("code", pages.code(part.source))
        elif part.kind == "printed" and "not done yet" not in part.source:
            made[-1].notes.append(f"<pre>{escape(part.source)}</pre>")
    for slide, following in pairwise(made):
        if not slide.pieces:
            following.notes[:0] = slide.notes
    return [slide for slide in made if slide.pieces]


def _card(part: pages.Block, render: pages.Renderer, slide: Slide) -> None:
    title, question, idea, *rest = part.source.split("\n\n")
    slide.title = render.line(title.removeprefix("# "))
    slide.pieces += [("question", f"<p>{render.line(question.strip('*'))}</p>"),
                     ("large", f"<p>{render.line(idea.replace('**The idea.**', '').strip())}</p>")]
    slide.notes.append(render.text("\n\n".join(rest)))


def _said(markdown: str, render: pages.Renderer):
    """What a Markdown cell says, as (kind, HTML): headings, pieces for slides, and all its text for the notes."""
    part, exercises = "", []
    yield "before", ""
    for tokens in _top_level(render.parse(markdown)):
        first, html = tokens[0], render.html(tokens)
        text = tokens[1].content if len(tokens) > 1 else ""
        if first.type == "heading_open":
            exercise = re.match(r"Exercise \d+", text)
            part = part if exercise else text
            exercises += [text] if exercise else []
            if not exercise:
                yield "heading", re.sub(r"</?h\d[^>]*>", "", html).strip()
            continue
        yield "notes", html
        if exercises:
            # One line says what each exercise is about; the exercise itself is in the notebook
            if first.type == "paragraph_open" and exercises[-1]:
                sentences = _sentences(text)
                asked = next((sentence for sentence in sentences[1:] if sentence.strip("*").endswith("?")), "")
                yield "exercise", f"<p><b>{escape(exercises[-1])}</b> {render.line(f'{sentences[0]} {asked}')}</p>"
                exercises[-1] = ""
            continue
        if first.type in ("math_block", "math_block_label"):
            yield "equation", html
        elif first.type == "fence":
            yield "code" if first.info in ("python", "bash") else "diagram", html
        elif first.type == "table_open" and part != "Summary":
            yield "large", html
        elif first.type.endswith("list_open"):
            yield from _list(tokens, render)
        elif first.type == "paragraph_open":
            yield from _paragraph(text, render)
            yield "before", _context(text, render)


def _top_level(tokens: list) -> list[list]:
    groups, depth = [], 0
    for token in tokens:
        if depth == 0:
            groups.append([])
        groups[-1].append(token)
        depth += token.nesting
    return groups


def _list(tokens: list, render: pages.Renderer):
    items = []
    for token in tokens:
        if token.type == "inline":
            sentences = _sentences(token.content)
            items.append(" ".join(sentences[: 2 if sentences[0].startswith("**") else 1]))
    if sum(len(item.split()) for item in items) <= _MOST_WORDS:
        yield "large", "<ul>" + "".join(f"<li>{render.line(item)}</li>" for item in items) + "</ul>"


def _paragraph(text: str, render: pages.Renderer):
    if text.startswith(("**Symbols**", "**References", "**You need")):
        return
    if text.startswith("**What is new"):
        yield "heading", "What is new"
        yield "lead", f"<p>{render.line(_sentences(text.replace('**', '', 2))[0])}</p>"
    for found in re.finditer(r"\$\$(.+?)\$\$|\*\*([^*]+?\?)\*\*|(?<!\*)\*([^*]+?[.!])\*(?!\*)", text, re.DOTALL):
        equation, question, follows = found.groups()
        if equation:
            yield "equation", render.text(f"$${equation}$$")
        elif question:
            before, after = _sentences(text[: found.start()])[-1], _sentences(text[found.end() :])[0]
            yield "question", f"{_context(before, render)}<p><b>{render.line(question)}</b></p>"
            if not before and _context(after, render):
                yield "lead", _context(after, render)
        elif len(follows.split()) > 3:
            yield "before", _context(text[: found.start()], render)
            yield "follows", f"<p>{render.line(follows)}</p>"


def _context(text: str, render: pages.Renderer) -> str:
    """The last sentence of what stands before, if it is not too long, and no question, which is there already."""
    sentence = _sentences(text)[-1]
    fits = 0 < len(sentence.split()) <= _CONTEXT and not sentence.strip("*").endswith("?")
    return f"<p>{render.line(sentence)}</p>" if fits else ""


def _sentences(text: str) -> list[str]:
    return re.split(r"(?:(?<=[.?!])|(?<=[.?!][*\")])|(?<=[.?!]\*\*))\s+(?=[A-Z*`$\"(])", " ".join(text.split()))


def html(slide: Slide) -> str:
    """A slide as reveal.js wants it."""
    kinds = [kind for kind, _ in slide.pieces]
    # Time to think: what answers a question comes with the next click
    late = next((place for place, kind in enumerate(kinds) if kind != "question"), 0) if kinds[0] == "question" else 9
    pieces = "".join(f'<div class="{kind}{" fragment" * (place == late > 0)}">{html}</div>'
                     for place, (kind, html) in enumerate(slide.pieces))
    notes = re.sub(r"<equation-(\d+)>", r"<equation-\1-spoken>", "".join(slide.notes))
    return f'<section><h2>{slide.title}</h2>{pieces}<aside class="notes">{notes}</aside></section>'


def _fitted(body: str, css: str, path: Path, chrome) -> str:
    """The slides, with larger letters where there is room, and smaller ones where a slide would overflow 16:9."""
    with browser.page(chrome, viewport={"width": WIDTH, "height": HEIGHT}) as page:
        page.set_content(pages.page("", css, f'<div class="reveal"><div class="slides measured">{body}</div></div>'))
        fits = page.evaluate(_FIT, _STEPS)
    titles = re.findall(r"<section><h2>(.*?)</h2>", body)
    full = [f"slide {number + 1}, {titles[number]}" for number, fit in enumerate(fits) if not fit["scale"]]
    if full:
        raise ValueError(f"{path.name}: these slides overflow: {'; '.join(full)}. Shorten the text, or mark a cell "
                         "with slide_type notes.")
    sizes = iter([size for fit in fits for size in fit["equations"]])
    sized = '<div (?=class="(?:equation|diagram|code))'
    body = re.sub(sized, lambda _: f'<div style="font-size: {next(sizes)}em" ', body)
    opened = (f'<section class="{fit["kind"]}" style="font-size: {fit["scale"]}em">' for fit in fits)
    return re.sub("<section>", lambda _: next(opened), body)
