"""The widget of notebook 03: what each part of the network makes of a picture at a chosen noise level."""

from __future__ import annotations

import ipywidgets
import torch
from torch import Tensor, nn

from course_utils.diffusion import NoiseSchedule
from course_utils.runtime import generator
from course_utils.show.architecture import shape, trace
from course_utils.show.figures import STYLE, WIDTH, draw_picture, plt
from course_utils.show.widgets import Explorer

CHANNELS, COLUMNS = 24, 8


def activation_explorer(network: nn.Module, picture: Tensor, schedule: NoiseSchedule | None = None) -> Explorer:
    """Choose a part and a time; see its 24 liveliest channels for `picture` (C, H, W) in [-1, 1] at that noise level.

    `network` takes (xt (1, C, H, W), t (1,)) and answers with the expected picture. A channel is drawn from its lowest
    value (dark) to its highest (light); the liveliest are those that vary most from place to place.
    """
    schedule = schedule or NoiseSchedule.cosine()
    eps = torch.randn(picture.shape, generator=generator(0))
    where = next(network.parameters()).device

    def run(t: int) -> list[dict]:
        xt = schedule.jump(picture, t, eps)[None]
        return trace(network, xt.to(where), torch.tensor([t], device=where))

    names = [row["name"] for row in run(0) if _drawable(row)]

    def look(part: str, t: int) -> tuple[dict, dict, Tensor]:
        """The part's row, the network's own, and the maps (channels, h, w) that the part gave."""
        rows = {row["name"]: row for row in run(t)}
        return rows[part], rows[""], _maps(rows[part]["gives"][0][0], picture)

    def draw(part: str, t: int):
        row, whole, maps = look(part, t)
        order = maps.flatten(1).std(1).argsort(descending=True)[:CHANNELS]
        lines = -(-len(order) // COLUMNS)
        with plt.rc_context(STYLE | {"figure.constrained_layout.use": False}):
            height, tile = max(2.75, 0.86 * lines + 0.3), 0.86
            fig = plt.figure(figsize=(WIDTH, height))
            for k, (name, shown) in enumerate((("in", whole["takes"][0][0]), ("answer", whole["gives"][0][0]))):
                axis = fig.add_axes((0.01, 1 - (0.26 + k * 1.32 + 1.05) / height, 1.05 / WIDTH, 1.05 / height))
                draw_picture(axis, shown)
                axis.set_title(f"{name}, t = {t}" if name == "in" else name, fontsize=9, pad=3)
            for k, channel in enumerate(order.tolist()):
                x, y = 1.9 + k % COLUMNS * (tile + 0.02), 0.26 + k // COLUMNS * (tile + 0.02)
                axis = fig.add_axes((x / WIDTH, 1 - (y + tile) / height, tile / WIDTH, tile / height))
                axis.imshow(maps[channel].numpy(), cmap="viridis")
                axis.axis("off")
            title = f"{part}: {row['kind']}, gives {shape(row)}; the {len(order)} channels that vary most"
            fig.text(1.9 / WIDTH, 1 - 0.18 / height, title, fontsize=9.5)
        return fig

    def describe(part: str, t: int) -> str:
        row, _, maps = look(part, t)
        lively = maps.flatten(1).std(1)
        share = (lively.topk(min(CHANNELS, len(lively))).values.square().sum() / lively.square().sum()).item()
        return (f"The picture at t = {t}, the network's answer, and {min(CHANNELS, len(lively))} small maps of what "
                f"{part} ({row['kind']}, {shape(row)}) gives, dark where a channel is low and light where it is high. "
                f"They hold {100 * share:.0f}% of all variation in its {len(lively)} channels.")

    middle = names[len(names) // 2]
    controls = {
        "part": ipywidgets.Dropdown(options=names, value=middle, description="Part"),
        "t": ipywidgets.IntSlider(value=500, min=0, max=schedule.T - 1, step=max(1, schedule.T // 100),
                                  description="t", continuous_update=False, layout=ipywidgets.Layout(width="60%")),
    }
    return Explorer(draw, controls, describe,
                    "The activation explorer: what a part of the network gives, at a chosen noise level", photo=True)


def _drawable(row: dict) -> bool:
    """Does the part give maps, or tokens that are one? The network itself does not count."""
    return bool(row["name"]) and len(row["gives"]) == 1 and row["gives"][0].ndim in (3, 4)


def _maps(given: Tensor, picture: Tensor) -> Tensor:
    """What a part gives to one picture, tokens (N, C) or maps (C, h, w), as maps (C, h, w)."""
    given = given.float().cpu()
    if given.ndim == 3:
        return given
    tall = round((len(given) * picture.shape[-2] / picture.shape[-1]) ** 0.5)
    return given.T.unflatten(1, (tall, len(given) // tall))
