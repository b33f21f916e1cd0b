"""The U-Nets of the comparison at equal compute: the same inside, one level more for each factor of two."""

import pytest
import torch

from course_utils.evaluation.scenes import evaluation_scenes, render
from course_utils.runtime import seeded
from course_utils.systems.stable_diffusion import StableDiffusion
from course_utils.training import find
from course_utils.training.recipes.equal_compute import Pixels
from tests.training.test_latent_recipes import Reader

pytestmark = pytest.mark.usefixtures("plain_precision")
FACTORS = (8, 2, 1)


def recipe(factor: int):
    made = find(f"sd-equal-f{factor}")
    made.clip = Reader()
    return made


def test_the_networks_differ_in_outer_levels_only():
    inner = []
    for factor in FACTORS:
        unet = recipe(factor).network().unet
        kinds = [type(block).__name__ for block in unet.down_blocks]
        assert kinds[-1] == "CrossAttnDownBlock2D" and set(kinds[:-1]) == {"DownBlock2D"}
        assert unet.config.block_out_channels == [32] * (3 - factor.bit_length() + 1) + [64, 192]
        inner.append({name: weight.shape for name, weight in unet.mid_block.state_dict().items()
                      if "time_emb" not in name})
    assert all(shapes == inner[0] for shapes in inner)


@pytest.mark.parametrize("factor", FACTORS)
def test_each_factor_has_latents_of_its_size(factor):
    made = recipe(factor)
    batch, side = made.batch(2, seeded(1)), 128 // factor
    assert batch["x0"].shape == (2, {1: 3, 2: 2, 8: 8}[factor], side, side)
    assert factor == made.autoencoder.factor
    sd = StableDiffusion(made.network(), made.autoencoder, made.clip)
    assert sd.sample(["a cat"], 2.0, steps=1).shape == (1, 3, 128, 128)


def test_pixels_are_their_own_latents():
    images = render(evaluation_scenes("test", 2), 128)
    sd = StableDiffusion(recipe(1).network(), Pixels(), Reader())
    assert torch.equal(sd.decode(sd.encode(images)), images)
    assert torch.equal(recipe(1).batch(2, seeded(1))["x0"], render(recipe(1).scenes(2, seeded(1)), 128))
