"""A denoiser is a function (xt, t) -> Prediction. Everything in the course is one, or a wrapper around one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from course_utils.diffusion.mixture import GaussianMixture
from course_utils.diffusion.schedule import NoiseSchedule
from course_utils.kernels import guided_step, limited, predicted_x0


@dataclass(frozen=True, eq=False)
class Prediction:
    """One prediction about a noisy image xt, under its three names eps, x0 and v (all (B, ...) like xt).

    It is made from any of them: `Prediction.of(xt, abar_t, eps=...)`, `x0=...` or `v=...`.
    v = sqrt(abar) eps - sqrt(1 - abar) x0 (Salimans and Ho 2022).
    """

    xt: Tensor
    abar: Tensor
    x0: Tensor
    eps: Tensor

    @classmethod
    def of(cls, xt: Tensor, abar: Tensor, *, eps: Tensor = None, x0: Tensor = None, v: Tensor = None) -> Prediction:
        """The prediction from exactly one of its names; `abar` broadcasts against xt. ValueError otherwise."""
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
        """The prediction as a velocity."""
        return self.abar.sqrt() * self.eps - (1 - self.abar).sqrt() * self.x0

    @property
    def score(self) -> Tensor:
        """The gradient of the log density at xt, -eps / sqrt(1 - abar) (Song and Ermon 2019)."""
        return -self.eps / (1 - self.abar).sqrt()

    def towards(self, abar_s: Tensor) -> Tensor:
        """xt moved along the prediction to another noise level: the step of `ddim` at eta = 0."""
        return abar_s.sqrt() * self.x0 + (1 - abar_s).sqrt() * self.eps

    def guided(self, unconditional: Prediction, guidance_scale: float) -> Prediction:
        """Classifier-free guidance of two predictions about the same xt: eps_u + guidance_scale (eps - eps_u)."""
        eps = unconditional.eps + guidance_scale * (self.eps - unconditional.eps)
        return Prediction.of(self.xt, self.abar, eps=eps)

    def thresholded(self, threshold: str | float) -> Prediction:
        """The prediction with x0 limited to [-1, 1], as `kernels.guided_step` does it for its `threshold`."""
        return Prediction.of(self.xt, self.abar, x0=limited(self.x0, threshold))


class NetworkPrediction(Prediction):
    """A prediction that is still a network's output; its names are computed when they are asked for.

    output (B, ...) is what `predicts` names. `guidance` may hold `unconditional`, `guidance_scale` and `threshold`, as
    `kernels.guided_step` takes them, so that a whole step of sampling remains one operation.
    """

    def __init__(self, xt: Tensor, abar: Tensor, output: Tensor, predicts: str, **guidance):
        self.__dict__.update(xt=xt, abar=abar, output=output, predicts=predicts, guidance=guidance)

    @cached_property
    def x0(self) -> Tensor:
        return predicted_x0(self.xt, self.output, self.abar, self.predicts, **self.guidance)

    @cached_property
    def eps(self) -> Tensor:
        return (self.xt - self.abar.sqrt() * self.x0) / (1 - self.abar).sqrt()

    def towards(self, abar_s: Tensor) -> Tensor:
        return guided_step(self.xt, self.output, self.abar, abar_s, self.predicts, **self.guidance)

    def guided(self, unconditional: Prediction, guidance_scale: float) -> Prediction:
        if self.guidance or getattr(unconditional, "guidance", True) or self.predicts != unconditional.predicts:
            return super().guided(unconditional, guidance_scale)
        return NetworkPrediction(self.xt, self.abar, self.output, self.predicts, unconditional=unconditional.output,
                                 guidance_scale=guidance_scale)

    def thresholded(self, threshold: str | float) -> Prediction:
        if "threshold" in self.guidance:
            return super().thresholded(threshold)
        return NetworkPrediction(self.xt, self.abar, self.output, self.predicts, threshold=threshold, **self.guidance)


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

    It is the exact denoiser of a mixture whose components have no width, one on each image. Source: Karras et al.
    2022 (EDM), appendix B.3.
    """
    return exact_denoiser(GaussianMixture(means=images.flatten(1), stds=torch.zeros(len(images))), schedule)
