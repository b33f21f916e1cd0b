"""The widget of notebook 07: two versions of an image with a movable divider between them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import traitlets
from torch import Tensor

from course_utils.show.figures import draw_image, figure, grid
from course_utils.show.live import data_url
from course_utils.show.photograph_chooser import PhotographChooser
from course_utils.show.widgets import script


def before_after(images: dict[str, Tensor], process: Callable[[Tensor, int], tuple[Tensor, Tensor]],
                 opened: Callable[[bytes], Tensor] | None = None,
                 names: tuple[str, str] = ("before", "after")) -> BeforeAfter:
    """Choose or upload a photograph, choose a seed, and move a divider between two versions of the image.

    images: {name: (3, H, H) in [-1, 1]}, all of one size. process(image (3, H, H), seed) -> (before, after), both
    (3, h, h) in [-1, 1], is called once for each image and seed; its errors are shown in the widget. opened(bytes)
    -> uint8 (3, H, W) of any size decodes an uploaded file or raises ValueError; its central square is downscaled to
    the size of `images`; None: no upload. names: labels left and right of the divider.
    Raises ValueError unless all images have the same shape (3, H, H).
    """
    return BeforeAfter(images, process, opened, names)


class BeforeAfter(PhotographChooser):
    """See `before_after`. `before` and `after` hold the two images as data URLs, empty when there are none."""

    _esm = script("controls.js", "live.js", "photograph_chooser.js", "before_after.js")
    names = traitlets.List().tag(sync=True)
    before = traitlets.Unicode().tag(sync=True)
    after = traitlets.Unicode().tag(sync=True)

    def __init__(self, images, process, opened, names):
        super().__init__(images, opened, names=list(names))
        self._made = lru_cache(64)(lambda choice, seed: process(self.images[choice], seed))
        self.observe(self._update, ["choice", "seed"])
        self._update()

    def _update(self, _change=None) -> None:
        before = after = ""
        self.busy = True
        with self.report_errors():
            before, after = map(data_url, self._made(self.choice, self.seed))
        with self.hold_sync():
            self.before, self.after, self.busy = before, after, False

    def twin(self) -> None:
        """Show the static figure: both versions side by side. Raises what `process` raises."""
        fig, axes = grid(2, height=4.0)
        for axis, image, name in zip(axes, self._made(self.choice, self.seed), self.names):
            draw_image(axis, image)
            axis.set_title(name)
        left, right = self.names
        figure(fig, f"Left and right of the divider: {left} and {right}, seed {self.seed}",
               f"The photograph {self.choice} twice: left {left}, right {right}.", photo=True)
