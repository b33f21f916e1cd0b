"""Inpainting: part of the picture is the condition. Three methods, each its own.

A mask (B, 1, H, W) is 1 where the picture is kept and 0 in the hole, as in RePaint, GLIDE and GLIGEN. For Stable
Diffusion and its pipelines in `diffusers` it is the opposite: 1 is painted anew.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_utils.diffusion import Denoiser, NoiseSchedule, Prediction, network_denoiser, repaint, samplers
from course_utils.diffusion.losses import seeded_error
from course_utils.networks import load_network
from course_utils.runtime import device, seeded
from course_utils.systems import ddpm


class RePaint:
    """An unconditional model; only sampling knows of the hole (Lugmayr et al. 2022)."""

    def __init__(self, model: ddpm.DDPM):
        self.model = model

    def sample(self, known: Tensor, mask: Tensor, steps: int = 20, seed: int = 0, resample: int = 5, jump: int = 5,
               **options) -> Tensor:
        """The pictures known (B, C, H, H) in [-1, 1] with their holes filled, in steps * resample network calls."""
        known, mask = placed(self.model.network, known, mask)
        return ddpm.sampled(self.model.denoiser(), self.model, len(known), steps, seed, known.shape[-1], repaint,
                            known=known, mask=mask, resample=resample, jump=jump, **options)


class Learned:
    """A network that was trained to fill holes: it takes (xt, t, image=...), and `image` tells it what is known."""

    def __init__(self, network: nn.Module, schedule: NoiseSchedule = ddpm.SCHEDULE):
        self.network, self.schedule = network, schedule

    @staticmethod
    def sees(xt: Tensor, known: Tensor, mask: Tensor) -> Tensor:
        """What the network is given for xt."""
        return xt

    @staticmethod
    def image(known: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        """What it is told beside that."""
        raise NotImplementedError

    def denoiser(self, known: Tensor, mask: Tensor, seed: int = 0) -> Denoiser:
        """For every sampler: fills the holes of known (B, C, H, W) and answers `known` where mask is 1."""
        known, mask = placed(self.network, known, mask)
        image = self.image(known, mask, seeded(seed, known.device))
        inner = network_denoiser(lambda xt, t: self.network(self.sees(xt, known, mask), t, image=image), self.schedule,
                                 self.network.predicts)
        return kept(inner, known, mask)

    def sample(self, known: Tensor, mask: Tensor, steps: int = 20, seed: int = 0, sampler=samplers.ddpm,
               **options) -> Tensor:
        """The pictures known (B, C, H, H) in [-1, 1] with their holes filled, in `steps` network calls."""
        return ddpm.sampled(self.denoiser(known, mask, seed + 2), self, len(known), steps, seed, known.shape[-1],
                            sampler, **options)

    @classmethod
    def noised(cls, x0: Tensor, mask: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """A training batch from pictures x0 (B, C, H, W) and masks (B, 1, H, W)."""
        batch = ddpm.noised(x0, generator)
        return batch | {"xt": cls.sees(batch["xt"], x0, mask), "image": cls.image(x0, mask, generator), "mask": mask}


class Palette(Learned):
    """Noise in the hole, of xt and of a second picture, says where it is; no mask is told.

    Source: Saharia et al. 2022 (Palette), sections 3 and 5.2. Theirs is conditioned on the noise level, not on t; that
    the known part of xt is clean is not said there, but done in the much used implementation by others.
    """

    @staticmethod
    def sees(xt: Tensor, known: Tensor, mask: Tensor) -> Tensor:
        return torch.where(mask.bool(), known, xt)

    @staticmethod
    def image(known: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        noise = torch.randn(known.shape, generator=generator, device=known.device)
        return torch.where(mask.bool(), known, noise)

    @staticmethod
    def loss(network, batch: dict[str, Tensor], weight: str) -> Tensor:
        """The error in the hole (B,), for a network that predicts x0; each pixel of a hole counts the same."""
        output = network(batch["xt"], batch["t"], image=batch["image"])
        output = torch.where(batch["mask"].bool(), batch["x0"], output.float())
        abar = ddpm.SCHEDULE.at(batch["t"], output).flatten()
        return seeded_error(output, "x0", batch["x0"], batch["seed"], abar, weight)


class MaskedImage(Learned):
    """The picture with an empty hole and the mask, as C + 1 channels more; xt is noisy everywhere.

    Source: Nichol et al. 2022 (GLIDE), section 4.3; Stable Diffusion's inpainting network does the same.
    """

    @staticmethod
    def image(known: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        return torch.cat([known * mask, mask], dim=1)

    @staticmethod
    def loss(network, batch: dict[str, Tensor], weight: str) -> Tensor:
        """The error of the whole picture (B,), as without a hole."""
        return ddpm.loss(network, batch, "x0", weight, condition=["image"])


def kept(denoiser: Denoiser, known: Tensor, mask: Tensor) -> Denoiser:
    """The denoiser with its guess replaced by `known` where mask is 1, so that every sampler ends there."""

    def denoise(xt: Tensor, t) -> Prediction:
        guess = denoiser(xt, t)
        return Prediction.of(xt, guess.abar, x0=torch.where(mask.bool(), known, guess.x0.to(xt)))

    return denoise


def placed(network: nn.Module, known: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures (B, C, H, W) in [-1, 1] and masks (B, 1, H, W) on the network's device. ValueError for others."""
    known = ddpm.placed(known, network)
    wanted = (len(known), 1, *known.shape[2:])
    if mask.shape != wanted or not bool(((mask == 0) | (mask == 1)).all()):
        raise ValueError(f"masks must be {wanted}, 1 where the picture is kept and 0 in the hole; got "
                         f"{tuple(mask.shape)}, {mask.min().item():g}..{mask.max().item():g}.")
    return known, mask.to(known)


def load(method: str) -> RePaint | Learned:
    """One of the three, "repaint", "palette" or "masked-image", with the weights that ship with the course."""
    if method == "repaint":
        return RePaint(ddpm.load("photographs-64"))
    kinds = {"palette": (Palette, "palette-photographs"), "masked-image": (MaskedImage, "inpaint-photographs")}
    if method not in kinds:
        raise ValueError(f"method must be one of repaint, {', '.join(kinds)}; got {method!r}.")
    kind, name = kinds[method]
    return kind(load_network(name).to(device()))
