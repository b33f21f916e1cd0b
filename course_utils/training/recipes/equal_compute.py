"""One U-Net on pixels and on latents of fewer and fewer numbers, each for as long: why notebook 12 has latents."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor, nn

from course_utils import runtime
from course_utils.networks import LatentUNet, load_network
from course_utils.training.recipes.autoencoder import SIZE
from course_utils.training.recipes.glide import SceneRecipe
from course_utils.training.recipes.stable_diffusion import SDBase


class Pixels(nn.Module):
    """In place of an autoencoder: an image is its own latent."""

    factor, channels = 1, 3

    def __init__(self):
        super().__init__()
        # Not trained, as in an autoencoder; it also says where the module is
        self.scale = nn.Parameter(torch.ones(()), requires_grad=False)

    def encode(self, images: Tensor) -> Tensor:
        return images

    def decode(self, latents: Tensor) -> Tensor:
        return latents


class EqualF8(SDBase):
    """Latents of f = 8: the U-Net of `sd-base` for four minutes of a core. The others take as long.

    From 16 x 16 on all of them are the same, up to the width of the time's embedding, 4 times that of the first level.
    Each factor of 2 in size adds a level of 32 channels around it, without attention. Autoencoders of equal training
    (`data/recorded/sd-short...`) make the latents.
    """

    name, factor, short = "sd-equal-f8", 8, "sd-short"
    images, batch_size, warmup = 9_600, 16, 50

    @cached_property
    def autoencoder(self) -> nn.Module:
        return load_network(runtime.data_dir() / "recorded" / self.short)

    def network(self) -> LatentUNet:
        outer = [32] * ((8 // self.factor).bit_length() - 1)
        return LatentUNet(self.autoencoder.channels, [*outer, 64, 192], size=SIZE // self.factor,
                          predicts=self.predicts, attended=1)

    def preview(self, network: LatentUNet) -> None:
        """Nothing: on the way, samples of pixels would take as long as the training."""

    def measures(self, network: LatentUNet) -> dict[str, float]:
        """The loss alone, which says nothing about other factors: tests/bench/stable_diffusion.py compares samples."""
        return SceneRecipe.measures(self, network)


class EqualF2(EqualF8):
    """Latents of 64 x 64 x 2."""

    name, factor, short = "sd-equal-f2", 2, "sd-short-f2"
    images = 5_888


class EqualF1(EqualF8):
    """Pixels, 128 x 128 x 3."""

    name, factor = "sd-equal-f1", 1
    images = 3_072

    @cached_property
    def autoencoder(self) -> Pixels:
        return Pixels()
