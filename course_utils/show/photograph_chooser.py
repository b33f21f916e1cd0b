"""Base class of the widgets of notebooks 07 to 09: choose or upload a photograph, and choose a seed."""

from __future__ import annotations

from collections.abc import Callable

import traitlets
from torch import Tensor
from torch.nn import functional as F

from course_utils.datasets import to_model_range
from course_utils.show.live import Live


class PhotographChooser(Live):
    """One of `images` {name: (3, H, H) in [-1, 1]} or an uploaded one, and a seed.

    opened(bytes) -> uint8 (3, H, W) of any size decodes an uploaded file, or raises ValueError with the reason;
    without `opened` there is no upload. Raises ValueError unless all images are square, RGB and of one size.
    """

    noun = traitlets.Unicode("Photograph").tag(sync=True)
    choices = traitlets.List().tag(sync=True)
    choice = traitlets.Unicode().tag(sync=True)
    side = traitlets.Int().tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    uploads = traitlets.Bool().tag(sync=True)

    def __init__(self, images: dict[str, Tensor], opened: Callable[[bytes], Tensor] | None, **state):
        shapes = {tuple(image.shape) for image in images.values()}
        side = max((shape[-1] for shape in shapes), default=0)
        if shapes != {(3, side, side)}:
            raise ValueError("images must be {name: tensor (3, H, H)}, at least one and all of the same size; got "
                             f"{', '.join(map(str, sorted(shapes))) or 'none'}.")
        self.images = {name: image.detach().float().cpu() for name, image in images.items()}
        self._opened, self._received = opened, b""
        super().__init__(choices=list(images), choice=next(iter(images)), side=side, uploads=opened is not None,
                         **state)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self.choices)})"

    def upload(self, file: str, data: bytes) -> None:
        """Add and choose the photograph in `data`: its central square, downscaled to the size of the others."""
        while file in self.images:
            file += " again"
        with self.report_errors():
            self.images[file] = central_square(self._opened(data), self.side)
        if not self.problem:
            self.choices = list(self.images)
            self.choice = file

    def _on_message(self, widget, content: dict, buffers: list) -> None:
        super()._on_message(widget, content, buffers)
        if "upload" in content:
            self._received = (self._received if content["start"] else b"") + bytes(buffers[0])
            if len(self._received) == content["size"]:
                self.upload(content["upload"], self._received)


def central_square(photograph: Tensor, side: int) -> Tensor:
    """The central square crop of uint8 (3, H, W) as (3, side, side) in [-1, 1]. ValueError if H or W < side."""
    height, width = photograph.shape[1:]
    short = min(height, width)
    if short < side:
        raise ValueError(f"the largest square in this image is {short} pixels wide; at least {side} are needed. "
                         "Choose a larger one, or one that is closer to square.")
    top, left = (height - short) // 2, (width - short) // 2
    middle = to_model_range(photograph[None, :, top : top + short, left : left + short])
    return F.interpolate(middle, (side, side), mode="bicubic", antialias=True)[0].clamp(-1, 1)
