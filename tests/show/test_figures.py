"""Figures and widgets: alt text, captions, sizes, callbacks and static twins."""

import os
import subprocess
import sys

import matplotlib.pyplot as plt
import pytest
import torch

from course_utils import show
from course_utils.diffusion import GaussianMixture, NoiseSchedule, ideal_denoiser
from course_utils.runtime import seeded
from course_utils.show.molecule_box import STRENGTHS, MoleculeBox
from course_utils.show.schedule_explorer import schedule_explorer
from tests.conftest import ROOT
from tests.show.conftest import picture_of

CALLS = {
    "images": lambda: show.images(torch.zeros(6, 1, 8, 8), "caption", "alt", titles=["a"] * 6, columns=3),
    "boxes": lambda: show.images(torch.zeros(1, 3, 8, 8), "caption", "alt", boxes=[[("cat", (0.1, 0.2, 0.5, 0.6))]]),
    "labels": lambda: show.images(torch.zeros(4, 1, 8, 8), "caption", "alt", columns=2, labels=("one", "two")),
    "compare": lambda: show.compare("caption", "alt", one=torch.zeros(3, 8, 8), two=torch.ones(3, 8, 8)),
    "equation": lambda: show.equation([("a", torch.zeros(3, 8, 8)), "=", ("b", torch.zeros(1, 8, 8))], "caption",
                                       "alt"),
    "points": lambda: show.points({"a": torch.rand(9, 2), "b": torch.rand(4, 2)}, "caption", "alt"),
    "arrows": lambda: show.arrows({"a": (torch.rand(9, 2), torch.rand(9, 2))}, torch.rand(9, 2), "caption", "alt"),
    "heat": lambda: show.heat(torch.rand(2, 4, 4), "caption", "alt", over=torch.zeros(2, 3, 8, 8), titles=["a", "b"],
                              boxes=[[("cat", (0.1, 0.2, 0.5, 0.6))], []]),
    "curves": lambda: show.curves([1, 2], {"a": [1, 2]}, "caption", "alt", xlabel="x", ylabel="y", yscale="log"),
}


@pytest.mark.parametrize("name", CALLS)
def test_every_figure_has_alt_text_and_a_caption_and_fits_the_page(name, shown):
    CALLS[name]()
    picture, (caption, _) = shown
    assert picture_of(picture).width <= 901
    assert caption.data == "*caption*"


def test_a_figure_without_words_is_refused():
    fig, _ = show.grid()
    for caption, alt in (("", "alt"), ("caption", " ")):
        with pytest.raises(ValueError, match="every figure needs a caption and an alt text"):
            show.figure(fig, caption, alt)


def test_a_picture_is_drawn_as_it_is(shown):
    square = torch.full((1, 3, 4, 4), -1.0)
    square[0, 0] = 1.0
    show.images(square, "caption", "alt", photo=False)
    red = picture_of(shown[0]).convert("RGB")
    assert red.getpixel((red.width // 2, red.height // 2)) == (255, 0, 0)


def test_schedule_explorer_follows_its_controls(shown):
    explorer = schedule_explorer(torch.zeros(3, 8, 8))
    before = explorer.figure.value
    explorer.controls["t"].value = 900
    after = explorer.figure.value
    explorer.controls["schedule"].value = "cosine"
    assert len({before, after, explorer.figure.value}) == 3
    assert "The cosine schedule at t = 900 of 1000" in explorer.figure.value
    explorer.twin()
    assert "cosine" in shown[0][1]["image/jpeg"]["alt"]


def test_an_explorer_says_what_went_wrong():
    def draw(n):
        raise ValueError("n is too large; choose fewer")

    slider = __import__("ipywidgets").IntSlider()
    explorer = show.Explorer(draw, {"n": slider}, lambda n: "", "caption")
    assert "n is too large; choose fewer" in explorer.figure.value


def test_molecule_box_holds_the_film_it_shows(shown):
    drops = GaussianMixture(torch.tensor([[0.3, 0.3], [0.7, 0.6]]), torch.tensor([0.05, 0.05]))
    box = MoleculeBox(drops, molecules=200, frames=20)
    assert len(box.films) == len(STRENGTHS) * 2 * 20 * 200 * 2
    full, none = box.inside[-1], box.inside[0]
    assert full[0] == none[0] > 0.95                  # the drop at the start
    assert full[19] == none[19] < 0.4                 # spread, the same for every strength
    assert full[-1] > 0.9 and none[-1] < 0.4          # back with the score, and without
    assert repr(box) == "MoleculeBox(200 molecules)"
    box.twin()
    assert "Six square boxes" in shown[0][1]["image/png"]["alt"]


def test_molecule_box_script_is_shipped():
    drops = GaussianMixture(torch.rand(1, 2, generator=seeded(0)), torch.tensor([0.05]))
    assert "export default { render }" in str(MoleculeBox(drops, molecules=10, frames=4)._esm)


# diffusers hands numpy a tensor, which numpy 2 deprecates; Python itself hides that from users
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_sampler_explorer_follows_its_controls(shown):
    schedule = NoiseSchedule.cosine(100)
    denoiser = ideal_denoiser(torch.rand(5, 1, 8, 8, generator=seeded(0)) * 2 - 1, schedule)
    explorer = show.sampler_explorer(denoiser, schedule, (1, 8, 8), n=2)
    seen = [explorer.figure.value]
    for control, value in (("steps", 5), ("eta", 1.0), ("seed", 3), ("sampler", "dpm++"), ("sampler", "ddpm")):
        explorer.controls[control].value = value
        seen.append(explorer.figure.value)
    assert len(set(seen)) == 6 and explorer.controls["eta"].disabled
    assert "2 images made by ddpm in 5 calls of the denoiser, from the noise of seed 3" in explorer.figure.value
    explorer.controls["steps"].value = 1
    assert "1 call of the denoiser" in explorer.figure.value
    explorer.twin()
    assert "made by ddpm" in shown[0][1]["image/jpeg"]["alt"]


def test_a_roofline_has_a_panel_for_each_operation_and_a_roof(monkeypatch):
    drawn = []
    monkeypatch.setitem(show.roofline.__globals__, "figure", lambda fig, caption, alt: drawn.append(fig))
    ways = ("eager", "compile", "kernel", "kernel, CUDA graph")
    points = [{"op": op, "least_bytes": size, "microseconds": {way: [size / 1e3, 0, 0] for way in ways}}
              for op in ("one", "two") for size in (10**6, 10**4)]
    show.roofline({"copy_gb_per_s": 300, "points": points}, ["one", "two"], "caption", "alt")
    (fig,) = drawn
    assert [axis.get_title() for axis in fig.axes] == ["one", "two"]
    speed, roof = fig.axes[0].lines[0], fig.axes[0].lines[-1]
    assert list(speed.get_xdata()) == [10**4, 10**6] and list(speed.get_ydata()) == [1.0, 1.0]
    assert set(roof.get_ydata()) == {300}


def test_guidance_explorer_follows_its_controls(shown):
    asked = []

    def pictures(label, scale):
        asked.append((label, scale))
        return torch.full((3, 1, 8, 8), scale / 20 - 0.3 * label)

    explorer = show.guidance_explorer(lambda scale: torch.rand(5, 5) * scale, lambda scale: torch.rand(9, 2), pictures,
                                      ["boot", "bag"])
    seen = [explorer.figure.value]
    for control, value in (("scale", 8.0), ("label", 1)):
        explorer.controls[control].value = value
        seen.append(explorer.figure.value)
    assert len(set(seen)) == 3 and asked == [(0, 2.0), (0, 8.0), (1, 8.0)]
    explorer.twin()
    assert asked[3:] == [] and "images of the class bag" in shown[0][1]["image/jpeg"]["alt"]


# What a reader's matplotlibrc may hold
SETTINGS = [{"image.origin": "lower"}, {"text.usetex": True}, {"axes.facecolor": "black", "text.color": "white"},
            {"font.family": ["serif"]}, {"savefig.bbox": "tight"}, {"axes.edgecolor": "red", "figure.figsize": (2, 2)}]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: next(iter(settings)))
@pytest.mark.parametrize("name", ["images", "equation", "curves", "points"])
def test_a_figure_is_the_same_whatever_the_reader_has_set(name, settings, shown):
    torch.manual_seed(0)
    with plt.rc_context():
        CALLS[name]()
    torch.manual_seed(0)
    with plt.rc_context(settings):
        CALLS[name]()
    first, second = (picture_of(entry).tobytes() for entry in shown[-4::2])
    assert first == second


def test_axes_of_a_grid_too(shown):
    def draw():
        fig, axis = show.grid(1)
        axis.imshow([[0, 1], [2, 3]])
        axis.set_title("title")
        show.figure(fig, "caption", "alt")
    with plt.rc_context():
        draw()
    with plt.rc_context({"image.origin": "lower", "text.color": "white", "axes.titlecolor": "red"}):
        draw()
    assert picture_of(shown[0]).tobytes() == picture_of(shown[2]).tobytes()


def test_a_title_with_dollars_is_text(shown):
    show.images(torch.zeros(1, 1, 8, 8), "caption", "alt", titles=[r"costs $\foo$ and $"])
    assert picture_of(shown[0])


def test_a_figure_needs_no_screen():
    """MPLBACKEND of another program: figures are written, never opened in a window."""
    code = "import torch; from course_utils import show; show.images(torch.zeros(1, 1, 8, 8), 'caption', 'alt')"
    outside = {name: value for name, value in os.environ.items() if name != "DISPLAY"} | {"MPLBACKEND": "TkAgg"}
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=outside, capture_output=True, text=True)
    assert result.returncode == 0 and "image/jpeg" in result.stdout, result.stderr
