"""Random choices of training images, the same for the same generator."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.datasets import to_model_range


def random_images(images: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """`n` of the images (N, C, H, W) uint8, in [-1, 1], each flipped or not, on the generator's device."""
    chosen = torch.randint(len(images), (n,), generator=generator, device=generator.device).to(images.device)
    return random_flips(to_model_range(images[chosen].to(generator.device)), generator)


def random_flips(images: Tensor, generator: torch.Generator) -> Tensor:
    """The images (n, C, H, W), each flipped left to right or not."""
    flips = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device) < 0.5
    return torch.where(flips, images.flip(-1), images)
