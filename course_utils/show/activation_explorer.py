"""The widget of notebook 03: the activations of each part of the network at a chosen noise level."""

from __future__ import annotations

from functools import lru_cache

import ipywidgets
import torch
from torch import Tensor, nn

from course_utils.diffusion import NoiseSchedule
from course_utils.runtime import seeded
from course_utils.show.architecture import shape, trace
from course_utils.show.figures import WIDTH, draw_image, plt, styled
from course_utils.show.widgets import Explorer

CHANNELS, COLUMNS = 24, 8


def activation_explorer(network: nn.Module, image: Tensor, schedule: NoiseSchedule | None = None) -> Explorer:
    """Choose a part and a time; see up to 24 of its channels for `image` (C, H, W) in [-1, 1] at that noise level.

    `network` takes (xt (1, C, H, W), t (1,)) and predicts x0. Each channel is drawn from its minimum (dark) to its
    maximum (light). The channels are those with the largest spatial variance at t = T / 2, in the same order at every
    t, so that a channel can be followed.
    """
    schedule = schedule or NoiseSchedule.cosine()
    eps = torch.randn(image.shape, generator=seeded(0))
    device = next(network.parameters()).device

    # The figure and its description come from the same forward pass
    @lru_cache(1)
    def run(t: int) -> list[dict]:
        xt = schedule.jump(image, t, eps)[None]
        return trace(network, xt.to(device), torch.tensor([t], device=device))

    halfway = {row["name"]: _maps(row["outputs"][0][0], image) for row in run(schedule.T // 2) if _drawable(row)}
    order = {name: maps.flatten(1).std(1).argsort(descending=True)[:CHANNELS] for name, maps in halfway.items()}

    def look(part: str, t: int) -> tuple[dict, dict, Tensor]:
        """The row of the part, the row of the whole network, and the part's activations (channels, h, w)."""
        rows = {row["name"]: row for row in run(t)}
        return rows[part], rows[""], _maps(rows[part]["outputs"][0][0], image)

    def draw(part: str, t: int):
        row, whole, maps = look(part, t)
        channels = order[part].tolist()
        lines = -(-len(channels) // COLUMNS)
        with styled({"figure.constrained_layout.use": False}):
            height, tile = max(2.75, 0.86 * lines + 0.3), 0.86
            fig = plt.figure(figsize=(WIDTH, height))
            for k, (name, shown) in enumerate((("in", whole["inputs"][0][0]), ("out", whole["outputs"][0][0]))):
                axis = fig.add_axes((0.01, 1 - (0.26 + k * 1.32 + 1.05) / height, 1.05 / WIDTH, 1.05 / height))
                draw_image(axis, shown)
                axis.set_title(f"{name}, t = {t}" if name == "in" else name, fontsize=9, pad=3)
            for k, channel in enumerate(channels):
                x, y = 1.9 + k % COLUMNS * (tile + 0.02), 0.26 + k // COLUMNS * (tile + 0.02)
                axis = fig.add_axes((x / WIDTH, 1 - (y + tile) / height, tile / WIDTH, tile / height))
                axis.imshow(maps[channel].numpy(), cmap="viridis")
                axis.axis("off")
                axis.text(0.03, 0.96, channel, transform=axis.transAxes, va="top", fontsize=7.5,
                          bbox={"facecolor": "white", "linewidth": 0, "pad": 0.8})
            title = f"{part}: {row['kind']}, output {shape(row)}; {len(channels)} channels with their indices"
            fig.text(1.9 / WIDTH, 1 - 0.18 / height, title, fontsize=9.5)
        return fig

    def describe(part: str, t: int) -> str:
        row, _, maps = look(part, t)
        variance, channels = maps.flatten(1).var(1), order[part].tolist()
        share = (variance[channels].sum() / variance.sum()).item()
        return (f"The noisy image at t = {t}, the network's output, and {len(channels)} small maps of the activations "
                f"of {part} ({row['kind']}, {shape(row)}), dark where a channel is low and light where it is high, "
                f"from channel {channels[0]} to channel {channels[-1]}. They hold {100 * share:.0f}% of the variance "
                f"of its {len(variance)} channels.")

    names = list(order)
    controls = {
        "part": ipywidgets.Dropdown(options=names, value=names[min(1, len(names) - 1)], description="Part"),
        "t": ipywidgets.IntSlider(value=500, min=0, max=schedule.T - 1, step=max(1, schedule.T // 100),
                                  description="t", continuous_update=False, layout=ipywidgets.Layout(width="60%")),
    }
    return Explorer(draw, controls, describe,
                    "The activation explorer: the output of a part of the network, at a chosen noise level", photo=True)


def _drawable(row: dict) -> bool:
    """Whether a part, not the whole network, has one output of feature maps or tokens."""
    return bool(row["name"]) and len(row["outputs"]) == 1 and row["outputs"][0].ndim in (3, 4)


def _maps(output: Tensor, image: Tensor) -> Tensor:
    """A part's output for one image, tokens (N, C) or feature maps (C, h, w), as feature maps (C, h, w)."""
    output = output.float().cpu()
    if output.ndim == 3:
        return output
    height = round((len(output) * image.shape[-2] / image.shape[-1]) ** 0.5)
    return output.T.unflatten(1, (height, len(output) // height))
