"""Distances between two sets of points or features, their significance and their error."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.runtime import seeded


def energy_distance(a: Tensor, b: Tensor) -> float:
    """Distance between the distributions behind two samples (N, D) and (M, D): 0 when equal, above 0 otherwise.

    2 E|a - b| - E|a - a'| - E|b - b'|, each pair of different points once. Source: Szekely and Rizzo 2013.
    """
    return _energy(*_table(a, b))


def two_sample_p(a: Tensor, b: Tensor, rounds: int = 200, seed: int = 0) -> float:
    """p-value of a permutation test that two samples come from one distribution, in (0, 1].

    Small (below 0.01, say): the samples come from different distributions. If they come from the same one, every
    value is equally likely. Energy distance; a (N, D), b (M, D).
    """
    distance, labels = _table(a, b)
    seen, draws = _energy(distance, labels), seeded(seed, purpose="permutations")
    shuffled = [_energy(distance, labels[torch.randperm(len(labels), generator=draws)]) for _ in range(rounds)]
    return (1 + sum(value >= seen for value in shuffled)) / (1 + rounds)


def _table(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """All distances between the points of both samples, and the mask of the first sample."""
    both = torch.cat([a, b]).double()
    return torch.cdist(both, both), torch.arange(len(both)) < len(a)


def _energy(distance: Tensor, first: Tensor) -> float:
    """Energy distance from the table of all pairwise distances and the mask of the first sample."""
    w = first.double()
    n, m = w.sum(), (1 - w).sum()
    to_first = distance @ w
    aa, total = w @ to_first, distance.sum()
    ab = (1 - w) @ to_first
    bb = total - aa - 2 * ab
    return float(2 * ab / (n * m) - aa / (n * (n - 1)) - bb / (m * (m - 1)))


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Distance between the Gaussians fitted to two sets of features (N, D) and (M, D): 0 when equal, else above 0.

    |mean_a - mean_b|^2 + Tr(C_a + C_b - 2 (C_a C_b)^(1/2)), in double precision. Small samples make it too large:
    compare values at equal N and M only, and with what two samples of the same data give. Raises ValueError for
    tables of different width, with at most D rows, or with NaN in them. Source: Dowson and Landau 1982; Heusel et
    al. 2017 (FID).
    """
    a, b = _features(a, b)
    if min(len(a), len(b)) <= a.shape[1]:
        raise ValueError(f"a covariance of {a.shape[1]} features needs at least {a.shape[1] + 1} rows in each set; got "
                         f"{len(a)} and {len(b)}. Draw more samples or use fewer features.")
    cov_a, cov_b = (torch.cov(x.T).view(x.shape[1], -1) for x in (a, b))
    scale, axes = torch.linalg.eigh(cov_a)
    root = axes * scale.clamp(min=0).sqrt() @ axes.T
    # C_a C_b and this symmetric product have the same eigenvalues; rounding may push the smallest below 0
    overlap = torch.linalg.eigvalsh(root @ cov_b @ root).clamp(min=0).sqrt().sum()
    return max(0.0, float(((a.mean(0) - b.mean(0)) ** 2).sum() + cov_a.trace() + cov_b.trace() - 2 * overlap))


def precision_recall(real: Tensor, fake: Tensor, k: int = 3) -> tuple[float, float]:
    """Share of the fakes that look real, and share of the real ones that the fakes reach: two numbers in 0..1.

    A point belongs to a set when it lies within some member's distance to its own k-th nearest neighbour in the set.
    real (N, D), fake (M, D). Raises ValueError for tables of different width, with at most k rows, or with NaN in
    them. Source: Kynkaanniemi et al. 2019.
    """
    real, fake = _features(real, fake)
    if not 1 <= k < min(len(real), len(fake)):
        raise ValueError(f"the {k}-th neighbour needs k at least 1 and more than k rows in each set; got k = {k} with "
                         f"{len(real)} real and {len(fake)} fake rows. Change k or draw more samples.")
    return _share_inside(fake, real, k), _share_inside(real, fake, k)


def fool_rate(made: Tensor, real: Tensor, parts: int = 5) -> float:
    """How often a generated image seems more real than the real one in the same row: at best 0.5.

    A linear discriminant on features (N, D) learns from four fifths of the pairs and decides on the last fifth, in
    turn. It stands in for SR3's viewers, who choose the photograph of two images. ValueError for
    tables of different shape or with fewer pairs than `parts`. Source: Lopez-Paz and Oquab 2017 (two-sample tests by
    classifiers).
    """
    made, real = _features(made, real)
    if len(made) != len(real) or len(made) < 2 * parts:
        raise ValueError(f"the fool rate needs pairs, at least {2 * parts}; got {len(made)} made and {len(real)} real "
                         "rows.")
    fold, wins = torch.arange(len(made)) % parts, []
    for part in range(parts):
        a, b = made[fold != part], real[fold != part]
        spread_within = torch.cov(torch.cat([a - a.mean(0), b - b.mean(0)]).T).view(a.shape[1], -1)
        # A little round noise: a feature that never varies divides by nothing
        ridge = 1e-3 * spread_within.diagonal().mean() * torch.eye(a.shape[1], dtype=a.dtype)
        way = torch.linalg.solve(spread_within + ridge, b.mean(0) - a.mean(0))
        wins.append((1 + ((made - real)[fold == part] @ way).sign()) / 2)
    return torch.cat(wins).mean().item()


def spread(measure: Callable[[Tensor, Tensor], float], a: Tensor, b: Tensor, rounds: int = 4, seed: int = 0) -> float:
    """Standard error of measure(a, b) over samples `a` (N, ...), with `b` fixed.

    Each round cuts `a` at random into two halves, which are independent samples: half the squared difference of
    their values is the variance at N/2, half of that the variance at N. No row is drawn twice, for repeated rows
    would shift a measure with a bias in N. Good to about 1/sqrt(2 rounds) of itself; too large, by sqrt(2), when a
    and b have the same distribution, for there a squared distance settles like 1/N. Raises ValueError below 2 rows or 1
    round. Source: McCarthy 1969 (half-samples).
    """
    if len(a) < 2 or rounds < 1:
        raise ValueError(f"spread needs at least 2 rows to cut in halves and 1 round; got {len(a)} and {rounds}.")
    draws, half, squares = seeded(seed, purpose="halves"), len(a) // 2, 0.0
    for _ in range(rounds):
        order = torch.randperm(len(a), generator=draws).to(a.device)
        squares += (measure(a[order[:half]], b) - measure(a[order[half : 2 * half]], b)) ** 2
    return float(squares / (4 * rounds)) ** 0.5


def _features(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Two tables of features in double precision, or a ValueError that says why they are none."""
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError("two sets of features must be tables (N, D) and (M, D) of the same width D; got "
                         f"{tuple(a.shape)} and {tuple(b.shape)}. Flatten images first.")
    for x in (a, b):
        if not bool(x.isfinite().all()):
            raise ValueError(f"features must be finite numbers; {int((~x.isfinite()).sum())} of {x.numel()} are NaN or "
                             "infinite. Look at the samples they were computed from.")
    return a.detach().cpu().double(), b.detach().cpu().double()


def _share_inside(points: Tensor, members: Tensor, k: int, rows: int = 500) -> float:
    """Share of `points` within some member's distance to its k-th nearest neighbour, `rows` at a time."""
    # The nearest of all is the member itself. cdist rounds: equal points may lie 1e-8 of their length apart
    radius = torch.cat([torch.cdist(part, members).kthvalue(k + 1).values for part in members.split(rows)])
    reach = radius + 1e-7 * members.norm(dim=1).max()
    inside = torch.cat([(torch.cdist(part, members) <= reach).any(1) for part in points.split(rows)])
    return float(inside.double().mean())
