"""SR3: a large image out of a small one (Saharia et al. 2022). The condition is an image beside the noisy one."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from course_utils.diffusion import Denoiser, NoiseSchedule, static_threshold
from course_utils.kernels import q_sample
from course_utils.networks import load_network
from course_utils.runtime import device, seeded
from course_utils.systems.checks import check_images
from course_utils.systems.model import SCHEDULE, Model

FACTOR = 4


class Residual(nn.Module):
    """A network that predicts what the enlarged image lacks, as one that predicts x0.

    `network` takes (xt, level, image=...): the noise level as sqrt(abar), the share of the image in xt. SR3 feeds abar
    itself; its root, as in WaveGrad, tells apart what is almost noise, and there an image is decided.
    """

    predicts, noise_level = "x0", True

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, xt: Tensor, level: Tensor, *, image: Tensor, **condition: Tensor) -> Tensor:
        return image + self.network(xt, level, image=image, **condition).float()


class SR3:
    """A trained network with a schedule: `sample(low)` for large images, `regression(low)` for their mean.

    The network, as in `Residual`, is told noise levels and not times, so any schedule serves at sampling.
    """

    def __init__(self, network: nn.Module, schedule: NoiseSchedule = SCHEDULE):
        if not network.noise_level or network.predicts != "x0":
            raise ValueError("SR3 needs a network that takes a noise level in place of t, and predicts x0: "
                             "UNet(noise_level=True, predicts='x0', ...).")
        self.network, self.model = network, Model(Residual(network), schedule)

    def denoiser(self, low: Tensor, noise: float = 0.0, seed: int = 0) -> Denoiser:
        """For images xt (B, C, 4H, 4W) that belong to low (B, C, H, W) in [-1, 1]; ValueError for others.

        noise in [0, 1): its level in the enlarged image, for a network that was trained with `augment`.
        """
        if noise and self.network.pooled is None:
            raise ValueError("this network has never seen noise on its small images. Leave `noise` at 0.")
        image = enlarge(check_images(low, self.model.device))
        if self.network.pooled is None:
            return self.model.denoiser({"image": image})
        level = torch.full_like(image[:, 0, 0, 0], noise)
        return self.model.denoiser(augment(image, level, seeded(seed, image.device, "augmentation")))

    def sample(self, low: Tensor, steps: int = 20, seed: int = 0, noise: float = 0.0, **options) -> Tensor:
        """A large image (B, C, 4H, 4W) for each small one, low (B, C, H, W) in [-1, 1]; another seed, another image."""
        denoiser = static_threshold(self.denoiser(low, noise, seed))
        shape = (*low.shape[:2], FACTOR * low.shape[2], FACTOR * low.shape[3])
        return self.model.sample(denoiser, shape, steps=steps, seed=seed, **options)

    @torch.no_grad()
    def regression(self, low: Tensor) -> Tensor:
        """The mean of all large images (B, C, 4H, 4W) that low may stand for: the prediction at pure noise.

        Least squares make it so. The noise says nothing there, and is left at zero.
        """
        low = check_images(low, self.model.device)
        return static_threshold(self.denoiser(low))(torch.zeros_like(enlarge(low)), self.model.schedule.T - 1).x0


def shrink(images: Tensor) -> Tensor:
    """Images (B, C, H, W) in [-1, 1] at a quarter of their size: bicubic with anti-aliasing, as for SR3."""
    return interpolate(images, scale_factor=1 / FACTOR, mode="bicubic", antialias=True).clamp(-1, 1)


def enlarge(low: Tensor) -> Tensor:
    """Small images (B, C, H, W) in [-1, 1] at four times their size, bicubic: the network's condition."""
    return interpolate(low, scale_factor=FACTOR, mode="bicubic").clamp(-1, 1)


def augment(image: Tensor, level: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """Noise-conditioning augmentation: image (B, C, H, W) with noise of variance level^2, level (B,), as condition.

    The network is told the level as `vector` (B, 1).
    Source: Ho et al. 2022 (cascaded diffusion), section 4.2; Saharia et al. 2022 (Imagen), section 2.4.
    """
    seed = torch.randint(2**62, (len(image),), generator=generator, device=image.device)
    return {"image": q_sample(image, 1 - level**2, seed), "vector": level[:, None]}


def load(name: str = "sr3-photographs") -> SR3:
    """The system with the weights that ship with the course, on this computer's fastest device."""
    return SR3(load_network(name).to(device()))
