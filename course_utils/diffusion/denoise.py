"""A denoiser is a function (xt, t) -> Prediction. Everything in the course is one, or a wrapper around one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from course_utils.diffusion.mixture import GaussianMixture
from course_utils.diffusion.schedule import NoiseSchedule
from course_utils.kernels import guess, guided_step
from course_utils.runtime import autocast


@dataclass(frozen=True, eq=False)
class Prediction:
    """One guess about a noisy picture, under its three names eps, x0 and v (all (B, ...) like xt).

    Make it from whichever name you have: `Prediction.of(xt, abar_t, eps=...)`, `x0=...` or `v=...`.
    v = sqrt(abar) eps - sqrt(1 - abar) x0 (Salimans and Ho 2022).
    """

    xt: Tensor
    abar: Tensor
    x0: Tensor
    eps: Tensor

    @classmethod
    def of(cls, xt: Tensor, abar: Tensor, *, eps: Tensor = None, x0: Tensor = None, v: Tensor = None) -> Prediction:
        """The guess, from exactly one of its names; `abar` broadcasts against xt. ValueError otherwise."""
        if sum(name is not None for name in (eps, x0, v)) != 1:
            raise ValueError("a Prediction is made from exactly one of eps, x0 and v.")
        signal, noise = abar.sqrt(), (1 - abar).sqrt()
        if v is not None:
            x0, eps = signal * xt - noise * v, noise * xt + signal * v
        elif x0 is None:
            x0 = (xt - noise * eps) / signal
        else:
            eps = (xt - signal * x0) / noise
        return cls(xt, abar, x0, eps)

    @property
    def v(self) -> Tensor:
        """The guess as a velocity."""
        return self.abar.sqrt() * self.eps - (1 - self.abar).sqrt() * self.x0

    @property
    def score(self) -> Tensor:
        """The guess as the slope of the log density at xt: -eps / sqrt(1 - abar) (Song and Ermon 2019)."""
        return -self.eps / (1 - self.abar).sqrt()

    def towards(self, abar_s: Tensor) -> Tensor:
        """xt moved along the guess to another noise level: the step of `ddim` without fresh noise."""
        return abar_s.sqrt() * self.x0 + (1 - abar_s).sqrt() * self.eps


class NetworkPrediction(Prediction):
    """A guess that is still what a network said; its names are computed when somebody asks.

    output (B, ...) is what `predicts` names; `guidance` may hold `without`, `scale` and `threshold`, as
    `kernels.guided_step` takes them: a whole step of sampling is then one operation.
    """

    def __init__(self, xt: Tensor, abar: Tensor, output: Tensor, predicts: str, **guidance):
        self.__dict__.update(xt=xt, abar=abar, output=output, predicts=predicts, guidance=guidance)

    @cached_property
    def x0(self) -> Tensor:
        return guess(self.xt, self.output, self.abar, self.predicts, **self.guidance)

    @cached_property
    def eps(self) -> Tensor:
        return (self.xt - self.abar.sqrt() * self.x0) / (1 - self.abar).sqrt()

    def towards(self, abar_s: Tensor) -> Tensor:
        return guided_step(self.xt, self.output, self.abar, abar_s, self.predicts, **self.guidance)


Denoiser = Callable[[Tensor, int | Tensor], Prediction]


def exact_denoiser(mixture: GaussianMixture, schedule: NoiseSchedule) -> Denoiser:
    """The best denoiser there can be when the data *is* this mixture: it returns E[x0 | xt] in closed form.

    The denoiser takes xt (B, ...), each of the mixture's dimension when flattened, and t (an int or (B,)).
    """

    def denoise(xt: Tensor, t) -> Prediction:
        abar = schedule.at(t, xt)
        x0 = mixture.posterior_mean(xt.flatten(1), abar.flatten(1) if abar.ndim else abar).view_as(xt)
        return Prediction.of(xt, abar, x0=x0)

    return denoise


def ideal_denoiser(images: Tensor, schedule: NoiseSchedule) -> Denoiser:
    """The best denoiser for a finite set of images (N, C, H, W): their average, weighted by how likely each became xt.

    It is the exact denoiser of a mixture whose bumps have no width, one on each image. Source: Karras et al.
    2022 (EDM), appendix B.3.
    """
    return exact_denoiser(GaussianMixture(means=images.flatten(1), stds=torch.zeros(len(images))), schedule)


def network_denoiser(network: Callable[[Tensor, Tensor], Tensor], schedule: NoiseSchedule, predicts: str = "x0",
                     clip: bool = True) -> Denoiser:
    """A trained network as a denoiser: the third kind, the same to everybody else.

    `network(xt, t)` takes xt (B, ...) and t (B,) and returns what `predicts` names, "eps", "x0" or "v". With `clip`
    the guessed picture is cut to [-1, 1] (DDPM's code does it). It runs in the device's fast precision.
    """

    def denoise(xt: Tensor, t) -> Prediction:
        with autocast(xt.device):
            output = network(xt, torch.as_tensor(t, device=xt.device).expand(len(xt)))
        return NetworkPrediction(xt, schedule.at(t, xt), output, predicts, threshold="static" if clip else None)

    return denoise
