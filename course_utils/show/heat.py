"""Heat maps over images: what a token attends to, which pixels an output depends on."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from course_utils.show.figures import COLOURS, WIDTH, draw_box, figure, plt, styled


def heat(maps, caption: str, alt: str, over=None, titles=None, labels=None, columns: int | None = None,
         marks=None, photo: bool = True, side: float = 1.5, boxes=None) -> None:
    """A grid of non-negative maps (N, h, w), each scaled by its own maximum, blue (0) to yellow (maximum).

    `over` (N, 1 or 3, H, W) in [-1, 1]: images on which the maps are overlaid in orange; `marks` holds for each map
    a (row, column) to be framed in blue, or None; `labels` name the rows; `boxes` are drawn as in `images`.
    `side`: of one map, at most, in inches.
    """
    columns = columns or len(maps)
    rows, margin = math.ceil(len(maps) / columns), 0.3 * bool(labels)
    side, titles = min((WIDTH - margin) / columns, side), titles or ()
    lines = max((title.count("\n") + 1 for title in titles), default=0)
    over_row = [(0.165 * lines + 0.08) * (row * columns < len(titles)) for row in range(rows)]
    width, height = side * columns + margin, rows * side + sum(over_row)
    with styled({"figure.constrained_layout.use": False}):
        fig = plt.figure(figsize=(width, height))
        for i, one in enumerate(maps):
            row, column = divmod(i, columns)
            left, bottom = margin + column * side, height - (row + 1) * side - sum(over_row[: row + 1])
            axis = fig.add_axes((left / width, bottom / height, (side - 0.05) / width, (side - 0.05) / height))
            axis.imshow(_coloured(one, None if over is None else over[i]))
            axis.axis("off")
            if i < len(titles):
                axis.set_title(titles[i], fontsize=9.5, pad=3)
            if marks and marks[i] is not None:
                _frame(axis, *marks[i], size=(over[i] if over is not None else one).shape[-1] / one.shape[-1])
            for name, corners in boxes[i] if boxes else ():
                draw_box(axis, name, corners, (one if over is None else over[i]).shape)
            if labels and column == 0:
                where = {"transform": axis.transAxes, "ha": "right", "va": "center"}
                axis.text(-0.05, 0.5, labels[row], rotation=90, fontsize=9.5, **where)
    figure(fig, caption, alt, photo)


def _coloured(one: Tensor, image: Tensor | None):
    """A map as RGB (H, W, 3): by itself, or overlaid in orange on an image."""
    one = one.detach().float().cpu()
    one = one / one.max().clamp(min=1e-12)
    if image is None:
        return plt.cm.viridis(one.numpy())[..., :3]
    light = interpolate(one[None, None], size=image.shape[-2:], mode="nearest")[0, 0, :, :, None] * 0.85
    grey = ((image.detach().float().cpu().mean(0) + 1) / 2).clamp(0, 1)[..., None]
    return ((1 - light) * (0.1 + 0.7 * grey) + light * torch.tensor([1.0, 0.62, 0.0])).numpy()


def _frame(axis, row: int, column: int, size: float) -> None:
    corner = (column * size - 0.5, row * size - 0.5)
    for colour, width in (("white", 3.2), (COLOURS[0], 1.8)):
        axis.add_patch(plt.Rectangle(corner, size, size, fill=False, ec=colour, lw=width))
