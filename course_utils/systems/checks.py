"""What users give to systems, checked once: a sentence for what does not fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


def check_images(images: Tensor, device: torch.device) -> Tensor:
    """Images (B, C, H, W) in [-1, 1], also as a NumPy array, as float32 on the device. ValueError for others."""
    images = torch.as_tensor(images)
    if images.ndim != 4 or not images.is_floating_point() or not bool((images.abs() <= 1.01).all()):
        raise ValueError(f"images must be floats (B, C, H, W) in [-1, 1]; got {tuple(images.shape)}, "
                         f"{images.dtype}. Use datasets.to_model_range() for pixels.")
    return images.to(device, torch.float32)


def check_mask(mask: Tensor, images: Tensor) -> Tensor:
    """Masks (B, 1, H, W) of 0 and 1 for images (B, C, H, W), on their device. ValueError for others."""
    mask, wanted = torch.as_tensor(mask), (len(images), 1, *images.shape[2:])
    if mask.shape != wanted or not bool(((mask == 0) | (mask == 1)).all()):
        raise ValueError(f"masks must be {wanted}, 1 where the image is kept and 0 in the hole; got "
                         f"{tuple(mask.shape)}, {mask.min().item():g}..{mask.max().item():g}.")
    return mask.to(images)


def check_labels(label: Tensor, num_classes: int, or_none: bool = False) -> Tensor:
    """Labels (B,) as int64. ValueError unless they are integers in 0..num_classes-1 (`or_none`: or `num_classes`)."""
    last = num_classes - 1 + or_none
    try:
        label = torch.as_tensor(label)
    except (TypeError, ValueError, RuntimeError):
        label = torch.tensor(float("nan"))  # Names of classes, or lists of unequal lengths
    if label.ndim != 1 or label.is_floating_point() or bool((label < 0).any()) or bool((label > last).any()):
        none = f" (or {num_classes}: none)" if or_none else ""
        raise ValueError(f"labels must be integers in 0..{num_classes - 1}{none}, one for each image; got "
                         f"{label.tolist() if label.numel() < 9 else tuple(label.shape)}.")
    return label.long()


def check_prompts(prompts: str | Sequence[str]) -> list[str]:
    """One prompt or several as a list. ValueError when there is none; the tokenizer refuses what is no text."""
    listed = [prompts] if isinstance(prompts, str) else prompts
    listed = list(listed) if isinstance(listed, Iterable) else []
    if not listed:
        raise ValueError(f"give at least one prompt, a text or a list of texts; got {prompts!r}.")
    return listed
