"""GLIDE: from a sentence to an image (Nichol et al. 2022). The condition is a text, encoded by a network of its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from course_utils.diffusion import Denoiser, NoiseSchedule, ddpm, static_threshold
from course_utils.diffusion.guidance import LogProb
from course_utils.diffusion.samplers import Callback
from course_utils.networks import NoisyCLIP, TextUNet, load_network
from course_utils.networks.text import PAD, UNKNOWN
from course_utils.runtime import autocast, device, seeded
from course_utils.systems.checks import check_images, check_mask, check_prompts
from course_utils.systems.classifier import guided_by
from course_utils.systems.inpainting import MaskedImage, keep
from course_utils.systems.model import SCHEDULE, Condition, Model
from course_utils.systems.sr3 import augment

SMALL, LARGE = 32, 64
# Noise level of the small image that the upsampler is given: the largest in training, and the default in sampling
MAX_AUGMENTATION, AUGMENTATION = 0.5, 0.1
# Share of words hidden in training, so that an unknown word means "something" and not nothing
P_UNKNOWN = 0.02
Prompts = str | Sequence[str]


class TextConditional:
    """A U-Net with its text encoder and a schedule: `denoiser(prompts)` for the samplers, `sample(prompts)` for images.

    Prompts are any texts, several or one; `network.tokenizer.remarks(prompt)` says what of one is not understood.
    """

    size = SMALL

    def __init__(self, network: TextUNet, schedule: NoiseSchedule = SCHEDULE):
        self.network, self.model = network, Model(network.unet, schedule)

    def denoiser(self, prompts: Prompts, guidance_scale: float = 1.0, *, vector: Tensor | None = None,
                 **condition: Tensor) -> Denoiser:
        """Guided towards prompts, for batches of that size, away from the empty prompt.

        Prompts are encoded once, not at every step. `vector` and the U-Net's other conditions, such as `image`, are the
        same with and without prompt. ValueError for prompts that are no texts, or not as many as images, and for a
        wrong scale.
        """
        texts, count = self.texts(check_prompts(prompts)), self.shape(prompts)[0]
        for given in condition.values():
            if len(given) != count:
                raise ValueError(f"each image needs its prompt; got {len(given)} images and {count} prompts.")
        with torch.no_grad(), autocast(self.model.device):
            prompted, empty = (self.network.encode(**text, vector=vector) | condition for text in texts)
        return self.model.denoiser(prompted, empty, guidance_scale)

    def texts(self, prompts: Prompts) -> tuple[Condition, Condition]:
        """What `network.encode` takes: for the prompts, and for as many empty ones."""
        tokens = self.network.tokenizer(prompts).to(self.model.device)
        return {"tokens": tokens}, {"tokens": torch.full_like(tokens, PAD)}

    def sample(self, prompts: Prompts, guidance_scale: float = 2.0, steps: int = 20, seed: int = 0,
               **options) -> Tensor:
        """An image for each prompt, (B, 3, size, size); options as `Model.sample` takes them."""
        denoiser = static_threshold(self.denoiser(prompts, guidance_scale))
        return self.model.sample(denoiser, self.shape(prompts), steps=steps, seed=seed, **options)

    def shape(self, prompts: Prompts) -> tuple[int, ...]:
        """The shape (B, 3, size, size) of the images of prompts."""
        return (len(check_prompts(prompts)), self.network.channels, self.size, self.size)

    def _check(self, images: Tensor) -> Tensor:
        """Given images (B, 3, 32, 32) in [-1, 1], on the network's device. ValueError for others."""
        images = check_images(images, self.model.device)
        if images.shape[1:] != (3, SMALL, SMALL):
            raise ValueError(f"images must be (B, 3, {SMALL}, {SMALL}), as the base draws them; got "
                             f"{tuple(images.shape)}.")
        return images


class Upsampler(TextConditional):
    """The same at 64 x 64, with an image of 32 x 32 to start from; it is given the prompt too.

    Unlike in SR3 the network predicts the whole image, not what the enlarged one lacks, for that one is noisy.
    """

    size = LARGE

    def sample(self, prompts: Prompts, low: Tensor, guidance_scale: float = 1.0, steps: int = 10, seed: int = 0,
               augmentation: float = AUGMENTATION, **options) -> Tensor:
        """Each image low (B, 3, 32, 32) in [-1, 1] at twice its size, after noise of `augmentation` in [0, 0.5]."""
        low = self._check(low)
        level = checked_level(augmentation, low)
        condition = enlarge_and_augment(low, level, seeded(seed, low.device, "augmentation"))
        denoiser = static_threshold(self.denoiser(prompts, guidance_scale, **condition))
        return self.model.sample(denoiser, self.shape(prompts), steps=steps, seed=seed, stage="upsampler", **options)


class Inpainter(TextConditional):
    """The base, fine-tuned on which part of the image is kept; mask 1 is kept, 0 is the hole, as in GLIDE."""

    def sample(self, prompts: Prompts, known: Tensor, mask: Tensor, guidance_scale: float = 2.0, steps: int = 20,
               seed: int = 0, **options) -> Tensor:
        """Images known (B, 3, 32, 32) in [-1, 1], with what the prompt says where mask (B, 1, 32, 32) is 0."""
        known = self._check(known)
        mask = check_mask(mask, known)
        condition = MaskedImage.condition(known, mask, seeded(seed, known.device, "condition"))
        denoiser = static_threshold(keep(self.denoiser(prompts, guidance_scale, **condition), known, mask))
        return self.model.sample(denoiser, self.shape(prompts), steps=steps, seed=seed, **options)


class GLIDE:
    """The cascade: the base draws 32 x 32, the upsampler makes 64 x 64 of it."""

    def __init__(self, base: TextConditional, upsampler: Upsampler):
        self.base, self.upsampler = base, upsampler

    def sample(self, prompts: Prompts, guidance_scale: float = 2.0, steps: int = 20, seed: int = 0,
               augmentation: float = AUGMENTATION, callback: Callback | None = None, **options) -> Tensor:
        """An image for each prompt, (B, 3, 64, 64); only the base is guided, as in the paper.

        `callback` is told of the base's steps, then of the upsampler's; the options are for the base.
        """
        low = self.base.sample(prompts, guidance_scale, steps, seed, callback=callback, **options)
        return self.upsampler.sample(prompts, low.clamp(-1, 1), seed=seed, augmentation=augmentation, callback=callback)


class ClipGuided:
    """CLIP guidance: the base without guidance of its own, moved to where the noised CLIP finds that both fit."""

    def __init__(self, base: TextConditional, clip: NoisyCLIP):
        self.base, self.clip = base, clip

    def log_prob(self, prompts: Prompts) -> LogProb:
        """exp(log_scale) f(xt, t).g(prompt) as a function of (xt, t), for batches of the size of prompts.

        Up to a constant it is log p(prompt | xt), as a softmax of CLIP has it (section 2.4 and the authors' code).
        """
        device = self.base.model.device
        with torch.no_grad(), autocast(device):
            text = self.clip.text_embedding(self.clip.tokenizer(prompts).to(device))

        def log_prob(xt: Tensor, t) -> Tensor:
            with autocast(device):
                return self.clip.scale * (self.clip.image_embedding(xt, t) * text).sum(1)

        return log_prob

    def sample(self, prompts: Prompts, clip_scale: float = 10.0, steps: int = 50, seed: int = 0,
               guidance_scale: float = 1.0, sampler=ddpm, **options) -> Tensor:
        """An image for each prompt, (B, 3, 32, 32); at guidance_scale 0 only CLIP knows the prompt."""
        denoiser, push = guided_by(self.base.denoiser(prompts, guidance_scale), self.log_prob(prompts), clip_scale,
                                   sampler)
        return self.base.model.sample(denoiser, self.base.shape(prompts), steps=steps, seed=seed, sampler=sampler,
                                      **push, **options)


def load(part: str = "cascade") -> GLIDE | TextConditional | ClipGuided:
    """The "cascade", its "base" or "upsampler", the base that inpaints ("inpaint") or that CLIP guides ("clip"), with
    the weights that ship with the course, on this computer's fastest device."""
    if part == "cascade":
        return GLIDE(load("base"), load("upsampler"))
    if part == "clip":
        return ClipGuided(load("base"), load_network("glide-clip").to(device()))
    kinds = {"base": TextConditional, "upsampler": Upsampler, "inpaint": Inpainter}
    if part not in kinds:
        raise ValueError(f"part must be one of cascade, {', '.join(kinds)}, clip; got {part!r}.")
    return kinds[part](load_network(f"glide-{part}").to(device()))


def checked_level(augmentation: float, low: Tensor) -> Tensor:
    """The noise level of each small image low (B, ...), (B,). ValueError for one that training did not have."""
    if not 0 <= augmentation <= MAX_AUGMENTATION:
        raise ValueError(f"augmentation must be a number in 0..{MAX_AUGMENTATION}, as in training; got {augmentation}.")
    return torch.full((len(low),), float(augmentation), device=low.device)


def enlarge_and_augment(low: Tensor, level: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """The upsampler's condition: small images (B, C, H, W) twice as large, with noise of a level (B,) that it is told.

    Bilinear as in GLIDE; the noise, as in Imagen, lets the network forgive what the base gets wrong.
    """
    return augment(enlarged(low), level, generator)


def enlarged(low: Tensor) -> Tensor:
    """Images (B, C, H, W) at twice their size, bilinear."""
    return interpolate(low, scale_factor=2, mode="bilinear")


def drop_captions(tokens: Tensor, generator: torch.Generator, p_uncond: float) -> Tensor:
    """Captions (B, M) for training: a share p_uncond of them empty, and here and there a word hidden."""
    hidden = torch.rand(tokens.shape, generator=generator, device=tokens.device) < P_UNKNOWN
    empty = torch.rand(len(tokens), 1, generator=generator, device=tokens.device) < p_uncond
    return torch.where(hidden & (tokens != PAD), UNKNOWN, tokens).masked_fill(empty, PAD)
