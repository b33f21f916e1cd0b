"""The autoencoder of notebook 12, whose latents the U-Nets of notebooks 12 and 13 draw."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from course_utils.datasets.scenes import Scene
from course_utils.datasets.vocabulary import said
from course_utils.evaluation.scenes import evaluate, evaluation_scenes, render
from course_utils.measure import psnr, ssim, texture_distance
from course_utils.networks import Autoencoder, NetworkError, device_of, load_network
from course_utils.runtime import autocast, seeded
from course_utils.training.recipes.glide import SceneRecipe

SIZE = 128
CROP, CROPS = 64, 4


class SDAutoencoder(SceneRecipe):
    """From 128 x 128 to latents of 16 x 16 and back, trained on crops; it starts as PCA."""

    name = "sd-autoencoder"
    data = f"{SceneRecipe.data}; crops of {CROP} x {CROP} out of {SIZE} x {SIZE}, {CROPS} of each scene"
    images, batch_size, lr, ema, weight_decay = 80_000, 8, 2e-3, 0.995, 0.0
    widths, latent_channels = (16, 32, 64, 128), 8
    # Of the squared error beside the absolute one, and of the KL divergence; all three are means, not sums
    squares, kl = 2.0, 1e-3

    def network(self) -> Autoencoder:
        network = Autoencoder(self.widths, self.latent_channels)
        network.start_from_pca(render(self.scenes(200, seeded(self.seed)), SIZE))
        return network

    def batch(self, n: int, generator: torch.Generator, images_seen: int = 0,
              split: str = "train") -> dict[str, Tensor]:
        scenes, where = self.scenes(-(-n // CROPS), generator, split), generator.device
        images = render(scenes, SIZE, where).repeat_interleave(CROPS, 0)[:n]
        places = torch.randint(SIZE - CROP + 1, (n, 2), generator=generator, device=where).tolist()
        crops = torch.stack([image[:, y : y + CROP, x : x + CROP] for image, (y, x) in zip(images, places)])
        side = CROP // 2 ** (len(self.widths) - 1)
        noise = torch.randn(n, self.latent_channels, side, side, generator=generator, device=where)
        return {"images": crops, "noise": noise}

    def loss(self, network: Autoencoder, batch: dict[str, Tensor]) -> Tensor:
        made, mean, log_variance = network(batch["images"], batch["noise"])
        gap = made - batch["images"]
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance)
        return (gap.abs() + self.squares * gap**2).flatten(1).mean(1) + self.kl * divergence.flatten(1).mean(1)

    def shipped(self, network: Autoencoder) -> Autoencoder:
        """With the scale that makes latents' standard deviation 1, from scenes of the train split."""
        network.scale.fill_(1)
        latents = torch.cat([encoded(network, scenes) for scenes in parts(self.scenes(1024, seeded(1)))])
        network.scale.fill_(1 / latents.std())
        return network

    def preview(self, network: Autoencoder) -> Tensor:
        """Rows of eight: originals, what comes back."""
        scenes = evaluation_scenes("test", 16)[::2]
        return torch.cat([render(scenes, SIZE), returned(network, scenes)])

    def measures(self, network: Autoencoder) -> dict[str, float]:
        """The loss, how near 256 test scenes come back, and what the recogniser still sees in them of what it saw."""
        found, scenes = super().measures(network), evaluation_scenes("test", 256)
        made, real = returned(network, scenes), render(scenes, SIZE)
        for measure, digits in ((psnr, 2), (ssim, 4)):
            values = measure(made, real)
            found[measure.__name__] = round(values.mean().item(), digits)
            found[f"{measure.__name__}_error"] = round((values.std() / len(values) ** 0.5).item(), digits)
        found["texture"] = round(texture_distance(made[::2], real[1::2]), 2)
        found["texture_of_originals"] = round(texture_distance(real[::2], real[1::2]), 2)
        return found | seen_again(made, real, scenes)


def seen_again(made: Tensor, real: Tensor, scenes: list[Scene]) -> dict[str, float]:
    """Of what the recogniser names rightly in real images (B, 3, 128, 128), the share it names rightly in made ones.

    Empty where the recogniser is not trained.
    """
    try:
        recogniser = load_network("scene-recogniser")
    except NetworkError:
        return {}
    asked = said(scenes)
    before, after = (evaluate(recogniser, avg_pool2d(images, 2), asked) for images in (real, made))
    return {f"{name}_again": round(after[name][before[name] == 1].nan_to_num(0).mean().item(), 4)
            for name in ("concept", "style", "ground", "relation")}


@torch.no_grad()
def encoded(network: Autoencoder, scenes: list[Scene]) -> Tensor:
    """The latents of scenes, (B, latent_channels, 16, 16), on the CPU."""
    where = device_of(network)
    with autocast(where):
        return network.encode(render(scenes, SIZE, where)).cpu()


@torch.no_grad()
def returned(network: Autoencoder, scenes: list[Scene]) -> Tensor:
    """Scenes as images (B, 3, 128, 128) in [-1, 1] that went through the latents, on the CPU."""
    where = device_of(network)
    with autocast(where):
        made = [network.decode(encoded(network, part).to(where)).cpu() for part in parts(scenes)]
    return torch.cat(made).clamp(-1, 1)


def parts(scenes: list[Scene], at_once: int = 32) -> list[list[Scene]]:
    """Scenes, a few at a time."""
    return [scenes[i : i + at_once] for i in range(0, len(scenes), at_once)]
