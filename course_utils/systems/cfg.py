"""Classifier-free guidance: one network with a class, or with none (Ho and Salimans 2022)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_utils.diffusion import Denoiser, NoiseSchedule, static_threshold
from course_utils.networks import load_network
from course_utils.runtime import device
from course_utils.systems.checks import check_labels
from course_utils.systems.model import SCHEDULE, Model


class ClassConditional:
    """A trained network with its schedule; `network` takes (xt, t, label=...).

    Labels lie in 0..num_classes-1; the label `num_classes` is the null condition.
    """

    def __init__(self, network: nn.Module, schedule: NoiseSchedule = SCHEDULE):
        self.network, self.model = network, Model(network, schedule)
        self.num_classes = network.label.num_embeddings - 1

    def denoiser(self, label: Tensor, guidance_scale: float = 1.0) -> Denoiser:
        """Guided towards label (B,), for batches of that size. ValueError for a wrong label or scale."""
        label = check_labels(label, self.num_classes, or_none=True).to(self.model.device)
        null = torch.full_like(label, self.num_classes)
        return self.model.denoiser({"label": label}, {"label": null}, guidance_scale)

    def sample(self, label: Tensor, guidance_scale: float = 2.0, steps: int = 20, seed: int = 0, size: int = 32,
               **options) -> Tensor:
        """An image for each label (B,): (B, channels, size, size); options as `Model.sample` takes them."""
        denoiser = static_threshold(self.denoiser(label, guidance_scale))
        shape = (len(label), self.network.channels, size, size)
        return self.model.sample(denoiser, shape, steps=steps, seed=seed, **options)


def load(name: str = "cfg-garments") -> ClassConditional:
    """The system with the weights that ship with the course, on this computer's fastest device."""
    return ClassConditional(load_network(name).to(device()))


def drop_labels(label: Tensor, generator: torch.Generator, p_uncond: float, num_classes: int) -> Tensor:
    """Labels (B,) for training, of which a share `p_uncond` becomes the null condition `num_classes`."""
    dropped = torch.rand(len(label), generator=generator, device=label.device) < p_uncond
    return torch.where(dropped, num_classes, label)
