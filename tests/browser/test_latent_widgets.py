"""The explorer of latents and the canvas of layouts by keyboard and pointer."""

from tests.browser.lab import eventually, stored

LATENTS = """import torch
from course_utils import show

class Halves:
    def encode(self, images):
        return images / 2

    def decode(self, latents):
        if latents.abs().max() == 0:
            raise ValueError("nothing is left to decode")
        return 2 * latents

images = {name: torch.rand(3, 32, 32) for name in ("cat", "dog", "pig")}
explorer = show.latent_explorer(Halves(), images)
show.play(explorer)"""


LAYOUTS = """import time
from pathlib import Path

import torch
from course_utils import show
from course_utils.datasets import to_model_range
from course_utils.datasets.scene import make_scene, render
from course_utils.diffusion import Prediction
from course_utils.diffusion.samplers import Step

THINGS = ["dog", "cat", "castle"]

def scene(layout, seed, names):
    if seed == 13:
        raise ValueError("seed 13 brings bad luck; choose another")
    drawn = make_scene(names, boxes=[box for _, box in layout], ground=["blue", "green"][seed % 2])
    return to_model_range(torch.from_numpy(render(drawn, 128)))
"""


CLOSED = LAYOUTS + """
def draw(layout, seed):
    Path("asked.txt").write_text(f"{layout}|{seed}")
    return scene(layout, seed, [THINGS[thing] for thing, _ in layout])

show.play(show.layout_canvas(draw, THINGS, [("cat", (0.1, 0.4, 0.5, 0.9))]))"""


OPEN = LAYOUTS + """
def draw(caption, layout, tau, seed, callback):
    Path("asked.txt").write_text(f"{caption}|{layout}|{tau}|{seed}")
    for i in range(10):
        time.sleep(seed / 10)
        x = torch.zeros(1, 8, 4, 4)
        callback(Step(i, 10, 0, x, Prediction.of(x, torch.tensor(0.5), x0=x), x))
    return scene(layout, seed, [phrase.split()[-1] for phrase, _ in layout])

show.play(show.layout_canvas(draw, boxes=[("a cat", (0.1, 0.4, 0.5, 0.9))], caption="a scene", tau=0.3))"""


def drag(page, board, start, end) -> None:
    """With the mouse, from one place of the board to another, both in percent."""
    board.scroll_into_view_if_needed()
    area = board.bounding_box()
    points = [(area["x"] + x * area["width"] / 100, area["y"] + y * area["height"] / 100) for x, y in (start, end)]
    page.mouse.move(*points[0])
    page.mouse.down()
    page.mouse.move(*points[1], steps=4)
    page.mouse.up()


def test_latent_explorer_by_keyboard_and_pointer(run, lab):
    page = run("latents.ipynb", LATENTS)
    note, decoded = page.locator("p[aria-live]"), page.get_by_role("img", name="Latents mixed, then decoded: ")
    decoded.wait_for()
    assert note.inner_text().startswith("50% of the way from cat to pig, lerp. Standard deviation of the latents: ")
    assert eventually(lambda: decoded.evaluate("i => i.naturalWidth") == 32)
    before = decoded.get_attribute("src")
    page.get_by_role("slider", name="Share").focus()
    page.keyboard.press("ArrowRight")
    assert eventually(lambda: note.inner_text().startswith("51% of the way"))
    page.keyboard.press("End")
    assert eventually(lambda: note.inner_text().startswith("100% of the way"))
    ends = [page.get_by_role("group", name=f"{which} image") for which in ("First", "Second")]
    ends[1].get_by_role("radio", name="dog").click()
    assert eventually(lambda: "from cat to dog" in note.inner_text())
    ends[0].get_by_role("radio", name="cat").focus()
    page.keyboard.press("ArrowLeft")
    assert eventually(lambda: "from pig to dog" in note.inner_text())
    assert ends[0].get_by_role("radio", name="pig").is_checked() and decoded.get_attribute("src") != before
    page.get_by_role("radio", name="slerp", exact=True).check()
    assert eventually(lambda: "from pig to dog, slerp" in note.inner_text())

    end = decoded.get_attribute("src")
    take = page.get_by_role("combobox", name="Channel 2: take")
    take.focus()
    page.keyboard.press("z")
    assert eventually(lambda: decoded.get_attribute("src") != end) and take.input_value() == "zero"
    used, second = (page.get_by_role("img", name=f"{row}: channel 1") for row in ("Result", "Second"))
    assert used.get_attribute("src") == second.get_attribute("src")
    everything = page.get_by_role("combobox", name="All channels")
    assert everything.input_value() == ""
    everything.select_option("zero")
    alert = page.get_by_role("alert")
    assert eventually(lambda: alert.count() and alert.inner_text() == "Nothing is left to decode")
    assert take.input_value() == "zero" and not decoded.is_visible()
    everything.select_option("mix")
    assert eventually(lambda: decoded.get_attribute("src") == end and not alert.count())
    assert lab.page_errors == []


def test_closed_layouts_by_pointer_and_keyboard(run, lab):
    page, asked = run("closed.ipynb", CLOSED), lab.folder / "asked.txt"
    board, draw = page.get_by_role("application"), page.get_by_role("button", name="Draw")
    image, said = page.get_by_role("img", name="The image, seed"), page.locator("p[aria-live]").last
    # The static picture below is the first drawing
    image.wait_for()
    assert stored(asked) == "[(1, (0.1, 0.4, 0.5, 0.9))]|0"
    assert image.get_attribute("alt") == "The image, seed 0: cat at 10, 40, 50, 90"
    assert not page.get_by_role("button", name="Cancel").count() and not page.get_by_label("Caption").count()
    first = image.get_attribute("src")

    drag(page, board, (30, 65), (60, 70))
    assert said.inner_text() == "Box 1, cat: left 40, top 45, right 80, bottom 95"
    drag(page, board, (80, 95), (90, 100))
    assert said.inner_text() == "Box 1, cat: left 40, top 45, right 90, bottom 100"
    drag(page, board, (35, 30), (5, 10))
    assert said.inner_text() == "Box 2, castle: left 5, top 10, right 35, bottom 30"
    draw.click()
    layout = "[(1, (0.4, 0.45, 0.9, 1.0)), (2, (0.05, 0.1, 0.35, 0.3))]"
    assert eventually(lambda: stored(asked) == f"{layout}|0" and image.get_attribute("src") != first)
    past = page.get_by_role("img", name="The image before: cat at 10, 40, 50, 90")
    assert eventually(lambda: past.get_attribute("src") == first)
    outlines = image.locator("xpath=..").locator(".box")
    assert outlines.count() == 2 and outlines.first.is_visible()
    page.get_by_role("checkbox", name="Outline the boxes").uncheck()
    assert not outlines.first.is_visible()

    page.get_by_role("group", name="Box 1").focus()
    for key in ("ArrowLeft", "ArrowUp", "Shift+ArrowRight"):
        page.keyboard.press(key)
    assert said.inner_text() == "Box 1, cat: left 38, top 43, right 90, bottom 98"
    page.keyboard.press("Delete")
    assert said.inner_text() == "Box 1 is removed." and board.get_by_role("group").count() == 1
    add = page.get_by_role("button", name="Add a box")
    add.press("Enter")
    page.get_by_role("combobox", name="Box 2: thing").select_option("dog")
    for edge, value in (("left", "70"), ("top", "abc"), ("bottom", "120")):
        number = page.get_by_role("spinbutton", name=f"Box 2: {edge}")
        number.press("Control+a")
        page.keyboard.type(value)
        number.press("Tab")
    # Pushed, left as it was, and clamped
    assert said.inner_text() == "Box 2, dog: left 70, top 30, right 74, bottom 100"
    page.get_by_role("spinbutton", name="Box 2: right").fill("100")
    page.keyboard.press("Enter")
    assert eventually(lambda: stored(asked) == "[(2, (0.05, 0.1, 0.35, 0.3)), (0, (0.7, 0.3, 1.0, 1.0))]|0")
    for _ in range(2):
        add.press("Enter")
    assert said.inner_text() == "There can be 3 boxes at most. Remove one first."
    page.get_by_role("button", name="Box 3: remove").press("Enter")
    page.get_by_role("spinbutton", name="Seed").fill("13")
    draw.click()
    alert = page.get_by_role("alert")
    assert eventually(lambda: alert.count() and alert.inner_text() == "Seed 13 brings bad luck; choose another")
    assert eventually(lambda: not image.is_visible())
    page.get_by_role("spinbutton", name="Seed").fill("1")
    draw.press("Enter")
    assert eventually(lambda: stored(asked).endswith("|1") and image.is_visible() and not alert.count())
    assert lab.page_errors == []


def test_open_layouts_have_phrases_caption_and_tau(run, lab):
    page, asked = run("open.ipynb", OPEN), lab.folder / "asked.txt"
    board, image = page.get_by_role("application"), page.get_by_role("img", name="The image, seed")
    image.wait_for()
    assert stored(asked) == "a scene|[('a cat', (0.1, 0.4, 0.5, 0.9))]|0.3|0"
    drag(page, board, (55, 10), (95, 50))
    page.keyboard.type("a red dog")
    assert page.get_by_role("textbox", name="Box 2: phrase").input_value() == "a red dog"
    page.get_by_role("slider", name="tau").focus()
    page.keyboard.press("ArrowRight")
    caption = page.get_by_role("combobox", name="Caption")
    caption.fill("two animals")
    caption.press("Enter")
    layout = "[('a cat', (0.1, 0.4, 0.5, 0.9)), ('a red dog', (0.55, 0.1, 0.95, 0.5))]"
    assert eventually(lambda: stored(asked) == f"two animals|{layout}|0.35|0")
    alert, status = page.get_by_role("alert"), page.locator("p[aria-live]").first
    page.get_by_role("textbox", name="Box 2: phrase").fill(" ")
    page.keyboard.press("Enter")
    assert eventually(lambda: alert.count() and alert.inner_text().startswith("Box 2 has no phrase."))
    page.get_by_role("textbox", name="Box 2: phrase").fill("a dog")
    page.get_by_role("spinbutton", name="Seed").fill("4")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Draw").click()
    bar = page.get_by_role("progressbar", name="Steps")
    assert eventually(lambda: bar.is_visible() and 1 < bar.evaluate("b => b.value") < 10)
    page.get_by_role("button", name="Cancel").click()
    assert eventually(lambda: status.inner_text() == "Cancelled.")
    assert not alert.count() and not image.is_visible()
    assert lab.page_errors == []
