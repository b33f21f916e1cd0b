"""A network of Stable Diffusion that learned a little more, in additions of low rank (LoRA; Hu et al. 2021)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from course_utils.networks.frozen_base import FrozenBase
from course_utils.networks.latent_unet import LatentUNet
from course_utils.networks.weights import LARGE


class LowRankUNet(FrozenBase):
    """A LatentUNet W, frozen, of which each large weight has an addition: W + B A, rank `rank`, at first nothing.

    base: the checkpoint whose weights are W; None for an untrained one with the options `unet`. `state_dict` holds A
    and B alone. Called as a LatentUNet; `merged` is one whose weights are the sums.
    """

    def __init__(self, base: str | None = "sd-base", rank: int = 16, unet: dict[str, Any] | None = None):
        super().__init__(base, unet)
        large = [part for part in self.unet.modules()
                 if isinstance(part, (nn.Linear, nn.Conv2d)) and part.weight.numel() >= LARGE]
        for part in large:
            parametrize.register_parametrization(part, "weight", LowRank(part.weight, rank))
        self.keep([name for name, weight in self.named_parameters() if weight.requires_grad])

    @torch.no_grad()
    def merged(self) -> LatentUNet:
        """A plain network with the same answers, as fast as the base."""
        network = LatentUNet(**self.base_options).to(next(self.parameters()).device)
        parts = dict(self.unet.named_modules())
        for name, weight in network.unet.named_parameters():
            part, _, which = name.rpartition(".")
            weight.copy_(getattr(parts[part], which))
        return network.eval().requires_grad_(False)

    def plain(self):
        return self.merged().plain()


class LowRank(nn.Module):
    """What is added to a weight of a linear layer or a convolution."""

    def __init__(self, weight: Tensor, rank: int):
        super().__init__()
        rows, columns = weight.flatten(1).shape
        self.A = nn.Parameter(torch.randn(rank, columns) / columns**0.5)
        self.B = nn.Parameter(torch.zeros(rows, rank))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + (self.B @ self.A).view_as(weight)
