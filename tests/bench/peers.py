"""What a user would pick instead of the course's network, behind the same call (xt, t) -> answer."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest.mock import MagicMock

from torch import nn

PACKAGES = Path(__file__).parent / ".packages"  # made by `make bench`
# Imported by denoising_diffusion_pytorch, used by its data loader, EMA and FID, not by its network
UNUSED = ("torchvision", "torchvision.transforms", "torchvision.utils", "ema_pytorch", "pytorch_fid",
          "pytorch_fid.fid_score", "pytorch_fid.inception")


class Answers(nn.Module):
    """A foreign network with the attributes that the course's samplers ask for."""

    def __init__(self, network: nn.Module, channels: int, predicts: str):
        super().__init__()
        self.network, self.channels, self.predicts = network, channels, predicts

    def forward(self, xt, t):
        answer = self.network(xt, t)
        return getattr(answer, "sample", answer)


def diffusers_unet(channels: int = 1, predicts: str = "eps") -> nn.Module:
    """UNet2DModel(32, 64, 128): 3.94M parameters."""
    from diffusers import UNet2DModel

    network = UNet2DModel(
        sample_size=32, in_channels=channels, out_channels=channels, layers_per_block=2,
        block_out_channels=(32, 64, 128), down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    return Answers(network, channels, predicts)


def lucidrains_unet(channels: int = 1, predicts: str = "eps") -> nn.Module:
    """denoising-diffusion-pytorch's Unet(dim=40, (1, 2, 4)): 3.99M parameters."""
    sys.path.insert(0, str(PACKAGES))
    for name in UNUSED:
        sys.modules.setdefault(name, MagicMock())
    from denoising_diffusion_pytorch.denoising_diffusion_pytorch import Unet

    return Answers(Unet(dim=40, dim_mults=(1, 2, 4), channels=channels), channels, predicts)
