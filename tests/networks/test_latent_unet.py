"""Stable Diffusion's U-Net, and its reader of layouts."""

import pytest
import torch
from diffusers import UNet2DConditionModel

from course_utils.networks import LatentUNet, LayoutTokenizer, LayoutUNet
from course_utils.runtime import seeded
from tests.networks.test_autoencoder import alive

pytestmark = pytest.mark.usefixtures("plain_precision")
SMALL = {"channels": 3, "widths": [32, 64], "heads": 2, "size": 8}


def test_it_is_diffusers_unet():
    network = alive(LatentUNet(**SMALL, text_dim=6))
    unet, xt, text = network.plain(), torch.randn(2, 3, 8, 8, generator=seeded(0)), torch.randn(2, 5, 6)
    t = torch.tensor([0, 999])
    assert type(unet) is UNet2DConditionModel and unet.config.sample_size == 8
    assert torch.allclose(unet(xt, t, text).sample, network(xt, t, text=text), rtol=1e-3, atol=1e-3)
    assert not torch.allclose(network(xt, t, text=text), network(xt, t, text=text.flip(0)))
    for wrong in ((xt[:, :2], text), (xt, text[..., :5]), (xt, text[:1])):
        with pytest.raises(ValueError, match=r"takes xt \(B, 3, H, W\)"):
            network(wrong[0], t, text=wrong[1])


def test_at_first_it_answers_zero_whatever_it_is_told():
    network, xt = LatentUNet(**SMALL, text_dim=6), torch.randn(2, 3, 8, 8)
    made = network(xt, 5, text=torch.randn(2, 5, 6))
    assert not made.any()
    (made - 1).square().sum().backward()
    assert network.unet.conv_out.weight.grad.any()


def test_attention_can_be_left_to_the_smallest_sizes():
    kinds = [[type(block).__name__ for block in LatentUNet(**SMALL | {"widths": [32, 32, 64]}, **more).unet.down_blocks]
             for more in ({}, {"attended": 1})]
    assert kinds == [["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
                     ["DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"]]


def test_a_layout_is_triples():
    tokens = LayoutTokenizer(4, objects=2, places=5)
    assert len(tokens) == 26
    assert tokens([[(3, (0, 0.25, 1, 0.5))], []]).tolist() == [[4, 1 + 5, 1 + 2 * 5 + 4, 0, 0, 0], 6 * [0]]
    for wrong, complaint in (((4, (0, 0, 1, 1)), "class in 0..3"), ((0, (0.5, 0, 0.5, 1)), "0 <= left < right"),
                             ((0, (0, 0, 1)), "left, top, right, bottom")):
        with pytest.raises(ValueError, match=complaint):
            tokens([[wrong]])
    with pytest.raises(ValueError, match="at most 2 objects; got 3"):
        tokens([3 * [(0, (0, 0, 1, 1))]])


def test_boxes_reach_the_latents():
    network = alive(LayoutUNet(4, width=32, layers=1, unet=SMALL))
    xt, box = torch.randn(1, 3, 8, 8, generator=seeded(0)), (0, 0, 0.5, 0.5)
    made = [network(xt, 400, tokens=network.tokenizer([layout]))
            for layout in ([(1, box)], [(2, box)], [(1, (0, 0.5, 0.5, 1))], [])]
    assert all(not torch.allclose(made[0], other, atol=1e-3) for other in made[1:])
