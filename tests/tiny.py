"""Networks and a recipe that are small enough for tests, and what goes wrong in a training."""

from __future__ import annotations

import signal
from pathlib import Path

import torch
from torch import Tensor

from course_utils.datasets.vocabulary import words
from course_utils.networks import TextUNet, UNet
from course_utils.systems.model import noised
from course_utils.systems.unconditional import Unconditional
from course_utils.training import train
from course_utils.training.recipe import DiffusionRecipe
from course_utils.training.recipes.glide import LENGTH
from course_utils.training.run import Run

VOCABULARY = words()
CAPTIONS = ["a glossy cat on a blue background", "a dog left of a flat pizza", "a large owl", ""]


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


def reader(**options) -> TextUNet:
    """A small network that reads, the same each time, whose ends are not zero."""
    torch.manual_seed(0)
    shape = {"channels": 3, "widths": [8, 16], "middle": 1} | options
    network = TextUNet(VOCABULARY, shape, LENGTH, width=32, layers=1).eval()
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.2)
    return network


def quietly(recipe, folder: Path, **options):
    return train(recipe, folder=folder, progress=False, **options)


def log(folder: Path) -> list[dict]:
    """The log without the seconds, which differ from run to run."""
    return [{key: row[key] for key in ("images", "loss", "lr")} for row in Run(folder).read_log()]


def same(one: Path, other: Path) -> bool:
    """Have two trainings the same state, bit for bit, and the same log?"""
    (a, numbers_a), (b, numbers_b) = Run(one).load(), Run(other).load()
    numbers_a.pop("seconds"), numbers_b.pop("seconds")
    return (a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a) and numbers_a == numbers_b
            and log(one) == log(other))
