"""A whole system in one row: what goes in, through which networks and steps, what comes out."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from course_utils.show.figures import COLOURS, WIDTH, draw_image, draw_points, figure, plt, sizes, styled

Data = tuple[str, "Tensor | str"]  # a name, and an image (C, H, W), a cloud of points (N, 2), any other tensor, a text
FILLS = {"network": "#FBE3CF", "rule": "#EEEEEE", "data": "#DCEAF5"}
GAP, TALL, LINE = 0.34, 1.0, 0.16  # inches: between two items, height of one, height of a line of text
LARGEST = 1.45  # how much a short row may be enlarged
TEXT = {"ha": "center", "va": "center", "fontsize": 9}


@dataclass(frozen=True)
class Step:
    """A box of a pipeline: a network or a function, how often it is applied, and what else it takes."""

    does: nn.Module | Callable
    name: str
    times: int
    takes: Sequence[Data]

    @property
    def facts(self) -> list[str]:
        """What stands under the name of a network: its class and number of parameters."""
        if not isinstance(self.does, nn.Module):
            return []
        kind, count = type(self.does).__name__, sum(p.numel() for p in self.does.parameters())
        return [kind] * (kind != self.name) + [f"{count / 1e6:.1f}M" if count >= 1e6 else f"{count / 1e3:.0f}k",
                                               "parameters"]


def step(does: nn.Module | Callable, name: str = "", times: int = 1, takes: Sequence[Data] = ()) -> Step:
    """A box for `pipeline`: a network, whose class and size are shown, or a function.

    name: what it is called (default: its own name). times: how often it is applied, if more than once.
    takes: what else goes in, pairs as in `pipeline`; drawn below the box.
    """
    if not callable(does):
        raise ValueError(f"a step must be a network or a function; got {type(does).__name__}. Data are written as "
                         "pairs (name, tensor or text).")
    return Step(does, name or getattr(does, "__name__", type(does).__name__), times, takes)


def pipeline(row: Sequence[Data | Step], caption: str, alt: str | None = None) -> None:
    """Draw data and steps from left to right, joined by arrows.

    Data are pairs (name, value): an image (C, H, W) in [-1, 1], points (N, 2) in [0, 1], another tensor, of which the
    shape is shown, or a text. Steps come from `step`. `alt` is derived from the row when it is not given.
    """
    wide = [_width(item) for item in row]
    scale = min(LARGEST, (WIDTH - 0.1) / (sum(wide) + GAP * (len(row) - 1)))
    above = 2 * LINE + 0.3 * any(isinstance(item, Step) and item.times > 1 for item in row)
    below = max((len(item.takes) > 0) * (0.44 + 0.75 * TALL * scale + 2 * LINE) if isinstance(item, Step)
                else LINE for item in row)
    height = above + TALL * scale + below + 0.1
    with styled({"figure.constrained_layout.use": False}):
        fig = plt.figure(figsize=(WIDTH, height))
        board = _Board(fig, height)
        x = (WIDTH - scale * (sum(wide) + GAP * (len(row) - 1))) / 2
        for i, (item, width) in enumerate(zip(row, wide)):
            draw = board.step if isinstance(item, Step) else board.data
            draw(item, x, above, width * scale, TALL * scale)
            x += width * scale
            if i + 1 < len(row):
                board.arrow((x + 0.04, above + TALL * scale / 2), (x + GAP * scale - 0.04, above + TALL * scale / 2))
                x += GAP * scale
    figure(fig, caption, alt or describe(row))


def describe(row: Sequence[Data | Step]) -> str:
    """The row in a sentence, for those who cannot see it."""
    parts = []
    for item in row:
        if isinstance(item, Step):
            extra = [f"applied {item.times} times"] * (item.times > 1)
            extra += [f"which also takes {' and '.join(_said(data) for data in item.takes)}"] * (len(item.takes) > 0)
            parts.append(" ".join([item.name, *item.facts]) + (f" ({', '.join(extra)})" if extra else ""))
        else:
            parts.append(_said(item))
    return f"From left to right, joined by arrows: {'; '.join(parts)}."


class _Board:
    """An empty page in inches, from the top down, that draws items."""

    def __init__(self, fig, height: float):
        self.fig, self.height = fig, height
        self.axis = fig.add_axes((0, 0, 1, 1))
        self.axis.set(xlim=(0, WIDTH), ylim=(height, 0))
        self.axis.axis("off")

    def data(self, item: Data, x: float, y: float, wide: float, tall: float) -> None:
        """A name above a picture, points, a text or a shape."""
        name, value = item
        self.axis.text(x + wide / 2, y - 0.6 * LINE, name, fontweight="bold", **TEXT)
        shape = _shape(value)
        if _kind(value) in ("image", "points"):
            side = min(wide, tall)
            left, top = x + (wide - side) / 2, y + (tall - side) / 2
            axis = self.fig.add_axes((left / WIDTH, 1 - (top + side) / self.height, side / WIDTH, side / self.height))
            draw_image(axis, value) if _kind(value) == "image" else draw_points(axis, value, size=1)
            self.axis.text(x + wide / 2, top + side + 0.6 * LINE, shape, **TEXT)
            return
        text = textwrap.fill(value, max(8, int(wide * 12))) if isinstance(value, str) else shape
        self._box(x, y + 0.12 * tall, wide, 0.76 * tall, FILLS["data"], "round,pad=0,rounding_size=0.12")
        self.axis.text(x + wide / 2, y + tall / 2, text, style="italic" * isinstance(value, str) or "normal", **TEXT)

    def step(self, item: Step, x: float, y: float, wide: float, tall: float) -> None:
        """A box with its lines, a loop above it, and what else it takes below."""
        fill = FILLS["network" if isinstance(item.does, nn.Module) else "rule"]
        self._box(x, y, wide, tall, fill, "square,pad=0")
        name = textwrap.wrap(item.name, int(wide * 11))
        top = y + tall / 2 - LINE * (len(name) + len(item.facts) - 1) / 2
        for k, line in enumerate([*name, *item.facts]):
            weight = "bold" if k < len(name) else "normal"
            self.axis.text(x + wide / 2, top + k * LINE, line, fontweight=weight, **TEXT)
        if item.times > 1:
            look = {"arrowstyle": "-|>", "lw": 1.6, "color": COLOURS[1], "mutation_scale": 12}
            # A wide box must not push the arc, whose height is a quarter of wide * bend, into the words above it
            bend = min(0.7, 1.2 / wide)
            self.axis.annotate("", (x + 0.25 * wide, y - 0.02), (x + 0.75 * wide, y - 0.02),
                               arrowprops=look | {"connectionstyle": f"arc3,rad={bend}"})
            self.axis.text(x + wide / 2, y - 0.42, f"{item.times} times", color=COLOURS[1], **TEXT)
        small = 0.75 * tall
        for k, data in enumerate(item.takes):
            each = wide / len(item.takes)
            middle = x + (k + 0.5) * each
            self.arrow((middle, y + tall + 0.27), (middle, y + tall + 0.03))
            self.data(data, middle - each / 2, y + tall + 0.48, each, small)

    def arrow(self, start, end) -> None:
        look = {"arrowstyle": "-|>", "color": "#333333", "lw": 1.4, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 12}
        self.axis.annotate("", end, start, arrowprops=look)

    def _box(self, x, y, wide, tall, fill, style) -> None:
        look = {"boxstyle": style, "fc": fill, "ec": "#333333", "lw": 0.9}
        self.axis.add_patch(plt.matplotlib.patches.FancyBboxPatch((x, y), wide, tall, **look))


def _kind(value) -> str:
    if isinstance(value, str):
        return "text"
    if value.ndim == 3 and len(value) in (1, 3):
        return "image"
    return "points" if value.ndim == 2 and value.shape[1] == 2 else "tensor"


def _shape(value) -> str:
    """Height x width x channels of an image, the sizes of another tensor, nothing for a text."""
    if isinstance(value, str):
        return ""
    if _kind(value) == "points":
        return f"{len(value):,} points"
    return sizes(value) if _kind(value) == "image" else " x ".join(map(str, value.shape))


def _said(item: Data) -> str:
    name, value = item
    return f"{name} “{value}”" if isinstance(value, str) else f"{name} ({_shape(value)})"


def _width(item: Data | Step) -> float:
    """In inches, before the row is scaled to the page."""
    if isinstance(item, Step):
        return max(1.3, 0.9 * len(item.takes))
    return {"text": 1.2, "tensor": 0.85}.get(_kind(item[1]), TALL)
