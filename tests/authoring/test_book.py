"""The web site: links lead somewhere, nothing is fetched, deeper sections are folded, axe is content."""

import json
import re

import pytest
from nbformat import v4

from course_utils.authoring import browser
from tests.authoring import small
from tests.conftest import ROOT
from tests.notebook_helpers import asked

book = pytest.importorskip("course_utils.authoring.book")
pytest.importorskip("furo", reason="run make test-handouts: it installs sphinx and furo")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory, request, chrome):
    """The site of the notebooks that --notebooks names, or of the last one, and of a small one."""
    folder = tmp_path_factory.mktemp("site")
    more = v4.new_markdown_cell("### With $x^2$ in it\n\nSee [notebook 12](12_future.ipynb).")
    chosen = asked(request.config) if request.config.getoption("--notebooks") else \
        sorted((ROOT / "notebooks").glob("*.ipynb"))[-1:]
    book.build([*chosen, small.write(folder, more)], folder / "book", chrome)
    return folder / "book"


def test_all_local_links_and_images_are_there(site):
    for path in site.glob("*.html"):
        for target in re.findall(r'(?:href|src)="([^"]*)"', path.read_text(encoding="utf-8")):
            file, _, place = target.partition("?")[0].partition("#")
            if re.match(r"[a-z]+:", target) or not (file or place):
                continue
            found = site / file if file else path
            assert found.is_file(), f"{path.name}: {target}"
            if place and found.suffix == ".html":
                assert f'id="{place}"' in found.read_text(encoding="utf-8"), f"{path.name}: {target}"


def test_what_is_not_here_is_linked_in_the_repository(site):
    text = (site / "05_small.html").read_text(encoding="utf-8")
    assert "/blob/main/notebooks/12_future.ipynb" in text and "/blob/main/data/README.md" in text
    assert 'href="#going-deeper"' in text and "colab.research.google.com" in text


def test_equations_are_rendered_and_images_described(site):
    for path in site.glob("[01]*.html"):
        text = path.read_text(encoding="utf-8")
        assert "<equation-" not in text and ("katex-html" in text)
        assert all(alt.strip() for alt in re.findall(r'<img[^>]*alt="([^"]*)"', text))
        assert len(re.findall(r"<img ", text)) == len(re.findall(r'<img[^>]* alt="', text))


def test_search_finds_words_of_the_notebooks(site):
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(index[index.index("{") : index.rindex("}") + 1])
    assert "noon" in index["terms"]


def test_pages_open_offline_with_deeper_sections_folded(site, chrome):
    asked_for, page = [], chrome.new_page()
    page.on("request", lambda request: asked_for.append(request.url))
    page.goto(f"{(site / '05_small.html').as_uri()}")
    assert page.evaluate("[...document.querySelectorAll('details.deeper')].map(one => one.open)") == [False]
    page.goto(f"{(site / '05_small.html').as_uri()}#why-south")
    page.reload()
    assert page.evaluate("document.querySelector('details.deeper').open")
    assert [url for url in asked_for if not url.startswith(("file:", "data:"))] == []
    page.goto(f"{(site / 'search.html').as_uri()}?q=noon")
    page.wait_for_selector("#search-results li a")
    assert "small notebook" in page.inner_text("#search-results")
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_has_nothing_serious_to_say(site, chrome, scheme):
    page = chrome.new_page(color_scheme=scheme)
    for path in sorted(site.glob("*.html")):
        page.goto(path.as_uri())
        page.add_script_tag(path=browser.package("axe-core/axe.min.js"))
        found = page.evaluate("axe.run({preload: false}).then(result => result.violations)")
        serious = [f"{path.name}: {one['help']}: {one['nodes'][0]['html'][:90]}" for one in found
                   if one["impact"] in ("serious", "critical")]
        assert serious == []
    page.close()


def test_a_broken_equation_or_link_fails_the_build(tmp_path, chrome):
    for broken, said in (("$\\frac{1$", "Broken equations"), ("[here](#Nowhere)", "nowhere")):
        with pytest.raises(ValueError, match=said):
            book.build([small.write(tmp_path, v4.new_markdown_cell(broken))], tmp_path / "book", chrome)
