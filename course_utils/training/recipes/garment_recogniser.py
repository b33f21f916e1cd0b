"""The judge of garment pictures: it names them, and its features carry the course's distance between sets of them."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from course_utils.datasets import to_model_range
from course_utils.datasets.garments import CLASSES, Garments
from course_utils.networks import Recogniser
from course_utils.training.recipe import Recipe
from course_utils.training.recipes.ddpm_garments import mirrored


class Labelled(Recipe):
    """Garments with their labels, shifted by up to `shift` pixels and mirrored at random."""

    shift = 0

    def pick(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """`n` pictures in [-1, 1] and their labels, on the generator's device."""
        chosen = torch.randint(len(self.train), (n,), generator=generator, device=generator.device).cpu()
        pictures = to_model_range(self.train.images[chosen].to(generator.device))
        if self.shift:
            way = torch.randint(-self.shift, self.shift + 1, (2,), generator=generator, device=generator.device)
            pictures = pictures.roll(way.tolist(), (-2, -1))
        return mirrored(pictures, generator), self.train.labels[chosen].to(generator.device)

    @cached_property
    def train(self) -> Garments:
        return Garments("train")


class GarmentRecogniser(Labelled):
    """Clean pictures, shifted by up to two pixels and mirrored at random."""

    name = "garment-recogniser"
    data = "garments, train split, 32 x 32, shifted by up to two pixels, mirrored at random"
    images = 128_000
    lr = 3e-3
    weight_decay = 0.05
    ema = 0.99
    shift = 2

    def network(self) -> Recogniser:
        return Recogniser(list(CLASSES), channels=1)

    def batch(self, n: int, generator: torch.Generator) -> dict[str, Tensor]:
        pictures, labels = self.pick(n, generator)
        return {"pictures": pictures, "labels": labels}

    def loss(self, network, batch: dict[str, Tensor]) -> Tensor:
        return cross_entropy(network(batch["pictures"]), batch["labels"], reduction="none")

    def measures(self, network: Recogniser) -> dict[str, float]:
        test, where = Garments("test"), next(network.parameters()).device
        p = torch.cat([network(part.to(where)).softmax(1).cpu() for part in to_model_range(test.images).split(500)])
        return {"accuracy": round((p.argmax(1) == test.labels).float().mean().item(), 4),
                "share_named_above_0.5": round((p.amax(1) > 0.5).float().mean().item(), 4)}
