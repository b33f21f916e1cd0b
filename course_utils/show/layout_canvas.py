"""The widget of notebooks 12 and 13: draw boxes, say what is in each, and have the image drawn."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence

import torch
import traitlets
from torch import Tensor

from course_utils.diffusion.samplers import Callback
from course_utils.show.figures import images
from course_utils.show.live import Live, data_url
from course_utils.show.prompt_field import PromptField, Remarks, plain, shortened
from course_utils.show.widgets import script

Box = Sequence[float]
SMALLEST = 4  # percent, the shortest side of a box


def layout_canvas(draw: Callable[..., Tensor], things: Sequence[str] | None = None,
                  boxes: Sequence[tuple[str, Box]] = (), caption: str | None = None, tau: float | None = None,
                  seed: int = 0, most: int = 3, size: int = 128, words: Sequence[str] = (),
                  remarks: Remarks | None = None) -> LayoutCanvas:
    """Draw, move, resize and delete boxes with the mouse or by numbers in a table, and have their image drawn.

    draw(layout, seed) -> (3, size, size) in [-1, 1]; a layout is a list of at most `most` pairs of what is in a box and
    the box, (left, top, right, bottom) in [0, 1]. With `things`, a closed set of names, one chooses from them and
    `draw` gets the index in `things`; without, one writes a phrase. With a `caption` there is a field for it, with a
    `tau` a slider from 0 to 1, and draw(caption, layout, tau, seed) is called with those that are there; `words` and
    `remarks` as in `prompt_box`. A `draw` with an argument named `callback` gets it, for its sampler: progress bar and
    Cancel. It runs in a thread, one call at a time; its errors are shown in the widget.
    boxes: those at first, (thing or phrase, box). ValueError for boxes and numbers that cannot be.
    """
    return LayoutCanvas(draw, things, boxes, caption, tau, seed, most, size, words, remarks)


class LayoutCanvas(PromptField, Live):
    """See `layout_canvas`. `boxes` holds [what, left, top, right, bottom] for each, in percent of the image's side.

    `drawn` holds the image as a data URL, `outlined` the boxes for which it was drawn.
    """

    _esm = script("controls.js", "live.js", "prompt_field.js", "layout_box.js", "layout_canvas.js")
    _css = script("layout_canvas.css")
    things = traitlets.List(None, allow_none=True).tag(sync=True)
    boxes = traitlets.List().tag(sync=True)
    most = traitlets.Int(min=1).tag(sync=True)
    smallest = traitlets.Int(SMALLEST).tag(sync=True)
    size = traitlets.Int().tag(sync=True)
    seed = traitlets.Int(min=0, max=9999).tag(sync=True)
    tau = traitlets.Float(None, allow_none=True, min=0, max=1).tag(sync=True)
    follows = traitlets.Bool().tag(sync=True)
    drawn = traitlets.Unicode().tag(sync=True)
    outlined = traitlets.List().tag(sync=True)

    def __init__(self, draw, things, boxes, caption, tau, seed, most, size, words, remarks):
        self._draw, self._remarks = draw, remarks
        asked = []
        for what, box in boxes:
            if len(box) != 4 or not all(0 <= corner <= 1 for corner in box):
                raise ValueError(f"a box is (left, top, right, bottom), each in [0, 1]; got {tuple(box)} for {what}.")
            asked.append([what, *(round(100 * corner) for corner in box)])
        try:
            super().__init__(things=None if things is None else list(things), boxes=asked, most=most, size=size,
                             seed=seed, tau=tau, prompt=caption, words=list(words),
                             follows="callback" in inspect.signature(draw).parameters)
        except traitlets.TraitError as error:
            raise ValueError(f"{error}") from None
        self._request()

    def __repr__(self) -> str:
        return f"LayoutCanvas({', '.join(what for what, *_ in self.boxes)})"

    def twin(self) -> None:
        """Show the static figure: the layout, the image with the boxes over it, the image. Raises what `draw` raises.
        """
        (prompt, boxes, tau, seed), made = self._latest()
        named = [(what, [corner / 100 for corner in corners]) for what, *corners in boxes]
        asked = ", ".join(filter(None, [prompt is not None and f"for {shortened(prompt)}",
                                        tau is not None and f"tau {tau:g}", f"seed {seed}"]))
        list_of_boxes = "; ".join(f"{what} from ({left}, {top}) to ({right}, {bottom})"
                                  for what, left, top, right, bottom in boxes) or "none"
        images([torch.full_like(made, 0.8), made, made], boxes=[named, named, []],
               titles=("layout", "image and layout", "image"),
               caption=plain(" ".join([f"A layout and its image, {asked}.", *self.notes])),
               alt=f"Left a layout, in percent of the side: {list_of_boxes}. In the middle the image drawn for it, "
                   "with the boxes over it, right the same without boxes.")

    def _request(self) -> tuple[str | None, tuple, float | None, int]:
        if len(self.boxes) > self.most:
            raise ValueError(f"there are {len(self.boxes)} boxes; at most {self.most} can be drawn. Remove some.")
        for i, (what, left, top, right, bottom) in enumerate(self.boxes, 1):
            if self.things is None and not what.strip():
                raise ValueError(f"box {i} has no phrase. Write what is in it, or remove it.")
            if self.things is not None and what not in self.things:
                raise ValueError(f"{what!r} is none of the {len(self.things)} things. Choose one for box {i}.")
            if not (0 <= left < right <= 100 and 0 <= top < bottom <= 100):
                raise ValueError(f"box {i} needs left < right and top < bottom, all of them from 0 to 100; got "
                                 f"{(left, top, right, bottom)}.")
        return self._prompt_with_notes(), tuple((what.strip(), *box) for what, *box in self.boxes), self.tau, self.seed

    def _make(self, prompt: str | None, boxes: tuple, tau: float | None, seed: int, callback: Callback) -> Tensor:
        layout = [(what if self.things is None else self.things.index(what), tuple(corner / 100 for corner in corners))
                  for what, *corners in boxes]
        given = [value for value in (prompt, layout, tau, seed) if value is not None]
        made = self._draw(*given, **{"callback": callback} if self.follows else {})
        if made.ndim != 3:
            raise ValueError(f"draw must return one image (3, H, W); got {tuple(made.shape)}.")
        with self.hold_sync():
            self.outlined = [list(box) for box in boxes]
            self._show(data_url(made))
        return made.detach().cpu()

    def _preview(self, *_) -> None:
        # A sampler's x0 may be a latent, which only `draw` could decode
        return None

    def _show(self, url: str) -> None:
        self.drawn = url

    def _on_message(self, widget, content: dict, buffers: list) -> None:
        super()._on_message(widget, content, buffers)
        if content.get("do") == "draw":
            # Sent with the message, because changes of `boxes` may still be on their way
            self.begin(**{name: content[name] for name in ("boxes", "seed", "prompt", "tau") if name in content})
