"""The network's own drawing, maps over pictures, and the activation explorer."""

import pytest
import torch

from course_utils import show
from course_utils.networks import TextUNet, UNet
from tests.show.conftest import picture_of

SETTINGS = {
    "the course's": ({"widths": (64, 128, 192), "middle": 4}, [
        "from downs.1.blocks.0 to ups.0.blocks.0", "from downs.0.blocks.0 to ups.1.blocks.0"]),
    "three sizes, two blocks": (
        {"channels": 3, "widths": (16, 32, 64), "blocks": 2, "middle": 5},
        ["from downs.1.blocks.1 to ups.0.blocks.0", "from downs.0.blocks.1 to ups.1.blocks.0"]),
    "no middle": ({"widths": (16, 32), "middle": 0}, ["from downs.0.blocks.0 to ups.0.blocks.0"]),
    "a long middle, no stem": (
        {"widths": (16, 64), "middle": 9, "stem": 1}, ["from downs.0.blocks.0 to ups.0.blocks.0"]),
    "one size": ({"widths": (64,), "middle": 2}, []),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_drawing_follows_the_network(name, shown):
    options, skips = SETTINGS[name]
    unet = UNet(**options)
    rows = show.trace(unet, torch.zeros(1, unet.channels, 32, 32), torch.tensor([5]))
    assert rows[-1]["name"] == "" and rows[-1]["parameters"] == sum(p.numel() for p in unet.parameters())
    show.architecture(rows, "caption")
    assert picture_of(shown[0]).width <= 901
    alt = shown[0][1]["image/png"]["alt"]
    assert alt.endswith(f"Arrows across the U: {', '.join(skips) or 'none'}.")
    assert all(f"middle.{i}" in alt for i in range(options["middle"]))
    assert not any(module._forward_hooks for module in unet.modules())


def test_what_reads_is_drawn_under_the_middle(shown):
    unet = {"channels": 3, "widths": (16, 32), "middle": 2}
    network = TextUNet(["cat", "dog"], unet, length=4, width=32, layers=1)
    tokens = network.tokenizer("a cat")
    rows = show.trace(network.unet, torch.zeros(1, 3, 8, 8), torch.tensor([5]), **network.encode(tokens))
    show.architecture(rows, "caption", text_encoder=show.trace(network.text, tokens))
    without, _ = picture_of(shown[0]), show.architecture(rows, "caption")
    alt = shown[0][1]["image/png"]["alt"]
    assert alt.endswith("Below, words, blocks.0, norm, with arrows up into the middle and pooled.")
    assert without.height > picture_of(shown[-2]).height


def test_hooks_go_when_the_network_stops():
    unet = UNet(widths=(16, 32), middle=0)
    with pytest.raises(ValueError, match="Pad the images"):
        show.trace(unet, torch.zeros(1, 1, 30, 30), torch.tensor([0]))
    assert not any(module._forward_hooks for module in unet.modules())


def test_maps_lie_on_their_pictures(shown):
    show.heat(torch.eye(8)[None].expand(4, 8, 8), "caption", "alt", over=-torch.ones(4, 1, 32, 32), columns=2,
              titles=["a", "b"] * 2, labels=("one", "two"), marks=[(0, 7), None] * 2, photo=False)
    assert picture_of(shown[0]).width <= 901
    show.heat([torch.zeros(8, 8)], "caption", "alt")


def test_the_activation_explorer_follows_its_controls(shown):
    explorer = show.activation_explorer(UNet(widths=(16, 64), middle=2), torch.zeros(1, 32, 32))
    assert {"first", "downs.0.blocks.0", "middle.1", "last"} <= set(explorer.controls["part"].options)
    seen = {explorer.figure.value}
    for part in ("first", "middle.1"):
        explorer.controls["part"].value = part
        seen.add(explorer.figure.value)
    explorer.controls["t"].value = 900
    assert len(seen | {explorer.figure.value}) == 4
    assert "at t = 900" in explorer.figure.value and "middle.1" in explorer.figure.value
    # A channel keeps its place when t moves
    at = [explorer.describe("middle.1", t).partition("from channel")[2].partition(". They")[0] for t in (0, 500, 999)]
    assert at[0] and at == [at[0]] * 3
    explorer.twin()
    assert "middle.1" in shown[0][1]["image/jpeg"]["alt"]
