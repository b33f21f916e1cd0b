"""Samplers: from noise back to a picture. Each takes a denoiser, a schedule and xT, and reports every step.

All share one signature, `sampler(denoiser, schedule, xT, steps, *, generator, callback)`; they know nothing of
networks, text or widgets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from course_utils.diffusion.denoise import Denoiser, Prediction
from course_utils.diffusion.schedule import NoiseSchedule


@dataclass(frozen=True, eq=False)
class Step:
    """What a sampler tells its callback: step `i` of `steps`, at time `t`, with what was guessed and where it went."""

    i: int
    steps: int
    t: int
    xt: Tensor
    prediction: Prediction
    x_next: Tensor


Callback = Callable[[Step], None]


def ddpm(denoiser: Denoiser, schedule: NoiseSchedule, xT: Tensor, steps: int | None = None, *,
         generator: torch.Generator | None = None, callback: Callback | None = None) -> Tensor:
    """Ancestral sampling, fresh noise at each step (Ho et al. 2020, algorithm 2, with the posterior's variance).

    xT (B, ...) is pure noise; `steps` in 1..T (default T). Returns x0 like xT.
    """

    def update(prediction: Prediction, t: int, s: int) -> Tensor:
        mean, var = schedule.posterior(prediction.x0, prediction.xt, t, s)
        return mean + var.sqrt() * _noise(mean, generator) if s >= 0 else mean

    return _run(denoiser, schedule, xT, steps, update, callback)


def ddim(denoiser: Denoiser, schedule: NoiseSchedule, xT: Tensor, steps: int | None = None, *, eta: float = 0.0,
         generator: torch.Generator | None = None, callback: Callback | None = None) -> Tensor:
    """Non-Markov sampling: no fresh noise at eta = 0, ddpm again at eta = 1 (Song et al. 2021, equation 12).

    xT (B, ...) is pure noise; `steps` in 1..T (default T); `eta` in [0, 1]. Returns x0 like xT.
    """

    def update(prediction: Prediction, t: int, s: int) -> Tensor:
        abar_t, abar_s = prediction.abar, schedule.at(s, prediction.xt)
        sigma = eta * ((1 - abar_s) / (1 - abar_t) * (1 - abar_t / abar_s)).sqrt()
        x = abar_s.sqrt() * prediction.x0 + (1 - abar_s - sigma**2).clamp(min=0).sqrt() * prediction.eps
        return x + sigma * _noise(x, generator) if eta and s >= 0 else x

    return _run(denoiser, schedule, xT, steps, update, callback)


def _run(denoiser, schedule, xT, steps, update, callback) -> Tensor:
    """The loop every sampler shares: guess, move to the next time, report."""
    times = schedule.timesteps(schedule.T if steps is None else steps)
    x = xT
    for i, (t, s) in enumerate(zip(times, [*times[1:], -1])):
        prediction = denoiser(x, t)
        x = update(prediction, t, s)
        if callback is not None:
            callback(Step(i, len(times), t, prediction.xt, prediction, x))
    return x


def _noise(like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(like.shape, generator=generator, device=like.device, dtype=like.dtype)
