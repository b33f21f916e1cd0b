"""The explorers and the box of molecules as a learner meets them: seen, moved by keyboard, answered by the kernel."""

from tests.browser.lab import eventually, says, stored

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
from course_utils.diffusion import static_threshold
from course_utils.systems.model import SCHEDULE
from course_utils.systems.unconditional import load

show.play(show.sampler_explorer(static_threshold(load().denoiser()), SCHEDULE))"""

GUIDANCE = """import torch
from course_utils import show
from course_utils.datasets.garments import CLASSES
from course_utils.systems import cfg

model = cfg.load()
density, points = (lambda scale: torch.rand(9, 9)), (lambda scale: torch.randn(50, 2))
pictures = lambda label, scale: model.sample(torch.full((4,), label), scale, steps=3)
show.play(show.guidance_explorer(density, points, pictures, CLASSES))"""


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
