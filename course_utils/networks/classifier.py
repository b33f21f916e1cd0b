"""Encoders of noisy images: the U-Net's way down, then attention pooling."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_unshuffle, silu

from course_utils.networks.blocks import Attention, ResidualBlock, TimeEmbedding
from course_utils.networks.unet import Down, positions
from course_utils.networks.weights import Network


class NoisyEncoder(Network):
    """Noisy images xt (B, channels, H, W) and times t (B,) or a number -> (B, out).

    H and W must be multiples of `stride`; ValueError otherwise.
    Source: Dhariwal and Nichol 2021, section 4 and their code (EncoderUNetModel with attention pooling).
    """

    def __init__(self, out: int, channels: int, widths: Sequence[int], stem: int = 2, head: int = 64):
        super().__init__()
        self.stem, self.stride = stem, stem * 2 ** (len(widths) - 1)
        *outer, inner = widths
        self.time = TimeEmbedding(inner)
        self.first = nn.Conv2d(channels * stem**2, widths[0], 3, padding=1)
        self.downs = nn.ModuleList(
            Down([ResidualBlock(width, width, inner)], nn.Conv2d(width, smaller, 3, stride=2, padding=1))
            for width, smaller in zip(outer, widths[1:]))
        self.norm = nn.LayerNorm(inner)
        self.pool = Attention(inner, max(1, inner // head))
        self.last = nn.Linear(inner, out)
        self.to(memory_format=torch.channels_last)

    def forward(self, xt: Tensor, t: Tensor | float) -> Tensor:
        if xt.shape[2] % self.stride or xt.shape[3] % self.stride:
            raise ValueError(f"the height and the width of xt must be multiples of {self.stride}; got "
                             f"{tuple(xt.shape)}. Pad the images, or crop them.")
        condition = silu(self.time(torch.as_tensor(t, device=xt.device).expand(len(xt))))
        x = self.first(pixel_unshuffle(xt, self.stem).contiguous(memory_format=torch.channels_last))
        for down in self.downs:
            x, _ = down(x, condition)
        places = x.flatten(2).transpose(1, 2) + positions(*x.shape[-2:], x.shape[1], x)
        tokens = self.norm(torch.cat([places.mean(1, keepdim=True), places], dim=1))
        return self.last(self.pool(tokens)[:, 0])


class NoisyClassifier(NoisyEncoder):
    """Noisy images xt (B, channels, H, W) and times t (B,) or a number -> logits (B, classes).

    `names` are the classes' names in order. H and W must be multiples of `stride`; ValueError otherwise.
    """

    def __init__(self, names: list[str], channels: int = 1, widths: Sequence[int] = (64, 128, 192), stem: int = 2,
                 head: int = 64):
        super().__init__(len(names), channels, widths, stem, head)
        self.names = list(names)
