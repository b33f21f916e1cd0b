"""The widgets with a sentence by keyboard and pointer."""

from tests.browser.lab import eventually, stored

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
