"""The autoencoder: diffusers' network with the course's blocks, started from PCA."""

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.models.resnet import ResnetBlock2D
from torch.nn.functional import interpolate, pixel_unshuffle

from course_utils.evaluation.scenes import evaluation_scenes, render
from course_utils.networks import Autoencoder
from course_utils.networks.diffusers_blocks import quickened
from course_utils.runtime import seeded

pytestmark = pytest.mark.usefixtures("plain_precision")


def alive(network: torch.nn.Module) -> torch.nn.Module:
    """Every weight at random, so that each counts."""
    for i, weight in enumerate(network.parameters()):
        torch.nn.init.normal_(weight, std=0.2, generator=seeded(i))
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize("widths, side", [((8, 16), 16), ((8, 8, 16), 8), ((8, 8, 16, 32), 4)])
def test_latents_are_smaller_by_the_factor(widths, side):
    network = Autoencoder(widths, latent_channels=3, groups=4)
    images = torch.rand(2, 3, 32, 32, generator=seeded(0)) * 2 - 1
    latents = network.encode(images)
    assert latents.shape == (2, 3, side, side) and network.decode(latents).shape == images.shape
    with pytest.raises(ValueError, match=f"multiples of {network.factor}; got \\(2, 3, 31, 32\\)"):
        network.encode(images[:, :, 1:])


def test_it_is_diffusers_autoencoder():
    network = alive(Autoencoder((8, 16, 32), latent_channels=3, groups=4))
    network.scale.fill_(0.5)
    vae, images = network.plain(), torch.rand(2, 3, 32, 32, generator=seeded(0)) * 2 - 1
    assert type(vae) is AutoencoderKL and vae.config.scaling_factor == 0.5
    assert not any(type(part) is not ResnetBlock2D and isinstance(part, ResnetBlock2D) for part in vae.modules())
    latents = network.encode(images)
    assert torch.allclose(0.5 * vae.encode(images).latent_dist.mean, latents, atol=1e-4)
    assert torch.allclose(vae.decode(latents / 0.5).sample, network.decode(latents), atol=1e-4)


def test_training_goes_through_noisy_latents():
    network, images = Autoencoder((8, 16, 32), 3, 4), torch.zeros(2, 3, 32, 32)
    noise = torch.randn(2, 3, 8, 8, generator=seeded(0))
    made, mean, log_variance = network(images, noise)
    noisy = mean + (log_variance / 2).exp() * noise
    assert torch.allclose(made, network.decode(noisy), atol=1e-5) and not torch.allclose(made, network.decode(mean))
    made.mean().backward()
    assert all(weight.grad is not None for weight in network.parameters())


def test_pca_is_where_training_starts():
    images = render(evaluation_scenes("test", 48), 64)
    torch.manual_seed(0)
    network = Autoencoder((16, 32, 64), latent_channels=6).eval()

    def explained() -> float:
        """The share of the power of patches that a linear map of the latents gives back."""
        latents = network.encode(images).movedim(1, -1).flatten(0, 2)
        latents = torch.cat([latents, torch.ones(len(latents), 1)], 1)
        patches = pixel_unshuffle(images, 4).movedim(1, -1).flatten(0, 2)
        gap = patches - latents @ torch.linalg.lstsq(latents, patches).solution
        return 1 - (gap**2).sum().item() / (patches**2).sum().item()

    with torch.no_grad():
        before = explained()
        network.start_from_pca(images)
        patches = pixel_unshuffle(images, 4).movedim(1, -1).flatten(0, 2)
        power = torch.linalg.eigvalsh(patches.mT @ patches)
        best = (power[-6:].sum() / power.sum()).item()
        assert before < best - 0.01 and best - 0.005 < explained() < best + 0.005
        # Norm and SiLU leave the latents nearly alone
        whole, half = network.encode(images), network.encode(images / 2)
        assert torch.allclose(half, whole / 2, atol=0.1 * whole.std())


def test_pca_needs_room_for_its_constants():
    images = torch.zeros(1, 3, 8, 8)
    for network in (Autoencoder((8, 16), 2, 8), Autoencoder((16, 16), 2, 4)):
        with pytest.raises(ValueError, match="four channels a group"):
            network.start_from_pca(images)


def test_exchanged_blocks_give_the_same_answers():
    unet = UNet2DConditionModel(sample_size=8, block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4,
                                down_block_types=["DownBlock2D", "CrossAttnDownBlock2D"], cross_attention_dim=6,
                                up_block_types=["CrossAttnUpBlock2D", "UpBlock2D"], attention_head_dim=2)
    asked = (torch.randn(2, 4, 8, 8, generator=seeded(0)), torch.tensor([3, 900]),
             torch.randn(2, 5, 6, generator=seeded(1)))
    with torch.no_grad():
        before = alive(unet)(*asked).sample
        after = quickened(unet.train())(*asked).sample
    assert torch.allclose(before, after, atol=1e-4 * before.abs().max())
    assert not any(type(part) is ResnetBlock2D for part in unet.modules())
    with pytest.raises(ValueError, match="default kind"):
        quickened(ResnetBlock2D(in_channels=8, groups=4, down=True))


def test_latents_hold_for_other_sizes():
    """It was trained on crops, and nothing in it depends on the size but the norms."""
    network = alive(Autoencoder((8, 16, 32), 3, 4))
    images = interpolate(torch.rand(1, 3, 4, 4, generator=seeded(0)) * 2 - 1, 32)
    assert network.decode(network.encode(images.repeat(1, 1, 1, 2))).shape == (1, 3, 32, 64)
