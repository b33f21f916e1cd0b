"""The widget of notebook 03: what each part of the network makes of an image at a chosen noise level."""

from __future__ import annotations

from functools import lru_cache

import ipywidgets
import torch
from torch import Tensor, nn

from course_utils.diffusion import NoiseSchedule
from course_utils.runtime import seeded
from course_utils.show.architecture import shape, trace
from course_utils.show.figures import STYLE, WIDTH, draw_picture, plt
from course_utils.show.widgets import Explorer

CHANNELS, COLUMNS = 24, 8


def activation_explorer(network: nn.Module, image: Tensor, schedule: NoiseSchedule | None = None) -> Explorer:
    """Choose a part and a time; see 24 of its channels for `image` (C, H, W) in [-1, 1] at that noise level.

    `network` takes (xt (1, C, H, W), t (1,)) and answers with the expected image. A channel is drawn from its lowest
    value (dark) to its highest (light). They are those that vary most from place to place at half of all times, and
    keep their order at the others, so that a channel can be followed.
    """
    schedule = schedule or NoiseSchedule.cosine()
    eps = torch.randn(image.shape, generator=seeded(0))
    where = next(network.parameters()).device

    # The image and the words about it come from the same pass
    @lru_cache(1)
    def run(t: int) -> list[dict]:
        xt = schedule.jump(image, t, eps)[None]
        return trace(network, xt.to(where), torch.tensor([t], device=where))

    halfway = {row["name"]: _maps(row["gives"][0][0], image) for row in run(schedule.T // 2) if _drawable(row)}
    order = {name: maps.flatten(1).std(1).argsort(descending=True)[:CHANNELS] for name, maps in halfway.items()}

    def look(part: str, t: int) -> tuple[dict, dict, Tensor]:
        """The part's row, the network's own, and the maps (channels, h, w) that the part gave."""
        rows = {row["name"]: row for row in run(t)}
        return rows[part], rows[""], _maps(rows[part]["gives"][0][0], image)

    def draw(part: str, t: int):
        row, whole, maps = look(part, t)
        channels = order[part].tolist()
        lines = -(-len(channels) // COLUMNS)
        with plt.rc_context(STYLE | {"figure.constrained_layout.use": False}):
            height, tile = max(2.75, 0.86 * lines + 0.3), 0.86
            fig = plt.figure(figsize=(WIDTH, height))
            for k, (name, shown) in enumerate((("in", whole["takes"][0][0]), ("answer", whole["gives"][0][0]))):
                axis = fig.add_axes((0.01, 1 - (0.26 + k * 1.32 + 1.05) / height, 1.05 / WIDTH, 1.05 / height))
                draw_picture(axis, shown)
                axis.set_title(f"{name}, t = {t}" if name == "in" else name, fontsize=9, pad=3)
            for k, channel in enumerate(channels):
                x, y = 1.9 + k % COLUMNS * (tile + 0.02), 0.26 + k // COLUMNS * (tile + 0.02)
                axis = fig.add_axes((x / WIDTH, 1 - (y + tile) / height, tile / WIDTH, tile / height))
                axis.imshow(maps[channel].numpy(), cmap="viridis")
                axis.axis("off")
                axis.text(0.03, 0.96, channel, transform=axis.transAxes, va="top", fontsize=7.5,
                          bbox={"facecolor": "white", "linewidth": 0, "pad": 0.8})
            title = f"{part}: {row['kind']}, gives {shape(row)}; {len(channels)} channels with their numbers"
            fig.text(1.9 / WIDTH, 1 - 0.18 / height, title, fontsize=9.5)
        return fig

    def describe(part: str, t: int) -> str:
        row, _, maps = look(part, t)
        lively, channels = maps.flatten(1).var(1), order[part].tolist()
        share = (lively[channels].sum() / lively.sum()).item()
        return (f"The image at t = {t}, the network's answer, and {len(channels)} small maps of what {part} "
                f"({row['kind']}, {shape(row)}) gives, dark where a channel is low and light where it is high, from "
                f"channel {channels[0]} to channel {channels[-1]}. They hold {100 * share:.0f}% of all variation in "
                f"its {len(lively)} channels.")

    names = list(order)
    controls = {
        "part": ipywidgets.Dropdown(options=names, value=names[min(1, len(names) - 1)], description="Part"),
        "t": ipywidgets.IntSlider(value=500, min=0, max=schedule.T - 1, step=max(1, schedule.T // 100),
                                  description="t", continuous_update=False, layout=ipywidgets.Layout(width="60%")),
    }
    return Explorer(draw, controls, describe,
                    "The activation explorer: what a part of the network gives, at a chosen noise level", photo=True)


def _drawable(row: dict) -> bool:
    """Does the part give maps, or tokens that are one? The network itself does not count."""
    return bool(row["name"]) and len(row["gives"]) == 1 and row["gives"][0].ndim in (3, 4)


def _maps(given: Tensor, image: Tensor) -> Tensor:
    """What a part gives to one image, tokens (N, C) or maps (C, h, w), as maps (C, h, w)."""
    given = given.float().cpu()
    if given.ndim == 3:
        return given
    tall = round((len(given) * image.shape[-2] / image.shape[-1]) ** 0.5)
    return given.T.unflatten(1, (tall, len(given) // tall))
