"""Ways from one tensor to another."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize


def slerp(one: Tensor, other: Tensor, share: float) -> Tensor:
    """Spherical linear interpolation of two tensors of one shape, each taken as one vector: share in [0, 1] (Shoemake
    1985). Their angle is walked at an even pace; nearly parallel ones are interpolated linearly."""
    cosine = torch.dot(normalize(one.flatten(), dim=0), normalize(other.flatten(), dim=0)).clamp(-1, 1)
    angle = cosine.acos()
    if angle.sin().abs() < 1e-4:
        return (1 - share) * one + share * other
    return (((1 - share) * angle).sin() * one + (share * angle).sin() * other) / angle.sin()
