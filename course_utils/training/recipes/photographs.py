"""Photographs: SR3 for notebook 07, and for notebook 08 the unconditional model and both that learn to fill holes."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from course_utils.datasets import masks
from course_utils.datasets.photographs import PhotographCrops
from course_utils.measure import consistency, fool_rate, grid, psnr, seam, ssim, texture_distance, texture_features
from course_utils.networks import UNet, load_network, widened
from course_utils.runtime import seeded
from course_utils.systems import ddpm, inpainting, sr3
from course_utils.training.recipe import Recipe

SIZE = 64
# Pixels in squares of two, for squares of four leave their grid in flat skies. Most of the work is done at 8 x 8
SHAPE = {"channels": 3, "stem": 2, "widths": (32, 96, 160), "middle": 3}


class PhotographRecipe(Recipe):
    """Random crops of the training photographs."""

    data = "photographs, train split, crops of 64 x 64 from a long side of 256 to 512, mirrored at random"
    batch_size, lr = 32, 1.5e-3
    predicts, weight = "x0", "soft-v"

    def pick(self, n: int, generator: torch.Generator) -> Tensor:
        """`n` crops in [-1, 1] on the generator's device."""
        chosen = torch.randint(len(self.train), (n,), generator=generator, device=generator.device).tolist()
        return torch.stack([self.train[index] for index in chosen]).to(generator.device)

    def held_out(self, n: int) -> Tensor:
        """`n` crops of the test photographs in [-1, 1], always the same."""
        return torch.stack(list(PhotographCrops("test", SIZE, n)))

    def held_out_loss(self, network: UNet, n: int = 512) -> dict[str, float]:
        """The loss on crops of the test photographs."""
        where = next(network.parameters()).device
        generator = seeded(0, where)
        losses = [self.loss(network, self.examples(part.to(where), generator)) for part in self.held_out(n).split(128)]
        return {"held_out_loss": round(torch.cat(losses).mean().item(), 5)}

    def batch(self, n: int, generator: torch.Generator) -> dict[str, Tensor]:
        return self.examples(self.pick(n, generator), generator)

    def examples(self, x0: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """What training needs of pictures x0 (n, 3, 64, 64)."""
        raise NotImplementedError

    @cached_property
    def train(self) -> PhotographCrops:
        return PhotographCrops("train", SIZE, length=2**40)


class SR3Photographs(PhotographRecipe):
    """From 16 x 16 to 64 x 64."""

    name, images = "sr3-photographs", 280_000

    def network(self) -> UNet:
        return UNet(**SHAPE, extra=3, noise_level=True, predicts=self.predicts)

    def examples(self, x0: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        return sr3.noised(x0, generator)

    def loss(self, network, batch: dict[str, Tensor]) -> Tensor:
        return sr3.loss(network, batch, self.weight)

    def pictures(self, network: UNet) -> Tensor:
        """Rows of eight: enlarged small pictures, SR3's answers, their mean, the originals."""
        x0, system = self.held_out(8), sr3.SR3(network)
        low = sr3.shrunk(x0)
        made = [part.cpu() for part in (system.sample(low), system.regression(low))]
        return torch.cat([sr3.enlarged(low), *made, x0])

    def measures(self, network: UNet) -> dict[str, float]:
        """On test photographs: how near a sample, the mean and bicubic enlargement come to the originals, and how real
        they look beside other crops."""
        system, found, (x0, others) = sr3.SR3(network), self.held_out_loss(network), self.held_out(256).split(128)
        low, real = sr3.shrunk(x0), texture_features(x0)
        for what, make in (("sample", system.sample), ("regression", system.regression), ("bicubic", sr3.enlarged)):
            made = torch.cat([make(part).cpu() for part in low.split(64)])
            found |= {f"psnr_{what}": round(psnr(made, x0).mean().item(), 2),
                      f"ssim_{what}": round(ssim(made, x0).mean().item(), 4),
                      f"consistency_{what}": round(consistency(made, low, sr3.shrunk).mean().item(), 6),
                      f"texture_{what}": round(texture_distance(made, others), 2),
                      f"fool_rate_{what}": round(fool_rate(texture_features(made), real), 3)}
        return found


class Photographs64(PhotographRecipe):
    """Without a condition: what RePaint samples from, and what both others start from."""

    name, images = "photographs-64", 400_000

    def network(self) -> UNet:
        return UNet(**SHAPE, predicts=self.predicts)

    def examples(self, x0: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        return ddpm.noised(x0, generator)

    def loss(self, network, batch: dict[str, Tensor]) -> Tensor:
        return ddpm.loss(network, batch, self.predicts, self.weight)

    def pictures(self, network: UNet) -> Tensor:
        return ddpm.DDPM(network).sample(32, steps=50, size=SIZE)

    def measures(self, network: UNet) -> dict[str, float]:
        """The loss on the test photographs, and the texture of samples beside theirs."""
        made = torch.cat([ddpm.DDPM(network).sample(64, steps=50, seed=seed, size=SIZE).cpu() for seed in range(2)])
        return self.held_out_loss(network) | {"texture_50_steps": round(texture_distance(made, self.held_out(128)), 2),
                                              "grid": round(grid(made, SHAPE["stem"]), 3)}


class FillsHoles(PhotographRecipe):
    """Goes on from the weights of `photographs-64`, with channels for what is known; holes of all kinds."""

    data = PhotographRecipe.data + ", with holes of four kinds"
    images, lr = 160_000, 7e-4
    system: type[inpainting.Learned]
    extra: int

    def network(self) -> UNet:
        return widened(load_network("photographs-64"), self.extra)

    def examples(self, x0: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        return self.system.noised(x0, masks.mixed(len(x0), SIZE, generator), generator)

    def loss(self, network, batch: dict[str, Tensor]) -> Tensor:
        return self.system.loss(network, batch, self.weight)

    def pictures(self, network: UNet) -> Tensor:
        """Rows of eight: the hole, three answers, the original."""
        x0, mask = self.held_out(8), masks.mixed(8, SIZE, seeded(0))
        made = [self.system(network).sample(x0, mask, seed=seed).cpu() for seed in range(3)]
        return torch.cat([x0 * mask, *made, x0])

    def measures(self, network: UNet) -> dict[str, float]:
        """The loss on the test photographs, and whether the seam shows and the filled pictures look real."""
        x0, others = self.held_out(256).split(128)
        mask = masks.mixed(len(x0), SIZE, seeded(0))
        parts = zip(x0.split(64), mask.split(64))
        made = torch.cat([self.system(network).sample(*part).cpu() for part in parts])
        return self.held_out_loss(network) | {"seam": round(seam(made, x0, mask), 3),
                                              "texture": round(texture_distance(made, others), 2)}


class PalettePhotographs(FillsHoles):
    """Palette: the hole full of noise, beside xt."""

    name = "palette-photographs"
    system, extra = inpainting.Palette, 3


class InpaintPhotographs(FillsHoles):
    """GLIDE's and Stable Diffusion's way: the picture with an empty hole, and the mask."""

    name = "inpaint-photographs"
    system, extra = inpainting.MaskedImage, 4
