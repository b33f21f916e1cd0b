"""What the widgets of notebooks 07 and 08 share: choose a photograph or upload one, and choose a seed."""

from __future__ import annotations

from collections.abc import Callable

import traitlets
from torch import Tensor
from torch.nn import functional as F

from course_utils.show.live import Live


class PhotographChooser(Live):
    """One of `images` {name: (3, H, H) in [-1, 1]}, or one of the learner's own, and a seed.

    opened(bytes) -> uint8 (3, H, W) of any size reads an uploaded file, or raises a ValueError that says what is wrong
    with it; without `opened` nothing can be uploaded. Raises ValueError for images that are not square, of three
    colours and of one size.
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
            raise ValueError("images must be {name: tensor (3, H, H)}, at least one and all of one size; got "
                             f"{', '.join(map(str, sorted(shapes))) or 'none'}.")
        self.images = {name: image.detach().float().cpu() for name, image in images.items()}
        self._opened, self._received = opened, b""
        super().__init__(choices=list(images), choice=next(iter(images)), side=side, uploads=opened is not None,
                         **state)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self.choices)})"

    def upload(self, file: str, data: bytes) -> None:
        """Choose the photograph in `data`: its central square, shrunk to the size of the others."""
        while file in self.images:
            file += " again"
        with self.sentence():
            self.images[file] = central_square(self._opened(data), self.side)
        if not self.problem:
            self.choices = list(self.images)
            self.choice = file

    def _told(self, widget, content: dict, buffers: list) -> None:
        super()._told(widget, content, buffers)
        if "upload" in content:
            self._received = (self._received if content["start"] else b"") + bytes(buffers[0])
            if len(self._received) == content["size"]:
                self.upload(content["upload"], self._received)


def central_square(photograph: Tensor, side: int) -> Tensor:
    """The middle of a photograph, uint8 (3, H, W), as (3, side, side) in [-1, 1]. ValueError where H or W < side."""
    height, width = photograph.shape[1:]
    short = min(height, width)
    if short < side:
        raise ValueError(f"the largest square in this image is {short} pixels wide; at least {side} are needed. "
                         "Choose a larger or a squarer one.")
    top, left = (height - short) // 2, (width - short) // 2
    middle = photograph[None, :, top : top + short, left : left + short] / 127.5 - 1
    return F.interpolate(middle, (side, side), mode="bicubic", antialias=True)[0].clamp(-1, 1)
