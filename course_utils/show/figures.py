"""Figures with caption and alt text, each drawn by one line of notebook code."""

from __future__ import annotations

import base64
import contextlib
import io
import math
import textwrap
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display
from matplotlib import font_manager
from matplotlib.text import Text
from PIL import Image
from torch import Tensor

# Okabe and Ito's colours, which colour-blind readers can tell apart, with line styles for greyscale prints
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), "-")
STYLE = {
    "figure.dpi": 100, "savefig.dpi": 100, "figure.constrained_layout.use": True, "figure.facecolor": "white",
    "axes.prop_cycle": plt.cycler(color=COLOURS, linestyle=DASHES), "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "grid.color": "#dddddd", "grid.linewidth": 0.6,
    "axes.axisbelow": True, "font.size": 10.5, "axes.titlesize": 10.5, "legend.frameon": False,
    "lines.linewidth": 2, "image.cmap": "viridis", "image.interpolation": "nearest",
}
WIDTH = 9.0  # inches, the width of a notebook
# Fonts with Hangul, for prompts; the first that this computer has comes after matplotlib's own
HANGUL = ("Noto Sans CJK KR", "Noto Sans KR", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo", "AppleGothic",
          "UnDotum", "Baekmuk Gulim")


@cache
def own_style() -> dict:
    """The course's style, and a font with Hangul where this computer has one."""
    fonts = [name for name in HANGUL if name in set(font_manager.get_font_names())][:1]
    return STYLE | {"font.family": ["DejaVu Sans", *fonts]}


@contextlib.contextmanager
def styled(changes: dict | None = None):
    """A context in which figures are drawn in the course's style, whatever the reader's own settings are."""
    with plt.style.context(["default", own_style() | (changes or {})]):
        yield


def grid(columns: int = 1, rows: int = 1, height: float = 3.0, **options):
    """A figure of full width in the course's style: (fig, axes) as from `plt.subplots`; `height` in inches per row.

    From here on matplotlib keeps that style, for what the cell draws next must have it too.
    """
    plt.style.use(["default", own_style()])
    return plt.subplots(rows, columns, figsize=(WIDTH, height * rows), **options)


def png(fig) -> bytes:
    """The figure as PNG bytes; the figure is closed."""
    return _bytes(fig, "png")


def figure(fig, caption: str, alt: str, photo: bool = False) -> None:
    """Show a finished matplotlib figure with its caption; `alt` describes what can be seen.

    `photo=True` stores JPEG, a quarter of the size for photographs and noise. Raises ValueError without caption or alt.
    """
    if not caption.strip() or not alt.strip():
        raise ValueError("every figure needs a caption and an alt text: what is it, and what can be seen?")
    kind = "image/jpeg" if photo else "image/png"
    data = base64.b64encode(_bytes(fig, "jpeg" if photo else "png")).decode()
    display({kind: data, "text/plain": f"<Figure: {caption}>"}, metadata={kind: {"alt": alt}}, raw=True)
    display(Markdown(f"*{caption}*"))


def images(batch, caption: str, alt: str, titles=None, columns: int | None = None, photo: bool = True,
           labels=None, boxes=None) -> None:
    """A grid of images (N, C, H, W) in [-1, 1] (values outside are clamped), with an optional title over each.

    `labels` name the rows; `boxes` holds for each image a list of (name, (left, top, right, bottom)), bounding boxes
    in [0, 1] to draw with their names.
    """
    columns = columns or min(len(batch), 10)
    rows = math.ceil(len(batch) / columns)
    side = min((WIDTH - 0.3 * bool(labels)) / columns, 1.8)
    wrap = max(8, int(side * 13))
    titles = ["\n".join(textwrap.fill(line, wrap) for line in title.splitlines()) for title in titles or ()]
    lines = max((title.count("\n") + 1 for title in titles), default=0)
    tall, margin, gap = side * batch[0].shape[-2] / batch[0].shape[-1], 0.3 * bool(labels), 0.04
    over = [(0.165 * lines + 0.08) * (row * columns < len(titles)) for row in range(rows)]
    width, height = side * columns + margin, sum(over) + rows * (tall + gap)
    with styled({"figure.constrained_layout.use": False}):
        fig = plt.figure(figsize=(width, height))
        for i, image in enumerate(batch):
            row, column = divmod(i, columns)
            bottom = height - sum(over[: row + 1]) - (row + 1) * (tall + gap) + gap
            left = margin + column * side
            axis = fig.add_axes((left / width, bottom / height, (side - gap) / width, tall / height))
            draw_image(axis, image)
            if i < len(titles):
                axis.set_title(titles[i], fontsize=9.5, pad=3)
            for name, corners in boxes[i] if boxes else ():
                draw_box(axis, name, corners, image.shape)
            if labels and column == 0:
                where = {"transform": axis.transAxes, "ha": "right", "va": "center"}
                axis.text(-0.05, 0.5, labels[row], rotation=90, fontsize=9.5, **where)
    figure(fig, caption, alt, photo)


def compare(caption: str, alt: str, **panels) -> None:
    """Images (C, H, W) side by side, each under the name it was given: `compare(walked=a, jumped=b, ...)`."""
    images(list(panels.values()), caption, alt, [name.replace("_", " ") for name in panels])


def equation(terms: list, caption: str, alt: str) -> None:
    """Images and text in one row, like a formula: `equation([("x0", a), "+", ("noise", b), "=", ...], ...)`."""
    wide = [0.4 if isinstance(term, str) else 1.6 for term in terms]
    with styled():
        fig, axes = plt.subplots(1, len(terms), figsize=(min(WIDTH, sum(wide) * 1.25), 2.3), width_ratios=wide)
        for axis, term in zip(axes, terms):
            axis.axis("off")
            if isinstance(term, str):
                axis.text(0.5, 0.5, term, ha="center", va="center", fontsize=15, transform=axis.transAxes)
            else:
                draw_image(axis, term[1])
                axis.set_title(term[0], pad=4)
    figure(fig, caption, alt, photo=True)


def points(clouds: dict, caption: str, alt: str, colours=None, box: tuple = (0, 1), size: float = 2.0) -> None:
    """Point clouds, one panel each: {title: (N, 2)}; `colours` (N,) or (N, 3), shared; `box`: limits of both axes."""
    fig, axes = grid(len(clouds), height=WIDTH / len(clouds) + 0.25, squeeze=False)
    for axis, (title, cloud) in zip(axes[0], clouds.items()):
        draw_points(axis, cloud, colours if colours is not None and len(colours) == len(cloud) else None, box, size)
        axis.set_title(title)
    figure(fig, caption, alt)


def arrows(fields: dict, cloud: Tensor, caption: str, alt: str, box: tuple = (0, 1)) -> None:
    """Vector fields over a grey point cloud (N, 2), one panel each: {title: (points (M, 2), vectors (M, 2))}.

    All panels share one scale: the longest vector is an eighth of the box.
    """
    longest = max(field.norm(dim=1).max() for _, field in fields.values())
    fig, axes = grid(len(fields), height=min(4.2, WIDTH / len(fields)), squeeze=False)
    for axis, (title, (places, field)) in zip(axes[0], fields.items()):
        draw_points(axis, cloud, "#bbbbbb", box, size=1)
        axis.quiver(*places.T, *field.T, color=COLOURS[0], width=0.005, scale=float(8 * longest), scale_units="width")
        axis.set_title(title)
    figure(fig, caption, alt)


def draw_points(axis, cloud: Tensor, colours=None, box: tuple = (0, 1), size: float = 2.0) -> None:
    """Draw one point cloud (N, 2) in a square panel."""
    colours = COLOURS[0] if colours is None else colours if isinstance(colours, str) else np.asarray(colours)
    axis.scatter(cloud[:, 0], cloud[:, 1], c=colours, s=size, linewidths=0)
    axis.set(xlim=box, ylim=box, aspect="equal", xticks=[], yticks=[])
    axis.spines[["top", "right"]].set_visible(True)
    axis.grid(False)


def curves(x, lines: dict, caption: str, alt: str, xlabel: str, ylabel: str, **axis_options) -> None:
    """Curves over one x axis: {label: y}. Further options go to the axis (`yscale="log"`, `ylim=(0, 1)`)."""
    with styled():
        fig, axis = plt.subplots(figsize=(WIDTH, 3.0))
        for label, y in lines.items():
            axis.plot(x, y, label=label)
        axis.set(xlabel=xlabel, ylabel=ylabel, **axis_options)
        axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    figure(fig, caption, alt)


def draw_image(axis, image: Tensor) -> None:
    """Draw an image (C, H, W) in [-1, 1] on an axis, in greyscale when C is 1."""
    pixels = ((image.detach().float().cpu() + 1) / 2).clamp(0, 1).permute(1, 2, 0).numpy()
    axis.imshow(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels, cmap="gray", vmin=0, vmax=1)
    axis.axis("off")


def sizes(x: Tensor) -> str:
    """Height x width x channels of an image (C, H, W), or the length of a vector, as text."""
    return " x ".join(map(str, (*x.shape[1:], len(x))))


def draw_box(axis, name: str, corners, shape) -> None:
    """Draw a named bounding box (left, top, right, bottom) in [0, 1] on an image of this shape."""
    left, top, right, bottom = (value * shape[-1 - i % 2] - 0.5 for i, value in enumerate(corners))
    for colour, width in (("white", 3.5), ("black", 1.5)):
        axis.add_patch(plt.Rectangle((left, top), right - left, bottom - top, fill=False, ec=colour, lw=width))
    side = "bottom" if top > 0.08 * shape[-2] else "top"
    axis.text(left, top, name, fontsize=8.5, va=side, bbox={"facecolor": "white", "pad": 1.2, "linewidth": 0.5})


def _bytes(fig, kind: str) -> bytes:
    buffer = io.BytesIO()
    with styled():
        try:
            fig.savefig(buffer, format="png")
        except ValueError:
            # A prompt with dollars is no formula
            for text in fig.findobj(Text):
                text.set_parse_math(False)
            fig.savefig(buffer, format="png")
    plt.close(fig)
    drawn, small = Image.open(buffer).convert("RGB"), io.BytesIO()
    if kind == "jpeg":
        drawn.save(small, "jpeg", quality=60)
    else:
        # 128 colours suffice for a plot and make it a third as large; a notebook must stay below 1 MB
        drawn.quantize(128, dither=Image.Dither.NONE).save(small, "png", optimize=True)
    return small.getvalue()
