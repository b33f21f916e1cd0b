"""Samplers: from noise back to an image. Each takes a denoiser, a schedule and xT, and reports every step.

All share one signature, `sampler(denoiser, schedule, xT, steps, *, generator, callback)`; they know nothing of
networks, text or widgets. `SAMPLERS` holds those that need nothing else, by name.
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
    """What a sampler tells its callback: step `i` of `steps`, at time `t`, what was predicted, and the next x."""

    i: int
    steps: int
    t: int
    xt: Tensor
    prediction: Prediction
    x_next: Tensor


Callback = Callable[[Step], None]


# Whoever needs a gradient inside a step switches it on there; a graph over all steps would fill the memory
@torch.no_grad()
def ddpm(denoiser: Denoiser, schedule: NoiseSchedule, xT: Tensor, steps: int | None = None, *,
         push: Callable[[Tensor, int], Tensor] | None = None, generator: torch.Generator | None = None,
         callback: Callback | None = None) -> Tensor:
    """Ancestral sampling, fresh noise at each step (Ho et al. 2020, algorithm 2, with the posterior's variance).

    xT (B, ...) is pure noise; `steps` in 1..T (default T); each mean is moved by its variance times `push(xt, t)`, for
    classifier guidance. Returns x0 like xT.
    """
    xt, times = xT, _times(schedule, steps)
    for i, (t, s) in enumerate(_pairs(times)):
        prediction = denoiser(xt, t)
        mean, var = schedule.posterior(prediction.x0, xt, t, s)
        if push is not None:
            mean = mean + var * push(xt, t)
        x_next = mean + var.sqrt() * _noise(mean, generator) if s >= 0 else mean
        _report(callback, i, len(times), t, xt, prediction, x_next)
        xt = x_next
    return xt


@torch.no_grad()
def ddim(denoiser: Denoiser, schedule: NoiseSchedule, xT: Tensor, steps: int | None = None, *, eta: float = 0.0,
         generator: torch.Generator | None = None, callback: Callback | None = None) -> Tensor:
    """Non-Markov sampling: no fresh noise at eta = 0, ddpm again at eta = 1 (Song et al. 2021, equation 12).

    xT (B, ...) is pure noise; `steps` in 1..T (default T); `eta` in [0, 1]. Returns x0 like xT.
    """
    xt, times = xT, _times(schedule, steps)
    for i, (t, s) in enumerate(_pairs(times)):
        prediction = denoiser(xt, t)
        abar_t, abar_s = prediction.abar, schedule.at(s, xt)
        if eta:
            sigma = eta * ((1 - abar_s) / (1 - abar_t) * (1 - abar_t / abar_s)).sqrt()
            x_next = abar_s.sqrt() * prediction.x0 + (1 - abar_s - sigma**2).clamp(min=0).sqrt() * prediction.eps
            x_next = x_next + sigma * _noise(x_next, generator) if s >= 0 else x_next
        else:
            x_next = prediction.towards(abar_s)
        _report(callback, i, len(times), t, xt, prediction, x_next)
        xt = x_next
    return xt


@torch.no_grad()
def ddim_inversion(denoiser: Denoiser, schedule: NoiseSchedule, x0: Tensor, steps: int | None = None, *,
                   corrections: int = 1, callback: Callback | None = None) -> Tensor:
    """The noise xT from which `ddim` with as many steps makes x0 again: its steps in the other direction.

    ddim goes from x_t to x_s with the noise predicted at x_t, which is not known when coming from x_s. As usual the
    prediction at x_s stands in for it; each of the `corrections` then predicts again, at the x_t found so far.
    x0 (B, ...); `steps` in 1..T (default T). Returns xT like x0. Source: Song et al. 2021 (DDIM), section 4.3.
    """
    xs, times = x0, _times(schedule, steps)
    for i, (t, s) in enumerate(reversed(_pairs(times))):
        abar_t, abar_s, xt = schedule.at(t, x0), schedule.at(s, x0), xs
        for _ in range(1 + corrections):
            prediction = denoiser(xt, t)
            eps = prediction.eps
            xt = (abar_t / abar_s).sqrt() * (xs - (1 - abar_s).sqrt() * eps) + (1 - abar_t).sqrt() * eps
        _report(callback, i, len(times), t, xs, prediction, xt)
        xs = xt
    return xs


@torch.no_grad()
def dpmpp(denoiser: Denoiser, schedule: NoiseSchedule, xT: Tensor, steps: int | None = None, *,
          generator: torch.Generator | None = None, callback: Callback | None = None) -> Tensor:
    """DPM-Solver++(2M): ddim's path in far fewer steps, each using the prediction before (Lu et al. 2022, algorithm 2).

    xT (B, ...) is pure noise; `steps` in 1..T (default T). Returns x0 like xT. Nothing is random, so `generator` is not
    used. The solver is diffusers' `DPMSolverMultistepScheduler`, which computes in single precision.
    """
    # Here, for diffusers takes seconds to import
    from diffusers import DPMSolverMultistepScheduler

    xt, times = xT, _even_in_noise(schedule, len(_times(schedule, steps)))
    solver = DPMSolverMultistepScheduler(
        num_train_timesteps=schedule.T, trained_betas=schedule.beta.tolist(), prediction_type="sample",
        algorithm_type="dpmsolver++", solver_order=2, lower_order_final=True, final_sigmas_type="zero",
    )
    solver.set_timesteps(timesteps=times)
    for i, t in enumerate(times):
        prediction = denoiser(xt, t)
        x_next = solver.step(prediction.x0.to(xt), t, xt).prev_sample
        _report(callback, i, len(times), t, xt, prediction, x_next)
        xt = x_next
    return xt


@torch.no_grad()
def repaint(denoiser: Denoiser, schedule: NoiseSchedule, xT: Tensor, steps: int | None = None, *, known: Tensor,
            mask: Tensor, resample: int = 10, jump: int = 10, generator: torch.Generator | None = None,
            callback: Callback | None = None) -> Tensor:
    """ddpm in the hole, the noised known image around it, each stretch of `jump` steps walked `resample` times.

    `known` like xT (B, ...) holds the image; `mask` of 0 and 1, which broadcasts against xT, is 1 where it is kept.
    Between two walks of a stretch noise is added again, so that hole and surroundings have time to agree; the denoiser
    is called steps * resample times, and `callback` is told of each. Returns x0 like xT, which is `known` where mask
    is 1. ValueError for another mask and for resample or jump below 1.
    Source: Lugmayr et al. 2022 (RePaint), algorithm 1 and section 4.2. The known image at the next time s is
    sqrt(abar_s) known + sqrt(1 - abar_s) noise; as printed, the algorithm has t for s and no second root.
    """
    mask = _checked_mask(mask, xT)
    if resample < 1 or jump < 1 or known.shape != xT.shape:
        raise ValueError("repaint needs resample and jump of at least 1, and `known` of the shape of xT; got "
                         f"{resample}, {jump}, {tuple(known.shape)} and {tuple(xT.shape)}.")
    xt, times = xT, _times(schedule, steps)
    below = dict(_pairs(times))
    stretches = [times[i : i + jump] for i in range(0, len(times), jump)]
    walk = [t for stretch in stretches for _ in range(resample) for t in stretch]
    for i, (t, after) in enumerate(_pairs(walk)):
        s = below[t]
        prediction = denoiser(xt, t)
        mean, var = schedule.posterior(prediction.x0, xt, t, s)
        unknown = mean + var.sqrt() * _noise(mean, generator) if s >= 0 else mean
        x_next = torch.where(mask, schedule.jump(known, s, _noise(known, generator)), unknown)
        if after != s:
            # Back to the beginning of the stretch, in one jump of the forward process
            share = schedule.at(after, xt) / schedule.at(s, xt)
            x_next = share.sqrt() * x_next + (1 - share).sqrt() * _noise(x_next, generator)
        _report(callback, i, len(walk), t, xt, prediction, x_next)
        xt = x_next
    return xt


SAMPLERS = {"ddpm": ddpm, "ddim": ddim, "dpm++": dpmpp}


def _checked_mask(mask: Tensor, like: Tensor) -> Tensor:
    """The mask as bool. ValueError unless it is 0 and 1 and broadcasts against `like`."""
    try:
        fits = torch.broadcast_shapes(mask.shape, like.shape) == like.shape
    except RuntimeError:
        fits = False
    if not fits or not bool(((mask == 0) | (mask == 1)).all()):
        raise ValueError(f"a mask is 1 where the image {tuple(like.shape)} is kept and 0 in the hole, nothing "
                         f"between; got {tuple(mask.shape)}, {mask.min().item():g}..{mask.max().item():g}.")
    return mask.bool()


def _even_in_noise(schedule: NoiseSchedule, steps: int) -> list[int]:
    """`steps` times from T-1 down, evenly spread in the noise's share sigma / (sigma + alpha), the image being next.

    A solver of second order extrapolates linearly from its last two predictions. Equal times leave a long way in
    log(alpha / sigma) to the last jump, and a stop at t = 0 before it makes that way one bold extrapolation.
    """
    signal, noise = schedule.abar.sqrt(), (1 - schedule.abar).sqrt()
    share = noise / (noise + signal)
    wanted = torch.linspace(share[-1].item(), 0, steps + 1, dtype=share.dtype, device=share.device)[:-1, None]
    times = []
    for i, t in enumerate((share - wanted).abs().argmin(1).tolist()):
        # The solver divides by the step's length, so no time comes twice, and each leaves room for those below it
        before = times[-1] if times else schedule.T
        times.append(max(min(t, before - 1), steps - 1 - i))
    return times


def _times(schedule: NoiseSchedule, steps: int | None) -> list[int]:
    return schedule.timesteps(schedule.T if steps is None else steps)


def _pairs(times: list[int]) -> list[tuple[int, int]]:
    """Each time with the next one; after the last comes -1, the image itself."""
    return list(zip(times, [*times[1:], -1]))


def _report(callback: Callback | None, *step) -> None:
    if callback is not None:
        callback(Step(*step))


def _noise(like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(like.shape, generator=generator, device=like.device, dtype=like.dtype)
