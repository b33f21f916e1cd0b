"""Random pictures for tests."""

import torch

from course_utils.runtime import seeded


def pictures(n: int = 2, size: int = 16, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, 3, size, size, generator=seeded(seed)) * 1.6 - 0.8


def smooth(n: int, size: int = 64, seed: int = 0) -> torch.Tensor:
    """Pictures with something to see at each size."""
    parts = [torch.nn.functional.interpolate(torch.randn(n, 3, side, side, generator=seeded(seed + side)), size,
                                             mode="bicubic") for side in (4, 8, 16, 32)]
    return (0.25 * sum(parts)).clamp(-1, 1)
