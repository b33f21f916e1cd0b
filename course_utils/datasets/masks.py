"""Inpainting masks (n, 1, size, size), float 0 or 1: 1 is kept and 0 is the hole.

All randomness comes from `generator`; the masks are on its device.
"""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.datasets.sprites import STYLES, concepts, cutout


def boxes(n: int, size: int, generator: torch.Generator) -> Tensor:
    """A box at a random position, each side 1/4 to 5/8 of the image's."""
    sides = 0.25 + 0.375 * _shares(generator, n, 2, 1)
    places = torch.arange(size, device=generator.device) + 0.5
    inside = (places - size * (_shares(generator, n, 2, 1) * (1 - sides) + sides / 2)).abs() <= size * sides / 2
    return 1 - (inside[:, 0, :, None] & inside[:, 1, None, :]).float()[:, None]


def halves(n: int, size: int, generator: torch.Generator) -> Tensor:
    """The left, right, upper or lower half."""
    place = torch.arange(size, device=generator.device).expand(n, size) < size // 2
    place = place ^ (_shares(generator, n, 1) < 0.5)
    across = _shares(generator, n, 1, 1) < 0.5
    mask = torch.where(across, place[:, None, :], place[:, :, None])
    return mask.float()[:, None]


def strokes(n: int, size: int, generator: torch.Generator, turns: int = 6) -> Tensor:
    """A brush stroke along a random polyline of `turns` segments, 1/8 to 1/4 of the image wide."""
    angles = 2 * torch.pi * (_shares(generator, n, 1) + (_shares(generator, n, turns) - 0.5).cumsum(1) * 0.5)
    ways = size * (0.15 + 0.2 * _shares(generator, n, turns))[..., None] * torch.stack([angles.cos(), angles.sin()], -1)
    corners = torch.cat([size * (0.2 + 0.6 * _shares(generator, n, 1, 2)), ways], 1).cumsum(1)
    # Lines that leave the image are reflected back into it
    corners = size - (corners.remainder(2 * size) - size).abs()
    start, way = corners[:, :-1, None, None], (corners[:, 1:] - corners[:, :-1])[:, :, None, None]
    places = torch.arange(size, device=generator.device) + 0.5
    pixels = torch.stack(torch.meshgrid(places, places, indexing="ij"), -1)
    along = (((pixels - start) * way).sum(-1) / (way**2).sum(-1).clamp(min=1e-6)).clamp(0, 1)
    distance = (pixels - start - along[..., None] * way).norm(dim=-1).amin(1)
    return (distance > size * (1 + _shares(generator, n, 1, 1)) / 16).float()[:, None]


def silhouettes(n: int, size: int, generator: torch.Generator) -> Tensor:
    """The silhouette of a random emoji at a random position, its square cell 1/2 to 7/8 as wide as the image."""
    masks, names = torch.ones(n, 1, size, size), list(concepts())
    for mask, (style, name, side, down, right, flip) in zip(masks, _shares(generator, n, 6).tolist()):
        pixels = int(size * (0.5 + 0.375 * side))
        cut = cutout(STYLES[int(style * len(STYLES))], names[int(name * len(names))], pixels, flip < 0.5)
        top, left = (cell + int(share * (size - pixels + 1)) for cell, share in ((cut.top, down), (cut.left, right)))
        height, width = cut.keep.shape
        mask[0, top : top + height, left : left + width] = torch.from_numpy(cut.keep >= 128).float()
    return masks.to(generator.device)


KINDS = {"box": boxes, "half": halves, "stroke": strokes, "silhouette": silhouettes}


def mixed(n: int, size: int, generator: torch.Generator) -> Tensor:
    """Masks whose kinds are drawn at random from KINDS."""
    kinds = torch.randint(len(KINDS), (n,), generator=generator, device=generator.device)
    masks = torch.empty(n, 1, size, size, device=generator.device)
    for kind, make in enumerate(KINDS.values()):
        masks[kinds == kind] = make(int((kinds == kind).sum()), size, generator)
    return masks


def _shares(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.rand(shape, generator=generator, device=generator.device)
