"""A recipe that trains in less than a second, and what goes wrong in a training, for test_training.py."""

from __future__ import annotations

import signal

import torch
from torch import Tensor

from course_utils.networks import UNet
from course_utils.systems.model import noised
from course_utils.systems.unconditional import Unconditional
from course_utils.training.recipe import DiffusionRecipe


def alive(std: float = 0.2, widths: tuple[int, ...] = (8, 16), **options) -> UNet:
    """A small network, the same each time, whose ends are not zero, so that every part of it counts."""
    torch.manual_seed(0)
    network = UNet(widths=widths, middle=1, **options).eval()
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=std)
    return network


class Tiny(DiffusionRecipe):
    """Stripes, 8 x 8."""

    name, data = "tiny", "stripes, 8 x 8"
    images, batch_size, lr, warmup, ema = 96, 8, 1e-2, 4, 0.9

    def network(self) -> UNet:
        return UNet(widths=(8, 16), middle=1)

    def batch(self, n: int, generator: torch.Generator, images_seen: int = 0) -> dict[str, Tensor]:
        columns = torch.rand(n, 1, 1, 8, generator=generator).round() * 2 - 1
        return noised(columns.expand(-1, -1, 8, -1), generator)

    def preview(self, network: UNet) -> Tensor:
        return Unconditional(network).sample(10, steps=2, size=8)

    def measures(self, network: UNet) -> dict[str, float]:
        batch = self.batch(64, torch.Generator().manual_seed(1))
        return {"held_out_loss": self.loss(network, batch).mean().item()}


class Stopped(Tiny):
    """Somebody sends a signal in the middle of a batch."""

    def __init__(self, after: int, number: int = signal.SIGINT):
        self.left, self.number = after, number

    def batch(self, n: int, generator: torch.Generator, images_seen: int = 0) -> dict[str, Tensor]:
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(self.number)
        return super().batch(n, generator, images_seen)


class Broken(Tiny):
    """From one batch on the loss is not finite, or its gradient is not."""

    def __init__(self, after: int, slope_only: bool = False):
        self.left, self.slope_only = after, slope_only

    def loss(self, network, batch: dict[str, Tensor]) -> Tensor:
        self.left -= 1
        loss = super().loss(network, batch)
        if self.left >= 0:
            return loss
        return loss + (loss * 0).sqrt() if self.slope_only else loss * float("nan")
