"""The widgets of photographs by keyboard, pointer and upload."""

import io

from PIL import Image

from tests.browser.lab import eventually, stored

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
    assert eventually(lambda: "This file cannot be read" in alert.inner_text())
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
