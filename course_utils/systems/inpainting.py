"""Inpainting: part of the image is the condition. Three methods, each its own.

A mask (B, 1, H, W) is 1 where the image is kept and 0 in the hole, as in RePaint, GLIDE and GLIGEN. For Stable
Diffusion and its pipelines in `diffusers` it is the opposite: 1 is painted anew.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_utils.diffusion import Denoiser, NoiseSchedule, Prediction, ddpm, repaint, static_threshold
from course_utils.networks import load_network
from course_utils.runtime import device, seeded
from course_utils.systems.checks import check_images, check_mask
from course_utils.systems.model import SCHEDULE, Condition, Model, noised
from course_utils.systems.unconditional import Unconditional
from course_utils.systems.unconditional import load as load_unconditional


class RePaint:
    """An unconditional system; only sampling knows of the hole (Lugmayr et al. 2022)."""

    def __init__(self, unconditional: Unconditional):
        self.unconditional = unconditional

    def sample(self, known: Tensor, mask: Tensor, steps: int = 20, seed: int = 0, resample: int = 5, jump: int = 5,
               **options) -> Tensor:
        """Images known (B, C, H, W) in [-1, 1] with their holes filled, in steps * resample network calls."""
        model = self.unconditional.model
        known = check_images(known, model.device)
        hole = {"known": known, "mask": check_mask(mask, known), "resample": resample, "jump": jump}
        return model.sample(static_threshold(model.denoiser()), known.shape, steps=steps, seed=seed, sampler=repaint,
                            **hole, **options)


class Learned:
    """A network that was trained to fill holes; each kind says what it is conditioned on."""

    def __init__(self, network: nn.Module, schedule: NoiseSchedule = SCHEDULE):
        self.network, self.model = network, Model(self.wrap(network), schedule)

    @staticmethod
    def wrap(network: nn.Module) -> nn.Module:
        """The network as the model calls it, with the condition."""
        return network

    @staticmethod
    def condition(known: Tensor, mask: Tensor, generator: torch.Generator) -> Condition:
        """The condition of images known (B, C, H, W) and masks (B, 1, H, W)."""
        raise NotImplementedError

    def denoiser(self, known: Tensor, mask: Tensor, seed: int = 0) -> Denoiser:
        """Fills the holes of known (B, C, H, W) and predicts `known` where mask is 1."""
        known = check_images(known, self.model.device)
        mask = check_mask(mask, known)
        condition = self.condition(known, mask, seeded(seed, known.device, "condition"))
        return keep(self.model.denoiser(condition), known, mask)

    def sample(self, known: Tensor, mask: Tensor, steps: int = 20, seed: int = 0, sampler=ddpm, **options) -> Tensor:
        """Images known (B, C, H, W) in [-1, 1] with their holes filled, in `steps` network calls."""
        denoiser = static_threshold(self.denoiser(known, mask, seed))
        return self.model.sample(denoiser, known.shape, steps=steps, seed=seed, sampler=sampler, **options)

    @classmethod
    def batch(cls, x0: Tensor, mask: Tensor, generator: torch.Generator) -> Condition:
        """A training batch from images x0 (B, C, H, W) and masks (B, 1, H, W)."""
        return noised(x0, generator) | cls.condition(x0, mask, generator)


class Filler(nn.Module):
    """A network that sees and predicts the known image outside of the hole, so that its error is the hole's."""

    predicts = "x0"

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, xt: Tensor, t: Tensor, *, known: Tensor, mask: Tensor, image: Tensor) -> Tensor:
        mask = mask.bool()
        return torch.where(mask, known, self.network(torch.where(mask, known, xt), t, image=image).float())


class Palette(Learned):
    """Noise in the hole, of xt and of the conditioning image, marks it; there is no mask channel.

    Source: Saharia et al. 2022 (Palette), sections 3 and 5.2. Theirs is conditioned on the noise level, not on t; that
    the known part of xt is clean is not said there, but done in the much used implementation by others.
    """

    @staticmethod
    def wrap(network: nn.Module) -> nn.Module:
        return Filler(network)

    @staticmethod
    def condition(known: Tensor, mask: Tensor, generator: torch.Generator) -> Condition:
        noise = torch.randn(known.shape, generator=generator, device=known.device)
        return {"known": known, "mask": mask, "image": torch.where(mask.bool(), known, noise)}


class MaskedImage(Learned):
    """The image with an empty hole and the mask, as C + 1 channels more; xt is noisy everywhere.

    Source: Nichol et al. 2022 (GLIDE), section 4.3; Stable Diffusion's inpainting network does the same.
    """

    @staticmethod
    def condition(known: Tensor, mask: Tensor, generator: torch.Generator) -> Condition:
        return {"image": torch.cat([known * mask, mask], dim=1)}


def keep(denoiser: Denoiser, known: Tensor, mask: Tensor) -> Denoiser:
    """The denoiser with its predicted image replaced by `known` where mask is 1, so that every sampler ends there."""

    def denoise(xt: Tensor, t) -> Prediction:
        prediction = denoiser(xt, t)
        return Prediction.of(xt, prediction.abar, x0=torch.where(mask.bool(), known, prediction.x0.to(xt)))

    return denoise


def load(method: str) -> RePaint | Learned:
    """One of the three, "repaint", "palette" or "masked-image", with the weights that ship with the course."""
    if method == "repaint":
        return RePaint(load_unconditional("photographs-64"))
    kinds = {"palette": (Palette, "palette-photographs"), "masked-image": (MaskedImage, "inpaint-photographs")}
    if method not in kinds:
        raise ValueError(f"method must be one of repaint, {', '.join(kinds)}; got {method!r}.")
    kind, name = kinds[method]
    return kind(load_network(name).to(device()))
