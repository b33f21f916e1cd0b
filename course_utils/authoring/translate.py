"""Editions in other languages: `make catalogue` and `make edition LANG=ko`.

What people read is translated: Markdown cells, captions and alternative texts of the stored outputs. Code is left as it
is. Catalogues are gettext's: one for each notebook, one with the headings of all notebooks, one with the table of
symbols; those that exist lie in translations/LANGUAGE. A message is a heading, a paragraph, a list or a table, without
the ends of its lines.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import course_utils
from course_utils.authoring import notebook_file, pages, project

FOLDER = Path(__file__).parent / "translations"
_PARTS = re.compile(r"(```.*?```|\$\$.*?\$\$|\n\s*\n|^#+ [^\n]*$)", re.DOTALL | re.MULTILINE)
# A line that begins so is not the rest of the line before
_ROW = re.compile(r"\s*(?:[-*] |\d+\. |\||>|<)")
_NO_WORDS = re.compile(r"`[^`]*`|\$[^$]*\$|\[!\[Open in Colab\].*|[\W\d_]", re.DOTALL)
# To a heading, which has another name in another language
_LINK = re.compile(r"(\]\([\w.]*#)([^)\s]+)")
_HEADINGS, _SYMBOLS = "headings", "symbols"

# What is asked about a text: the text, the number of its cell, its kind; the answer takes its place
Ask = Callable[[str, int, str], str]


def catalogue(folder: Path) -> list[Path]:
    """Write a template (.pot) for each notebook, the headings and the symbols, and bring translations up to date.

    Messages whose English has changed a little keep their translation and are marked as fuzzy: not used until a person
    has looked."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, template in templates().items():
        written.append(folder / f"{name}.pot")
        _write(template, written[-1])
        for path in sorted(FOLDER.glob(f"*/{name}.po")):
            translation = _read(path)
            translation.update(template)
            translation.creation_date = template.creation_date
            _write(translation, path)
            written.append(path)
    return written


def templates() -> dict:
    """The catalogues without translations, by name: those of the notebooks by the notebook's, "headings", "symbols"."""
    made = {path.stem: _empty() for path in _notebooks()} | {_HEADINGS: _empty(), _SYMBOLS: _empty()}
    for path in _notebooks():
        def note(text: str, cell: int, kind: str, path=path) -> str:
            made[_HEADINGS if kind == "heading" else path.stem].add(
                text, locations=[(path.name, cell)], auto_comments=[kind] if kind not in ("heading", "text") else [])
            return text

        translated(notebook_file.read(path), note)
    _markdown(pages.notation(), lambda text, kind: made[_SYMBOLS].add(text, locations=[("CONTRIBUTING.md", 1)]).id)
    return made


def edition(language: str, folder: Path) -> list[str]:
    """Write the notebooks and symbols.md in a language and return what is out of step, a sentence for each place.

    What has no translation stays English. Raises ValueError for a language without catalogues."""
    known = _known(language)
    headings = [message.id for message in templates()[_HEADINGS] if message.id]
    places = {pages.place(text): pages.place(known.get(text, text)) for text in headings}
    (folder / "notebooks").mkdir(parents=True, exist_ok=True)

    def ask(text: str, cell: int, kind: str) -> str:
        return _LINK.sub(lambda link: link[1] + places.get(link[2], link[2]), known.get(text, text))

    for path in _notebooks():
        notebook = translated(notebook_file.read(path), ask)
        notebook_file.replace(folder / "notebooks" / path.name, notebook_file.text(notebook))
    notebook_file.replace(folder / "symbols.md", _markdown(pages.notation(), lambda text, kind: known.get(text, text)))
    return list(out_of_step(language))


def translated(notebook: dict, ask: Ask) -> dict:
    """The notebook with the answers of `ask` in place of all that people read; code stays as it is."""
    for number, cell in enumerate(notebook["cells"], start=1):
        if cell["cell_type"] == "markdown":
            cell["source"] = _markdown(cell["source"], lambda text, kind, number=number: ask(text, number, kind))
        for output in cell.get("outputs", []):
            for described in output.get("metadata", {}).values():
                if isinstance(described, dict) and described.get("alt"):
                    described["alt"] = ask(" ".join(described["alt"].split()), number, "alternative text")
            caption = "".join(output.get("data", {}).get("text/markdown", ""))
            if caption:
                output["data"]["text/markdown"] = [f"*{ask(caption.strip().strip('*'), number, 'caption')}*"]
    return notebook


def out_of_step(language: str) -> Iterator[str]:
    """Each text of a catalogue that the notebooks do not have any more, and each that has no translation yet."""
    known = _known(language)
    for name, template in templates().items():
        path = FOLDER / language / f"{name}.po"
        if not path.exists():
            continue
        for message in template:
            if message.id and message.id not in known:
                yield f"{_place(message)}: no translation of {_short(message.id)} in {language}/{path.name}."
        for message in _read(path):
            if message.id and message.id not in template:
                yield f"{_place(message)}: {language}/{path.name} has {_short(message.id)}, which is no longer there."


def _markdown(source: str, ask: Callable[[str, str], str]) -> str:
    parts = []
    for part in _PARTS.split(source):
        text = _joined(part.strip())
        if not part.startswith(("```", "$$")) and _NO_WORDS.sub("", text):
            heading = re.match(r"#+ ", text)
            begin = heading[0] if heading else ""
            answer = begin + ask(text.removeprefix(begin), "heading" if heading else "text")
            part = answer.join((part[: len(part) - len(part.lstrip())], part[len(part.rstrip()) :]))
        parts.append(part)
    return "".join(parts)


def _joined(text: str) -> str:
    lines: list[str] = []
    for line in text.split("\n"):
        if lines and not _ROW.match(line):
            lines[-1] += " " + line.strip()
        else:
            lines.append(line.rstrip())
    return "\n".join(lines)


def _known(language: str) -> dict[str, str]:
    paths = sorted((FOLDER / language).glob("*.po"))
    if not paths:
        there = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
        raise ValueError(f"There are no catalogues for {language!r}; there are some for {', '.join(there)}. To begin, "
                         f"run make catalogue and copy a .pot file from build/catalogue to {FOLDER / language} as .po.")
    return {message.id: message.string for path in paths for message in _read(path)
            if message.id and message.string and not message.fuzzy}


def _read(path: Path):
    from babel.messages.pofile import read_po

    with path.open("rb") as file:
        return read_po(file, locale=path.parent.name)


def _write(translation, path: Path) -> None:
    from babel.messages.pofile import write_po

    for message in translation:
        # Braces of TeX are no places of a format
        message.flags -= {"python-format", "python-brace-format"}
    with path.open("wb") as file:
        write_po(file, translation, width=0, ignore_obsolete=True)


def _empty():
    from babel.messages.catalog import Catalog

    # No date of today: a catalogue is a new one when its texts are
    return Catalog(project="Hands-on Diffusion", version=course_utils.__version__, copyright_holder="its authors",
                   creation_date=datetime(2026, 11, 28, tzinfo=UTC))


def _notebooks() -> list[Path]:
    return sorted((project.ROOT / "notebooks").glob("*.ipynb"))


def _place(message) -> str:
    return ", ".join(f"{file}, cell {cell}" for file, cell in message.locations) or "no cell"


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
