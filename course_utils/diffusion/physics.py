"""Molecules in a box: random kicks forwards, the score backwards. Notebook 01 writes these lines out."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_utils.diffusion.mixture import GaussianMixture


def reflect(x: Tensor, width: float = 1.0) -> Tensor:
    """Fold positions of any shape back into a box [0, width] with mirror walls."""
    x = torch.remainder(x, 2 * width)
    return torch.where(x > width, 2 * width - x, x)


def clock(end: float, steps: int, power: float = 2.0) -> Tensor:
    """Times 0..end (steps + 1,), close together near 0, where the ink is sharp and a big kick would blur it."""
    return end * torch.linspace(0, 1, steps + 1) ** power


def diffuse(x: Tensor, times: Tensor, D: float = 0.5, generator: torch.Generator | None = None,
            width: float | None = None) -> Tensor:
    """Walk molecules x (N, d) from times[0] to times[-1] -> all positions (len(times), N, d).

    Each kick is Gaussian with variance 2 D dt (Einstein 1905); `width` puts the molecules in a box [0, width]^d.
    """
    path = [x]
    for dt in times.diff():
        x = x + (2 * D * dt).sqrt() * torch.randn(x.shape, generator=generator)
        x = x if width is None else reflect(x, width)
        path.append(x)
    return torch.stack(path)


def undiffuse(x: Tensor, start: GaussianMixture, times: Tensor, D: float = 0.5, strength: float = 1.0,
              generator: torch.Generator | None = None, width: float | None = None) -> Tensor:
    """Run time backwards from times[-1] to times[0] with fresh kicks and the exact score -> (len(times), N, d).

    x (N, d) are positions at times[-1]; `start` is the density at time 0. `strength` 1 is the reverse equation,
    0 leaves the kicks alone. Source: Anderson 1982; Song et al. 2021 (score SDE), equation 6.
    """
    seen = start if width is None else start.mirrored(width)
    path = [x]
    for time, dt in zip(times[1:].flip(0), times.diff().flip(0)):
        push = strength * 2 * D * dt * seen.spread(2 * D * time).score(x)
        x = x + push + (2 * D * dt).sqrt() * torch.randn(x.shape, generator=generator)
        x = x if width is None else reflect(x, width)
        path.append(x)
    return torch.stack(path)


def heat(x: Tensor, time: float, D: float, left: float, right: float, width: float = 1.0, terms: int = 200) -> Tensor:
    """Density at x in a box [0, width], at `time`, of ink that started spread evenly over [left, right].

    The exact solution of the heat equation between reflecting walls, as a cosine series (Fourier 1822).
    """
    n = torch.arange(1, terms + 1, dtype=torch.float64) * math.pi / width
    start = 2 / width * ((n * right).sin() - (n * left).sin()) / (n * (right - left))
    waves = (x.double()[:, None] * n).cos() * (-D * n**2 * time).exp()
    return (1 / width + waves @ start).to(x.dtype)


def entropy(x: Tensor, bins: int, width: float = 1.0) -> float:
    """How spread out positions (N, d) are over bins^d cells, in units of the maximum: 0 one cell, 1 even."""
    cells = (x / width * bins).long().clamp(0, bins - 1)
    index = sum(cells[:, d] * bins**d for d in range(x.shape[1]))
    share = torch.bincount(index, minlength=bins ** x.shape[1]).double() / len(x)
    share = share[share > 0]
    return float(-(share * share.log()).sum() / math.log(bins ** x.shape[1]))
