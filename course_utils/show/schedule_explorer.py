"""The widget of notebook 02: a noise schedule as abar, as signal-to-noise ratio and as noisy images."""

from __future__ import annotations

import ipywidgets
import torch
from torch import Tensor

from course_utils.diffusion import NoiseSchedule
from course_utils.runtime import seeded
from course_utils.show.figures import COLOURS, WIDTH, draw_image, plt, styled
from course_utils.show.widgets import Explorer

SCHEDULES = {"linear": NoiseSchedule.linear, "cosine": NoiseSchedule.cosine}


def schedule_explorer(image: Tensor, T: int = 1000) -> Explorer:
    """Choose a schedule and a time; see abar, the signal-to-noise ratio, and `image` (C, H, W) in [-1, 1] noised."""
    schedules = {name: make(T) for name, make in SCHEDULES.items()}
    eps = torch.randn(image.shape, generator=seeded(0))

    def draw(schedule: str, t: int):
        stops = [round(i * (T - 1) / 5) for i in range(6)]
        with styled():
            fig = plt.figure(figsize=(WIDTH, 4.5))
            upper, lower = fig.subfigures(2, 1, height_ratios=[1.7, 1])
            axes = dict(zip(("abar", "snr", "now"), upper.subplots(1, 3, width_ratios=[4, 4, 3])))
            strip = lower.subplots(1, len(stops))
            for (name, made), colour, dashes in zip(schedules.items(), COLOURS, ("-", "--")):
                look = {"alpha": 1.0 if name == schedule else 0.35, "color": colour, "linestyle": dashes}
                axes["abar"].plot(made.abar, label=name, **look)
                axes["snr"].semilogy(made.snr, **look)
            chosen = schedules[schedule]
            axes["abar"].plot(t, chosen.abar[t], "o", color=COLOURS[-1])
            axes["snr"].plot(t, chosen.snr[t], "o", color=COLOURS[-1])
            axes["snr"].axhline(0.01, color="#888888", linewidth=1)
            axes["abar"].set(title="abar: share of the variance left", xlabel="t")
            axes["snr"].set(title="signal-to-noise ratio; grey: 0.01", xlabel="t", ylim=(1e-6, 1e5))
            axes["abar"].legend()
            draw_image(axes["now"], chosen.jump(image, t, eps))
            axes["now"].set_title(f"t = {t}")
            for axis, stop in zip(strip, stops):
                draw_image(axis, chosen.jump(image, stop, eps))
                axis.set_title(f"t = {stop}", fontsize=8.5, pad=2)
        return fig

    def describe(schedule: str, t: int) -> str:
        chosen = schedules[schedule]
        return (f"The {schedule} schedule at t = {t} of {T}: {100 * chosen.abar[t]:.1f}% of the image's variance is "
                f"left, the signal-to-noise ratio is {chosen.snr[t]:.2g}. Two curves over t, the image at this t, "
                "and a strip of it at six times from clean to noise.")

    controls = {
        "schedule": ipywidgets.ToggleButtons(options=list(schedules), description="Schedule"),
        "t": ipywidgets.IntSlider(value=3 * T // 10, min=0, max=T - 1, step=T // 100, description="t",
                                  continuous_update=False, layout=ipywidgets.Layout(width="60%")),
    }
    return Explorer(draw, controls, describe,
                    "The schedule explorer: share of the variance left, signal-to-noise ratio, and the noisy image",
                    photo=True)
