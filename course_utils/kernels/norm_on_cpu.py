"""GroupNorm, scale and shift, SiLU for bfloat16 on the CPU: torch's own takes longer there than the convolutions do.

The equation is that of norm.py, linear parts drawn together: y = silu(x gain + offset), where gain and offset
(B, C) follow from the sums of x and x^2. Only x and they are kept for the gradient. Everything is computed in float32,
a few images at a time, so that what lies between is neither written to main memory nor allocated anew.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import silu

CHUNK = 2**18  # numbers at a time: a megabyte in float32


def fits(x: Tensor) -> bool:
    """Is x what this was written for: bfloat16, channels-last, on the CPU?"""
    return x.device.type == "cpu" and x.dtype == torch.bfloat16 and x.is_contiguous(memory_format=torch.channels_last)


def group_norm_silu(x: Tensor, weight: Tensor, bias: Tensor, groups: int, scale: Tensor | None = None,
                    shift: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """As norm.group_norm_silu, for an x that `fits`; it can be differentiated once."""
    factor, start = weight.float(), bias.float()
    if scale is not None:
        grow = 1 + scale.float()
        factor, start = factor * grow, start * grow + shift.float()
    factor, start = factor.expand(x.shape[:2]), start.expand(x.shape[:2])
    tokens = x.permute(0, 2, 3, 1).flatten(1, 2)
    y = _NormSiLU.apply(tokens, factor, start, groups, eps)
    return y.unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)


class _NormSiLU(torch.autograd.Function):
    """x (B, N, C), factor and start (B, C) -> silu(factor z + start), z = (x - mean) / std of each group."""

    @staticmethod
    def forward(ctx, x: Tensor, factor: Tensor, start: Tensor, groups: int, eps: float) -> Tensor:
        parts, (wide, other) = _parts(x), _room(x, 2)
        sums, squares = x.new_empty(2, len(x), x.shape[2], dtype=torch.float32)
        for part in parts:
            here = wide[: len(x[part])].copy_(x[part])
            torch.sum(here, 1, out=sums[part])
            torch.sum(torch.mul(here, here, out=other[: len(here)]), 1, out=squares[part])
        mean = _over_group(sums, groups) / x.shape[1]
        rstd = ((_over_group(squares, groups) / x.shape[1] - mean * mean).clamp(min=0) + eps).rsqrt()
        gain = rstd * factor
        offset = start - mean * gain
        y = torch.empty_like(x)
        for part in parts:
            here = wide[: len(x[part])].copy_(x[part])
            y[part] = silu(torch.addcmul(offset[part, None], here, gain[part, None], out=here), inplace=True)
        ctx.groups = groups
        ctx.save_for_backward(x, mean, rstd, gain, offset)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, dy: Tensor):
        x, mean, rstd, gain, offset = ctx.saved_tensors
        dx, (wide, modulated, grads) = torch.empty_like(x), _room(x, 3)
        dfactor, dstart = x.new_empty(2, len(x), x.shape[2], dtype=torch.float32)
        for part in _parts(x):
            n = len(x[part])
            here, da = wide[:n].copy_(x[part]), grads[:n].copy_(dy[part])
            a = torch.addcmul(offset[part, None], here, gain[part, None], out=modulated[:n])
            torch.ops.aten.silu_backward.grad_input(da, a, grad_input=da)
            # Over the pixels, da and da z: all gradients follow from these two numbers a channel
            along, plain = dfactor[part], dstart[part]
            torch.sum(da, 1, out=plain)
            torch.sum(torch.mul(da, here, out=a), 1, out=along)
            along.sub_(mean[part] * plain).mul_(rstd[part])
            # dx = gain da - mean over the group of (gain da) - z times that of (gain da z)
            bend = -rstd[part] * _over_group(gain[part] * along, ctx.groups) / x.shape[1]
            level = -_over_group(gain[part] * plain, ctx.groups) / x.shape[1] - bend * mean[part]
            dx[part] = torch.addcmul(level[:, None], here, bend[:, None], out=a).addcmul_(da, gain[part, None])
        return dx, dfactor, dstart, None, None


def _parts(x: Tensor) -> list[slice]:
    """The images, a few at a time."""
    step = max(1, CHUNK // x[0].numel())
    return [slice(i, i + step) for i in range(0, len(x), step)]


def _room(x: Tensor, n: int) -> list[Tensor]:
    """n buffers for as many images as are worked on at a time."""
    step = min(len(x), max(1, CHUNK // x[0].numel()))
    return [x.new_empty(step, *x.shape[1:], dtype=torch.float32) for _ in range(n)]


def _over_group(values: Tensor, groups: int) -> Tensor:
    """The mean of (B, C) over the channels of each group, written to each of them."""
    return values.unflatten(1, (groups, -1)).mean(2).repeat_interleave(values.shape[1] // groups, 1)
