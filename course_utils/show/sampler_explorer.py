"""The widget of notebook 04: choose a sampler, its steps and its noise; see the images and the stages of the first."""

from __future__ import annotations

from functools import lru_cache

import ipywidgets
import torch
from torch import Tensor

from course_utils.diffusion import SAMPLERS, Denoiser, NoiseSchedule
from course_utils.runtime import seeded
from course_utils.show.figures import WIDTH, draw_image, plt, styled
from course_utils.show.widgets import Explorer

STEPS = (1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 100)
STAGES = 8


def sampler_explorer(denoiser: Denoiser, schedule: NoiseSchedule, shape: tuple[int, int, int] = (1, 32, 32),
                     n: int = 6, device="cpu") -> Explorer:
    """Choose sampler, number of steps, eta (of ddim) and seed; the images are sampled live with `denoiser`.

    shape: (C, H, W) of an image. n: batch size. device: that of the denoiser. Below the images, up to eight stages of
    the first one: the noisy xt and the predicted x0.
    """

    # The figure and its static twin are drawn from the same run
    @lru_cache(1)
    def run(sampler: str, steps: int, eta: float, seed: int) -> tuple[Tensor, list]:
        seen = []
        xT = torch.randn(n, *shape, generator=seeded(seed)).to(device)
        options = {"eta": eta} if sampler == "ddim" else {}
        made = SAMPLERS[sampler](denoiser, schedule, xT, steps, generator=seeded(seed, device, "steps"),
                                 callback=seen.append, **options)
        last = len(seen) - 1
        stages = sorted({round(i * last / (STAGES - 1)) for i in range(STAGES)})
        return made, [seen[i] for i in stages]

    def draw(sampler: str, steps: int, eta: float, seed: int):
        made, stages = run(sampler, steps, eta, seed)
        with styled():
            fig = plt.figure(figsize=(WIDTH, 4.1))
            upper, lower = fig.subfigures(2, 1, height_ratios=[1.6, 2.5])
            for axis, image in zip(upper.subplots(1, n, squeeze=False)[0], made):
                draw_image(axis, image)
            rows = lower.subplots(2, STAGES)
            for axis in rows.flat:
                axis.axis("off")
            for (noisy, predicted), step in zip(rows.T, stages):
                draw_image(noisy, step.xt[0])
                draw_image(predicted, step.prediction.x0[0])
                noisy.set_title(f"step {step.i + 1}, t = {step.t}", fontsize=8.5, pad=2)
            for axis, name in zip(rows[:, 0], ("noisy", "predicted")):
                axis.text(-0.08, 0.5, name, rotation=90, va="center", ha="right", fontsize=9, transform=axis.transAxes)
        return fig

    def describe(sampler: str, steps: int, eta: float, seed: int) -> str:
        how = f" with eta {eta:g}" if sampler == "ddim" else ""
        calls = f"{steps} call{'s' * (steps > 1)} of the denoiser"
        return (f"{n} images made by {sampler}{how} in {calls}, from the noise of seed {seed}. "
                f"Below, up to {STAGES} stages of the first one: the noisy image, and the image predicted from it.")

    wide = ipywidgets.Layout(width="60%")
    controls = {
        "sampler": ipywidgets.ToggleButtons(options=list(SAMPLERS), value="ddim", description="Sampler"),
        "steps": ipywidgets.SelectionSlider(options=STEPS, value=20, description="Steps", continuous_update=False,
                                            layout=wide),
        "eta": ipywidgets.FloatSlider(value=0.0, min=0.0, max=1.0, step=0.25, description="eta (ddim)",
                                      continuous_update=False, layout=wide),
        "seed": ipywidgets.IntSlider(value=0, min=0, max=50, description="Seed", continuous_update=False, layout=wide),
    }
    # Only ddim has an eta; a slider that does nothing would mislead
    controls["sampler"].observe(lambda change: setattr(controls["eta"], "disabled", change.new != "ddim"), "value")
    return Explorer(draw, controls, describe, "The sampler explorer: images, and stages of the first one",
                    photo=True)
