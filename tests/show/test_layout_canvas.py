"""The canvas of layouts: what it asks for, with and without a closed set, and its static twin."""

import pytest
import torch

from course_utils import show
from course_utils.diffusion import Prediction
from course_utils.diffusion.samplers import Step
from tests.show.conftest import picture_of
from tests.show.test_photographs import finish, same

THINGS = ["cat", "dog", "castle"]
CAT, DOG = ("cat", (0.1, 0.2, 0.5, 0.75)), ("dog", (0.5, 0.5, 1, 1))


class Painter:
    """Paints the boxes white on black; the seed is the green."""

    def __init__(self, error: Exception | None = None):
        self.calls, self.error = [], error

    def paint(self, layout, seed):
        if self.error:
            raise self.error
        image = torch.full((3, 20, 20), -1.0)
        for _, corners in layout:
            left, top, right, bottom = (round(20 * corner) for corner in corners)
            image[:, top:bottom, left:right] = 1
        image[1] = seed / 10
        return image

    def __call__(self, layout, seed):
        self.calls.append((layout, seed))
        return self.paint(layout, seed)

    def worded(self, caption, layout, tau, seed):
        self.calls.append((caption, layout, tau, seed))
        return self.paint(layout, seed)


def closed(painter, **options):
    return show.layout_canvas(painter, THINGS, **{"boxes": [CAT]} | options)


def worded(painter, **options):
    return show.layout_canvas(painter.worded, **{"boxes": [CAT], "caption": "a scene", "tau": 0.3} | options)


def ask(canvas, boxes, seed=0, **given) -> None:
    """What the browser does when Draw is pressed."""
    canvas._handle_custom_msg({"do": "draw", "boxes": boxes, "seed": seed, **given}, [])
    finish(canvas)


def test_a_layout_becomes_an_image_and_nothing_is_drawn_before_it_is_asked_for():
    painter = Painter()
    canvas = closed(painter)
    assert painter.calls == [] and canvas.drawn == "" and canvas.boxes == [["cat", 10, 20, 50, 75]]
    assert canvas.prompt is None and canvas.tau is None and not canvas.follows
    ask(canvas, [["castle", 0, 0, 50, 100], ["cat", 25, 50, 75, 100]], 7)
    assert painter.calls == [([(2, (0, 0, 0.5, 1)), (0, (0.25, 0.5, 0.75, 1))], 7)]
    assert same(canvas.drawn, painter.paint(*painter.calls[0])) and canvas.outlined == canvas.boxes
    assert canvas.status.startswith("Drawn in") and canvas.problem == "" and canvas.seed == 7
    assert repr(canvas) == "LayoutCanvas(castle, cat)"
    ask(canvas, [])
    assert painter.calls[1] == ([], 0), "no box is a layout too"


def test_phrases_caption_and_tau_reach_draw():
    painter = Painter()
    canvas = worded(painter)
    assert (canvas.things, canvas.prompt, canvas.tau) == (None, "a scene", 0.3)
    ask(canvas, [[" a red fox ", 0, 0, 50, 50]], 2, prompt="a fox", tau=1)
    assert painter.calls == [("a fox", [("a red fox", (0, 0, 0.5, 0.5))], 1.0, 2)]
    assert canvas.boxes == [[" a red fox ", 0, 0, 50, 50]], "as it was typed"
    ask(canvas, [], prompt="", tau=0)
    assert painter.calls[1] == ("", [], 0.0, 0), "an empty caption and a tau of 0 are given too"


def test_the_caption_has_words_and_remarks():
    painter = Painter()
    canvas = worded(painter, words=["fox"], remarks=lambda caption: [f"unknown: {caption}"])
    ask(canvas, [], prompt="zebra", tau=0.5)
    assert canvas.words == ["fox"] and canvas.notes == ["unknown: zebra"]


@pytest.mark.parametrize("boxes, sentence", [
    ([["", 0, 0, 9, 9]], "Box 1 has no phrase. Write what is in it, or remove it."),
    ([["a", 0, 0, 9, 9], ["b", 9, 0, 9, 9]], "Box 2 needs left < right and top < bottom"),
    ([["a", 0, -1, 9, 9]], "all of them from 0 to 100; got (0, -1, 9, 9)"),
    ([["a", 0, 0, 9, 9]] * 4, "There are 4 boxes; at most 3 can be drawn."),
])
def test_layouts_that_cannot_be_are_a_sentence_and_the_next_order_works(boxes, sentence):
    painter = Painter()
    canvas = worded(painter)
    ask(canvas, boxes)
    assert sentence in canvas.problem and painter.calls == [] and not canvas.busy
    ask(canvas, [["a", 0, 0, 9, 9]])
    assert canvas.problem == "" and len(painter.calls) == 1


def test_a_thing_outside_the_closed_set_is_a_sentence():
    canvas = closed(Painter())
    ask(canvas, [["zebra", 0, 0, 9, 9]])
    assert canvas.problem == "'zebra' is none of the 3 things. Choose one for box 1."


@pytest.mark.parametrize("error, sentence", [(ValueError("this is too crowded."), "This is too crowded."),
                                             (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero")])
def test_what_went_wrong_is_a_sentence(error, sentence):
    canvas = closed(Painter(error))
    ask(canvas, [["cat", 0, 0, 9, 9]])
    assert canvas.problem == sentence and canvas.drawn == canvas.status == "" and not canvas.busy
    with pytest.raises(type(error)):
        canvas.twin()


def test_an_image_of_another_shape_is_a_sentence():
    canvas = closed(lambda layout, seed: torch.zeros(1, 3, 8, 8))
    ask(canvas, [])
    assert canvas.problem == "Draw must return one image (3, H, W); got (1, 3, 8, 8)."


def test_steps_are_counted_where_draw_tells_them_and_can_be_cancelled(monkeypatch):
    monkeypatch.setattr("course_utils.show.live.PAUSE", 0)
    cancel, seen = [], []

    def draw(layout, seed, callback):
        for i in range(3):
            # Latents, which are no image
            x = torch.zeros(1, 8, 4, 4)
            callback(Step(i, 3, 0, x, Prediction.of(x, torch.tensor(0.5), x0=x), x))
            if cancel:
                canvas._handle_custom_msg({"do": "cancel"}, [])
        return torch.zeros(3, 8, 8)

    canvas = closed(draw)
    canvas.observe(lambda change: seen.append((canvas.busy, change.new)), "step")
    ask(canvas, [])
    assert canvas.follows and seen == [(True, 1), (True, 2), (True, 3)] and canvas.status.startswith("Drawn in")
    cancel.append(True)
    ask(canvas, [])
    assert canvas.status == "Cancelled." and canvas.drawn == canvas.problem == ""


def test_the_twin_shows_layout_and_image_once_drawn(shown):
    painter = Painter()
    canvas = worded(painter, boxes=[CAT, DOG], seed=3)
    canvas.twin()
    canvas.twin()
    assert painter.calls == [("a scene", [CAT, DOG], 0.3, 3)] and same(canvas.drawn, painter.paint([CAT, DOG], 3))
    alt = shown[0][1]["image/jpeg"]["alt"]
    assert "cat from (10, 20) to (50, 75); dog from (50, 50) to (100, 100)" in alt
    assert picture_of(shown[0]).width <= 901
    assert "for \u201ca scene\u201d, tau 0.3, seed 3." in shown[1][0].data
    canvas = closed(painter, boxes=[])
    canvas.twin()
    assert "side: none." in shown[4][1]["image/jpeg"]["alt"] and "image, seed 0." in shown[5][0].data


@pytest.mark.parametrize("wrong, sentence", [
    ({"boxes": [("cat", (0, 0, 50, 50))]}, r"each in \[0, 1\]; got \(0, 0, 50, 50\) for cat"),
    ({"boxes": [("cat", (0, 0, 0.5))]}, "a box is"), ({"boxes": [("cat", (0.5, 0, 0.5, 1))]}, "left < right"),
    ({"boxes": [("cow", (0, 0, 1, 1))]}, "'cow' is none of the 3 things"), ({"boxes": [CAT] * 4}, "at most 3"),
    ({"tau": 2}, "tau"), ({"seed": -1}, "seed"), ({"most": 0}, "most"),
])
def test_what_cannot_be_drawn_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        closed(Painter(), **wrong)


def test_the_scripts_are_shipped():
    canvas = closed(Painter())
    for part in ("function element(", "function runBar(", "function promptField(", "function stretched(",
                 "export default { render }"):
        assert str(canvas._esm).count(part) == 1
    assert ".layout-canvas .box" in str(canvas._css)
