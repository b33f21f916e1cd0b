"""The structure every notebook has. Each check takes a notebook and returns what is wrong, as sentences."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

from course_utils.authoring import notebook_file, project
from course_utils.authoring.execute import DEEPER, MAX_BYTES, deeper, sections
from course_utils.authoring.setup_cell import FIRST_LINE, badge, setup_cell

NAMES = [
    "01_diffusion_physics", "02_pixel_noising", "03_architecture", "04_loss", "05_classifier_guidance",
    "06_classifier_free_guidance", "07_sr3", "08_inpainting", "09_glide", "10_imagen", "11_dalle2",
    "12_stable_diffusion", "13_gligen",
]
MAX_LINES = 20
# The main path ends where "Going deeper" begins: about an hour
MAX_CELLS, MAX_WORDS = 55, 2500
# The parts in the order all thirteen share; "ideas" are the numbered ones, "## 1 ..."
PARTS = ["See it first", "ideas", "Train it", "Measure it", "Break it", "Play", "At full scale", "Exercises", "Summary",
         "Going deeper"]
# The real pretrained models begin with 05
REQUIRED_FROM = {"At full scale": 5}
# Headings that may stand where they fit
FREE_PARTS = ["What is new", "Symbols", "References"]
CARD = {
    "title": r"\A# ",
    "question": r"\?",
    "idea in one sentence": r"\*\*The idea\.\*\* [A-Z]",
    "'What you will have built'": r"What you will have built",
    "minutes": r"\d+ ?(min|s\b|sec)",
    "needs": r"\b[Nn]eeds?\b",
}
SHOWS_SOMETHING = re.compile(r"^(show\.\w+|expect|print|check|display)\(|^runtime\.ready", re.MULTILINE)
# What execute adds to the head of a section that is folded
FOLDED = {"jp-MarkdownHeadingCollapsed", "id"}
CODE_IN_TEXT = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


class Notebook:
    """A notebook file, read once: number, cells, and the markdown as one text."""

    def __init__(self, path: Path):
        self.path = path
        self.bytes = path.stat().st_size
        self.number = int(path.stem[:2]) if path.stem[:2].isdigit() else 0
        self.content = notebook_file.read(path)
        self.cells = self.content["cells"]
        self.code = [cell for cell in self.cells if cell["cell_type"] == "code"]
        self.markdown = [cell["source"] for cell in self.cells if cell["cell_type"] == "markdown"]
        self.prose = "\n\n".join(self.markdown)

    def paths(self) -> tuple[list[dict], list[dict]]:
        """The cells of the main path, and those from "Going deeper" on."""
        end = deeper(self.cells)
        return self.cells[:end], self.cells[end:]

    def outputs(self) -> Iterator[tuple[str, list[dict]]]:
        """Name and outputs of each code cell."""
        for number, cell in enumerate(self.code, start=1):
            yield f"code cell {number}", cell["outputs"]

    def headings(self) -> list[tuple[int, str]]:
        """Level and text of each heading outside code fences."""
        text = re.sub(r"^```.*?^```", "", self.prose, flags=re.MULTILINE | re.DOTALL)
        found = re.findall(r"^(#{1,6}) (.+)$", text, re.MULTILINE)
        return [(len(marks), title.strip()) for marks, title in found]


def names(stems: list[str]) -> list[str]:
    """The notebooks that exist must be the first ones of the thirteen."""
    return [] if sorted(stems) == NAMES[: len(stems)] else [f"{sorted(stems)} are not the first of {NAMES}"]


def size(notebook: Notebook) -> list[str]:
    """At most 1 MB with outputs."""
    return [f"{notebook.bytes:,} bytes, more than {MAX_BYTES:,}"] if notebook.bytes > MAX_BYTES else []


def set_up(notebook: Notebook) -> list[str]:
    """The first code cell is the set-up cell, letter by letter, and the badge points here."""
    repository = project.repository()
    found = []
    if not notebook.code or notebook.code[0]["source"] != setup_cell(repository):
        found.append("the first code cell is not the set-up cell: run `make stamp`")
    if sum(cell["source"].startswith(FIRST_LINE) for cell in notebook.code) > 1:
        found.append("there are two set-up cells")
    if badge(repository, notebook.path.name) not in (notebook.markdown or [""])[0]:
        found.append("the first cell lacks the Colab badge of this notebook: run `make stamp`")
    return found


def executed(notebook: Notebook) -> list[str]:
    """All code cells ran, in order, without errors, and their outputs are stored."""
    counts = [cell["execution_count"] for cell in notebook.code]
    in_order = counts == list(range(1, len(counts) + 1))
    found = [] if in_order else [f"execution counts are {counts}, not 1, 2, 3, ..."]
    if not any(outputs for _, outputs in notebook.outputs()):
        found.append("no outputs are stored")
    for (name, outputs), cell in zip(notebook.outputs(), notebook.code, strict=True):
        if not outputs and SHOWS_SOMETHING.search(cell["source"]):
            found.append(f"{name} shows something, but no output is stored")
        found += [f"{name} stores the error {output['ename']}" for output in outputs
                  if output["output_type"] == "error"]
        found += [f"{name} stores text on stderr" for output in outputs if output.get("name") == "stderr"]
    return found


def clean(notebook: Notebook) -> list[str]:
    """No live widgets, no marks of an editor or of Colab, a kernel that every computer has."""
    metadata = notebook.content["metadata"]
    found = []
    if "widgets" in metadata:
        found.append("metadata.widgets is stored; GitHub then shows 'Invalid Notebook'")
    if metadata.get("kernelspec", {}).get("name") != "python3":
        found.append("the kernel is not python3")
    folded = {cell["id"]: FOLDED for cell in sections(notebook.cells)}
    for number, cell in enumerate(notebook.cells, start=1):
        extra = set(cell["metadata"]) - {"tags", "jupyter", "slideshow"} - set(folded.get(cell["id"], ()))
        found += [f"cell {number} has metadata {sorted(extra)}"] if extra else []
        found += [] if cell.get("id") else [f"cell {number} has no id"]
    for name, outputs in notebook.outputs():
        if any("application/vnd.jupyter.widget-view+json" in output.get("data", {}) for output in outputs):
            found.append(f"{name} stores a live widget")
    return found


def short_cells(notebook: Notebook) -> list[str]:
    """At most 20 lines of code in a cell, and no import of everything."""
    found = []
    for number, cell in enumerate(notebook.code, start=1):
        lines = len(cell["source"].splitlines())
        if lines > MAX_LINES and number > 1:
            found.append(f"code cell {number} has {lines} lines, more than {MAX_LINES}")
        if re.search(r"^\s*from \S+ import \*", cell["source"], re.MULTILINE):
            found.append(f"code cell {number} imports *")
    return found


def anatomy(notebook: Notebook) -> list[str]:
    """The card first, then the parts in the order all thirteen share."""
    card = (notebook.markdown or [""])[0]
    found = [f"the card (first cell) lacks its {part}" for part, pattern in CARD.items()
             if not re.search(pattern, card)]
    titles = [title for level, title in notebook.headings() if level == 2]
    parts = [_part(title) for title in titles]
    found += [f"'## {title}' is no part of the anatomy" for title, part in zip(titles, parts, strict=True)
              if part is None]
    order = [PARTS.index(part) for part in parts if part in PARTS]
    if order != sorted(order):
        found.append(f"the parts {titles} are not in the order {PARTS}")
    found += [f"the part '{part}' is missing" for part in PARTS
              if part not in parts and notebook.number >= REQUIRED_FROM.get(part, 1)]
    ideas = re.findall(r"^(\d+)\b", "\n".join(titles), re.MULTILINE)
    if [int(number) for number in ideas] != list(range(1, len(ideas) + 1)):
        found.append(f"the ideas are numbered {ideas}, not 1, 2, 3, ...")
    exercises = re.findall(r"^### Exercise (\d+)", notebook.prose, re.MULTILINE)
    if [int(number) for number in exercises] != list(range(1, len(exercises) + 1)) or len(exercises) < 4:
        found.append(f"the exercises are numbered {exercises}; at least four are wanted, from 1")
    end = notebook.prose.rpartition("## Summary")[2].partition(f"\n{DEEPER}")[0].lower()
    return found + [f"the summary lacks {part}" for part in ("symbols", "references") if part not in end]


def _part(title: str) -> str | None:
    if re.match(r"\d+\b", title):
        return "ideas"
    return next((part for part in [*PARTS, *FREE_PARTS] if title.startswith(part)), None)


def main_path(notebook: Notebook) -> list[str]:
    """The story fits into an hour, and begins with a picture of the whole pipeline."""
    cells, _ = notebook.paths()
    prose = [cell["source"] for cell in cells if cell["cell_type"] == "markdown"]
    count = sum(words(text) for text in prose)
    found = [] if len(cells) <= MAX_CELLS else [f"the main path has {len(cells)} cells, more than {MAX_CELLS}"]
    found += [] if count <= MAX_WORDS else [f"the main path has {count:,} words, more than {MAX_WORDS:,}"]
    first = next((i for i, cell in enumerate(cells) if cell["source"].startswith("## See it first")), 0)
    if not any(re.search(r"^show\.pipeline\(", cell["source"], re.MULTILINE) for cell in cells[:first]):
        found.append("no cell before 'See it first' draws the pipeline: show.pipeline(...)")
    return found


def words(text: str) -> int:
    """How many words a reader reads: a formula is one, addresses and marks of the layout are none."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    text = re.sub(r"\$\$.*?\$\$|\$[^$]*\$", " x ", text, flags=re.DOTALL)
    text = re.sub(r"\]\([^)]*\)|<[^>]*>", " ", text)
    return len(re.findall(r"\w[\w'’.,-]*", text))


def going_deeper(notebook: Notebook) -> list[str]:
    """Sections of their own, folded when the notebook is opened, each with what it answers and what it needs."""
    _, below = notebook.paths()
    heads = sections(notebook.cells)
    found = [] if heads else ["'Going deeper' has no section '### ...'"]
    if heads and below[1]["id"] != heads[0]["id"]:
        found.append("'Going deeper' has cells before its first section")
    for cell in heads:
        title = cell["source"].splitlines()[0]
        if not re.search(r"\*Answers:\* \S.*\*Needs:\* \S", cell["source"], re.DOTALL):
            found.append(f"'{title}' does not begin with what it answers and needs: *Answers:* ... *Needs:* ...")
        if cell["metadata"].get("jp-MarkdownHeadingCollapsed") is not True:
            found.append(f"'{title}' is not folded: run `make notebook`")
    if notebook.content["metadata"].get("colab", {}).get("collapsed_sections", []) != [cell["id"] for cell in heads]:
        found.append("not all deeper sections are folded in Colab: run `make notebook`")
    inside = [line for cell in below[1:] if cell["cell_type"] == "markdown" and cell not in heads
              for line in cell["source"].splitlines() if re.match(r"#{1,3} ", line)]
    return found + [f"'{line}' must begin a cell of its own, as '### ...'" for line in inside]


def figures(notebook: Notebook) -> list[str]:
    """Each stored image has alt text and, as the next output, a caption in italics."""
    found = []
    for name, outputs in notebook.outputs():
        for output, following in pairwise([*outputs, {}]):
            kinds = [kind for kind in output.get("data", {}) if kind.startswith("image/")]
            if not kinds:
                continue
            if not output["metadata"].get(kinds[0], {}).get("alt", "").strip():
                found.append(f"{name} has an image without alt text")
            caption = "".join(following.get("data", {}).get("text/markdown", ""))
            if not re.fullmatch(r"\*[^*].*\*", caption.strip(), re.DOTALL):
                found.append(f"{name} has an image without a caption after it")
    for text in re.findall(r"!\[([^\]]*)\]\(", notebook.prose):
        found += [] if text.strip() else ["an image in the text has no alt text"]
    return found


def maths(notebook: Notebook) -> list[str]:
    """Formulas are closed: dollars, braces, \\left and \\right, \\begin and \\end."""
    found = []
    for text in notebook.markdown:
        text = CODE_IN_TEXT.sub("", text).replace(r"\$", "")
        displayed = text.split("$$")
        found += ["a $$ is not closed: " + text[:60]] if len(displayed) % 2 == 0 else []
        inline = [part for block in displayed[::2] for part in _inline(block, found)]
        for formula in [*displayed[1::2], *inline]:
            found += [f"{problem} in ${formula.strip()[:60]}$" for problem in _formula_problems(formula)]
    return found


def _inline(block: str, found: list[str]) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", block):
        pieces = paragraph.split("$")
        if len(pieces) % 2 == 0:
            found.append("a $ is not closed: " + paragraph.strip()[:60])
        yield from pieces[1::2]


def _formula_problems(formula: str) -> Iterator[str]:
    bare = re.sub(r"\\[{}\\]", "", formula)
    depth = 0
    for character in bare:
        depth += (character == "{") - (character == "}")
        if depth < 0:
            break
    if depth != 0:
        yield "braces do not match"
    if len(re.findall(r"\\left\b", bare)) != len(re.findall(r"\\right\b", bare)):
        yield "\\left and \\right do not match"
    if re.findall(r"\\begin\{(\w+\*?)\}", bare) != re.findall(r"\\end\{(\w+\*?)\}", bare):
        yield "\\begin and \\end do not match"
    if not formula.strip():
        yield "nothing"


def links(notebook: Notebook) -> list[str]:
    """Links to files and to headings lead somewhere."""
    anchors = {title.replace(" ", "-") for _, title in notebook.headings()}
    found = []
    for target in re.findall(r"\]\(([^)\s]+)\)", CODE_IN_TEXT.sub("", notebook.prose)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = unquote(target).partition("#")
        if file and not (notebook.path.parent / file).exists():
            found.append(f"the link to {file} leads nowhere")
        if anchor and not file and anchor not in anchors:
            found.append(f"the link to #{anchor} leads to no heading")
    return found


def exercises(notebook: Notebook, checker) -> list[str]:
    """Each exercise in the text has a stub that calls its check, and a check with hints and a solution."""
    in_text = len(re.findall(r"^### Exercise \d+", notebook.prose, re.MULTILINE))
    found = []
    if in_text != len(checker.names()):
        found.append(f"{in_text} exercises in the text, but {len(checker.names())} checks: {checker.names()}")
    for name, exercise in checker.exercises.items():
        if not any(re.search(rf"^check\({name}\b", cell["source"], re.MULTILINE) for cell in notebook.code):
            found.append(f"no cell calls check({name})")
        if not all(hint.strip() for hint in exercise.hints) or not exercise.hints:
            found.append(f"{name} has no hint")
        if name not in exercise.solution:
            found.append(f"the solution of {name} does not define it")
    return found


CHECKS = [size, set_up, executed, clean, short_cells, anatomy, main_path, going_deeper, figures, maths, links]
