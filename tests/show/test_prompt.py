"""The widgets with a sentence: what they ask for, what they show and remark on, and their static twins."""

import pytest
import torch

from course_utils import show
from course_utils.diffusion import Prediction
from course_utils.diffusion.samplers import Step
from course_utils.show.prompt_field import plain, shortened
from tests.show.conftest import picture_of
from tests.show.test_photographs import PICTURES, SIDE, finish, same

WORDS = ["a", "castle", "cat"]


class Painter:
    """Draws the seed as a shade of grey: some steps at half the size, as a cascade's base, then as many at the whole.

    Each sampler tells `steps` steps; the guess of step i is i / steps.
    """

    def __init__(self, steps: int = 3, error: Exception | None = None):
        self.steps, self.error, self.calls = steps, error, []

    def __call__(self, caption, seed, scale, steps, callback):
        self.calls.append((caption, seed, scale, steps))
        for side in (SIDE // 2, SIDE):
            for i in range(self.steps):
                x = torch.zeros(1, 3, side, side)
                guess = Prediction.of(x, torch.tensor(0.5), x0=torch.full_like(x, i / self.steps))
                callback(Step(i, self.steps, 0, x, guess, x))
                if self.error is not None:
                    raise self.error
        return torch.full((3, SIDE, SIDE), seed / 10)


def remarks(caption: str) -> list[str]:
    words = caption.split()
    return [f"unknown: {word}" for word in words if word not in WORDS] if words else ["there is no word"]


def boxed(draw, **options):
    return show.prompt_box(draw, WORDS, remarks, **{"caption": "a cat", "size": SIDE} | options)


def ask(box, prompt: str = "a cat", seed=0, scale=3.0, wanted=20) -> None:
    """What the browser does when Enter is pressed."""
    box._handle_custom_msg({"do": "draw", "prompt": prompt, "seed": seed, "scale": scale, "wanted": wanted}, [])
    finish(box)


def test_a_sentence_becomes_a_picture_and_nothing_is_drawn_before_it_is_asked_for():
    painter = Painter()
    box = boxed(painter)
    assert painter.calls == [] and box.drawn == "" and box.words == WORDS and box.side == SIDE
    ask(box, "a castle", 7, 2, 5)
    assert painter.calls == [("a castle", 7, 2.0, 5)] and same(box.drawn, torch.full((3, SIDE, SIDE), 0.7))
    assert box.status.startswith("Drawn in") and box.problem == "" and not box.busy and box.notes == []
    assert (box.prompt, box.seed, box.scale, box.wanted) == ("a castle", 7, 2.0, 5)
    assert repr(box) == "PromptBox('a castle')"


@pytest.mark.parametrize("prompt, notes", [
    ("", ["there is no word"]), ("고양이 🐱", ["unknown: 고양이", "unknown: 🐱"]), ("7 cat", ["unknown: 7"]),
    ("cat " * 5000, []), ("<b>$x$</b>", ["unknown: <b>$x$</b>"]),
])
def test_every_sentence_gets_its_picture_and_its_remarks(prompt, notes, shown):
    painter = Painter()
    box = boxed(painter)
    ask(box, prompt)
    assert box.notes == notes and box.drawn and box.problem == "" and painter.calls[0][0] == prompt
    box.twin()
    assert len(painter.calls) == 1, "the twin shows what was just drawn"
    assert len(shown[1][0].data) < 300


def test_the_twin_shows_how_the_picture_came_about(shown):
    painter = Painter(steps=10)
    box = boxed(painter, caption="a dog", seed=3, scale=1.5, steps=7)
    box.twin()
    box.twin()
    assert painter.calls == [("a dog", 3, 1.5, 7)] and same(box.drawn, torch.full((3, SIDE, SIDE), 0.3))
    alt = shown[0][1]["image/jpeg"]["alt"]
    assert "drawn from \u201ca dog\u201d, seed 3, guidance scale 1.5, 7 steps" in alt
    assert picture_of(shown[0]).width <= 901 and "unknown: dog" in shown[1][0].data
    (_, (guesses, _)) = box._made
    assert [guess.shape[-1] for guess in guesses] == [SIDE // 2] * 10 + [SIDE] * 10


def test_the_guess_so_far_is_shown_and_counted(monkeypatch):
    monkeypatch.setattr("course_utils.show.live.PAUSE", 0)
    box = boxed(Painter())
    seen = []
    box.observe(lambda change: seen.append((box.busy, box.step, box.steps, change.new)), "drawn")
    ask(box)
    assert [entry[:3] for entry in seen] == [(True, i, 3) for i in (1, 2, 3, 1, 2, 3, 3)]
    for i, (*_, url) in enumerate(seen[:6]):
        side = SIDE // 2 if i < 3 else SIDE
        assert same(url, torch.full((3, side, side), i % 3 / 3))


def test_one_picture_at_a_time_and_what_is_being_drawn_keeps_its_name(monkeypatch):
    box = boxed(Painter())
    box._lock.acquire()
    box._handle_custom_msg({"do": "draw", "prompt": "a castle", "seed": 1, "scale": 1, "wanted": 1}, [])
    assert box.problem == "One image is being drawn. Wait for it, or press Cancel first."
    assert (box.prompt, box.seed) == ("a cat", 0)
    box._lock.release()
    ask(box, "a castle")
    assert box.problem == "" and box.prompt == "a castle"


def test_a_picture_can_be_cancelled():
    def draw(caption, seed, scale, steps, callback):
        box._handle_custom_msg({"do": "cancel"}, [])
        return Painter()(caption, seed, scale, steps, callback)

    box = boxed(draw)
    ask(box)
    assert box.status == "Cancelled." and box.drawn == box.problem == "" and not box.busy


@pytest.mark.parametrize("error, sentence", [(ValueError("too odd."), "Too odd."),
                                             (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero")])
def test_what_went_wrong_is_a_sentence(error, sentence):
    box = boxed(Painter(error=error))
    ask(box)
    assert box.problem == sentence and box.drawn == box.status == "" and not box.busy
    with pytest.raises(type(error)):
        box.twin()


@pytest.mark.parametrize("wrong, part", [({"seed": None}, "seed"), ({"wanted": 0}, "wanted"), ({"scale": 1e9}, "scale"),
                                         ({"prompt": 3}, "prompt")])
def test_numbers_that_cannot_be_are_a_sentence_and_the_next_order_works(wrong, part):
    painter = Painter()
    box = boxed(painter)
    ask(box, **wrong)
    assert f"The '{part}' trait" in box.problem or f"the '{part}' trait" in box.problem
    assert painter.calls == [] and not box.busy
    ask(box)
    assert box.problem == "" and len(painter.calls) == 1


def test_remarks_that_fail_and_pictures_of_another_shape_are_sentences():
    def fail(caption):
        raise RuntimeError("no remarks")

    box = show.prompt_box(Painter(), WORDS, fail)
    ask(box)
    assert box.problem == "RuntimeError: no remarks" and not box.busy
    box = boxed(lambda *order: torch.zeros(1, 3, SIDE, SIDE))
    ask(box)
    assert box.problem == "Draw must return one image (3, H, W); got (1, 3, 16, 16)."


def test_a_draw_that_tells_no_steps_works(shown):
    box = boxed(lambda *order: torch.zeros(3, SIDE, SIDE))
    box.twin()
    assert same(box.drawn, torch.zeros(3, SIDE, SIDE)) and picture_of(shown[0])


def test_a_sentence_is_quoted_as_it_is():
    assert plain("*a* [b](c) $d$ `e` f_g <h>") == r"\*a\* \[b\]\(c\) \$d\$ \`e\` f\_g \<h\>"
    assert shortened("cat " * 100).endswith("cat ...\u201d") and len(shortened("cat " * 100)) <= 92
    assert len(shortened("x" * 500)) <= 92


def fill_with(prompt, **options):
    calls = []

    def fill(picture, mask, *rest):
        calls.append(rest[:-1])
        return picture * mask

    return show.hole_painter(PICTURES, fill, prompt=prompt, **options), calls


def test_a_hole_is_filled_with_what_the_sentence_says(shown):
    painter, calls = fill_with("a cat", words=WORDS, remarks=remarks)
    assert painter.words == WORDS and painter.noun == "Image"
    painter.twin()
    painter._handle_custom_msg({"do": "fill", "mask": painter.mask, "seed": 4, "prompt": "a dog"}, [])
    finish(painter)
    assert calls == [("a cat", 0), ("a dog", 4)] and painter.notes == ["unknown: dog"] and painter.prompt == "a dog"
    assert painter.status.startswith("Filled in") and painter.filled
    painter.twin()
    assert len(calls) == 2 and "filled with \u201ca dog\u201d and seed 4" in shown[3][0].data
    assert "Three images: the image cat" in shown[2][1]["image/jpeg"]["alt"]


def test_the_hole_at_first_may_be_anywhere():
    painter, _ = fill_with("a cat", box=(SIDE // 2, 0, SIDE, SIDE))
    assert painter.box == [SIDE // 2, 0, SIDE, SIDE] and painter.mask == ("1" * (SIDE // 2) + "0" * (SIDE // 2)) * SIDE
    for wrong in ((0, 0, SIDE + 1, SIDE), (2, 0, 2, SIDE), (-1, 0, 2, 2)):
        with pytest.raises(ValueError, match=f"all in 0..{SIDE}; got"):
            fill_with("a cat", box=wrong)


def test_without_a_prompt_there_is_no_field_and_fill_is_told_none():
    painter, calls = fill_with(None)
    assert painter.prompt is None and painter.noun == "Photograph"
    painter._handle_custom_msg({"do": "fill", "mask": painter.mask, "seed": 4}, [])
    finish(painter)
    assert calls == [(4,)] and painter.notes == []


def test_an_empty_prompt_is_a_prompt():
    painter, calls = fill_with("", remarks=remarks)
    painter._handle_custom_msg({"do": "fill", "mask": painter.mask, "seed": 0, "prompt": ""}, [])
    finish(painter)
    assert calls == [("", 0)] and painter.notes == ["there is no word"]


@pytest.mark.parametrize("make", [lambda: boxed(Painter()), lambda: fill_with("a cat")[0]])
def test_the_scripts_are_shipped(make):
    code = str(make()._esm)
    for part in ("function element(", "function runBar(", "function promptField(", "export default { render }"):
        assert code.count(part) == 1
