"""The picture of a whole pipeline: what it shows comes from the modules and tensors it is given."""

import pytest
import torch
from torch import nn

from course_utils import show
from course_utils.networks import UNet
from course_utils.show.pipeline import describe
from tests.show.conftest import picture_of


def test_it_says_classes_sizes_and_shapes():
    unet = UNet(widths=(8, 16), middle=1)
    count = sum(p.numel() for p in unet.parameters())
    row = [("prompt", "a cat"), ("tokens", torch.zeros(28, 128)),
           show.step(unet, "denoiser", times=20, takes=[("noise", torch.zeros(1, 32, 32))]),
           ("image", torch.zeros(1, 32, 32))]
    assert describe(row) == ("From left to right, joined by arrows: prompt “a cat”; tokens (28 x 128); denoiser UNet "
                             f"{count / 1e3:.0f}k parameters (applied 20 times, which also takes noise (32 x 32 x 1)); "
                             "image (32 x 32 x 1).")


def test_it_is_drawn_for_each_kind_of_data(shown):
    def shrink(x):
        return x
    show.pipeline([("points", torch.rand(50, 2)), show.step(shrink, takes=[("a", "b"), ("c", torch.zeros(4))]),
                   ("image", torch.zeros(3, 8, 8)), show.step(nn.Linear(2, 2), times=3)], caption="A row.")
    (picture, _) = shown
    assert picture_of(picture).width <= 901
    assert "shrink" in picture[1]["image/png"]["alt"]


def test_data_in_place_of_a_step_are_refused():
    with pytest.raises(ValueError, match="must be a network or a function; got Tensor"):
        show.step(torch.zeros(3))
