"""What the widgets of notebooks 07 and 08 share: choose a photograph or upload one, choose a seed, read what failed."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from contextlib import contextmanager

import anywidget
import traitlets
from PIL import Image
from torch import Tensor
from torch.nn import functional as F


class PhotographChooser(anywidget.AnyWidget):
    """One of `pictures` {name: (3, H, H) in [-1, 1]}, or one of the learner's own, and a seed.

    opened(bytes) -> uint8 (3, H, W) of any size reads an uploaded file, or raises a ValueError that says what is wrong
    with it; without `opened` nothing can be uploaded. `problem` holds the sentence about what went wrong last. Raises
    ValueError for pictures that are not square, of three colours and of one size.
    """

    choices = traitlets.List().tag(sync=True)
    choice = traitlets.Unicode().tag(sync=True)
    side = traitlets.Int().tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    uploads = traitlets.Bool().tag(sync=True)
    busy = traitlets.Bool(False).tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)

    def __init__(self, pictures: dict[str, Tensor], opened: Callable[[bytes], Tensor] | None, **state):
        shapes = {tuple(picture.shape) for picture in pictures.values()}
        side = max((shape[-1] for shape in shapes), default=0)
        if shapes != {(3, side, side)}:
            raise ValueError("pictures must be {name: tensor (3, H, H)}, at least one and all of one size; got "
                             f"{', '.join(map(str, sorted(shapes))) or 'none'}.")
        self.pictures = {name: picture.detach().float().cpu() for name, picture in pictures.items()}
        self._opened, self._received = opened, b""
        super().__init__(choices=list(pictures), choice=next(iter(pictures)), side=side, uploads=opened is not None,
                         **state)
        self.on_msg(self._told)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self.choices)})"

    def upload(self, file: str, data: bytes) -> None:
        """Choose the photograph in `data`: its central square, shrunk to the size of the others."""
        while file in self.pictures:
            file += " again"
        with self.sentence():
            self.pictures[file] = central_square(self._opened(data), self.side)
        if not self.problem:
            self.choices = list(self.pictures)
            self.choice = file

    @contextmanager
    def sentence(self):
        """`problem` becomes what went wrong inside, or empty: errors in a widget's callback are otherwise lost."""
        problem = ""
        try:
            yield
        except ValueError as error:
            problem = str(error)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        self.problem = problem[:1].upper() + problem[1:]

    def _told(self, _widget, content: dict, buffers: list) -> None:
        if "upload" in content:
            self._received = (self._received if content["start"] else b"") + bytes(buffers[0])
            if len(self._received) == content["size"]:
                self.upload(content["upload"], self._received)


def central_square(photograph: Tensor, side: int) -> Tensor:
    """The middle of a photograph, uint8 (3, H, W), as (3, side, side) in [-1, 1]. ValueError where H or W < side."""
    height, width = photograph.shape[1:]
    short = min(height, width)
    if short < side:
        raise ValueError(f"the largest square in this picture is {short} pixels wide; at least {side} are needed. "
                         "Choose a larger or a squarer one.")
    top, left = (height - short) // 2, (width - short) // 2
    middle = photograph[None, :, top : top + short, left : left + short] / 127.5 - 1
    return F.interpolate(middle, (side, side), mode="bicubic", antialias=True)[0].clamp(-1, 1)


def data_url(picture: Tensor) -> str:
    """A picture (3, H, W) in [-1, 1] (values outside are clamped) as the address of a PNG that holds itself.

    Text, because older Jupyter front ends do not notice when bytes change.
    """
    pixels = ((picture.detach().float().cpu() + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
