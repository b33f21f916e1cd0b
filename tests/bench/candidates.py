"""The networks that were compared before the course's U-Net was chosen, made of its own parts."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from course_utils.networks.blocks import Attention, ResidualBlock, TimeEmbedding, TransformerBlock, zeros
from course_utils.networks.unet import UNet, positions


class ResidualAttention(nn.Module):
    """The classic middle: a residual block on the square, then attention among its tokens."""

    def __init__(self, width: int, condition: int, side: int):
        super().__init__()
        self.side = side
        self.residual = ResidualBlock(width, width, condition)
        self.norm, self.attention = nn.LayerNorm(width), Attention(width, max(1, width // 64))
        zeros(self.attention.out)

    def forward(self, tokens: Tensor, condition: Tensor, text=None, grounding=None) -> Tensor:
        square = tokens.transpose(1, 2).unflatten(2, (self.side, -1))
        tokens = self.residual(square, condition).flatten(2).transpose(1, 2)
        return tokens + self.attention(self.norm(tokens))


def conv_unet(channels: int, widths=(64, 128), blocks: int = 2, middle: int = 2, stem: int = 2, side: int = 8, **names):
    """The course's U-Net with residual blocks and attention in the middle, as in DDPM."""
    unet = UNet(channels, widths, blocks, 0, stem, **names)
    unet.middle.extend(ResidualAttention(widths[-1], widths[-1], side) for _ in range(middle))
    return unet.to(memory_format=torch.channels_last)


class DiT(nn.Module):
    """Only a transformer, on patches (Peebles and Xie 2023)."""

    def __init__(self, channels: int, width: int = 192, depth: int = 6, patch: int = 4, predicts: str = "x0"):
        super().__init__()
        self.predicts, self.patch = predicts, patch
        self.time = TimeEmbedding(width)
        self.first = nn.Conv2d(channels, width, patch, stride=patch)
        self.blocks = nn.ModuleList(TransformerBlock(width, width // 64, width) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.last = zeros(nn.Linear(width, channels * patch**2))

    def forward(self, xt: Tensor, t: Tensor) -> Tensor:
        condition = silu(self.time(t))
        x = self.first(xt)
        height, width = x.shape[-2:]
        tokens = x.flatten(2).transpose(1, 2) + positions(height, width, x.shape[1], x)
        for block in self.blocks:
            tokens = block(tokens, condition)
        x = self.last(self.norm(tokens)).transpose(1, 2).unflatten(2, (height, width))
        return nn.functional.pixel_shuffle(x, self.patch)
