"""A network that is given more channels answers as before until it learns."""

import pytest
import torch

from course_utils.networks import UNet, widened
from course_utils.runtime import seeded
from tests.tiny import alive


@pytest.mark.parametrize("stem", [1, 2, 4])
@pytest.mark.parametrize("image_channels", [3, 4])
def test_a_widened_network_answers_as_before(stem, image_channels):
    network = alive(channels=3, stem=stem).double()
    wide = widened(network, image_channels).double()
    xt, t = torch.randn(2, 3, 16, 16, generator=seeded(0)).double(), torch.tensor([100, 800])
    image = torch.randn(2, image_channels, 16, 16, generator=seeded(1)).double()
    assert torch.allclose(wide(xt, t, image=image), network(xt, t), atol=1e-9)
    assert all(p.requires_grad for p in wide.parameters()) and wide.training
    wide(xt, t, image=image).sum().backward()
    assert wide.first.weight.grad[:, 3 * stem**2 :].abs().amax((0, 2, 3)).min() > 0
    with torch.no_grad():
        wide.first.weight[:, 3 * stem**2 :] += 0.1
    assert not torch.allclose(wide(xt, t, image=image), network(xt, t), atol=1e-3)


def test_a_widened_network_saves_and_loads_itself(tmp_path):
    network = UNet(channels=3, widths=(8, 16), middle=1, predicts="v")
    widened(network, 4).save_pretrained(tmp_path)
    again = UNet.from_pretrained(tmp_path)
    assert again.takes["image"] == ("image_channels", 4) and again.predicts == "v" and len(again.middle) == 1
    with pytest.raises(ValueError, match="has image_channels=4 already; widen the one"):
        widened(again, 1)
