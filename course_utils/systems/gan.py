"""A class-conditional GAN, the baseline of guided diffusion: images in one step (Brock et al. 2019, BigGAN)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from course_utils.networks import device_of, load_network
from course_utils.runtime import autocast, device, seeded


class ClassGAN:
    """A trained `networks.GAN`: `sample(label)`."""

    def __init__(self, network: nn.Module):
        self.network = network

    @torch.no_grad()
    def sample(self, label: Tensor, truncation: float | None = None, seed: int = 0) -> Tensor:
        """An image for each label (B,): (B, channels, 32, 32).

        truncation: the largest |z| (BigGAN's truncation trick: less variety, fewer failures).
        """
        z = latents(len(label), self.network.latent_dim, truncation, seeded(seed))
        device = device_of(self.network)
        with autocast(device):
            return self.network(z.to(device), torch.as_tensor(label).to(device)).float()


def latents(n: int, size: int, truncation: float | None, generator: torch.Generator) -> Tensor:
    """Normal numbers (n, size) of at most `truncation` in size. ValueError unless that is above 0."""
    if truncation is None:
        return torch.randn(n, size, generator=generator)
    if not truncation > 0:
        raise ValueError(f"truncation must be above 0, or None; got {truncation}.")
    # Equally likely numbers between the two ends, seen through the inverse of the normal distribution
    end = math.erf(truncation / 2**0.5)
    return 2**0.5 * torch.erfinv((2 * torch.rand(n, size, generator=generator) - 1) * end)


def load(name: str = "gan-garments") -> ClassGAN:
    """The system with the weights that ship with the course, on this computer's fastest device."""
    return ClassGAN(load_network(name).to(device()))


def loss(network, batch: dict[str, Tensor], penalty: float) -> Tensor:
    """The losses of discriminator and generator for each example of a batch (B,), plus the weighted penalty."""
    discriminator, generator, gradient_penalty = network(batch["z"], batch["label"], batch["images"])
    return discriminator + generator + penalty / 2 * gradient_penalty.mean()
