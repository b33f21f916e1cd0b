"""The widgets of photographs: what they compute, when, what they say when it fails, and their static twins."""

import base64
import io
from threading import Event

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import show
from course_utils.datasets import photographs
from course_utils.diffusion import Prediction
from course_utils.diffusion.samplers import Step
from course_utils.runtime import seeded
from course_utils.show.live import data_url
from course_utils.show.photograph_chooser import central_square
from tests.show.conftest import picture_of

SIDE = 16
PICTURES = {name: torch.rand(3, SIDE, SIDE, generator=seeded(i)) * 2 - 1 for i, name in enumerate(("cat", "dog"))}
WIDGETS = {
    "before_after": lambda pictures, opened=None: show.before_after(pictures, lambda x, seed: (x, -x), opened),
    "hole_painter": lambda pictures, opened=None: show.hole_painter(pictures, lambda x, mask, *rest: x * mask, opened),
}


@pytest.fixture(params=WIDGETS)
def make(request):
    return WIDGETS[request.param]


def pixels(url: str) -> torch.Tensor:
    """The picture in the address of a PNG, (3, H, W) in [-1, 1]."""
    image = Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/png;base64,"))))
    return torch.from_numpy(np.array(image)).permute(2, 0, 1) / 127.5 - 1


def same(url: str, picture: torch.Tensor) -> bool:
    return bool((pixels(url) - picture.clamp(-1, 1)).abs().max() < 1 / 127)


def png(width: int, height: int) -> bytes:
    """A photograph that is green in its central square and red outside."""
    image, buffer = Image.new("RGB", (width, height), "red"), io.BytesIO()
    short = min(width, height)
    image.paste("lime", ((width - short) // 2, (height - short) // 2, (width + short) // 2, (height + short) // 2))
    image.save(buffer, "png")
    return buffer.getvalue()


def send(widget, file: str, data: bytes, part: int = 100) -> None:
    """What the browser does with a chosen file."""
    for start in range(0, max(len(data), 1), part):
        content = {"upload": file, "start": start, "size": len(data)}
        widget._handle_custom_msg(content, [memoryview(data[start : start + part])])


def test_a_picture_travels_as_it_is():
    assert same(data_url(PICTURES["cat"]), PICTURES["cat"])
    assert same(data_url(3 * PICTURES["cat"]), 3 * PICTURES["cat"])


@pytest.mark.parametrize("width, height", [(60, 40), (40, 61), (SIDE, 40)])
def test_the_central_square_is_cut_and_shrunk(width, height):
    square = central_square(photographs.opened(png(width, height)), SIDE)
    assert square.shape == (3, SIDE, SIDE)
    green = torch.tensor([-1.0, 1.0, -1.0]).view(3, 1, 1)
    assert torch.allclose(square[:, 1:-1, 1:-1], green.expand(3, SIDE - 2, SIDE - 2), atol=0.02)


@pytest.mark.parametrize("pictures", [{}, {"a": torch.zeros(3, 4, 5)}, {"a": torch.zeros(1, 4, 4)},
                                      {"a": torch.zeros(3, 4, 4), "b": torch.zeros(3, 8, 8)}])
def test_other_pictures_are_refused(make, pictures):
    with pytest.raises(ValueError, match=r"images must be \{name: tensor \(3, H, H\)\}"):
        make(pictures)


def test_an_upload_is_chosen_whole_and_twice(make):
    widget = make(PICTURES, photographs.opened)
    for _ in range(2):
        send(widget, "me.png", png(60, 40))
    assert widget.choices == ["cat", "dog", "me.png", "me.png again"] and widget.choice == "me.png again"
    assert widget.problem == "" and widget.uploads and not make(PICTURES).uploads
    assert set(PICTURES) == {"cat", "dog"}  # the caller's own dictionary is left alone


@pytest.mark.parametrize("data, sentence", [
    (b"", "This file cannot be read"),
    (png(60, 40)[:80], "This file cannot be read"),
    (png(60, SIDE - 1), "The largest square in this image is 15 pixels wide; at least 16 are needed."),
])
def test_a_file_that_cannot_be_used_gets_a_sentence(make, data, sentence):
    widget = make(PICTURES, photographs.opened)
    send(widget, "me.png", data)
    assert widget.problem.startswith(sentence) and widget.choice == "cat" and widget.choices == ["cat", "dog"]
    send(widget, "me.png", png(60, 40))
    assert widget.problem == "" and widget.choice == "me.png"


def test_the_widgets_scripts_are_shipped(make):
    widget = make(PICTURES)
    for part in ("function element(", "function chooser(", "export default { render }"):
        assert str(widget._esm).count(part) == 1
    assert repr(widget).endswith("(cat, dog)")


def test_before_and_after_are_computed_once_for_each_picture_and_seed(shown):
    asked = []

    def process(picture, seed):
        asked.append(seed)
        return picture / 2, picture - seed / 10

    widget = show.before_after(PICTURES, process, names=("small", "large"))
    widget.twin()
    assert asked == [0] and same(widget.before, PICTURES["cat"] / 2) and same(widget.after, PICTURES["cat"])
    assert shown[0][1]["image/jpeg"]["alt"] == "The photograph cat twice: left small, right large."
    assert picture_of(shown[0]).width <= 901 and "small and large, seed 0" in shown[1][0].data
    widget.seed, widget.choice = 3, "dog"
    assert asked == [0, 3, 3] and same(widget.after, PICTURES["dog"] - 0.3)
    widget.choice = "cat"
    assert asked == [0, 3, 3] and same(widget.after, PICTURES["cat"] - 0.3) and not widget.busy


@pytest.mark.parametrize("error, sentence", [(ValueError("the seed is odd."), "The seed is odd."),
                                             (KeyError("x"), "KeyError: 'x'")])
def test_before_after_says_what_went_wrong(error, sentence):
    def process(picture, seed):
        if seed % 2:
            raise error
        return picture, picture

    widget = show.before_after(PICTURES, process)
    widget.seed = 1
    assert widget.problem == sentence and widget.before == widget.after == "" and not widget.busy
    with pytest.raises(type(error)):
        widget.twin()
    widget.seed = 2
    assert widget.problem == "" and widget.after


class Filler:
    """Fills with -1 in steps; each step waits until it is let go, and the guess of step i is i / steps."""

    def __init__(self, steps: int = 3, error: Exception | None = None):
        self.steps, self.error, self.calls, self.seen, self.go = steps, error, [], Event(), Event()
        self.go.set()

    def __call__(self, picture, mask, seed, callback):
        self.calls.append((mask.clone(), seed))
        for i in range(self.steps):
            self.seen.set()
            assert self.go.wait(10)
            x = picture[None]
            guess = Prediction.of(x, torch.tensor(0.5), x0=torch.full_like(x, i / self.steps))
            callback(Step(i, self.steps, 0, x, guess, x))
            if self.error is not None:
                raise self.error
        return torch.where(mask.bool(), picture, -1.0)


def finish(painter) -> None:
    """Wait until no hole is being filled."""
    assert painter._lock.acquire(timeout=10)
    painter._lock.release()


def fill(painter, mask: str | None = None, seed: int = 0) -> None:
    """What the browser's button does."""
    painter._handle_custom_msg({"do": "fill", "mask": painter.mask if mask is None else mask, "seed": seed}, [])


def test_a_hole_is_filled_with_what_was_painted(shown):
    filler = Filler()
    painter = show.hole_painter(PICTURES, filler)
    assert filler.calls == [] and same(painter.photograph, PICTURES["cat"])
    mask = "1" * (SIDE * SIDE - SIDE) + "0" * SIDE
    fill(painter, mask, seed=7)
    finish(painter)
    (given, seed), = filler.calls
    assert given.shape == (1, SIDE, SIDE) and given.dtype == torch.float32 and seed == 7
    assert given[:, :-1].min() == 1 and given[:, -1].max() == 0
    assert same(painter.filled, torch.where(given.bool(), PICTURES["cat"], -1.0))
    assert painter.status.startswith("Filled in") and painter.step == painter.steps == 3 and not painter.busy
    painter.twin()
    assert len(filler.calls) == 1, "the twin shows what was just filled"
    assert "the photograph cat, the same with a hole over 6% of it" in shown[0][1]["image/jpeg"]["alt"]


def test_the_first_twin_fills_a_box_and_the_widget_shows_it(shown):
    filler = Filler()
    painter = show.hole_painter(PICTURES, filler)
    painter.twin()
    painter.twin()
    (given, seed), = filler.calls
    left, top, right, bottom = painter.box
    assert given.sum() == SIDE**2 - (right - left) * (bottom - top) and given[0, top:bottom, left:right].sum() == 0
    assert seed == 0 and same(painter.filled, torch.where(given.bool(), PICTURES["cat"], -1.0))
    assert picture_of(shown[0]).width <= 901


def test_the_guess_so_far_is_shown_in_the_hole(monkeypatch):
    monkeypatch.setattr("course_utils.show.live.PAUSE", 0)
    painter = show.hole_painter(PICTURES, Filler())
    seen = []
    painter.observe(lambda change: seen.append((painter.busy, change.new)), "filled")
    fill(painter)
    finish(painter)
    assert [busy for busy, _ in seen] == [True] * 4
    low, high = painter.box[:3:2]
    for i, (_, url) in enumerate(seen[:3]):
        guess = pixels(url)
        assert (guess[:, low:high, low:high] - i / 3).abs().max() < 1 / 127
        assert (guess[:, :low] - PICTURES["cat"][:, :low]).abs().max() < 1 / 127


def test_one_hole_at_a_time_and_a_fill_can_be_cancelled():
    filler = Filler()
    filler.go.clear()
    painter = show.hole_painter(PICTURES, filler)
    fill(painter)
    assert filler.seen.wait(10) and painter.busy
    fill(painter)
    assert painter.problem == "One hole is being filled. Wait for it, or press Cancel first."
    painter._handle_custom_msg({"do": "cancel"}, [])
    filler.go.set()
    finish(painter)
    assert len(filler.calls) == 1 and painter.status == "Cancelled." and not painter.busy
    assert painter.filled == "" and painter.problem == ""
    fill(painter)
    finish(painter)
    assert painter.status.startswith("Filled in") and painter.filled


def test_another_photograph_ends_the_fill_of_the_first():
    filler = Filler()
    filler.go.clear()
    painter = show.hole_painter(PICTURES, filler)
    fill(painter)
    assert filler.seen.wait(10)
    painter.choice = "dog"
    filler.go.set()
    finish(painter)
    assert painter.filled == "" and not painter.busy and same(painter.photograph, PICTURES["dog"])


@pytest.mark.parametrize("error, sentence", [(ValueError("this hole is too odd."), "This hole is too odd."),
                                             (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero")])
def test_the_hole_painter_says_what_went_wrong(error, sentence):
    painter = show.hole_painter(PICTURES, Filler(error=error))
    fill(painter)
    finish(painter)
    assert painter.problem == sentence and painter.filled == painter.status == "" and not painter.busy
    with pytest.raises(type(error)):
        painter.twin()


def test_without_a_hole_there_is_nothing_to_fill_and_all_may_be_hole():
    filler = Filler()
    painter = show.hole_painter(PICTURES, filler)
    fill(painter, "1" * SIDE**2)
    assert painter.problem == "There is no hole to fill. Paint one, or set a box." and filler.calls == []
    with pytest.raises(ValueError, match="no hole to fill"):
        painter.twin()
    fill(painter, "0" * SIDE**2)
    finish(painter)
    assert painter.problem == "" and same(painter.filled, torch.full((3, SIDE, SIDE), -1.0))


def test_a_fill_that_tells_no_steps_works():
    painter = show.hole_painter(PICTURES, lambda picture, mask, seed, callback: picture)
    fill(painter)
    finish(painter)
    assert same(painter.filled, PICTURES["cat"])
