"""Clothes out of noise: the unconditional model of notebooks 03 and 04."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from course_utils.datasets import to_model_range
from course_utils.datasets.garments import Garments
from course_utils.measure import frechet_distance
from course_utils.networks import UNet, load_network
from course_utils.runtime import seeded
from course_utils.systems import ddpm
from course_utils.training.recipe import Recipe


class DDPMGarments(Recipe):
    """The course's U-Net on 16,000 garments, mirrored at random; it predicts x0."""

    name = "ddpm-garments"
    data = "garments, train split, 32 x 32, mirrored at random"
    batch_size = 64
    predicts, weight, samples = "x0", "soft-v", 4000

    def network(self) -> UNet:
        return UNet(channels=1, predicts=self.predicts)

    def batch(self, n: int, generator: torch.Generator) -> dict[str, Tensor]:
        return ddpm.noised(pick(self.train, n, generator), generator)

    def loss(self, network, batch: dict[str, Tensor]) -> Tensor:
        return ddpm.loss(network, batch, self.predicts, self.weight)

    def pictures(self, network: UNet) -> Tensor:
        return ddpm.DDPM(network).sample(32)

    def measures(self, network: UNet) -> dict[str, float]:
        """The loss on the test split, and the distance of samples (20 steps of ddim) to it."""
        where = next(network.parameters()).device
        test = to_model_range(Garments("test").images).to(where)
        generator = seeded(0, where)
        batches = [ddpm.noised(part, generator) for part in test.split(500)]
        held_out = torch.cat([self.loss(network, batch) for batch in batches]).mean()
        made = torch.cat([ddpm.DDPM(network).sample(500, seed=seed) for seed in range(self.samples // 500)])
        return {"held_out_loss": round(held_out.item(), 5), "frechet_20_steps": round(judged(made)[0], 3)}

    @cached_property
    def train(self) -> Tensor:
        return Garments("train").images


def judged(made: Tensor) -> tuple[float, Tensor]:
    """The distance of pictures (N, 1, 32, 32) to the test split, and the class that the recogniser gives each (N,)."""
    recogniser = load_network("garment-recogniser").to(made.device)
    features, real = (recogniser.look(pictures.to(made.device))[0]
                      for pictures in (made, to_model_range(Garments("test").images)))
    return frechet_distance(features, real), recogniser.head(features).argmax(1).cpu()


def pick(pictures: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """`n` of the pictures (N, C, H, W) uint8, in [-1, 1], each mirrored or not, on the generator's device."""
    chosen = torch.randint(len(pictures), (n,), generator=generator, device=generator.device).to(pictures.device)
    return mirrored(to_model_range(pictures[chosen].to(generator.device)), generator)


def mirrored(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """The pictures (n, C, H, W), each mirrored or not."""
    flips = torch.rand(len(pictures), 1, 1, 1, generator=generator, device=generator.device) < 0.5
    return torch.where(flips, pictures.flip(-1), pictures)
