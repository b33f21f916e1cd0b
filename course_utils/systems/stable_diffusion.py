"""Stable Diffusion: the course's model between an encoder and a decoder, on diffusers' networks (Rombach et al. 2022).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from course_utils.diffusion import Denoiser, NoiseSchedule
from course_utils.networks import Autoencoder, LatentUNet, LayoutUNet, load_network
from course_utils.networks.latent_unet import Layout
from course_utils.networks.text import PAD
from course_utils.runtime import autocast, device, whole
from course_utils.systems import unclip
from course_utils.systems.checks import check_images, check_prompts
from course_utils.systems.glide import Prompts
from course_utils.systems.model import Condition, Model


class Trailing(NoiseSchedule):
    """A schedule whose steps are of equal length down to the image itself: the last time is T / steps - 1, not 0.

    So are the times of diffusers with `timestep_spacing="trailing"`; then equal noise gives the pipeline's image.
    Source: Lin et al. 2024, section 3.3.
    """

    def timesteps(self, steps: int) -> list[int]:
        steps = whole(steps, "steps")
        if not 1 <= steps <= self.T or self.T % steps:
            raise ValueError(f"steps must divide {self.T}, the length of the schedule, such as 20, 25 or 50; got "
                             f"{steps}.")
        return list(range(self.T - 1, -1, -self.T // steps))


SCHEDULE = Trailing.cosine()


class Latent:
    """A U-Net on latents, between an autoencoder's two halves. `condition` says what it is asked for."""

    def __init__(self, network: nn.Module, autoencoder: Autoencoder, schedule: NoiseSchedule = SCHEDULE):
        self.network, self.autoencoder, self.model = network, autoencoder, Model(network, schedule)

    def condition(self, asked) -> tuple[Condition, Condition]:
        """What the network takes for what is asked, and for nothing."""
        raise NotImplementedError

    def denoiser(self, asked, guidance_scale: float = 1.0) -> Denoiser:
        """On latents, guided towards what is asked, for batches of that size."""
        given, null = self.condition(asked)
        return self.model.denoiser(given, null, guidance_scale)

    def sample(self, asked, guidance_scale: float = 3.0, steps: int = 25, seed: int = 0, **options) -> Tensor:
        """An image for each thing asked, (B, 3, 128, 128) in [-1, 1]; options as `Model.sample` takes them."""
        return self.decode(self.sample_latents(asked, guidance_scale, steps, seed, **options))

    def sample_latents(self, asked, guidance_scale: float = 3.0, steps: int = 25, seed: int = 0, **options) -> Tensor:
        """The same before the decoder, (B, channels, 16, 16)."""
        given, null = self.condition(asked)
        size = self.network.size
        shape = (len(next(iter(given.values()))), self.network.channels, size, size)
        return self.model.sample(self.model.denoiser(given, null, guidance_scale), shape, steps=steps, seed=seed,
                                 **options)

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [-1, 1], H and W multiples of 8, as latents with a standard deviation of about 1."""
        images = check_images(images, self.model.device)
        with autocast(self.model.device):
            return self.autoencoder.encode(images)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Latents (B, channels, h, w) as images (B, 3, 8 h, 8 w) in [-1, 1]."""
        with autocast(self.model.device):
            return self.autoencoder.decode(latents.to(self.model.device)).clamp(-1, 1)


class StableDiffusion(Latent):
    """From a sentence to 128 x 128. The text encoder is that of a CLIP, frozen."""

    network: LatentUNet

    def __init__(self, network: LatentUNet, autoencoder: Autoencoder, clip: nn.Module,
                 schedule: NoiseSchedule = SCHEDULE):
        super().__init__(network, autoencoder, schedule)
        self.clip = clip

    def condition(self, asked: Prompts) -> tuple[Condition, Condition]:
        """The states of the tokens of prompts (B, 32, width), and of as many empty ones.

        ValueError for prompts that are no texts.
        """
        prompts = check_prompts(asked)
        given, null = self.states(prompts), self.states([""])
        return {"text": given}, {"text": null.expand_as(given)}

    def states(self, prompts: Sequence[str]) -> Tensor:
        """The states of the tokens of prompts, (B, 32, width)."""
        return unclip.read(self.clip, prompts)["states"]

    def pipeline(self):
        """A diffusers.StableDiffusionPipeline with the same weights, on the CPU, in single precision."""
        with _quiet():
            from diffusers import DDIMScheduler, StableDiffusionPipeline

        scheduler = DDIMScheduler(
            num_train_timesteps=self.model.schedule.T, trained_betas=self.model.schedule.beta.tolist(),
            prediction_type={"v": "v_prediction", "eps": "epsilon", "x0": "sample"}[self.network.predicts],
            timestep_spacing="trailing", clip_sample=False, steps_offset=1)
        pipe = StableDiffusionPipeline(
            vae=self.autoencoder.plain(), unet=self.network.plain(), scheduler=scheduler,
            text_encoder=copy.deepcopy(self.clip.clip.text_model).cpu(), tokenizer=self.clip.tokenizer.clip,
            safety_checker=None, feature_extractor=None, requires_safety_checker=False)
        pipe.set_progress_bar_config(disable=True)
        return pipe

    def export(self, folder: Path) -> Path:
        """Write the folder that `StableDiffusionPipeline.from_pretrained(folder)` opens; return it."""
        self.pipeline().save_pretrained(folder)
        return Path(folder)


class LayoutToImage(Latent):
    """From boxes with a class each to 128 x 128, without a text: the closed set of classes is all it knows."""

    network: LayoutUNet

    def condition(self, asked: Sequence[Layout]) -> tuple[Condition, Condition]:
        """The tokens of layouts, each a list of objects (class, box), and of as many empty ones. ValueError for others.
        """
        tokens = self.network.tokenizer(asked).to(self.model.device)
        return {"tokens": tokens}, {"tokens": torch.full_like(tokens, PAD)}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what transformers says about torchvision, which no part of the course needs."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def load(part: str = "text") -> StableDiffusion | LayoutToImage:
    """From "text" or from a "layout" to images, with the weights that ship with the course, on this computer's fastest
    device."""
    if part not in ("text", "layout"):
        raise ValueError(f"part must be text or layout; got {part!r}.")
    autoencoder = load_network("sd-decoder").to(device())
    if part == "layout":
        return LayoutToImage(load_network("sd-layout").to(device()), autoencoder)
    return StableDiffusion(load_network("sd-base").to(device()), autoencoder, load_network("clip").to(device()))
