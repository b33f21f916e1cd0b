"""Garments of a wanted class: the networks of notebooks 05 and 06, and the GAN that they are compared with."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.datasets import to_model_range
from course_utils.datasets.garments import CLASSES, Garments
from course_utils.evaluation.garments import scores
from course_utils.networks import GAN, NoisyClassifier, UNet, device_of
from course_utils.runtime import seeded
from course_utils.systems import cfg, classifier, gan
from course_utils.systems.model import SCHEDULE, noised
from course_utils.training.recipe import DiffusionRecipe
from course_utils.training.recipes.garment_recogniser import Labelled


class GuidanceRecipe(Labelled):
    """Garments with labels, in batches of 64."""

    data = "garments with labels, train split, 32 x 32, mirrored at random"
    batch_size = 64


class CFGGarments(GuidanceRecipe, DiffusionRecipe):
    """The U-Net of `ddpm-garments` with a class, which is dropped for one example in ten."""

    name = "cfg-garments"
    images, p_uncond = 500_000, 0.1
    samples = 4000

    def network(self) -> UNet:
        return UNet(channels=1, predicts=self.predicts, num_classes=len(CLASSES))

    def batch(self, n: int, generator: torch.Generator, images_seen: int = 0) -> dict[str, Tensor]:
        images, label = self.pick(n, generator)
        return noised(images, generator, label=cfg.drop_labels(label, generator, self.p_uncond, len(CLASSES)))

    def preview(self, network: UNet) -> Tensor:
        return cfg.ClassConditional(network).sample(torch.arange(10).repeat(4))

    def measures(self, network: UNet) -> dict[str, float]:
        """The loss on the test split with labels, and of samples at scales 1 and 2 distance and accuracy."""
        model, test = self.model(network), Garments("test")
        generator, losses = seeded(0, model.device), []
        for images, label in zip(test.images.split(500), test.labels.split(500)):
            x0 = to_model_range(images).to(model.device)
            losses.append(model.loss(noised(x0, generator, label=label.to(model.device))))
        found = {"held_out_loss": round(torch.cat(losses).mean().item(), 5)}
        for guidance_scale in (1.0, 2.0):
            label, seeds = torch.arange(10).repeat(50), range(self.samples // 500)
            made = [cfg.ClassConditional(network).sample(label, guidance_scale, seed=seed) for seed in seeds]
            found |= scores(torch.cat(made), label.repeat(len(seeds)), f"scale_{guidance_scale:.0f}")
        return found


class PUncond05(CFGGarments):
    """How often should the class be dropped? Short trainings for a comparison, this one with 5%."""

    name = "p-uncond-05"
    images, samples, p_uncond = 64_000, 1000, 0.05


class PUncond10(PUncond05):
    """With 10%, as `cfg-garments`."""

    name, p_uncond = "p-uncond-10", 0.1


class PUncond20(PUncond05):
    """With 20%."""

    name, p_uncond = "p-uncond-20", 0.2


class PUncond50(PUncond05):
    """With half."""

    name, p_uncond = "p-uncond-50", 0.5


class GANGarments(GuidanceRecipe):
    """A class-conditional GAN with as many parameters in its generator as the U-Net has."""

    name = "gan-garments"
    images, lr, betas, ema, weight_decay, clip = 300_000, 5e-4, (0.0, 0.99), 0.999, 0.0, 100.0
    penalty, samples = 1.0, 4000

    def network(self) -> GAN:
        return GAN(len(CLASSES))

    def batch(self, n: int, generator: torch.Generator, images_seen: int = 0) -> dict[str, Tensor]:
        images, label = self.pick(n, generator)
        z = torch.randn(n, 64, generator=generator, device=generator.device)
        return {"images": images, "label": label, "z": z}

    def loss(self, network, batch: dict[str, Tensor]) -> Tensor:
        return gan.loss(network, batch, self.penalty)

    def shipped(self, network: GAN) -> GAN:
        """Without the discriminator, which no image needs."""
        alone = GAN(len(CLASSES), critic=0).to(device_of(network)).eval()
        alone.generator.load_state_dict(network.generator.state_dict())
        return alone

    def preview(self, network: GAN) -> Tensor:
        return gan.ClassGAN(network).sample(torch.arange(10).repeat(4))

    def measures(self, network: GAN) -> dict[str, float]:
        """Distance and accuracy of samples without truncation."""
        label = torch.arange(10).repeat(self.samples // 10)
        return scores(gan.ClassGAN(network).sample(label), label, "untruncated")


class ClassifierGarments(GuidanceRecipe):
    """Names garments at every level of noise."""

    name = "classifier-garments"
    data = "garments with labels, train split, 32 x 32, shifted by up to two pixels, mirrored at random"
    images, lr, weight_decay, shift = 200_000, 1e-3, 0.05, 2

    def network(self) -> NoisyClassifier:
        return NoisyClassifier(list(CLASSES))

    def batch(self, n: int, generator: torch.Generator, images_seen: int = 0) -> dict[str, Tensor]:
        images, label = self.pick(n, generator)
        return self.noised(images, generator, label)

    def noised(self, x0: Tensor, generator: torch.Generator, label: Tensor) -> dict[str, Tensor]:
        return noised(x0, generator, label=label)

    def loss(self, network, batch: dict[str, Tensor]) -> Tensor:
        return classifier.loss(network, batch)

    def measures(self, network: NoisyClassifier) -> dict[str, float]:
        """Its accuracy on the test split at some times."""
        device, test, found = device_of(network), Garments("test"), {}
        x0, labels = to_model_range(test.images).to(device), test.labels.to(device)
        for t in (0, 250, 500, 750):
            eps = torch.randn(x0.shape, generator=seeded(t, device), device=device)
            right = [network(SCHEDULE.jump(x, t, e), t).argmax(1) for x, e in zip(x0.split(500), eps.split(500))]
            found[f"accuracy_at_{t}"] = round((torch.cat(right) == labels).float().mean().item(), 4)
        return found


class CleanClassifierGarments(ClassifierGarments):
    """The same network, which has never seen noise: an example of what does *not* guide."""

    name = "classifier-garments-clean"
    images = 64_000

    def noised(self, x0: Tensor, generator: torch.Generator, label: Tensor) -> dict[str, Tensor]:
        return {"xt": x0, "t": torch.zeros(len(x0), dtype=torch.long, device=x0.device), "label": label}
