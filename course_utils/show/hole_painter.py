"""The widget of notebooks 08 and 09: paint a hole into an image and watch it being filled."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import traitlets
from torch import Tensor

from course_utils.diffusion.samplers import Callback, Step
from course_utils.show.figures import images
from course_utils.show.live import data_url
from course_utils.show.photograph_chooser import PhotographChooser
from course_utils.show.prompt_field import PromptField, Remarks, plain, shortened
from course_utils.show.widgets import script


def hole_painter(images: dict[str, Tensor], fill: Callable[..., Tensor],
                 opened: Callable[[bytes], Tensor] | None = None, prompt: str | None = None, words: Sequence[str] = (),
                 remarks: Remarks | None = None, box: Sequence[int] | None = None) -> HolePainter:
    """Choose or upload a photograph, paint a hole into it and have it filled, step by step.

    images: {name: (3, H, H) in [-1, 1]}, all of one size. fill(image (3, H, H), mask (1, H, H) of float, 1 = kept
    and 0 = hole, seed, callback) -> (3, H, H) in [-1, 1] must pass `callback` to its sampler, for the preview of x0 in
    the hole, the progress bar and cancelling. It runs in a thread, one call at a time; its errors are shown in the
    widget. opened(bytes) -> uint8 (3, H, W) of any size decodes an uploaded file or raises ValueError; its central
    square is downscaled to the size of `images`; None: no upload.
    With a `prompt` there is a text field, and fill(image, mask, prompt, seed, callback) is called; `words` and
    `remarks` as in `prompt_box`. box: the initial hole, (left, top, right, bottom) in pixels; None: in the middle.
    Raises ValueError unless all images have the same shape (3, H, H), and for an empty box or one outside the image.
    """
    return HolePainter(images, fill, opened, prompt, words, remarks, box)


class HolePainter(PromptField, PhotographChooser):
    """See `hole_painter`. `mask` holds a character for each pixel, row by row: "1" kept, "0" hole.

    `box` is the initial hole: (left, top, right, bottom) in pixels. `filled` holds, as a data URL, the filled image
    or, while `busy`, the current prediction.
    """

    _esm = script("controls.js", "live.js", "prompt_field.js", "photograph_chooser.js", "hole_painter.js")
    messages = ("one hole is being filled", "Filling ...", "Filled")
    photograph = traitlets.Unicode().tag(sync=True)
    box = traitlets.List().tag(sync=True)
    mask = traitlets.Unicode().tag(sync=True)
    filled = traitlets.Unicode().tag(sync=True)

    def __init__(self, images, fill, opened, prompt, words, remarks, box):
        noun = "Photograph" if prompt is None else "Image"
        super().__init__(images, opened, noun=noun, prompt=prompt, words=list(words))
        low, high = self.side * 5 // 16, self.side * 11 // 16
        left, top, right, bottom = self.box = list(box or (low, low, high, high))
        if not (0 <= left < right <= self.side and 0 <= top < bottom <= self.side):
            raise ValueError(f"box must be (left, top, right, bottom) with left < right and top < bottom, all in 0.."
                             f"{self.side}; got {tuple(self.box)}.")
        rows = range(self.side)
        self.mask = "".join("01"[not (left <= x < right and top <= y < bottom)] for y in rows for x in rows)
        self._fill, self._remarks = fill, remarks
        self.photograph = data_url(self.images[self.choice])
        self.observe(self._on_choice, "choice")

    def twin(self) -> None:
        """Show the static figure: photograph, hole, filled hole.

        Raises ValueError when there is no hole, and what `fill` raises.
        """
        (choice, mask, prompt, seed), made = self._latest()
        image, keep = self.images[choice], self._tensor(mask)
        squares = torch.arange(self.side) // 4 % 2
        board = 0.2 * (squares[:, None] ^ squares[None, :]) + 0.3
        share = round(100 * mask.count("0") / len(mask))
        quoted, noun = "" if prompt is None else f"{plain(shortened(prompt))} and ", self.noun.lower()
        images([image, torch.where(keep.bool(), image, board), made], titles=(noun, "hole", "filled"),
               caption=f"The {noun}, its hole, and the hole filled with {quoted}seed {seed}",
               alt=f"Three images: the {noun} {choice}, the same with a hole over {share}% of it, drawn as a "
                   "checkerboard, and the same with the hole filled.")

    def _request(self) -> tuple[str, str, str | None, int]:
        if "0" not in self.mask:
            raise ValueError("there is no hole to fill. Paint one, or set a box.")
        return self.choice, self.mask, self._prompt_with_notes(), self.seed

    def _tensor(self, mask: str) -> Tensor:
        return torch.from_numpy(np.frombuffer(mask.encode(), np.uint8) == ord("1")).float().view(1, self.side, -1)

    def _make(self, choice: str, mask: str, prompt: str | None, seed: int, callback: Callback) -> Tensor:
        condition = () if prompt is None else (prompt,)
        made = self._fill(self.images[choice], self._tensor(mask), *condition, seed, callback)
        self._show(data_url(made))
        return made.detach().cpu()

    def _preview(self, step: Step, choice: str, mask: str, *_) -> Tensor:
        x0 = step.prediction.x0[0].float().cpu()
        return torch.where(self._tensor(mask).bool(), self.images[choice], x0)

    def _show(self, url: str) -> None:
        self.filled = url

    def _on_choice(self, _change) -> None:
        self.cancel()
        self.filled, self.status = "", ""
        self.photograph = data_url(self.images[self.choice])

    def _on_message(self, widget, content: dict, buffers: list) -> None:
        super()._on_message(widget, content, buffers)
        if content.get("do") == "fill":
            # Sent with the message, because changes of `mask` may still be on their way
            self.begin(**{name: content[name] for name in ("mask", "seed", "prompt") if name in content})
