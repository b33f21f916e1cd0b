"""Classifier-free guidance: one network with a class, or with none (Ho and Salimans 2022)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_utils.diffusion import Denoiser, NoiseSchedule, ddim
from course_utils.diffusion.guidance import guided_network_denoiser
from course_utils.networks import load_network
from course_utils.runtime import device
from course_utils.systems import ddpm


class ClassConditional:
    """A trained network with its schedule: `denoiser(label, scale)` for the samplers, `sample(label)` for pictures.

    `network` takes (xt, t, label=...), labels in 0..classes-1; the label `classes` means "none".
    """

    def __init__(self, network: nn.Module, schedule: NoiseSchedule = ddpm.SCHEDULE):
        self.network, self.schedule = network, schedule
        self.classes = network.label.num_embeddings - 1

    def denoiser(self, label: Tensor, scale: float = 1.0, threshold: str | float | None = "static") -> Denoiser:
        """Guided towards label (B,), for batches of that size. ValueError for a wrong label or scale."""
        label = checked_labels(label, self.classes, or_none=True).to(next(self.network.parameters()).device)
        return guided_network_denoiser(self.network, self.schedule, self.network.predicts, {"label": label},
                                       {"label": torch.full_like(label, self.classes)}, scale, threshold)

    def sample(self, label: Tensor, scale: float = 2.0, steps: int = 20, seed: int = 0, size: int = 32, sampler=ddim,
               threshold: str | float | None = "static", **options) -> Tensor:
        """A picture for each label (B,): (B, channels, size, size); equal seeds give equal noise."""
        denoiser = self.denoiser(label, scale, threshold)
        return ddpm.sampled(denoiser, self, len(label), steps, seed, size, sampler, **options)


def checked_labels(label: Tensor, classes: int, or_none: bool = False) -> Tensor:
    """The labels as int64 (B,). ValueError when they are no whole numbers in 0..classes-1 (`or_none`: or `classes`)."""
    label, last = torch.as_tensor(label), classes - 1 + or_none
    if label.ndim != 1 or label.is_floating_point() or bool((label < 0).any()) or bool((label > last).any()):
        none = f" (or {classes}: none)" if or_none else ""
        raise ValueError(f"labels must be whole numbers in 0..{classes - 1}{none}, one a picture; got "
                         f"{label.tolist() if label.numel() < 9 else tuple(label.shape)}.")
    return label.long()


def load(name: str = "cfg-garments") -> ClassConditional:
    """The system with the weights that ship with the course, on this computer's fastest device."""
    return ClassConditional(load_network(name).to(device()))


def noised(x0: Tensor, label: Tensor, generator: torch.Generator, p_uncond: float, classes: int) -> dict[str, Tensor]:
    """A training batch from pictures x0 (B, C, H, W) with labels (B,), of which a share p_uncond is made "none"."""
    forget = torch.rand(len(x0), generator=generator, device=x0.device) < p_uncond
    return ddpm.noised(x0, generator) | {"label": torch.where(forget, classes, label)}
