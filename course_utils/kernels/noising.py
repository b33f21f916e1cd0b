"""Noise from a seed, inside the kernel: xt = sqrt(abar) x0 + sqrt(1 - abar) eps(seed), and a loss that recomputes eps.

One integer seed per image determines the noise of all its pixels (Philox: Salmon et al. 2011), so that noise is never
stored or read; the loss computes it a second time, which is cheaper than loading it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_utils.kernels.dispatch import interpreted, jit, tl, triton, use_kernel

BLOCK = 256  # counters of one program; each counter yields four numbers
ROUNDS, KEY, ROUND = 10, (0x9E3779B9, 0xBB67AE85), (0xD2511F53, 0xCD9E8D57)  # Philox4x32-10
LOW = 0xFFFFFFFF


def q_sample(x0: Tensor, abar: Tensor, seed: Tensor) -> Tensor:
    """Images x0 (B, ...) noised to abar (B,) in [0, 1]: sqrt(abar) x0 + sqrt(1 - abar) noise(seed).

    seed (B,) int64, one per image: equal seeds give equal noise, in any batch. Returns xt like x0. Raises ValueError
    for other seeds. Source: Ho et al. 2020 (DDPM), equation 4.
    """
    return _mix(x0, seed, abar.sqrt(), (1 - abar).sqrt())


def noise(seed: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The standard normal noise (B, *shape) of the seeds (B,) int64: float32, on the seeds' device."""
    zeros = torch.zeros(len(seed), *shape, device=seed.device)
    return _mix(zeros, seed, torch.zeros_like(seed, dtype=zeros.dtype), torch.ones_like(seed, dtype=zeros.dtype))


def squared_error(output: Tensor, x0: Tensor, seed: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """The mean squared error of each image to target = a x0 + b noise(seed); differentiable in output.

    output, x0 (B, ...); seed (B,) int64; a, b (B,): the target is the noise for (0, 1), the velocity v for
    (-sqrt(1 - abar), sqrt(abar)). Returns (B,) float32. The noise of q_sample is recomputed, never stored.
    """
    _check_seed(seed, x0)
    return (fused_error if use_kernel("squared_error", output) else error_reference)(output, x0, seed, a, b)


def error_reference(output: Tensor, x0: Tensor, seed: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """`squared_error` in plain torch, which defines it."""
    return ((output.to(_wide(output)) - mix_reference(x0, seed, a, b)) ** 2).flatten(1).mean(1)


def fused_error(output: Tensor, x0: Tensor, seed: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """`squared_error` by the kernel."""
    return _error_op(output.contiguous(), x0.contiguous(), seed, a.float(), b.float())


def _mix(x0: Tensor, seed: Tensor, a: Tensor, b: Tensor) -> Tensor:
    _check_seed(seed, x0)
    return (fused_mix if use_kernel("q_sample", x0) else mix_reference)(x0, seed, a, b)


def fused_mix(x0: Tensor, seed: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """a x0 + b noise(seed) by the kernel."""
    return _mix_op(x0.contiguous(), seed, a.float(), b.float())


def mix_reference(x0: Tensor, seed: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """a x0 + b noise(seed) in plain torch, which defines it."""
    return _times(a, x0) + _times(b, noise_reference(seed, x0[0].numel()).to(x0.dtype).view_as(x0))


def noise_reference(seed: Tensor, n: int) -> Tensor:
    """The n normal numbers (B, n) of each seed (B,): Philox, then the Box-Muller transform.

    Counter i of a seed yields the numbers i, i + q, i + 2q and i + 3q, with q = n / 4 rounded up.
    """
    quarter = -(-n // 4)
    uniform = [_uniform(c) for c in philox(seed, quarter)]
    pairs = [_normal(*uniform[:2]), _normal(*uniform[2:])]
    return torch.cat([part for pair in pairs for part in pair], dim=1)[:, :n]


def philox(seed: Tensor, n: int) -> list[Tensor]:
    """Four random integers in 0..2^32-1 for each seed (B,) and each counter 0..n-1, as four tensors (B, n)."""
    c = [torch.arange(n, device=seed.device).expand(len(seed), n), *[torch.zeros_like(seed)[:, None]] * 3]
    keys = [(seed & LOW)[:, None], (seed >> 32 & LOW)[:, None]]
    for _ in range(ROUNDS):
        (high0, low0), (high1, low1) = (_product(factor, part) for factor, part in zip(ROUND, (c[0], c[2])))
        c = [high1 ^ c[1] ^ keys[0], low1, high0 ^ c[3] ^ keys[1], low0]
        keys = [key + step & LOW for key, step in zip(keys, KEY)]
    return c


def _product(factor: int, x: Tensor) -> tuple[Tensor, Tensor]:
    """High and low 32 bits of factor * x, both below 2^32; in two halves, because int64 is signed."""
    low, high = factor * (x & 0xFFFF), factor * (x >> 16)
    middle = (low >> 16) + high
    return middle >> 16, (middle & 0xFFFF) << 16 | low & 0xFFFF


def _uniform(bits: Tensor) -> Tensor:
    """Integers in 0..2^32-1 as float32 in [0, 1), as Triton converts them."""
    signed = torch.where(bits >= 2**31, bits - 2**32, bits)
    return torch.where(signed < 0, ~signed, signed).float() * 4.6566127342e-10


def _normal(u1: Tensor, u2: Tensor) -> tuple[Tensor, Tensor]:
    radius, angle = (-2 * u1.clamp(min=1e-7).log()).sqrt(), 2 * math.pi * u2
    return radius * angle.cos(), radius * angle.sin()


def _times(factor: Tensor, x: Tensor) -> Tensor:
    return factor.to(x.dtype).view(-1, *[1] * (x.ndim - 1)) * x


def _check_seed(seed: Tensor, x0: Tensor) -> None:
    if seed.dtype != torch.int64 or seed.shape != (len(x0),):
        raise ValueError(f"seed must hold one int64 for each of the {len(x0)} images; got {seed.dtype}, "
                         f"{tuple(seed.shape)}. torch.randint(2**62, (B,), generator=...) draws some.")


@jit
def _mixed(x0_ptr, offset, mask, a, b, eps):
    return a * tl.load(x0_ptr + offset, mask, 0.0).to(tl.float32) + b * eps


@jit
def _offsets(n, BLOCK: tl.constexpr):
    """The counters of this program, and the offsets of the first of their four numbers in the batch."""
    i = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    return i, tl.program_id(0).to(tl.int64) * n + i


@jit
def _mix_kernel(x0_ptr, seed_ptr, a_ptr, b_ptr, xt_ptr, n, quarter, BLOCK: tl.constexpr):
    image = tl.program_id(0)
    i, offset = _offsets(n, BLOCK)
    a, b = tl.load(a_ptr + image), tl.load(b_ptr + image)
    eps0, eps1, eps2, eps3 = tl.randn4x(tl.load(seed_ptr + image), i)
    mask0 = i < quarter
    mask1, mask2, mask3 = [mask0 & (i + k * quarter < n) for k in (1, 2, 3)]
    offset1, offset2, offset3 = [offset + k * quarter for k in (1, 2, 3)]
    tl.store(xt_ptr + offset, _mixed(x0_ptr, offset, mask0, a, b, eps0), mask0)
    tl.store(xt_ptr + offset1, _mixed(x0_ptr, offset1, mask1, a, b, eps1), mask1)
    tl.store(xt_ptr + offset2, _mixed(x0_ptr, offset2, mask2, a, b, eps2), mask2)
    tl.store(xt_ptr + offset3, _mixed(x0_ptr, offset3, mask3, a, b, eps3), mask3)


@jit
def _difference(output_ptr, x0_ptr, offset, mask, a, b, eps):
    """Output minus target."""
    output = tl.load(output_ptr + offset, mask, 0.0).to(tl.float32)
    return tl.where(mask, output - _mixed(x0_ptr, offset, mask, a, b, eps), 0.0)


@jit
def _error_kernel(output_ptr, x0_ptr, seed_ptr, a_ptr, b_ptr, parts_ptr, grad_error_ptr, grad_ptr, n, quarter,
                  GRADIENT: tl.constexpr, BLOCK: tl.constexpr):
    image = tl.program_id(0)
    i, offset = _offsets(n, BLOCK)
    a, b = tl.load(a_ptr + image), tl.load(b_ptr + image)
    eps0, eps1, eps2, eps3 = tl.randn4x(tl.load(seed_ptr + image), i)
    mask0 = i < quarter
    mask1, mask2, mask3 = [mask0 & (i + k * quarter < n) for k in (1, 2, 3)]
    diff0 = _difference(output_ptr, x0_ptr, offset, mask0, a, b, eps0)
    diff1 = _difference(output_ptr, x0_ptr, offset + quarter, mask1, a, b, eps1)
    diff2 = _difference(output_ptr, x0_ptr, offset + 2 * quarter, mask2, a, b, eps2)
    diff3 = _difference(output_ptr, x0_ptr, offset + 3 * quarter, mask3, a, b, eps3)
    if GRADIENT:
        factor = 2 * tl.load(grad_error_ptr + image) / n
        tl.store(grad_ptr + offset, factor * diff0, mask0)
        tl.store(grad_ptr + offset + quarter, factor * diff1, mask1)
        tl.store(grad_ptr + offset + 2 * quarter, factor * diff2, mask2)
        tl.store(grad_ptr + offset + 3 * quarter, factor * diff3, mask3)
    else:
        squares = tl.sum(diff0 * diff0 + diff1 * diff1 + diff2 * diff2 + diff3 * diff3, 0)
        tl.store(parts_ptr + image * tl.num_programs(1) + tl.program_id(1), squares)


def _grid(x: Tensor) -> tuple[tuple[int, int], int, int]:
    """The grid of programs, the elements of an image, and a quarter of them, rounded up."""
    n = x[0].numel()
    quarter = -(-n // 4)
    return (len(x), -(-quarter // BLOCK)), n, quarter


def launch(x0: Tensor, seed: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """a x0 + b noise(seed) by the kernel; x0 contiguous."""
    xt = torch.empty_like(x0)
    grid, n, quarter = _grid(x0)
    _mix_kernel[grid](x0, seed.contiguous(), a.contiguous(), b.contiguous(), xt, n, quarter, BLOCK=BLOCK, num_warps=4)
    return xt


def launch_error(output: Tensor, x0: Tensor, seed: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """The squared error by the kernel; noise and target are never stored."""
    grid, n, quarter = _grid(x0)
    parts = x0.new_empty(grid, dtype=torch.float32)
    _error_kernel[grid](output, x0, seed.contiguous(), a.contiguous(), b.contiguous(), parts, parts, parts, n, quarter,
                        GRADIENT=False, BLOCK=BLOCK, num_warps=4)
    return parts.sum(1) / n


def launch_error_backward(grad_error: Tensor, output: Tensor, x0: Tensor, seed: Tensor, a: Tensor,
                          b: Tensor) -> Tensor:
    """The gradient with respect to output, for the gradients `grad_error` (B,); the noise is recomputed."""
    grad = torch.empty_like(output)
    grid, n, quarter = _grid(x0)
    _error_kernel[grid](output, x0, seed.contiguous(), a.contiguous(), b.contiguous(), grad_error,
                        grad_error.contiguous(), grad, n, quarter, GRADIENT=True, BLOCK=BLOCK, num_warps=4)
    return grad


@torch.library.custom_op("course::q_sample", mutates_args=())
def _mix_op(x0: Tensor, seed: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return (launch if interpreted() else mix_reference)(x0, seed, a, b)


@torch.library.custom_op("course::squared_error", mutates_args=())
def _error_op(output: Tensor, x0: Tensor, seed: Tensor, a: Tensor, b: Tensor) -> Tensor:
    if interpreted() and output.dtype != torch.float64:
        return launch_error(output, x0, seed, a, b)
    return error_reference(output, x0, seed, a, b)


@torch.library.custom_op("course::squared_error_backward", mutates_args=())
def _error_backward_op(grad_error: Tensor, output: Tensor, x0: Tensor, seed: Tensor, a: Tensor, b: Tensor) -> Tensor:
    if interpreted() and output.dtype != torch.float64:
        return launch_error_backward(grad_error, output, x0, seed, a, b)
    difference = output - mix_reference(x0, seed, a, b)
    return _times(2 * grad_error / x0[0].numel(), difference).to(output.dtype)


def _wide(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)


@_mix_op.register_fake
def _(x0, seed, a, b):
    return torch.empty_like(x0)


@_error_op.register_fake
def _(output, x0, seed, a, b):
    return output.new_empty(len(output), dtype=_wide(output))


@_error_backward_op.register_fake
def _(grad_error, output, x0, seed, a, b):
    return torch.empty_like(output)


def _setup_context(ctx, inputs, output):
    ctx.save_for_backward(*inputs)


def _backward(ctx, grad_error):
    return _error_backward_op(grad_error, *ctx.saved_tensors), None, None, None, None


_error_op.register_autograd(_backward, setup_context=_setup_context)
if triton is not None:
    _mix_op.register_kernel("cuda")(launch)
    _error_op.register_kernel("cuda")(launch_error)
    _error_backward_op.register_kernel("cuda")(launch_error_backward)
