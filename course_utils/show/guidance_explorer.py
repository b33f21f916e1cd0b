"""The widget of notebooks 05 and 06: one guidance scale for samples of a mixture and for images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import ipywidgets
from torch import Tensor

from course_utils.show.figures import WIDTH, draw_image, plt, styled
from course_utils.show.widgets import Explorer

SCALES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 20.0)


def guidance_explorer(density: Callable[[float], Tensor], points: Callable[[float], Tensor],
                      images: Callable[[int, float], Tensor], names: Sequence[str], label: int = 0,
                      scale: float = 2.0, scales: Sequence[float] = SCALES,
                      box: tuple[float, float] = (-2.0, 2.0)) -> Explorer:
    """Choose a guidance scale and a class; left the mixture, right the images, both always from the same noise.

    density(scale) (n, n): the guided density on a grid over `box` in both directions, row by row from below.
    points(scale) (N, 2): the guided samples. images(label, scale) (B, C, H, W) in [-1, 1], B at most 10: sampled live.
    names: of the classes; `label` and `scale` are the initial choice.
    """
    tilted, sampled, made = lru_cache(32)(density), lru_cache(32)(points), lru_cache(64)(images)

    def draw(scale: float, label: int):
        with styled():
            fig = plt.figure(figsize=(WIDTH, 2.8))
            left, right = fig.subfigures(1, 2, width_ratios=[1, 2])
            axis = left.subplots()
            cloud = sampled(scale)
            axis.imshow(tilted(scale).cpu(), origin="lower", extent=(*box, *box), cmap="Blues", aspect="equal")
            axis.scatter(*cloud.cpu().T, s=2, color="#D55E00", linewidths=0)
            axis.set(xlim=box, ylim=box, xticks=[], yticks=[], title=f"tilted density and samples, scale {scale:g}")
            axis.grid(False)
            axes = right.subplots(2, 5)
            for place in axes.flat:
                place.axis("off")
            for place, image in zip(axes.flat, made(label, scale)):
                draw_image(place, image)
        return fig

    def describe(scale: float, label: int) -> str:
        return (f"Guidance at scale {scale:g}. Left, the density p(x) p(y|x)^{scale:g} of the mixture in blue, and the "
                f"guided samples as orange dots. Right, images of the class {names[label]} at the same scale.")

    controls = {
        "scale": ipywidgets.SelectionSlider(options=[(f"{s:g}", s) for s in scales], value=scale, description="Scale",
                                            continuous_update=False, layout=ipywidgets.Layout(width="60%")),
        "label": ipywidgets.Dropdown(options=[(name, i) for i, name in enumerate(names)], value=label,
                                     description="Class"),
    }
    return Explorer(draw, controls, describe, "The guidance explorer: one scale for a mixture and for images",
                    photo=True)
