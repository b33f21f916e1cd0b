"""The parts of the U-Net: time embedding, residual block, transformer block, gated grounding."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, normalize

from course_utils.kernels import group_norm_silu


def sinusoid(t: Tensor, width: int, longest: float = 10_000.0) -> Tensor:
    """Sinusoidal embedding of t (B,), (B, width), from high to low frequencies (Vaswani et al. 2017)."""
    rates = torch.exp(-math.log(longest) * torch.arange(width // 2, device=t.device) / (width // 2))
    angles = t.float()[:, None] * rates
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def zeros(layer: nn.Module) -> nn.Module:
    """The same layer with all parameters zero: a block that ends in it starts as the identity."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


class TimeEmbedding(nn.Module):
    """t (B,) in 0..T-1 -> (B, width): a sinusoidal embedding, then two layers (DDPM)."""

    def __init__(self, width: int, waves: int = 128):
        super().__init__()
        self.waves = waves
        self.layers = nn.Sequential(nn.Linear(waves, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        return self.layers(sinusoid(t, self.waves).to(self.layers[0].weight.dtype))


class GroupNormSiLU(nn.GroupNorm):
    """x (B, C, H, W) -> SiLU of its group norm, after scale and shift, both (B, C), if given."""

    def forward(self, x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
        return group_norm_silu(x, self.weight, self.bias, self.num_groups, scale, shift, self.eps)


class ResidualBlock(nn.Module):
    """x (B, C, H, W) -> (B, out, H, W): x + conv(norm(conv(norm(x)))), the second norm modulated by the condition.

    "Scale-shift norm": scale and shift come from the condition (B, E). Source: Dhariwal and Nichol 2021, section 3.
    """

    def __init__(self, channels: int, out: int, condition: int):
        super().__init__()
        self.norm1 = GroupNormSiLU(min(32, channels // 4), channels)
        self.conv1 = nn.Conv2d(channels, out, 3, padding=1)
        self.scale_shift = nn.Linear(condition, 2 * out)
        self.norm2 = GroupNormSiLU(min(32, out // 4), out)
        self.conv2 = zeros(nn.Conv2d(out, out, 3, padding=1))
        self.skip = nn.Identity() if channels == out else nn.Conv2d(channels, out, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        h = self.conv1(self.norm1(x))
        h = self.conv2(self.norm2(h, *self.scale_shift(condition).chunk(2, dim=1)))
        return self.skip(x) + h


class Attention(nn.Module):
    """Attention of tokens x (B, N, C) to all of them, and to those of `context` (B, M, D) if given.

    The context's keys and values are concatenated to the tokens' own (GLIDE). bias (N, N): added to the logits.
    qk_norm: queries and keys are normalised, the logits multiplied by a learned temperature. Without it, at high rates,
    their norms may grow until all tokens attend to one. Sources: Vaswani et al. 2017; Henry et al. 2020 (QKNorm).
    """

    def __init__(self, width: int, heads: int, context_dim: int = 0, qk_norm: bool = False):
        super().__init__()
        self.heads = heads
        root = (width // heads) ** 0.5
        self.sharpness = nn.Parameter(torch.full((heads, 1, 1), root)) if qk_norm else 1 / root
        self.qkv = nn.Linear(width, 3 * width)
        self.context_kv = nn.Linear(context_dim, 2 * width) if context_dim else None
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, context: Tensor | None = None, bias: Tensor | float = 0.0) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        if context is not None:
            k, v = (torch.cat(pair, 1) for pair in zip(self.context_kv(context).chunk(2, dim=-1), (k, v)))
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (q, k, v))
        # Written out: for a few dozen tokens torch's fused attention takes several times as long on a CPU
        if isinstance(self.sharpness, Tensor):
            q, k = normalize(q, dim=-1).to(v), normalize(k, dim=-1).to(v)
        share = (self.sharpness * (q @ k.mT) + bias).softmax(dim=-1)
        return self.out((share.to(v) @ v).transpose(1, 2).flatten(2))


class GELU(nn.GELU):
    """x times the share of normal numbers below x (Hendrycks and Gimpel 2016), by the usual formula with a tanh.

    In bfloat16 on the CPU by erf: the two differ by less than .0005, and torch's tanh takes four times as long.
    """

    def forward(self, x: Tensor) -> Tensor:
        return gelu(x, approximate="none" if x.is_cpu and x.dtype == torch.bfloat16 else self.approximate)


def feed_forward(width: int) -> nn.Sequential:
    """Two layers with a wide hidden one, applied to each token."""
    return nn.Sequential(nn.Linear(width, 4 * width), GELU(approximate="tanh"), nn.Linear(4 * width, width))


class GatedAttention(nn.Module):
    """GLIGEN's layer: x (B, N, C) attends to grounding tokens (B, M, D) too; its gates start at zero.

    Source: Li et al. 2023, equation 8, and the gated feed-forward of the authors' code.
    """

    def __init__(self, width: int, heads: int, grounding_dim: int):
        super().__init__()
        self.into = nn.Linear(grounding_dim, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention, self.feed_forward = Attention(width, heads), feed_forward(width)
        self.gates = nn.Parameter(torch.zeros(2))

    def forward(self, x: Tensor, grounding: Tensor) -> Tensor:
        both = self.norm1(torch.cat([x, self.into(grounding)], dim=1))
        x = x + self.gates[0].tanh() * self.attention(both)[:, : x.shape[1]]
        return x + self.gates[1].tanh() * self.feed_forward(self.norm2(x))


class TransformerBlock(nn.Module):
    """Tokens x (B, N, C) -> (B, N, C): attention, then a feed-forward, each scaled, shifted and gated by the condition.

    "adaLN-Zero": the gates start at zero. Source: Peebles and Xie 2023 (DiT), section 3.2.
    """

    def __init__(self, width: int, heads: int, condition: int, context_dim: int = 0, grounding_dim: int = 0,
                 qk_norm: bool = False):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False)
        self.attention = Attention(width, heads, context_dim, qk_norm)
        self.grounding = GatedAttention(width, heads, grounding_dim) if grounding_dim else None
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False)
        self.feed_forward = feed_forward(width)
        self.modulation = zeros(nn.Linear(condition, 6 * width))

    def forward(self, x: Tensor, condition: Tensor, context: Tensor = None, grounding: Tensor = None) -> Tensor:
        scale1, shift1, gate1, scale2, shift2, gate2 = self.modulation(condition)[:, None].chunk(6, dim=-1)
        x = x + gate1 * self.attention(self.norm1(x) * (1 + scale1) + shift1, context)
        if grounding is not None:
            x = self.grounding(x, grounding)
        return x + gate2 * self.feed_forward(self.norm2(x) * (1 + scale2) + shift2)
