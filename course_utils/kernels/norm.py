"""GroupNorm, scale and shift, SiLU as one operation: y = silu((w z + b)(1 + scale) + shift), z = (x - mean) / std.

Plain torch writes and reads the whole tensor between these; the kernel reads x and writes y.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import group_norm, silu

from course_utils.kernels import norm_on_cpu
from course_utils.kernels.dispatch import interpreted, jit, next_power_of_2, tl, triton, use_kernel, warps

TILE = 8192  # elements of one program; when the pixels of its groups do not fit, they are split, and x is read twice


def group_norm_silu(x: Tensor, weight: Tensor, bias: Tensor, groups: int, scale: Tensor | None = None,
                    shift: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """SiLU of the group-normalised, scaled and shifted x (Wu and He 2018; Dhariwal and Nichol 2021).

    x (B, C, H, W), contiguous or channels-last; weight, bias (C,); `groups` divides C; scale and shift (B, C), both or
    neither. Returns y like x, in its layout. On a GPU it is one kernel where that was measured to be faster; on a CPU,
    in bfloat16 and channels-last, what norm_on_cpu.py makes of plain torch.
    """
    if use_kernel("group_norm_silu", x):
        run = fused
    else:
        run = norm_on_cpu.group_norm_silu if norm_on_cpu.fits(x) else reference
    return run(x, weight, bias, groups, scale, shift, eps)


def fused(x: Tensor, weight: Tensor, bias: Tensor, groups: int, scale: Tensor | None = None,
          shift: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """`group_norm_silu` by the kernel."""
    return _op(x, weight, bias, scale, shift, groups, eps)[0]


def reference(x: Tensor, weight: Tensor, bias: Tensor, groups: int, scale: Tensor | None = None,
              shift: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """`group_norm_silu` in plain torch, which defines it."""
    h = group_norm(x, groups, weight, bias, eps)
    if scale is not None:
        h = h * (1 + scale[:, :, None, None]) + shift[:, :, None, None]
    return silu(h)


@jit
def _tile(g, s, pixels, groups, per_group, stride_s, stride_c, SP: tl.constexpr, GP: tl.constexpr, CP: tl.constexpr):
    """Offsets of a tile of SP pixels, GP groups and CP channels per group, its channels, their validity, its mask."""
    s = s + tl.arange(0, SP)[:, None, None]
    g = g + tl.arange(0, GP)[None, :, None]
    j = tl.arange(0, CP)[None, None, :]
    c = g * per_group + j
    valid = (g < groups) & (j < per_group)
    return s * stride_s + c * stride_c, c, valid, valid & (s < pixels)


@jit
def _modulated(z, c, valid, b, channels, weight_ptr, bias_ptr, scale_ptr, shift_ptr, MODULATED: tl.constexpr):
    """The input of SiLU, a = (w z + b)(1 + scale) + shift, and its derivative da/dz."""
    da_dz = tl.load(weight_ptr + c, valid, 0.0).to(tl.float32)
    a = z * da_dz + tl.load(bias_ptr + c, valid, 0.0).to(tl.float32)
    if MODULATED:
        gain = 1 + tl.load(scale_ptr + b * channels + c, valid, 0.0).to(tl.float32)
        a = a * gain + tl.load(shift_ptr + b * channels + c, valid, 0.0).to(tl.float32)
        da_dz = da_dz * gain
    return a, da_dz


@jit
def _over_group(values):
    """The sum over pixels and channels, for each group of the tile."""
    return tl.sum(tl.sum(values, 0), 1)[None, :, None]


@jit
def _forward(x_ptr, y_ptr, weight_ptr, bias_ptr, scale_ptr, shift_ptr, parts_ptr, stats_ptr,
             pixels, groups, per_group, xb, xs, xc, yb, ys, yc, parts, eps,
             MODULATED: tl.constexpr, MEASURE: tl.constexpr, APPLY: tl.constexpr,
             SP: tl.constexpr, GP: tl.constexpr, CP: tl.constexpr, PP: tl.constexpr):
    b, g, part = tl.program_id(0).to(tl.int64), tl.program_id(1) * GP, tl.program_id(2)
    offsets, c, valid, mask = _tile(g, part * SP, pixels, groups, per_group, xs, xc, SP, GP, CP)
    x = tl.load(x_ptr + b * xb + offsets, mask, 0.0).to(tl.float32)
    group = g + tl.arange(0, GP)
    if MEASURE:
        count = tl.minimum(SP, pixels - part * SP) * per_group
        mean = _over_group(x) / count
        centred = tl.where(mask, x - mean, 0.0)
        sum_squares = _over_group(centred * centred)
    if MEASURE and not APPLY:
        # A group in several parts: the mean and sum of squared deviations of each, combined by the second launch
        part_ptrs = parts_ptr + ((b * parts + part) * groups + group) * 2
        tl.store(part_ptrs, tl.reshape(mean, (GP,)), group < groups)
        tl.store(part_ptrs + 1, tl.reshape(sum_squares, (GP,)), group < groups)
    if APPLY:
        if not MEASURE:
            p = tl.arange(0, PP)[:, None]
            part_ptrs = parts_ptr + ((b * parts + p) * groups + group[None, :]) * 2
            known = (p < parts) & (group[None, :] < groups)
            counts = tl.where(p < parts, tl.minimum(SP, pixels - p * SP), 0).to(tl.float32) * per_group
            means = tl.load(part_ptrs, known, 0.0)
            total_mean = tl.sum(means * counts, 0) / (pixels * per_group)
            delta = means - total_mean[None, :]
            squares = tl.sum(tl.load(part_ptrs + 1, known, 0.0) + delta * delta * counts, 0)
            mean, sum_squares = total_mean[None, :, None], squares[None, :, None]
        rstd = tl.rsqrt(sum_squares / (pixels * per_group) + eps)
        z = (x - mean) * rstd
        a, _ = _modulated(z, c, valid, b, groups * per_group, weight_ptr, bias_ptr, scale_ptr, shift_ptr, MODULATED)
        y = a * tl.sigmoid(a)
        offsets, c, valid, mask = _tile(g, part * SP, pixels, groups, per_group, ys, yc, SP, GP, CP)
        tl.store(y_ptr + b * yb + offsets, y, mask)
        if part == 0:
            stat_ptrs = stats_ptr + (b * groups + group) * 2
            tl.store(stat_ptrs, tl.reshape(mean, (GP,)), group < groups)
            tl.store(stat_ptrs + 1, tl.reshape(rstd, (GP,)), group < groups)


@jit
def _backward(x_ptr, dy_ptr, dx_ptr, weight_ptr, bias_ptr, scale_ptr, shift_ptr, stats_ptr, sums_ptr,
              pixels, groups, per_group, xb, xs, xc, db, ds, dc, ob, os, oc, parts,
              MODULATED: tl.constexpr, MEASURE: tl.constexpr, APPLY: tl.constexpr,
              SP: tl.constexpr, GP: tl.constexpr, CP: tl.constexpr):
    b, g, part = tl.program_id(0).to(tl.int64), tl.program_id(1) * GP, tl.program_id(2)
    channels = groups * per_group
    group = (g + tl.arange(0, GP))[None, :, None]
    mean = tl.load(stats_ptr + (b * groups + group) * 2, group < groups, 0.0)
    rstd = tl.load(stats_ptr + (b * groups + group) * 2 + 1, group < groups, 0.0)
    offsets, c, valid, mask = _tile(g, part * SP, pixels, groups, per_group, xs, xc, SP, GP, CP)
    z = (tl.load(x_ptr + b * xb + offsets, mask, 0.0).to(tl.float32) - mean) * rstd
    a, da_dz = _modulated(z, c, valid, b, channels, weight_ptr, bias_ptr, scale_ptr, shift_ptr, MODULATED)
    offsets, c, valid, mask = _tile(g, part * SP, pixels, groups, per_group, ds, dc, SP, GP, CP)
    share = tl.sigmoid(a)
    da = tl.load(dy_ptr + b * db + offsets, mask, 0.0).to(tl.float32) * share * (1 + a * (1 - share))
    # The sums of da and da z over the pixels: all other gradients follow from these two numbers per channel
    sum_ptrs = sums_ptr + (((b * parts + part) if MEASURE else b) * channels + c) * 2
    if MEASURE:
        sum_a, sum_az = tl.sum(da, 0)[None, :, :], tl.sum(da * z, 0)[None, :, :]
        tl.store(sum_ptrs, sum_a, valid)
        tl.store(sum_ptrs + 1, sum_az, valid)
    else:
        sum_a, sum_az = tl.load(sum_ptrs, valid, 0.0), tl.load(sum_ptrs + 1, valid, 0.0)
    if APPLY:
        n = pixels * per_group
        dx = rstd * (da * da_dz - _over_group(sum_a * da_dz) / n - z * _over_group(sum_az * da_dz) / n)
        offsets, c, valid, mask = _tile(g, part * SP, pixels, groups, per_group, os, oc, SP, GP, CP)
        tl.store(dx_ptr + b * ob + offsets, dx, mask)


def _dense(x: Tensor) -> Tensor:
    """x itself when its pixels are evenly spaced in memory, as in both layouts; a contiguous copy otherwise."""
    even = x.stride(2) == x.shape[3] * x.stride(3) or x.shape[2] == 1
    return x if even else x.contiguous()


def tiles(x: Tensor, groups: int) -> tuple[dict[str, int], int]:
    """The tile of one program, SP pixels by GP groups of CP channels, and the number of parts of the pixels."""
    pixels, per_group = x.shape[2] * x.shape[3], x.shape[1] // groups
    CP = next_power_of_2(per_group)
    # Channels-last: several groups side by side, so that loads are coalesced
    GP = 1 if x.stride(3) == 1 else min(next_power_of_2(groups), max(1, 32 // CP))
    SP = min(next_power_of_2(pixels), max(1, TILE // (GP * CP)))
    return {"SP": SP, "GP": GP, "CP": CP}, -(-pixels // SP)


def _strides(x: Tensor) -> tuple[int, int, int]:
    """The strides between images, pixels and channels."""
    return x.stride(0), x.stride(3) if x.shape[3] > 1 else x.stride(2), x.stride(1)


def launch(x: Tensor, weight: Tensor, bias: Tensor, scale: Tensor | None, shift: Tensor | None, groups: int,
           eps: float) -> tuple[Tensor, Tensor]:
    """y and the statistics (B, groups, 2), mean and 1 / std, by the kernel: one launch, or two for large groups."""
    x = _dense(x)
    y, stats = torch.empty_like(x), x.new_empty(len(x), groups, 2, dtype=torch.float32)
    blocks, parts = tiles(x, groups)
    partial = x.new_empty(len(x), parts, groups, 2, dtype=torch.float32) if parts > 1 else stats
    grid = len(x), -(-groups // blocks["GP"]), parts
    for measure, apply in [(True, True)] if parts == 1 else [(True, False), (False, True)]:
        _forward[grid](x, y, weight, bias, *_both(scale, shift, x), partial, stats, x.shape[2] * x.shape[3], groups,
                       x.shape[1] // groups, *_strides(x), *_strides(y), parts, eps, MODULATED=scale is not None,
                       MEASURE=measure, APPLY=apply, **blocks, PP=next_power_of_2(parts),
                       num_warps=warps(blocks["SP"] * blocks["GP"] * blocks["CP"]))
    return y, stats


def launch_backward(dy: Tensor, x: Tensor, weight: Tensor, bias: Tensor, scale: Tensor | None, shift: Tensor | None,
                    stats: Tensor, groups: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The gradients of x, weight, bias, scale and shift (the last two empty without them), by the kernel."""
    x, dy = _dense(x), _dense(dy)
    dx = torch.empty_like(x)
    blocks, parts = tiles(x, groups)
    sums = x.new_empty(len(x), parts, x.shape[1], 2, dtype=torch.float32)
    grid = len(x), -(-groups // blocks["GP"]), parts
    for measure, apply in [(True, True)] if parts == 1 else [(True, False), (False, True)]:
        if not measure:
            sums = sums.sum(1, keepdim=True)
        _backward[grid](x, dy, dx, weight, bias, *_both(scale, shift, x), stats, sums, x.shape[2] * x.shape[3], groups,
                        x.shape[1] // groups, *_strides(x), *_strides(dy), *_strides(dx), parts,
                        MODULATED=scale is not None, MEASURE=measure, APPLY=apply, **blocks,
                        num_warps=warps(blocks["SP"] * blocks["GP"] * blocks["CP"]))
    return dx, *_parameters(*sums[:, 0].unbind(-1), weight, bias, scale, shift)


def _both(scale: Tensor | None, shift: Tensor | None, x: Tensor) -> tuple[Tensor, Tensor]:
    """Scale and shift, contiguous for the kernel; x as a placeholder when there are none."""
    return (x, x) if scale is None else (scale.contiguous(), shift.contiguous())


def _parameters(sum_a, sum_az, weight, bias, scale, shift) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The gradients of weight, bias, scale and shift from the sums (B, C) of da and da z over the pixels."""
    gain = 1 if scale is None else 1 + scale.to(sum_a)
    dweight, dbias = (gain * sum_az).sum(0), (gain * sum_a).sum(0)
    if scale is None:
        return dweight.to(weight), dbias.to(bias), weight.new_empty(0), weight.new_empty(0)
    return dweight.to(weight), dbias.to(bias), (weight * sum_az + bias * sum_a).to(scale), sum_a.to(shift)


def _stats(x: Tensor, groups: int, eps: float) -> Tensor:
    flat = x.to(torch.promote_types(x.dtype, torch.float32)).reshape(len(x), groups, -1)
    var, mean = torch.var_mean(flat, dim=2, correction=0)
    return torch.stack([mean, (var + eps).rsqrt()], dim=-1)


@torch.library.custom_op("course::group_norm_silu", mutates_args=())
def _op(x: Tensor, weight: Tensor, bias: Tensor, scale: Tensor | None, shift: Tensor | None, groups: int,
        eps: float) -> tuple[Tensor, Tensor]:
    if interpreted() and x.dtype != torch.float64:
        return launch(x, weight, bias, scale, shift, groups, eps)
    # The kernel returns x's dtype under autocast too, so the same is done here
    wide = torch.promote_types(x.dtype, torch.float32)
    parts = [None if p is None else p.to(wide) for p in (weight, bias, scale, shift)]
    y = reference(x.to(wide), *parts[:2], groups, *parts[2:], eps)
    return torch.empty_like(x).copy_(y), _stats(x, groups, eps)


@torch.library.custom_op("course::group_norm_silu_backward", mutates_args=())
def _backward_op(dy: Tensor, x: Tensor, weight: Tensor, bias: Tensor, scale: Tensor | None, shift: Tensor | None,
                 stats: Tensor, groups: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    if interpreted() and x.dtype != torch.float64:
        return launch_backward(dy, x, weight, bias, scale, shift, stats, groups)
    wide = stats.dtype
    mean, rstd = (part.repeat_interleave(x.shape[1] // groups, 1)[:, :, None, None] for part in stats.unbind(-1))
    z = (x.to(wide) - mean) * rstd
    da_dz = weight.to(wide)[None, :, None, None]
    a = z * da_dz + bias.to(wide)[:, None, None]
    if scale is not None:
        gain = 1 + scale.to(wide)[:, :, None, None]
        a, da_dz = a * gain + shift.to(wide)[:, :, None, None], da_dz * gain
    share = a.sigmoid()
    da = dy.to(wide) * share * (1 + a * (1 - share))
    dz = (da * da_dz).reshape(len(x), groups, -1)
    along = z.reshape(dz.shape) * (dz * z.reshape(dz.shape)).mean(2, keepdim=True)
    dx = rstd * (dz - dz.mean(2, keepdim=True) - along).reshape(x.shape)
    sums = da.sum((2, 3)), (da * z).sum((2, 3))
    return torch.empty_like(x).copy_(dx), *_parameters(*sums, weight, bias, scale, shift)


@_op.register_fake
def _(x, weight, bias, scale, shift, groups, eps):
    wide = torch.promote_types(x.dtype, torch.float32)
    return torch.empty_like(x), x.new_empty(len(x), groups, 2, dtype=wide)


@_backward_op.register_fake
def _(dy, x, weight, bias, scale, shift, stats, groups):
    grads = [torch.empty_like(p, memory_format=torch.contiguous_format) if p is not None else weight.new_empty(0)
            for p in (scale, shift)]
    return torch.empty_like(x), torch.empty_like(weight), torch.empty_like(bias), *grads


def _setup_context(ctx, inputs, output):
    x, weight, bias, scale, shift, ctx.groups, _ = inputs
    ctx.modulated = scale is not None
    ctx.save_for_backward(x, weight, bias, scale, shift, output[1])


def _autograd_backward(ctx, dy, dstats):
    x, weight, bias, scale, shift, stats = ctx.saved_tensors
    dx, dweight, dbias, dscale, dshift = _backward_op(dy, x, weight, bias, scale, shift, stats, ctx.groups)
    return dx, dweight, dbias, dscale if ctx.modulated else None, dshift if ctx.modulated else None, None, None


_op.register_autograd(_autograd_backward, setup_context=_setup_context)
if triton is not None:
    _op.register_kernel("cuda")(launch)
    _backward_op.register_kernel("cuda")(launch_backward)
