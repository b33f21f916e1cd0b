"""Guidance: from a denoiser to one that goes where a condition wants it. Every function wraps denoisers.

One scale everywhere: 0 is no condition, 1 the condition as it was learned, above 1 more than that. Papers differ:
Ho and Salimans 2022 count w = scale - 1; GLIDE, Imagen and `diffusers` count as here.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.diffusion.denoise import Denoiser, NetworkPrediction, Prediction
from course_utils.diffusion.schedule import NoiseSchedule
from course_utils.runtime import autocast

LARGEST_SCALE = 1000.0
LogProb = Callable[[Tensor, int | Tensor], Tensor]


def scale_from_w(w: float) -> float:
    """The scale of this course for the w of Ho and Salimans 2022, whose 0 is the condition as it was learned."""
    return checked_scale(w + 1)


def w_from_scale(scale: float) -> float:
    """The w of Ho and Salimans 2022 for a scale of this course."""
    return checked_scale(scale) - 1


def checked_scale(scale: float) -> float:
    """The scale itself. ValueError when it is no number in 0..1000."""
    if not (math.isfinite(scale) and 0 <= scale <= LARGEST_SCALE):
        raise ValueError(f"the guidance scale must be a number from 0 (no condition) to {LARGEST_SCALE:.0f}; got "
                         f"{scale}. Useful ones lie between 1 and 20.")
    return scale


def gradient(log_prob: LogProb, xt: Tensor, t) -> Tensor:
    """The slope of log_prob(xt, t) (B,) in xt (B, ...): where a condition would become more likely."""
    with torch.enable_grad():
        free = xt.detach().requires_grad_()
        (slope,) = torch.autograd.grad(log_prob(free, t).sum(), free)
    return slope


def classifier_guidance(denoiser: Denoiser, log_prob: LogProb, scale: float, clip: bool = False) -> Denoiser:
    """Bend the guessed noise against the classifier's slope: eps - sqrt(1 - abar) scale grad log p(y | xt).

    `log_prob(xt, t)` (B,) is the log probability of the wanted class. For every sampler. `clip` cuts the guessed
    picture to [-1, 1] afterwards: at the first steps, where next to nothing of it is left in xt, a learned slope that
    is a little off throws it far out.
    Source: Dhariwal and Nichol 2021, algorithm 2.
    """
    checked_scale(scale)

    def denoise(xt: Tensor, t) -> Prediction:
        free = denoiser(xt, t)
        slope = gradient(log_prob, xt, t) if scale else torch.zeros_like(xt)
        bent = Prediction.of(xt, free.abar, eps=free.eps - (1 - free.abar).sqrt() * scale * slope)
        return Prediction.of(xt, free.abar, x0=bent.x0.clamp(-1, 1)) if clip else bent

    return denoise


def classifier_push(log_prob: LogProb, scale: float) -> Callable[[Tensor, int], Tensor]:
    """What `ddpm(..., push=...)` adds to the mean, times the variance: scale grad log p(y | xt).

    Source: Dhariwal and Nichol 2021, algorithm 1, with the slope at xt as in their code.
    """
    checked_scale(scale)
    return lambda xt, t: scale * gradient(log_prob, xt, t)


def classifier_free_guidance(conditional: Denoiser, unconditional: Denoiser, scale: float) -> Denoiser:
    """From the guess without the condition towards the guess with it, and at scales above 1 beyond it.

    eps = eps_without + scale (eps_with - eps_without), equation 6 of Ho and Salimans 2022 with scale = 1 + w.
    """
    checked_scale(scale)

    def denoise(xt: Tensor, t) -> Prediction:
        given, free = conditional(xt, t), unconditional(xt, t)
        return Prediction.of(xt, free.abar, eps=free.eps + scale * (given.eps - free.eps))

    return denoise


def guided_network_denoiser(network: Callable[..., Tensor], schedule: NoiseSchedule, predicts: str,
                            condition: dict[str, Tensor], null: dict[str, Tensor], scale: float,
                            threshold: str | float | None = "static") -> Denoiser:
    """The same for a network that answers with and without its condition: both in one batch twice as large.

    network(xt, t, **condition); `condition` and `null` hold the same names, one row a picture. `threshold` is that of
    `kernels.guided_step`: None, "static", or the percentile of dynamic thresholding. At scale 0 or 1 one answer is
    enough, and only that is computed.
    """
    checked_scale(scale)

    def denoise(xt: Tensor, t) -> Prediction:
        t = torch.as_tensor(t, device=xt.device).expand(len(xt))
        if scale in (0, 1):
            rows, guidance = condition if scale else null, {}
            with autocast(xt.device):
                output = network(xt, t, **rows)
        else:
            rows = {name: torch.cat([condition[name], null[name]]) for name in condition}
            with autocast(xt.device):
                output, without = network(torch.cat([xt, xt]), torch.cat([t, t]), **rows).chunk(2)
            guidance = {"without": without, "scale": scale}
        return NetworkPrediction(xt, schedule.at(t, xt), output, predicts, threshold=threshold, **guidance)

    return denoise
