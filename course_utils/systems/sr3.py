"""SR3: a large picture out of a small one (Saharia et al. 2022). The condition is an image beside the noisy one."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from course_utils.diffusion import Denoiser, NoiseSchedule, ddim, network_denoiser
from course_utils.diffusion.losses import seeded_error
from course_utils.kernels import q_sample
from course_utils.networks import load_network
from course_utils.runtime import device, seeded
from course_utils.systems import ddpm

FACTOR = 4


class SR3:
    """A trained network with a schedule: `sample(low)` for large pictures, `regression(low)` for their mean.

    `network` takes (xt, level, image=...): the noise level as sqrt(abar), the share of the picture in xt, and the
    enlarged small picture. It knows no times, so any schedule serves at sampling. SR3 feeds abar itself; its root, as
    in WaveGrad, tells apart what is almost noise, and there a picture is decided.
    """

    def __init__(self, network: nn.Module, schedule: NoiseSchedule = ddpm.SCHEDULE):
        if not network.noise_level or network.predicts != "x0":
            raise ValueError("SR3 needs a network that takes a noise level in place of t, and predicts x0: "
                             "UNet(noise_level=True, predicts='x0', ...).")
        self.network, self.schedule = network, schedule

    def denoiser(self, low: Tensor, noise: float = 0.0, seed: int = 0) -> Denoiser:
        """For pictures xt (B, C, 4H, 4W) that belong to low (B, C, H, W) in [-1, 1]; ValueError for others.

        noise in [0, 1): how much of it the enlarged picture gets, for a network that was trained so (see `noised`).
        """
        if noise and self.network.pooled is None:
            raise ValueError("this network has never seen noise on its small pictures. Leave `noise` at 0.")
        image = enlarged(ddpm.placed(low, self.network))
        condition = {"image": image}
        if self.network.pooled is not None:
            condition = augmented(image, torch.full_like(image[:, 0, 0, 0], noise), seeded(seed, image.device))

        def network(xt: Tensor, t: Tensor) -> Tensor:
            return guess(self.network, xt, self.schedule.at(t, xt).flatten(), condition)

        return network_denoiser(network, self.schedule, "x0")

    def sample(self, low: Tensor, steps: int = 20, seed: int = 0, sampler=ddim, noise: float = 0.0,
               **options) -> Tensor:
        """A large picture (B, C, 4H, 4H) for each small one, low (B, C, H, H) in [-1, 1]; another seed, another one."""
        return ddpm.sampled(self.denoiser(low, noise, seed + 2), self, len(low), steps, seed, FACTOR * low.shape[-1],
                            sampler, **options)

    @torch.no_grad()
    def regression(self, low: Tensor) -> Tensor:
        """The mean of all large pictures (B, C, 4H, 4W) that low may stand for: the network's guess at pure noise.

        Least squares make it so. The noise says nothing there, and is left at zero.
        """
        low = ddpm.placed(low, self.network)
        return self.denoiser(low)(torch.zeros_like(enlarged(low)), self.schedule.T - 1).x0


def shrunk(pictures: Tensor) -> Tensor:
    """Pictures (B, C, H, W) in [-1, 1] at a quarter of their size: bicubic with anti-aliasing, as for SR3."""
    return interpolate(pictures, scale_factor=1 / FACTOR, mode="bicubic", antialias=True).clamp(-1, 1)


def enlarged(low: Tensor) -> Tensor:
    """Small pictures (B, C, H, W) in [-1, 1] at four times their size, bicubic: what the network sees of them."""
    return interpolate(low, scale_factor=FACTOR, mode="bicubic").clamp(-1, 1)


def augmented(image: Tensor, level: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """image (B, C, H, W) with noise of variance level^2 in it, level (B,), of which the network is told as `vector`.

    Source: Ho et al. 2022 (cascaded diffusion), section 4.2; Saharia et al. 2022 (Imagen), section 2.4.
    """
    seed = torch.randint(2**62, (len(image),), generator=generator, device=image.device)
    return {"image": q_sample(image, 1 - level**2, seed), "vector": level[:, None]}


def load(name: str = "sr3-photographs") -> SR3:
    """The system with the weights that ship with the course, on this computer's fastest device."""
    return SR3(load_network(name).to(device()))


def noised(x0: Tensor, generator: torch.Generator, most: float = 0.0) -> dict[str, Tensor]:
    """A training batch from large pictures x0 (B, C, H, W): xt, its abar (B,) and seed (B,), and the condition.

    A step of the schedule at random, then abar anywhere between its ends (SR3, section 2.4). With `most` above 0 the
    condition is augmented, at levels in [0, most); the network then needs pooled=1.
    """
    t = torch.randint(ddpm.SCHEDULE.T, (len(x0),), generator=generator, device=x0.device)
    after, before = (ddpm.SCHEDULE.at(time, x0).flatten() for time in (t, t - 1))
    abar = before + (after - before) * torch.rand(len(x0), generator=generator, device=x0.device)
    seed = torch.randint(2**62, (len(x0),), generator=generator, device=x0.device)
    condition = {"image": enlarged(shrunk(x0))}
    if most:
        level = most * torch.rand(len(x0), generator=generator, device=x0.device)
        condition = augmented(condition["image"], level, generator)
    return {"x0": x0, "abar": abar, "seed": seed, "xt": q_sample(x0, abar, seed)} | condition


def loss(network, batch: dict[str, Tensor], weight: str) -> Tensor:
    """The error for each picture of a batch from `noised`, (B,)."""
    condition = {name: batch[name] for name in ("image", "vector") if name in batch}
    output = guess(network, batch["xt"], batch["abar"], condition)
    return seeded_error(output, "x0", batch["x0"], batch["seed"], batch["abar"], weight)


def guess(network, xt: Tensor, abar: Tensor, condition: dict[str, Tensor]) -> Tensor:
    """The guess at x0 (B, C, H, W): the enlarged picture, and what the network says is missing in it."""
    return condition["image"] + network(xt, abar.sqrt(), **condition).float()
