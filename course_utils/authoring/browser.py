"""A real Chromium and the web packages that handouts, slides and book are made with; says what is missing."""

import base64
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from itertools import chain
from pathlib import Path

from course_utils.authoring import project

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable",
             "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
             r"C:\Program Files\Google\Chrome\Application\chrome.exe")
# Milliseconds for one step; the volume of all notebooks is 15 MB
_PATIENCE = 600_000
_FACE = re.compile(r"@font-face \{.*?\}", re.DOTALL)
_UNICODES = re.compile(r"unicode-range: ([^;]*);")
# Package, style sheet; only the slices of a font that the text needs are embedded
_FONTS = [("source-serif-4", "400"), ("source-serif-4", "400-italic"), ("source-serif-4", "600"),
          ("source-sans-3", "400"), ("source-sans-3", "400-italic"), ("source-sans-3", "600"),
          ("source-code-pro", "400"), ("source-code-pro", "600")]
_KOREAN = [("noto-sans-kr", "400"), ("noto-sans-kr", "600")]


@contextmanager
def chromium() -> Iterator:
    """A running headless browser of playwright. Raises RuntimeError, with what to install, where there is none."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ModuleNotFoundError as error:
        raise RuntimeError("The Python package playwright is missing: run make handouts, slides or book, "
                           "which install it.") from error
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    with sync_playwright() as play:
        try:
            # The pages are the course's own; Chromium's sandbox does not work as root, which CI is
            browser = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        except Error as error:
            raise RuntimeError("No Chromium or Chrome was found. Install one (Debian and Ubuntu: apt install chromium; "
                               "macOS: brew install --cask google-chrome; anywhere: python -m playwright install "
                               "chromium).") from error
        yield browser
        browser.close()


@contextmanager
def page(browser, **options) -> Iterator:
    """A new page of the browser, which is waited for as long as a slow or busy computer takes."""
    made = browser.new_page(**options)
    made.set_default_timeout(_PATIENCE)
    yield made
    made.close()


def package(name: str) -> Path:
    """A file of the web packages, such as "katex/dist/katex.min.js"; RuntimeError if they are not installed."""
    path = project.ROOT / "build" / "web" / "node_modules" / name
    if not path.exists():
        raise RuntimeError(f"The web packages (KaTeX, reveal.js, fonts) are not installed: {name} is missing. Run make "
                           "handouts, slides or book, which fetch them with npm (Debian and Ubuntu: apt install npm).")
    return path


def equations(browser, formulas: list[tuple[str, bool]]) -> list[str]:
    """HTML of each formula (TeX, displayed or in the line), by KaTeX. Raises ValueError with all that are broken."""
    with page(browser) as empty:
        empty.add_script_tag(path=package("katex/dist/katex.min.js"))
        made = empty.evaluate("""formulas => formulas.map(([tex, displayMode]) => {
            try { return [katex.renderToString(tex, {displayMode, throwOnError: true, strict: "ignore"}), null] }
            catch (error) { return [null, error.message] } })""", [list(formula) for formula in formulas])
    broken = [f"${tex.strip()}$: {error}" for (tex, _), (_, error) in zip(formulas, made) if error]
    if broken:
        raise ValueError("Broken equations:\n" + "\n".join(broken))
    return [html for html, _ in made]


def styles(text: str) -> str:
    """CSS of KaTeX and of the fonts, with the files of all fonts that this text needs inside."""
    katex = package("katex/dist/katex.min.css").read_text(encoding="utf-8")
    folder = package("katex/dist/katex.min.css").parent
    css = [re.sub(r"src:url\((fonts/[^)]*\.woff2)\)[^}]*", lambda match: _source(folder / match[1]), katex)]
    wanted = {ord(letter) for letter in text if letter.isprintable()}
    for fonts in (_FONTS, _KOREAN):
        covered = set()
        for name, sheet in fonts:
            for face, characters in _faces(package(f"@fontsource/{name}/{sheet}.css")):
                if wanted & characters:
                    file = package(f"@fontsource/{name}") / re.search(r"url\(\./(files/[^)]*\.woff2)\)", face)[1]
                    css.append(re.sub(r"src: [^;]*;", _source(file) + ";", face))
                    covered |= characters
        if fonts is _FONTS:
            # Lines of diagrams must be as wide as letters of code, which in a Korean font they are not
            rest = {letter for letter in wanted - covered if not 0x1100 <= letter < 0x2000 and letter < 0x3000}
            wanted -= covered | rest
    return "\n".join([*css, _rest(rest)])


@cache
def _faces(path: Path) -> list[tuple[str, set[int]]]:
    """The slices of a font: the rule of CSS, and the characters that are in it."""
    faces = _FACE.findall(path.read_text(encoding="utf-8"))
    return [(face, set(chain.from_iterable(map(_range, _UNICODES.search(face)[1].split(","))))) for face in faces]


def _range(part: str) -> range:
    first, _, last = part.strip().removeprefix("U+").partition("-")
    return range(int(first, 16), int(last or first, 16) + 1)


def _rest(characters: set[int]) -> str:
    # Lines of boxes, arrows and the like, from the font that comes with matplotlib
    import matplotlib
    from fontTools import subset
    from fontTools.ttLib import TTFont

    font = TTFont(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSansMono.ttf"))
    cutter = subset.Subsetter(subset.Options(drop_tables=["FFTM"]))
    cutter.populate(unicodes=characters | {0x20})
    cutter.subset(font)
    font.save(buffer := BytesIO())
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return f"@font-face {{ font-family: 'Course Rest'; src: url(data:font/ttf;base64,{encoded}) }}"


def _source(path: Path) -> str:
    return f"src: url(data:font/woff2;base64,{base64.b64encode(path.read_bytes()).decode()}) format('woff2')"
