"""One step of guided sampling as one operation: guidance, predicted x0, threshold and the DDIM update.

In plain torch it takes a dozen passes over the image, and dynamic thresholding also sorts it; the kernel reads xt and
the network's one or two outputs once, and writes the next x.
"""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.kernels.dispatch import interpreted, jit, next_power_of_2, tl, triton, use_kernel, warps

BLOCK = 1024  # elements of one program
LARGEST = 16384  # elements of the largest image that one program can hold to find a quantile


def guided_step(xt: Tensor, output: Tensor, abar_t: Tensor, abar_s: Tensor, predicts: str, *,
                unconditional: Tensor | None = None, guidance_scale: float = 1.0,
                threshold: str | float | None = None) -> Tensor:
    """From xt to the next x: the deterministic DDIM step (Song et al. 2021, equation 12, eta = 0).

    xt, output (B, ...): the noisy images and the network's output, of the kind that `predicts` names: "eps", "x0" or
    "v". abar_t, abar_s: numbers or (B,) tensors in (0, 1], before and after the step. unconditional
    (B, ...): the output without the condition; guidance goes from it to `output` by guidance_scale (Ho and Salimans
    2022).
    threshold: None; "static" clamps the predicted x0 to [-1, 1]; p in (0, 1) clamps it to the p-quantile of |x0| of
    each image, if that is above 1, and divides by it (dynamic thresholding; Saharia et al. 2022, section 2.3), which
    turns a black background grey.
    Returns x like xt. On a GPU it is one kernel where that was measured to be faster. Raises ValueError for another
    `predicts` or threshold.
    """
    level = _level(threshold)
    if predicts not in NAMES or not 0 <= level < 1:
        raise ValueError(f"predicts must be eps, x0 or v, and threshold None, \"static\" or a number in (0, 1); got "
                         f"{predicts!r} and {threshold!r}.")
    fits = xt[0].numel() <= LARGEST or not level
    return (fused if use_kernel("guided_step", xt) and fits else reference)(
        xt, output, abar_t, abar_s, predicts, unconditional=unconditional, guidance_scale=guidance_scale,
        threshold=threshold)


def fused(xt: Tensor, output: Tensor, abar_t: Tensor, abar_s: Tensor, predicts: str, *,
          unconditional: Tensor | None = None, guidance_scale: float = 1.0,
          threshold: str | float | None = None) -> Tensor:
    """`guided_step` by the kernel; with dynamic thresholding only for images of at most LARGEST elements."""
    abars = [torch.as_tensor(abar, device=xt.device, dtype=torch.float32).reshape(-1).expand(len(xt))
             for abar in (abar_t, abar_s)]
    parts = [part if part is None else part.contiguous() for part in (xt, output, unconditional)]
    return _op(*parts, *abars, guidance_scale, NAMES.index(predicts), threshold == "static", _level(threshold))


def _level(threshold: str | float | None) -> float:
    """The p of dynamic thresholding, 0 for none."""
    return 0.0 if threshold in (None, "static") else float(threshold)


def reference(xt: Tensor, output: Tensor, abar_t: Tensor, abar_s: Tensor, predicts: str, **guidance) -> Tensor:
    """`guided_step` in plain torch, which defines it."""
    x0 = predicted_x0(xt, output, abar_t, predicts, **guidance)
    (signal, noise), (signal_s, noise_s) = _roots(abar_t, xt), _roots(abar_s, xt)
    return signal_s * x0 + noise_s * (xt - signal * x0) / noise


def predicted_x0(xt: Tensor, output: Tensor, abar: Tensor, predicts: str, *, unconditional: Tensor | None = None,
                 guidance_scale: float = 1.0, threshold: str | float | None = None) -> Tensor:
    """The guided and thresholded prediction of x0 (B, ...) of the same step, in plain torch."""
    output = output.to(xt)
    if unconditional is not None:
        unconditional = unconditional.to(xt)
        output = unconditional + guidance_scale * (output - unconditional)
    signal, noise = _roots(abar, xt)
    x0 = {"eps": lambda: (xt - noise * output) / signal, "x0": lambda: output,
          "v": lambda: signal * xt - noise * output}[predicts]()
    return x0 if threshold is None else limited(x0, threshold)


def limited(x0: Tensor, threshold: str | float) -> Tensor:
    """x0 (B, ...) limited to [-1, 1], by a `threshold` of `guided_step` that is not None."""
    if threshold == "static":
        return x0.clamp(-1, 1)
    limit = _shaped(x0.flatten(1).abs().float().quantile(threshold, dim=1).clamp(min=1).to(x0), x0)
    return torch.maximum(torch.minimum(x0, limit), -limit) / limit


NAMES = ("eps", "x0", "v")


def _roots(abar, x: Tensor) -> tuple[Tensor, Tensor]:
    """sqrt(abar) and sqrt(1 - abar), scalars or one per image, broadcastable to x (B, ...)."""
    abar = _shaped(torch.as_tensor(abar), x)
    return abar.sqrt(), (1 - abar).sqrt()


def _shaped(factor: Tensor, x: Tensor) -> Tensor:
    factor = factor.to(x)
    return factor if factor.ndim == 0 else factor.reshape(-1, *[1] * (x.ndim - 1))


@jit
def _count(bits, mask, limit):
    return tl.sum(tl.where(mask & (bits <= limit), 1, 0), 0)


@jit
def _kth(bits, mask, k):
    """The k-th smallest of non-negative floats, exactly, by 31 steps of bisection on their bits (the same order)."""
    low, high = 0, 0x7F800000
    for _ in range(31):
        middle = low + (high - low) // 2
        enough = _count(bits, mask, middle) > k
        low, high = tl.where(enough, low, middle + 1), tl.where(enough, middle, high)
    return high


@jit
def _kernel(x_ptr, output_ptr, without_ptr, abar_t_ptr, abar_s_ptr, next_ptr, n, stride_t, stride_s, scale, k, rest,
            PREDICTS: tl.constexpr, GUIDED: tl.constexpr, STATIC: tl.constexpr, DYNAMIC: tl.constexpr,
            BLOCK: tl.constexpr):
    image = tl.program_id(0)
    i = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask, at = i < n, image.to(tl.int64) * n + i
    abar_t = tl.load(abar_t_ptr + image * stride_t)
    abar_s = tl.load(abar_s_ptr + image * stride_s)
    signal, noise = tl.sqrt(abar_t), tl.sqrt(1 - abar_t)
    x = tl.load(x_ptr + at, mask, 0.0).to(tl.float32)
    output = tl.load(output_ptr + at, mask, 0.0).to(tl.float32)
    if GUIDED:
        without = tl.load(without_ptr + at, mask, 0.0).to(tl.float32)
        output = without + scale * (output - without)
    if PREDICTS == 0:
        x0 = (x - noise * output) / signal
    elif PREDICTS == 1:
        x0 = output
    else:
        x0 = signal * x - noise * output
    if STATIC:
        x0 = tl.minimum(tl.maximum(x0, -1.0), 1.0)
    if DYNAMIC:
        bits = tl.abs(x0).to(tl.int32, bitcast=True)
        below = _kth(bits, mask, k)
        above = tl.min(tl.where(mask & (bits > below), bits, 0x7F800000), 0)
        # The next value is equal, or there is none
        above = tl.where((_count(bits, mask, below) > k + 1) | (rest == 0), below, above)
        small, large = below.to(tl.float32, bitcast=True), above.to(tl.float32, bitcast=True)
        limit = tl.maximum(small + rest * (large - small), 1.0)
        x0 = tl.minimum(tl.maximum(x0, -limit), limit) / limit
    x_next = tl.sqrt(abar_s) * x0 + tl.sqrt(1 - abar_s) * (x - signal * x0) / noise
    tl.store(next_ptr + at, x_next, mask)


def launch(xt: Tensor, output: Tensor, unconditional: Tensor | None, abar_t: Tensor, abar_s: Tensor,
           guidance_scale: float, predicts: int, static: bool, level: float) -> Tensor:
    """The step by the kernel; images contiguous, level = 0 for no dynamic thresholding."""
    x_next, n = torch.empty_like(xt), xt[0].numel()
    block = next_power_of_2(n) if level else BLOCK
    # The p-quantile interpolates between the k-th and the next of the sorted values, as torch.quantile does
    k = int(level * (n - 1))
    rest = level * (n - 1) - k if k < n - 1 else 0.0
    _kernel[len(xt), -(-n // block)](
        xt, output, xt if unconditional is None else unconditional, abar_t, abar_s, x_next, n, abar_t.stride(0),
        abar_s.stride(0), guidance_scale, k, rest, PREDICTS=predicts, GUIDED=unconditional is not None, STATIC=static,
        DYNAMIC=level > 0, BLOCK=block,
        num_warps=warps(block))
    return x_next


@torch.library.custom_op("course::guided_step", mutates_args=())
def _op(xt: Tensor, output: Tensor, unconditional: Tensor | None, abar_t: Tensor, abar_s: Tensor, guidance_scale: float,
        predicts: int, static: bool, level: float) -> Tensor:
    if interpreted():
        return launch(xt, output, unconditional, abar_t, abar_s, guidance_scale, predicts, static, level)
    return reference(xt, output, abar_t, abar_s, NAMES[predicts], unconditional=unconditional,
                     guidance_scale=guidance_scale,
                     threshold="static" if static else level or None)


@_op.register_fake
def _(xt, output, unconditional, abar_t, abar_s, guidance_scale, predicts, static, level):
    return torch.empty_like(xt)


if triton is not None:
    _op.register_kernel("cuda")(launch)
