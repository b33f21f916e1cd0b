"""The autoencoder of notebook 12, whose latents the U-Nets of notebooks 12 and 13 draw."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from course_utils.datasets.scenes import Scene
from course_utils.datasets.vocabulary import said
from course_utils.evaluation.scenes import evaluate, evaluation_scenes, mean_and_error, render
from course_utils.measure import psnr, ssim, texture_distance
from course_utils.networks import Autoencoder, device_of, load_network
from course_utils.runtime import autocast, seeded
from course_utils.training.recipes.glide import SceneRecipe, recogniser_of_scenes

SIZE = 128
CROP, CROPS = 64, 4


class SDAutoencoder(SceneRecipe):
    """From 128 x 128 to latents of 16 x 16 and back, trained on crops; it starts as PCA."""

    name = "sd-autoencoder"
    data = f"{SceneRecipe.data}; crops of {CROP} x {CROP} out of {SIZE} x {SIZE}, {CROPS} of each scene"
    images, batch_size, lr, ema, weight_decay = 80_000, 8, 2e-3, 0.995, 0.0
    widths, latent_channels, previewed = (16, 32, 64, 128), 8, 8
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
        """A row of originals, and what comes back."""
        scenes = evaluation_scenes("test", 2 * self.previewed)[::2]
        return torch.cat([render(scenes, SIZE), returned(network, scenes)])

    def measures(self, network: Autoencoder) -> dict[str, float]:
        """The loss, how near 256 test scenes come back, and what the recogniser still sees in them of what it saw."""
        found, scenes = super().measures(network), evaluation_scenes("test", 256)
        made, real = returned(network, scenes), render(scenes, SIZE)
        for measure, digits in ((psnr, 2), (ssim, 4)):
            found |= mean_and_error(measure(made, real), measure.__name__, digits)
        found["texture"] = round(texture_distance(made[::2], real[1::2]), 2)
        found["texture_of_originals"] = round(texture_distance(real[::2], real[1::2]), 2)
        return found | seen_again(made, real, scenes)


class Short(SDAutoencoder):
    """The same for a comparison, four minutes of one core."""

    # Few images, for they are recorded
    name, images, previewed = "sd-short", 12_000, 4


class ShortRandom(Short):
    """From torch's usual weights instead of PCA."""

    name = "sd-short-random"

    def network(self) -> Autoencoder:
        return Autoencoder(self.widths, self.latent_channels)


class ShortChannels4(Short):
    """With the four channels of Stable Diffusion."""

    name, latent_channels = "sd-short-channels-4", 4


class ShortChannels16(Short):
    """With the sixteen of Stable Diffusion 3."""

    name, latent_channels = "sd-short-channels-16", 16


class ShortF4(Short):
    """Latents of 32 x 32 x 4, twice as many numbers."""

    name, widths, latent_channels = "sd-short-f4", (16, 32, 64), 4


class ShortF2(Short):
    """Latents of 64 x 64 x 2, four times as many."""

    name, widths, latent_channels = "sd-short-f2", (16, 64), 2


class SDDecoder(SDAutoencoder):
    """The decoder goes on beside a discriminator of patches, which no average of possible edges deceives.

    The encoder stays, and with it what was trained on its latents. The discriminator's share is so large that at the
    decoder's last layer its gradient is half that of the other terms, as in LDM's code.
    """

    name = "sd-decoder"
    images, lr, betas, critic, adversarial = 24_000, 5e-4, (0.5, 0.9), 32, 0.5

    def network(self) -> Autoencoder:
        shipped = load_network("sd-autoencoder")
        network = Autoencoder(**shipped.options | {"critic": self.critic})
        network.load_state_dict(shipped.state_dict(), strict=False)
        network.vae.encoder.requires_grad_(False), network.vae.quant_conv.requires_grad_(False)
        return network

    def loss(self, network: Autoencoder, batch: dict[str, Tensor]) -> Tensor:
        if network.discriminator is None:
            return super().loss(network, batch)
        made, real, fake, fooled = network.judged(batch["images"], batch["noise"])
        gap = made - batch["images"]
        near, deceived = (gap.abs() + self.squares * gap**2).flatten(1).mean(1), -fooled.flatten(1).mean(1)
        last = network.vae.decoder.conv_out.weight
        pulls = [torch.autograd.grad(term.mean(), last, retain_graph=True)[0].norm() for term in (near, deceived)]
        weight = self.adversarial * pulls[0] / (pulls[1] + 1e-4)
        told_apart = (1 - real).relu().flatten(1).mean(1) + (1 + fake).relu().flatten(1).mean(1)
        return near + weight * deceived + told_apart

    def shipped(self, network: Autoencoder) -> Autoencoder:
        """Without the discriminator, which no image needs."""
        alone = Autoencoder(**network.options | {"critic": 0}).to(device_of(network)).eval()
        alone.load_state_dict({name: value for name, value in network.state_dict().items()
                               if not name.startswith("discriminator.")})
        return alone


def seen_again(made: Tensor, real: Tensor, scenes: list[Scene]) -> dict[str, float]:
    """Of what the recogniser names rightly in real images (B, 3, 128, 128), the share it names rightly in made ones.

    Empty where the recogniser is not trained.
    """
    recogniser = recogniser_of_scenes()
    if recogniser is None:
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
