"""Photographs: SR3 for notebook 07, for notebook 08 the unconditional model and two that fill holes."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from course_utils.datasets import masks
from course_utils.datasets.photographs import PhotographCrops
from course_utils.measure import consistency, fool_rate, grid, psnr, seam, ssim, texture_distance, texture_features
from course_utils.networks import UNet, device_of, load_network, widened
from course_utils.runtime import seeded
from course_utils.systems import inpainting, sr3
from course_utils.systems.model import SCHEDULE, Model, noised
from course_utils.systems.unconditional import Unconditional
from course_utils.training.recipe import DiffusionRecipe

SIZE = 64
# Pixels in squares of two, for squares of four leave their grid in flat skies. Most of the work is done at 8 x 8
SHAPE = {"channels": 3, "stem": 2, "widths": (32, 96, 160), "middle": 3}


class PhotographRecipe(DiffusionRecipe):
    """Random crops of the training photographs."""

    data = "photographs, train split, crops of 64 x 64 from a long side of 256 to 512, mirrored at random"
    batch_size, lr = 32, 1.5e-3

    def pick(self, n: int, generator: torch.Generator) -> Tensor:
        """`n` crops in [-1, 1] on the generator's device."""
        chosen = torch.randint(len(self.train), (n,), generator=generator, device=generator.device).tolist()
        return torch.stack([self.train[index] for index in chosen]).to(generator.device)

    def held_out(self, n: int) -> Tensor:
        """`n` crops of the test photographs in [-1, 1], always the same."""
        return torch.stack(list(PhotographCrops("test", SIZE, n)))

    def held_out_loss(self, network: UNet, n: int = 512) -> dict[str, float]:
        """The loss on crops of the test photographs."""
        device = device_of(network)
        generator = seeded(0, device)
        losses = [self.loss(network, self.examples(part.to(device), generator)) for part in self.held_out(n).split(128)]
        return {"held_out_loss": round(torch.cat(losses).mean().item(), 5)}

    def batch(self, n: int, generator: torch.Generator, images_seen: int = 0) -> dict[str, Tensor]:
        return self.examples(self.pick(n, generator), generator)

    def examples(self, x0: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """A training batch from images x0 (n, 3, 64, 64)."""
        raise NotImplementedError

    @cached_property
    def train(self) -> PhotographCrops:
        return PhotographCrops("train", SIZE, length=2**40)


class SR3Photographs(PhotographRecipe):
    """From 16 x 16 to 64 x 64."""

    name, images = "sr3-photographs", 280_000

    def network(self) -> UNet:
        return UNet(**SHAPE, image_channels=3, noise_level=True, predicts=self.predicts)

    def examples(self, x0: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        return noised(x0, generator, between=True, image=sr3.enlarge(sr3.shrink(x0)))

    def model(self, network: UNet) -> Model:
        return Model(sr3.Residual(network), weight=self.weight)

    def preview(self, network: UNet) -> Tensor:
        """Rows of eight: enlarged small images, SR3's samples, their mean, the originals."""
        x0, system = self.held_out(8), sr3.SR3(network)
        low = sr3.shrink(x0)
        made = [part.cpu() for part in (system.sample(low), system.regression(low))]
        return torch.cat([sr3.enlarge(low), *made, x0])

    def measures(self, network: UNet) -> dict[str, float]:
        """On test photographs: how near a sample, the mean and bicubic enlargement come to the originals, and how real
        they look beside other crops."""
        system, found, (x0, others) = sr3.SR3(network), self.held_out_loss(network), self.held_out(256).split(128)
        low, real = sr3.shrink(x0), texture_features(x0)
        for what, make in (("sample", system.sample), ("regression", system.regression), ("bicubic", sr3.enlarge)):
            made = torch.cat([make(part).cpu() for part in low.split(64)])
            found |= {f"psnr_{what}": round(psnr(made, x0).mean().item(), 2),
                      f"ssim_{what}": round(ssim(made, x0).mean().item(), 4),
                      f"consistency_{what}": round(consistency(made, low, sr3.shrink).mean().item(), 6),
                      f"texture_{what}": round(texture_distance(made, others), 2),
                      f"fool_rate_{what}": round(fool_rate(texture_features(made), real), 3)}
        return found


class SR3Regression(SR3Photographs):
    """SR3's network, trained on for the mean alone, the paper's baseline: one call, with xt always zero."""

    name, images, lr = "sr3-regression", 40_000, 5e-4

    def network(self) -> UNet:
        return load_network("sr3-photographs").requires_grad_(True).train()

    def examples(self, x0: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        end = torch.full((len(x0),), SCHEDULE.T - 1, device=x0.device)
        return {"x0": x0, "xt": torch.zeros_like(x0), "t": end, "abar": SCHEDULE.at(end, x0).flatten(),
                "seed": torch.zeros_like(end), "image": sr3.enlarge(sr3.shrink(x0))}

    def preview(self, network: UNet) -> Tensor:
        """Rows of eight: enlarged small images, the regression, the originals."""
        x0 = self.held_out(8)
        low = sr3.shrink(x0)
        return torch.cat([sr3.enlarge(low), sr3.SR3(network).regression(low).cpu(), x0])

    def measures(self, network: UNet) -> dict[str, float]:
        """On test photographs: how near the regression and bicubic enlargement come to the originals."""
        system, x0 = sr3.SR3(network), self.held_out(128)
        low = sr3.shrink(x0)
        made = {"regression": system.regression(low).cpu(), "bicubic": sr3.enlarge(low)}
        return self.held_out_loss(network) | {
            f"{measure.__name__}_{what}": round(measure(images, x0).mean().item(), digits)
            for what, images in made.items() for measure, digits in ((psnr, 2), (ssim, 4))}


class Photographs64(PhotographRecipe):
    """Without a condition: RePaint samples from it, and the two others start from it."""

    name, images = "photographs-64", 400_000

    def network(self) -> UNet:
        return UNet(**SHAPE, predicts=self.predicts)

    def examples(self, x0: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        return noised(x0, generator)

    def preview(self, network: UNet) -> Tensor:
        return Unconditional(network).sample(32, steps=50, size=SIZE)

    def measures(self, network: UNet) -> dict[str, float]:
        """The loss on the test photographs, and the texture of samples beside theirs."""
        made = torch.cat([Unconditional(network).sample(64, steps=50, seed=seed, size=SIZE).cpu() for seed in range(2)])
        return self.held_out_loss(network) | {"texture_50_steps": round(texture_distance(made, self.held_out(128)), 2),
                                              "grid": round(grid(made, SHAPE["stem"]), 3)}


class FillsHoles(PhotographRecipe):
    """Goes on from the weights of `photographs-64`, with channels for what is known; holes of all kinds."""

    data = PhotographRecipe.data + ", with holes of four kinds"
    images, lr = 160_000, 7e-4
    system: type[inpainting.Learned]
    image_channels: int

    def network(self) -> UNet:
        return widened(load_network("photographs-64"), self.image_channels)

    def examples(self, x0: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        return self.system.batch(x0, masks.mixed(len(x0), SIZE, generator), generator)

    def model(self, network: UNet) -> Model:
        return Model(self.system.wrap(network), weight=self.weight)

    def preview(self, network: UNet) -> Tensor:
        """Rows of eight: the hole, three samples, the original."""
        x0, mask = self.held_out(8), masks.mixed(8, SIZE, seeded(0))
        made = [self.system(network).sample(x0, mask, seed=seed).cpu() for seed in range(3)]
        return torch.cat([x0 * mask, *made, x0])

    def measures(self, network: UNet) -> dict[str, float]:
        """The loss on the test photographs, and whether the seam shows and the filled images look real."""
        x0, others = self.held_out(256).split(128)
        mask = masks.mixed(len(x0), SIZE, seeded(0))
        parts = zip(x0.split(64), mask.split(64))
        made = torch.cat([self.system(network).sample(*part).cpu() for part in parts])
        return self.held_out_loss(network) | {"seam": round(seam(made, x0, mask), 3),
                                              "texture": round(texture_distance(made, others), 2)}


class PalettePhotographs(FillsHoles):
    """Palette: the hole full of noise, beside xt."""

    name = "palette-photographs"
    system, image_channels = inpainting.Palette, 3


class InpaintPhotographs(FillsHoles):
    """GLIDE's and Stable Diffusion's way: the image with an empty hole, and the mask."""

    name = "inpaint-photographs"
    system, image_channels = inpainting.MaskedImage, 4
