"""Guidance: from a denoiser to one that goes where a condition wants it. Every function wraps denoisers.

One scale everywhere: 0 is no condition, 1 the condition as it was learned, above 1 more than that. Papers differ:
Ho and Salimans 2022 count w = guidance_scale - 1; GLIDE, Imagen and `diffusers` count as here.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.diffusion.denoise import Denoiser, Prediction

LARGEST_SCALE = 1000.0
LogProb = Callable[[Tensor, int | Tensor], Tensor]


def scale_from_w(w: float) -> float:
    """The scale of this course for the w of Ho and Salimans 2022, whose 0 is the condition as it was learned."""
    return checked_scale(w + 1)


def w_from_scale(guidance_scale: float) -> float:
    """The w of Ho and Salimans 2022 for a scale of this course."""
    return checked_scale(guidance_scale) - 1


def checked_scale(guidance_scale: float) -> float:
    """The scale as float. ValueError unless it is a number in 0..1000."""
    try:
        scale = math.nan if isinstance(guidance_scale, str) else float(guidance_scale)
    except (TypeError, ValueError, RuntimeError):  # RuntimeError: a tensor of several numbers
        scale = math.nan
    if not 0 <= scale <= LARGEST_SCALE:
        raise ValueError(f"the guidance scale must be a number from 0 (no condition) to {LARGEST_SCALE:.0f}; got "
                         f"{guidance_scale}. Useful ones lie between 1 and 20.")
    return scale


def gradient(log_prob: LogProb, xt: Tensor, t) -> Tensor:
    """The gradient of log_prob(xt, t) (B,) in xt (B, ...): the direction in which the condition becomes more likely."""
    with torch.enable_grad():
        free = xt.detach().requires_grad_()
        (found,) = torch.autograd.grad(log_prob(free, t).sum(), free)
    return found


def classifier_guidance(denoiser: Denoiser, log_prob: LogProb, guidance_scale: float) -> Denoiser:
    """Guide by the classifier's gradient: eps - guidance_scale sqrt(1 - abar) grad log p(y | xt).

    `log_prob(xt, t)` (B,) is the log probability of the wanted class. For every sampler. A learned gradient that is a
    little off throws x0 far out in the first steps, where xt holds next to nothing of it: see `static_threshold`.
    Source: Dhariwal and Nichol 2021, algorithm 2.
    """
    checked_scale(guidance_scale)

    def denoise(xt: Tensor, t) -> Prediction:
        free = denoiser(xt, t)
        push = gradient(log_prob, xt, t) if guidance_scale else torch.zeros_like(xt)
        return Prediction.of(xt, free.abar, eps=free.eps - (1 - free.abar).sqrt() * guidance_scale * push)

    return denoise


def classifier_push(log_prob: LogProb, guidance_scale: float) -> Callable[[Tensor, int], Tensor]:
    """What `ddpm(..., push=...)` adds to the mean, times the variance: guidance_scale grad log p(y | xt).

    Source: Dhariwal and Nichol 2021, algorithm 1, with the gradient at xt as in their code.
    """
    checked_scale(guidance_scale)
    return lambda xt, t: guidance_scale * gradient(log_prob, xt, t)


def classifier_free_guidance(conditional: Denoiser, unconditional: Denoiser, guidance_scale: float) -> Denoiser:
    """From the prediction without the condition towards the one with it, and beyond it at scales above 1.

    eps = eps_without + guidance_scale (eps_with - eps_without), equation 6 of Ho and Salimans 2022, whose w is
    guidance_scale - 1.
    """
    checked_scale(guidance_scale)
    return lambda xt, t: conditional(xt, t).guided(unconditional(xt, t), guidance_scale)


def static_threshold(denoiser: Denoiser) -> Denoiser:
    """The denoiser with its predicted image cut to [-1, 1] (Ho et al. 2020, in their code)."""
    return lambda xt, t: denoiser(xt, t).thresholded("static")


def dynamic_threshold(denoiser: Denoiser, percentile: float = 0.995) -> Denoiser:
    """The denoiser with each predicted image cut to its own `percentile` of |x0|, if above 1, and divided by it.

    `percentile` in (0, 1); ValueError otherwise. Source: Saharia et al. 2022 (Imagen), section 2.3.
    """
    if not 0 < percentile < 1:
        raise ValueError(f"percentile must lie between 0 and 1, such as 0.995; got {percentile}.")
    return lambda xt, t: denoiser(xt, t).thresholded(percentile)
