"""Imagen: from any sentence to an image of 128 x 128 (Saharia et al. 2022). The text encoder is frozen."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.diffusion import Denoiser, NoiseSchedule, dynamic_threshold, static_threshold
from course_utils.diffusion.samplers import Callback
from course_utils.networks import FrozenTextUNet, SentenceEncoder, UNet, load_network, load_text_encoder
from course_utils.networks.frozen_text import Encoder
from course_utils.runtime import device, seeded
from course_utils.systems import glide
from course_utils.systems.checks import check_images
from course_utils.systems.glide import AUGMENTATION, Prompts, TextConditional, checked_level, enlarge_and_augment
from course_utils.systems.model import SCHEDULE, Condition, Model

Threshold = Callable[[Denoiser], Denoiser]


class FrozenTextConditional(TextConditional):
    """GLIDE's base with a frozen encoder in place of its own; prompts may hold words that no caption had."""

    def __init__(self, network: FrozenTextUNet, encoder: Encoder, schedule: NoiseSchedule = SCHEDULE):
        super().__init__(network, schedule)
        self.encoder = encoder

    def texts(self, prompts: Prompts) -> tuple[Condition, Condition]:
        """States and mask of the prompts, and of as many empty ones."""
        states, mask = (x.to(self.model.device) for x in self.encoder(prompts))
        return ({"states": states, "mask": mask},
                {"states": torch.zeros_like(states), "mask": torch.zeros_like(mask)})

    def sample(self, prompts: Prompts, guidance_scale: float = 2.0, steps: int = 20, seed: int = 0,
               threshold: Threshold | None = dynamic_threshold, **options) -> Tensor:
        """An image for each prompt, (B, 3, 32, 32); threshold: what keeps predicted images in range, or None."""
        denoiser = self.denoiser(prompts, guidance_scale)
        return self.model.sample(threshold(denoiser) if threshold else denoiser, self.shape(prompts), steps=steps,
                                 seed=seed, **options)


class Upsampler(glide.Upsampler, FrozenTextConditional):
    """From 32 x 32 to 64 x 64, with the prompt."""


class LastUpsampler:
    """From 64 x 64 to 128 x 128. It takes no prompt, has no attention, and was trained on crops, so any size serves."""

    def __init__(self, network: UNet, schedule: NoiseSchedule = SCHEDULE):
        self.network, self.model = network, Model(network, schedule)

    def sample(self, low: Tensor, steps: int = 10, seed: int = 0, augmentation: float = AUGMENTATION,
               **options) -> Tensor:
        """Each image low (B, 3, H, W) in [-1, 1] at twice its size, after noise of `augmentation` in [0, 0.5]."""
        low = check_images(low, self.model.device)
        level = checked_level(augmentation, low)
        condition = enlarge_and_augment(low, level, seeded(seed, low.device, "last augmentation"))
        shape = (*low.shape[:2], 2 * low.shape[2], 2 * low.shape[3])
        return self.model.sample(static_threshold(self.model.denoiser(condition)), shape, steps=steps, seed=seed,
                                 stage="last upsampler", **options)


class Imagen:
    """The cascade: 32 x 32, 64 x 64, 128 x 128."""

    def __init__(self, base: FrozenTextConditional, upsampler: Upsampler, last: LastUpsampler):
        self.base, self.upsampler, self.last = base, upsampler, last

    def sample(self, prompts: Prompts, guidance_scale: float = 2.0, steps: int = 20, seed: int = 0,
               augmentation: float = AUGMENTATION, callback: Callback | None = None, **options) -> Tensor:
        """An image for each prompt, (B, 3, 128, 128); only the base is guided.

        `callback` is told of the steps of all three; the options are for the base.
        """
        image = self.base.sample(prompts, guidance_scale, steps, seed, callback=callback, **options).clamp(-1, 1)
        more = {"seed": seed, "augmentation": augmentation, "callback": callback}
        return self.last.sample(self.upsampler.sample(prompts, image, **more).clamp(-1, 1), **more)


def load(part: str = "cascade") -> Imagen | FrozenTextConditional | LastUpsampler:
    """The "cascade", its "base", "upsampler" (to 64) or "upsampler-128", or the "multilingual" base, with the weights
    that ship with the course, on this computer's fastest device. NetworkError when an encoder is not installed."""
    if part == "cascade":
        base = load("base")
        return Imagen(base, Upsampler(_network("upsampler"), base.encoder), load("upsampler-128"))
    if part == "upsampler-128":
        return LastUpsampler(_network(part))
    if part == "multilingual":
        return FrozenTextConditional(_network("sentence"), SentenceEncoder())
    kinds = {"base": FrozenTextConditional, "upsampler": Upsampler}
    if part not in kinds:
        raise ValueError(f"part must be one of cascade, base, upsampler, upsampler-128, multilingual; got {part!r}.")
    return kinds[part](_network(part), load_text_encoder().to(device()))


def _network(part: str):
    return load_network(f"imagen-{part}").to(device())
