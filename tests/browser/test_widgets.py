"""Each widget as a learner meets it: seen, moved by keyboard, answered by the kernel."""

import io
import time

import nbformat
import pytest
from nbformat import v4
from PIL import Image

from course_utils.authoring import project
from course_utils.authoring.setup_cell import setup_cell
from tests.browser.lab import errors

BOX = """import torch
from pathlib import Path
from course_utils import show
from course_utils.diffusion import GaussianMixture
from course_utils.show.molecule_box import MoleculeBox

box = MoleculeBox(GaussianMixture(torch.tensor([[0.3, 0.3], [0.7, 0.6]]), torch.tensor([0.05, 0.05])), 200, 20)
box.observe(lambda change: Path("frame.txt").write_text(str(box.frame)), "frame")
box.observe(lambda change: Path("strength.txt").write_text(str(box.strength)), "strength")
show.play(box)"""

EXPLORER = """import torch
from course_utils import show
from course_utils.show.schedule_explorer import schedule_explorer

show.play(schedule_explorer(torch.zeros(3, 16, 16)))"""

ACTIVATIONS = """from course_utils import networks, show
from course_utils.datasets.garments import Garments

show.play(show.activation_explorer(networks.load_network("ddpm-garments"), Garments("test")[0][0]))"""

SAMPLERS = """from course_utils import show
from course_utils.systems import ddpm

model = ddpm.load()
show.play(show.sampler_explorer(model.denoiser(), model.schedule))"""

GUIDANCE = """import torch
from course_utils import show
from course_utils.datasets.garments import CLASSES
from course_utils.systems import cfg

model = cfg.load()
density, points = (lambda scale: torch.rand(9, 9)), (lambda scale: torch.randn(50, 2))
pictures = lambda label, scale: model.sample(torch.full((4,), label), scale, steps=3)
show.play(show.guidance_explorer(density, points, pictures, CLASSES))"""

PHOTOGRAPHS = """import time
from pathlib import Path
from course_utils import show
from course_utils.datasets import photographs, to_model_range

pictures = {name: to_model_range(photographs.square(name, 64)) for name in photographs.names("test")[:3]}
"""

BEFORE_AFTER = PHOTOGRAPHS + """
from torch.nn.functional import avg_pool2d

def process(picture, seed):
    if seed == 13:
        raise ValueError("seed 13 brings bad luck; choose another")
    return avg_pool2d(picture, 4), picture

show.play(show.before_after(pictures, process, photographs.opened, ("16 pixels", "64 pixels")))"""

HOLE_PAINTER = PHOTOGRAPHS + """
import torch
from course_utils.diffusion import Prediction
from course_utils.diffusion.samplers import Step

def fill(picture, mask, seed, callback):
    Path("mask.txt").write_text(str(int((1 - mask).sum())))
    for i in range(10):
        time.sleep(seed / 10)
        guess = Prediction.of(picture[None], torch.tensor(0.5), x0=torch.full((1, *picture.shape), i / 5 - 1))
        callback(Step(i, 10, 0, picture[None], guess, picture[None]))
    return torch.where(mask.bool(), picture, 1.0)

show.play(show.hole_painter(pictures, fill, photographs.opened))"""

PROMPTS = """import time
from pathlib import Path

import torch
from course_utils import show
from course_utils.diffusion import Prediction
from course_utils.diffusion.samplers import Step

WORDS = ["a", "castle", "cat", "glossy", "pine", "pineapple", "tree"]

def remarks(caption):
    return [f"unknown: {word}" for word in caption.split() if word not in WORDS] or ["empty"][: not caption.split()]

def steps_of(x, seed, callback):
    for i in range(10):
        time.sleep(seed / 10)
        guess = Prediction.of(x[None], torch.tensor(0.5), x0=torch.full((1, *x.shape), i / 5 - 1))
        callback(Step(i, 10, 0, x[None], guess, x[None]))
"""

PROMPT_BOX = PROMPTS + """
def draw(caption, seed, scale, steps, callback):
    Path("asked.txt").write_text(f"{caption}|{seed}|{scale}|{steps}")
    if seed == 13:
        raise ValueError("seed 13 brings bad luck; choose another")
    steps_of(torch.zeros(3, 32, 32), seed, callback)
    return torch.full((3, 64, 64), seed / 10)

show.play(show.prompt_box(draw, WORDS, remarks, caption="a cat"))"""

PROMPTED_HOLE = PROMPTS + """
def fill(picture, mask, caption, seed, callback):
    Path("told.txt").write_text(f"{caption}|{seed}|{int((1 - mask).sum())}")
    steps_of(picture, seed, callback)
    return picture * mask

pictures = {name: torch.rand(3, 32, 32) for name in ("first", "second")}
show.play(show.hole_painter(pictures, fill, prompt="a cat", words=WORDS, remarks=remarks))"""


@pytest.fixture
def run(lab):
    """Write a notebook with the set-up cell and this source beside the course's own, and run all of it."""

    def write_and_run(name: str, source: str):
        cells = [v4.new_code_cell(setup_cell(project.repository())), v4.new_code_cell(source)]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(notebook, lab.folder / name)
        lab.open(name)
        assert errors(lab.run_all()) == []
        return lab.page

    return write_and_run


@pytest.fixture
def explorer(run, lab):
    """Run this source, in which an explorer is played; returns the page and the explorer's picture."""

    def play(name: str, source: str):
        page = run(name, source)
        picture = page.locator(".widget-html-content img")
        picture.wait_for()
        return page, picture

    yield play
    assert lab.page_errors == []


def eventually(condition, seconds: float = 20) -> bool:
    """Whether the condition becomes true in time."""
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.2)
    return condition()


def says(picture, words: str) -> bool:
    """Whether the picture's description comes to hold these words in time."""
    return eventually(lambda: words in picture.get_attribute("alt"))


def stored(path) -> str:
    """What the kernel wrote, empty before it wrote anything."""
    return path.read_text() if path.exists() else ""


def test_molecule_box_by_keyboard(run, lab):
    page = run("box.ipynb", BOX)
    canvas = page.locator("canvas[role=img]")
    canvas.wait_for()
    assert "forwards, time 0.000" in canvas.get_attribute("aria-label")
    drawn = canvas.evaluate("c => c.toDataURL()")

    time_slider, strength_slider = page.get_by_role("slider", name="Time"), page.get_by_role("slider", name="Score")
    time_slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert eventually(lambda: stored(lab.folder / "frame.txt") == "5")
    assert "forwards, time 0.0" in canvas.get_attribute("aria-label")
    assert canvas.evaluate("c => c.toDataURL()") != drawn

    page.keyboard.press("End")
    full = page.locator("p[aria-live]").inner_text()
    assert full.startswith("backwards, new molecules, time 0.000")
    strength_slider.focus()
    page.keyboard.press("Home")
    assert eventually(lambda: stored(lab.folder / "strength.txt") == "0")
    none = page.locator("p[aria-live]").inner_text()
    share = [int(text.split(": ")[1].split("%")[0]) for text in (full, none)]
    assert share[0] > 90 and share[1] < 40

    time_slider.focus()
    page.keyboard.press("Home")
    page.get_by_role("button", name="Play").focus()
    page.keyboard.press("Enter")
    assert eventually(lambda: int(stored(lab.folder / "frame.txt") or 0) > 5)
    page.keyboard.press("Enter")
    assert eventually(lambda: page.get_by_role("button", name="Play").count() == 1)
    assert lab.page_errors == []


def test_schedule_explorer_by_keyboard(explorer):
    page, picture = explorer("explorer.ipynb", EXPLORER)
    before = picture.get_attribute("alt")
    assert "linear schedule at t = 300" in before
    page.locator(".noUi-handle").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert says(picture, "t = 330")
    page.get_by_role("button", name="cosine").click()
    assert says(picture, "The cosine schedule at t = 330")


def test_activation_explorer_by_keyboard(explorer):
    page, picture = explorer("activations.ipynb", ACTIVATIONS)
    assert "at t = 500" in picture.get_attribute("alt")
    page.locator(".noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    assert says(picture, "at t = 510")
    part = page.get_by_role("combobox", name="Part")
    part.focus()
    page.keyboard.press("Home")
    assert says(picture, part.locator("option").first.inner_text())


def test_sampler_explorer_by_keyboard(explorer):
    page, picture = explorer("samplers.ipynb", SAMPLERS)
    assert "made by ddim with eta 0 in 20 calls" in picture.get_attribute("alt")
    page.locator(".noUi-handle").nth(0).focus()
    page.keyboard.press("ArrowLeft")
    assert says(picture, "in 15 calls")
    page.locator(".noUi-handle").nth(2).focus()
    page.keyboard.press("ArrowRight")
    assert says(picture, "seed 1")
    page.get_by_role("button", name="dpm++").click()
    assert says(picture, "made by dpm++ in 15 calls")


def test_guidance_explorer_by_keyboard(explorer):
    page, picture = explorer("guidance.ipynb", GUIDANCE)
    assert "Guidance at scale 2." in picture.get_attribute("alt")
    page.locator(".noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    assert says(picture, "Guidance at scale 3.")
    choice = page.get_by_role("combobox", name="Class")
    choice.focus()
    page.keyboard.press("End")
    assert says(picture, "images of the class ankle boot")


def png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((width, height), 80).save(buffer, "png")
    return buffer.getvalue()


def upload(page, name: str, data: bytes) -> None:
    """Choose a file of one's own."""
    page.get_by_label("or your own").set_input_files({"name": name, "mimeType": "image/png", "buffer": data})


def choose_and_upload(page) -> None:
    """What both widgets of photographs share: a list, an upload, and a sentence for a file that is no picture."""
    choice = page.get_by_role("combobox", name="Photograph")
    choice.focus()
    page.keyboard.press("End")
    upload(page, "broken.png", png(90, 70)[:300])
    alert = page.get_by_role("alert")
    assert eventually(lambda: "This file cannot be read as an image" in alert.inner_text())
    upload(page, "huge.png", bytes(21 * 2**20))
    assert eventually(lambda: "huge.png has 21 MB; the maximum is 20 MB" in alert.inner_text())
    # Of more than one part
    large = png(1500, 1400)
    assert len(large) > 2**20
    upload(page, "mine.png", large)
    assert eventually(lambda: choice.input_value() == "mine.png" and not alert.count())


def test_before_after_by_keyboard_and_pointer(run, lab):
    page = run("divider.ipynb", BEFORE_AFTER)
    divider = page.get_by_role("slider", name="Divider: left of it 16 pixels, right of it 64 pixels")
    divider.wait_for()
    before, after = page.get_by_role("img", name=": 16 pixels"), page.get_by_role("img", name=": 64 pixels")
    assert eventually(lambda: before.evaluate("i => i.naturalWidth") == 16)
    assert eventually(lambda: after.evaluate("i => i.naturalWidth") == 64)
    assert divider.get_attribute("aria-valuetext") == "50% 16 pixels, 50% 64 pixels"
    divider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert divider.get_attribute("aria-valuetext") == "60% 16 pixels, 40% 64 pixels"
    cut = "i => getComputedStyle(i.parentElement).clipPath"
    assert before.evaluate(cut) == "inset(0px 40% 0px 0px)" and after.evaluate(cut) == "none"
    box = after.bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 90, steps=4)
    page.mouse.up()
    assert divider.get_attribute("aria-valuetext") == "20% 16 pixels, 80% 64 pixels"

    first = after.get_attribute("src")
    choose_and_upload(page)
    assert eventually(lambda: "mine.png, seed 0" in after.get_attribute("alt"))
    assert after.get_attribute("src") != first
    seed = page.get_by_role("spinbutton", name="Seed")
    seed.fill("13")
    seed.press("Tab")
    assert eventually(lambda: page.get_by_role("alert").count())
    assert page.get_by_role("alert").inner_text() == "Seed 13 brings bad luck; choose another"
    assert eventually(lambda: not after.count())
    seed.fill("14")
    seed.press("Tab")
    assert eventually(lambda: after.count() and "mine.png, seed 14" in after.get_attribute("alt"))
    assert lab.page_errors == []


def test_hole_painter_by_keyboard_and_pointer(run, lab):
    page = run("painter.ipynb", HOLE_PAINTER)
    canvas, live = page.get_by_role("application"), page.locator("p[aria-live]")
    press = {name: page.get_by_role("button", name=name) for name in ("Fill", "Cancel", "Clear")}
    status, alert = live.nth(1), page.get_by_role("alert")
    filled = page.get_by_role("img", name=": its hole filled")
    filled.wait_for()  # the static picture below is the first filling
    asked = lab.folder / "mask.txt"
    assert stored(asked) == "576"
    assert live.nth(0).inner_text() == "Brush at column 33, row 33 of 64. The hole covers 14% of the image."

    press["Clear"].click()
    assert "The hole covers 0% of the image." in live.nth(0).inner_text() and not filled.count()
    press["Fill"].click()
    assert eventually(lambda: alert.count() and "There is no hole to fill" in alert.inner_text())

    drawn = canvas.evaluate("c => c.toDataURL()")
    canvas.focus()
    for key in ("ArrowLeft", "ArrowLeft", "Shift+ArrowUp", "Space"):
        page.keyboard.press(key)
    assert live.nth(0).inner_text() == "Brush at column 25, row 32 of 64. The hole covers 1% of the image."
    assert canvas.evaluate("c => c.toDataURL()") != drawn
    press["Fill"].focus()
    page.keyboard.press("Enter")
    assert eventually(lambda: status.inner_text().startswith("Filled in"))
    assert filled.count() and not alert.count() and stored(asked) == "52"

    page.get_by_role("slider", name="Brush").focus()
    page.keyboard.press("Home")
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 12, box["y"] + 12)
    page.mouse.down()
    page.mouse.move(box["x"] + 12, box["y"] + box["height"] - 12)
    page.mouse.up()
    page.get_by_role("spinbutton", name="Seed").fill("2")
    press["Fill"].click()
    guess, bar = page.get_by_role("img", name=": the current prediction"), page.get_by_role("progressbar", name="Steps")
    assert eventually(lambda: guess.count() and bar.is_visible() and 1 < bar.evaluate("b => b.value") < 10)
    seen = guess.get_attribute("src")
    assert eventually(lambda: guess.get_attribute("src") != seen)
    press["Fill"].click()
    assert eventually(lambda: alert.count() and "One hole is being filled" in alert.inner_text())
    press["Cancel"].focus()
    page.keyboard.press("Enter")
    assert eventually(lambda: status.inner_text() == "Cancelled.")
    assert not guess.count() and not filled.count() and not alert.count() and not bar.is_visible()
    assert 52 + 60 <= int(stored(asked)) <= 52 + 2 * 62

    choose_and_upload(page)
    page.get_by_text("A box as the hole, without painting").click()
    for name, key in (("Left", "Home"), ("Right", "End"), ("Top", "Home"), ("Bottom", "ArrowLeft")):
        page.get_by_role("slider", name=name).focus()
        page.keyboard.press(key)
    page.get_by_role("spinbutton", name="Seed").fill("0")
    press["Fill"].click()
    assert eventually(lambda: stored(asked) == str(64 * 43))
    assert eventually(lambda: page.get_by_role("img", name="mine.png: its hole filled").count())
    assert lab.page_errors == []


def test_prompt_box_by_keyboard_and_pointer(run, lab):
    page, asked = run("prompts.ipynb", PROMPT_BOX), lab.folder / "asked.txt"
    field, words = page.get_by_role("combobox", name="Caption"), page.get_by_role("listbox")
    status, alert = page.locator("p[aria-live]").nth(1), page.get_by_role("alert")
    picture, notes = page.get_by_role("img", name=": the image, seed"), page.get_by_label("Remarks on the caption")
    # The static picture below is the first drawing
    picture.wait_for()
    assert stored(asked) == "a cat|0|2.0|20" and field.input_value() == "a cat"
    assert picture.get_attribute("alt") == "\u201ca cat\u201d: the image, seed 0, guidance scale 2, 20 steps"
    assert eventually(lambda: picture.evaluate("i => i.naturalWidth") == 64) and picture.bounding_box()["width"] == 320
    assert picture.evaluate("i => getComputedStyle(i).imageRendering") == "pixelated" and not words.is_visible()

    def offered() -> list[str]:
        return words.get_by_role("option").all_inner_texts() if words.is_visible() else []

    field.fill("a Glossy Pin")
    assert offered() == ["pine", "pineapple"] and field.get_attribute("aria-expanded") == "true"
    assert not field.get_attribute("aria-activedescendant")
    for key in ("ArrowDown", "ArrowDown", "ArrowDown"):
        field.press(key)
    chosen = words.get_by_role("option", selected=True)
    assert chosen.inner_text() == "pine" and chosen.get_attribute("id") == field.get_attribute("aria-activedescendant")
    field.press("Enter")
    assert field.input_value() == "a Glossy pine " and field.get_attribute("aria-expanded") == "false"
    page.keyboard.type("t")
    assert offered() == ["tree"]
    field.press("Tab")
    assert field.input_value() == "a Glossy pine tree " and field.evaluate("f => f === document.activeElement")
    # The word at the cursor, not the last one
    for _ in range(len("ine tree ")):
        field.press("ArrowLeft")
    page.keyboard.type("i")
    field.press("ArrowUp")
    assert offered() == ["pine", "pineapple"] and chosen.inner_text() == "pineapple"
    field.press("Enter")
    assert field.input_value() == "a Glossy pineapple tree "
    field.press("Control+a")
    page.keyboard.type("a c")
    assert offered() == ["castle", "cat"]
    field.press("Escape")
    assert offered() == [] and stored(asked) == "a cat|0|2.0|20", "nothing was drawn meanwhile"
    page.keyboard.type("a")
    words.get_by_role("option", name="castle").click()
    assert field.input_value() == "a castle " and field.evaluate("f => f === document.activeElement")
    field.press("ArrowDown")
    assert offered() == ["a", "castle", "cat", "glossy", "pine", "pineapple", "tree"]
    field.press("Escape")
    page.keyboard.type("pine")
    assert offered() == ["pineapple"]
    field.press("Tab")
    assert field.input_value() == "a castle pine", "a word that is whole is left as it is"
    seed = page.get_by_role("spinbutton", name="Seed")
    assert seed.evaluate("s => s === document.activeElement")

    seed.fill("4")
    field.fill("a zebra \uace0\uc591\uc774 <b>")
    field.press("Enter")
    assert eventually(lambda: stored(asked) == "a zebra \uace0\uc591\uc774 <b>|4|2.0|20")
    guess, bar = page.get_by_role("img", name=": the current prediction"), page.get_by_role("progressbar", name="Steps")
    assert eventually(lambda: guess.count() and bar.is_visible() and 1 < bar.evaluate("b => b.value") < 10)
    assert guess.evaluate("i => i.naturalWidth") == 32 and guess.bounding_box()["width"] == 320
    told = [f"unknown: {word}" for word in ("zebra", "\uace0\uc591\uc774", "<b>")]
    assert notes.get_by_role("listitem").all_inner_texts() == told
    draw, cancel = page.get_by_role("button", name="Draw"), page.get_by_role("button", name="Cancel")
    draw.click()
    assert eventually(lambda: alert.count() and "One image is being drawn" in alert.inner_text())
    cancel.click()
    assert eventually(lambda: status.inner_text() == "Cancelled.")
    assert not guess.count() and not picture.count() and not bar.is_visible()

    page.get_by_role("spinbutton", name="Guidance scale").fill("1.5")
    seed.fill("1")
    steps = page.get_by_role("spinbutton", name="Steps")
    steps.fill("500")
    field.fill("")
    steps.press("Enter")
    assert page.get_by_text("Steps: from 1 to 100; 100 is used.").count() and steps.input_value() == "100"
    assert eventually(lambda: stored(asked) == "|1|1.5|100" and notes.inner_text() == "empty")
    assert eventually(lambda: status.inner_text().startswith("Drawn in") and picture.count() and not alert.count())
    seed.fill("13")
    draw.focus()
    page.keyboard.press("Enter")
    assert eventually(lambda: alert.count() and alert.inner_text() == "Seed 13 brings bad luck; choose another")
    assert not picture.count()
    seed.fill("0")
    field.fill("a cat")
    draw.click()
    assert eventually(lambda: picture.count() and not alert.count() and not notes.is_visible())
    assert lab.page_errors == []


def test_a_hole_is_filled_with_what_the_sentence_says(run, lab):
    page, told = run("prompted.ipynb", PROMPTED_HOLE), lab.folder / "told.txt"
    filled, notes = page.get_by_role("img", name=": its hole filled"), page.get_by_label("Remarks on the caption")
    filled.wait_for()
    assert stored(told) == "a cat|0|144" and page.get_by_role("combobox", name="Image").count() == 1
    assert page.get_by_role("application").bounding_box()["width"] == filled.bounding_box()["width"] == 320
    field = page.get_by_role("combobox", name="Caption")
    field.fill("a zebra cas")
    field.press("Tab")
    field.press("Enter")
    assert eventually(lambda: stored(told) == "a zebra castle |0|144")
    assert eventually(lambda: notes.is_visible() and notes.inner_text() == "unknown: zebra" and filled.count())
    field.fill("")
    page.get_by_role("button", name="Fill").click()
    assert eventually(lambda: stored(told) == "|0|144" and notes.inner_text() == "empty")
    assert lab.page_errors == []
