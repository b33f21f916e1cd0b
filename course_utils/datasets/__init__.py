"""The course's data sets, and the two conversions between pixels and model range."""

from __future__ import annotations

from typing import TYPE_CHECKING

# `course_utils.files` needs no torch, so that `python -m course_utils doctor` answers at once
if TYPE_CHECKING:
    import torch


def to_model_range(images: torch.Tensor) -> torch.Tensor:
    """Turn uint8 pixels 0..255 of any shape into float32 in [-1, 1].

    Raises ValueError unless `images` are uint8, because their range would be unknown.
    """
    import torch

    if images.dtype != torch.uint8:
        raise ValueError(
            f"pixels must be uint8 in 0..255; got {images.dtype}. "
            f"Images that are floats in [-1, 1] are in model range already."
        )
    return images.float() / 127.5 - 1


def to_pixels(images: torch.Tensor) -> torch.Tensor:
    """Turn images in [-1, 1] of any shape into uint8 pixels 0..255; small overshoots are clamped.

    A sampler may overshoot [-1, 1] a little; values beyond 20 are taken for pixels passed by mistake.
    Raises ValueError for such values, for integers and for non-finite values.
    """
    import torch

    if not images.is_floating_point():
        raise ValueError(
            f"images must be floats in [-1, 1]; got {images.dtype}. "
            f"Pixels become such floats with datasets.to_model_range()."
        )
    if not images.isfinite().all():
        raise ValueError(
            "images must lie in [-1, 1]; got values that are NaN or infinite. "
            "Look for a division by zero, or a learning rate that is too large."
        )
    low, high = images.min().item(), images.max().item()
    if max(-low, high) > 20:
        found = f"max {high:.1f}" if high > 20 else f"min {low:.1f}"
        raise ValueError(
            f"images must lie in [-1, 1]; got {found}. "
            f"Divide by 127.5 and subtract 1, or use datasets.to_model_range()."
        )
    return ((images.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
