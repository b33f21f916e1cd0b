"""Clothes out of noise: the unconditional model of notebooks 03 and 04."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from course_utils.datasets import to_model_range
from course_utils.datasets.augment import random_images
from course_utils.datasets.garments import Garments
from course_utils.evaluation.garments import recognised
from course_utils.networks import UNet
from course_utils.runtime import seeded
from course_utils.systems.model import noised
from course_utils.systems.unconditional import Unconditional
from course_utils.training.recipe import DiffusionRecipe


class DDPMGarments(DiffusionRecipe):
    """The course's U-Net on 16,000 garments, flipped at random; it predicts x0."""

    name = "ddpm-garments"
    data = "garments, train split, 32 x 32, mirrored at random"
    batch_size = 64
    samples = 4000

    def network(self) -> UNet:
        return UNet(channels=1, predicts=self.predicts)

    def batch(self, n: int, generator: torch.Generator, images_seen: int = 0) -> dict[str, Tensor]:
        return noised(random_images(self.train, n, generator), generator)

    def preview(self, network: UNet) -> Tensor:
        return Unconditional(network).sample(32)

    def measures(self, network: UNet) -> dict[str, float]:
        """The loss on the test split, and the distance of samples (20 steps of ddim) to it."""
        model = self.model(network)
        test = to_model_range(Garments("test").images).to(model.device)
        generator = seeded(0, model.device)
        held_out = torch.cat([model.loss(noised(part, generator)) for part in test.split(500)]).mean()
        made = torch.cat([Unconditional(network).sample(500, seed=seed) for seed in range(self.samples // 500)])
        return {"held_out_loss": round(held_out.item(), 5), "frechet_20_steps": round(recognised(made)[0], 3)}

    @cached_property
    def train(self) -> Tensor:
        return Garments("train").images
