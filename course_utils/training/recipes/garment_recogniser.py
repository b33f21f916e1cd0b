"""The recogniser of garments, whose features the course's distance between sets of them is measured with."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from course_utils.datasets import to_model_range
from course_utils.datasets.augment import random_flips
from course_utils.datasets.garments import CLASSES, Garments
from course_utils.networks import Recogniser, device_of
from course_utils.training.recipe import Recipe


class Labelled(Recipe):
    """Garments with their labels, shifted by up to `shift` pixels and flipped at random."""

    shift = 0

    def pick(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """`n` images in [-1, 1] and their labels, on the generator's device."""
        chosen = torch.randint(len(self.train), (n,), generator=generator, device=generator.device).cpu()
        images = to_model_range(self.train.images[chosen].to(generator.device))
        if self.shift:
            way = torch.randint(-self.shift, self.shift + 1, (2,), generator=generator, device=generator.device)
            images = images.roll(way.tolist(), (-2, -1))
        return random_flips(images, generator), self.train.labels[chosen].to(generator.device)

    @cached_property
    def train(self) -> Garments:
        return Garments("train")


class GarmentRecogniser(Labelled):
    """Clean images, shifted by up to two pixels and flipped at random."""

    name = "garment-recogniser"
    data = "garments, train split, 32 x 32, shifted by up to two pixels, mirrored at random"
    images = 128_000
    lr = 3e-3
    weight_decay = 0.05
    ema = 0.99
    shift = 2

    def network(self) -> Recogniser:
        return Recogniser(list(CLASSES), channels=1)

    def batch(self, n: int, generator: torch.Generator, images_seen: int = 0) -> dict[str, Tensor]:
        images, labels = self.pick(n, generator)
        return {"images": images, "labels": labels}

    def loss(self, network, batch: dict[str, Tensor]) -> Tensor:
        return cross_entropy(network(batch["images"]), batch["labels"], reduction="none")

    def measures(self, network: Recogniser) -> dict[str, float]:
        test, device = Garments("test"), device_of(network)
        p = torch.cat([network(part.to(device)).softmax(1).cpu() for part in to_model_range(test.images).split(500)])
        return {"accuracy": round((p.argmax(1) == test.labels).float().mean().item(), 4),
                "share_named_above_0.5": round((p.amax(1) > 0.5).float().mean().item(), 4)}
