"""Measures, and `expect`, which lets a sentence in a notebook stand on a check."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, pad

GREY = 1 / 127.5  # one step of grey: what is below it cannot be seen


def expect(value, *, says: str, below=None, above=None, between=None, equals=None) -> None:
    """Print "<says>: yes" when the value keeps its bound; AssertionError with both numbers when it does not.

    `value` is a number, a one-element tensor or a bool; give exactly one bound (`between` is a pair, ends included).
    """
    given = {"below": below, "above": above, "between": between, "equals": equals}
    given = {name: bound for name, bound in given.items() if bound is not None}
    if len(given) != 1:
        raise ValueError("expect needs exactly one of below, above, between and equals.")
    name, bound = next(iter(given.items()))
    value = value.item() if hasattr(value, "item") else value
    holds = {
        "below": lambda: value < bound,
        "above": lambda: value > bound,
        "between": lambda: bound[0] <= value <= bound[1],
        "equals": lambda: value == bound,
    }[name]()
    wanted = f"within {bound[0]:g}..{bound[1]:g}" if name == "between" else f"{name} {_short(bound)}"
    if not holds:
        raise AssertionError(f"{says}: NO. Measured {_short(value)}, expected {wanted}.")
    print(f"{says}: yes" + ("" if name == "equals" else f" ({wanted})"))


def _short(number) -> str:
    return f"{number:.2g}" if isinstance(number, float) else str(number.item() if hasattr(number, "item") else number)


def energy_distance(a: Tensor, b: Tensor) -> float:
    """Distance between the distributions behind two samples (N, D) and (M, D): 0 when equal, above 0 otherwise.

    2 E|a - b| - E|a - a'| - E|b - b'|, each pair of different points once. Source: Szekely and Rizzo 2013.
    """
    return _energy(*_table(a, b))


def two_sample_p(a: Tensor, b: Tensor, rounds: int = 200, seed: int = 0) -> float:
    """How often shuffled labels part two samples as far as the real ones do, in (0, 1]: a permutation test.

    Small (below 0.01, say): the samples come from different distributions. If they come from the same one, every
    value is equally likely. Energy distance; a (N, D), b (M, D).
    """
    distance, labels = _table(a, b)
    seen, draws = _energy(distance, labels), torch.Generator().manual_seed(seed)
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

    A point belongs to a set when some member of the set is as close to it as to its own k-th nearest fellow member.
    real (N, D), fake (M, D). Raises ValueError for tables of different width, with at most k rows, or with NaN in
    them. Source: Kynkaanniemi et al. 2019.
    """
    real, fake = _features(real, fake)
    if not 1 <= k < min(len(real), len(fake)):
        raise ValueError(f"the {k}-th neighbour needs k at least 1 and more than k rows in each set; got k = {k} with "
                         f"{len(real)} real and {len(fake)} fake rows. Change k or draw more samples.")
    return _share_inside(fake, real, k), _share_inside(real, fake, k)


def psnr(made: Tensor, real: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each picture in dB, (B,), for pictures (B, C, H, W) in [-1, 1]: higher is nearer.

    10 log10(4 / mean squared error): the range is 2. Infinite for equal ones. ValueError for unequal shapes.
    """
    return 10 * torch.log10(4 / _squared_gap(made, real))


def ssim(made: Tensor, real: Tensor) -> Tensor:
    """Structural similarity of each picture, (B,), at most 1, for pictures (B, C, H, W) in [-1, 1].

    Windows of 11 x 11 with Gaussian weights of standard deviation 1.5, only those that lie inside; the mean over
    places and colours. ValueError for unequal shapes and for pictures smaller than a window. Source: Wang et al. 2004.
    """
    _squared_gap(made, real)
    if min(made.shape[2:]) < 11:
        raise ValueError(f"SSIM needs pictures of at least 11 x 11 pixels; got {tuple(made.shape)}.")
    line = torch.exp(-((torch.arange(11.0) - 5) ** 2) / (2 * 1.5**2))
    line = (line / line.sum())[None, None, None]
    a, b = (x.detach().cpu().float().flatten(0, 1)[:, None] for x in (made, real))
    # The window is a column times a row
    mean_a, mean_b, aa, bb, ab = (conv2d(conv2d(x, line.mT), line) for x in (a, b, a * a, b * b, a * b))
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    alike = (2 * mean_a * mean_b + c1) * (2 * (ab - mean_a * mean_b) + c2)
    most = (mean_a**2 + mean_b**2 + c1) * (aa - mean_a**2 + bb - mean_b**2 + c2)
    return (alike / most).unflatten(0, made.shape[:2]).mean((1, 2, 3, 4))


def consistency(made: Tensor, low: Tensor, shrink: Callable[[Tensor], Tensor]) -> Tensor:
    """How far each large picture (B, C, H, W), made small again, is from the small one it was made of, low: (B,).

    The mean squared difference with pictures as 0..1, as SR3 counts it (Saharia et al. 2022, table 1), though they are
    given in [-1, 1]. `shrink` is what made the small pictures. ValueError for unequal shapes.
    """
    return _squared_gap(shrink(made), low) / 4


def _squared_gap(a: Tensor, b: Tensor) -> Tensor:
    """The mean squared difference of each pair of pictures (B, C, H, W), (B,)."""
    if a.ndim != 4 or a.shape != b.shape:
        raise ValueError(f"pictures are compared in pairs (B, C, H, W) of equal shape; got {tuple(a.shape)} and "
                         f"{tuple(b.shape)}.")
    return (a.detach().float() - b.detach().to(a.device)).square().flatten(1).mean(1)


def texture_features(pictures: Tensor) -> Tensor:
    """What pictures (B, 3, H, W) in [-1, 1] look like from near, (B, 49): their colours and their edges at four sizes.

    Of brightness and two colour differences: mean and spread. At each of four sizes, each half the one before: how
    strong the differences of neighbours are, those of brightness in four directions each, and how sparse, for an edge
    is a few large ones and noise is many small ones. Last, whether edges stand where the next size has them. It knows
    nothing of what is shown. After Portilla and Simoncelli 2000, with the plainest of filters. ValueError for other
    pictures, and below 32 x 32 pixels.
    """
    if pictures.ndim != 4 or pictures.shape[1] != 3 or min(pictures.shape[2:]) < 32:
        raise ValueError(f"textures are measured on pictures (B, 3, H, W) of at least 32 x 32; got "
                         f"{tuple(pictures.shape)}.")
    red, green, blue = pictures.detach().cpu().float().unbind(1)
    x = torch.stack([(red + green + blue) / 3, red - green, (red + green) / 2 - blue], 1)
    found, finer = [x.mean((2, 3)), (x.std((2, 3)) + GREY).log()], None
    for _ in range(4):
        height, width = x.shape[2] - 2, x.shape[3] - 2
        size = torch.stack([(x[:, :, 1 : 1 + height, 1 : 1 + width] - x[:, :, i : i + height, j : j + width]).abs()
                            for i, j in ((1, 0), (0, 1), (0, 0), (0, 2))], 2)
        mean, root = size.mean((3, 4)) + GREY, (size**2).mean((3, 4)).sqrt() + GREY
        found += [mean[:, 0].log(), mean[:, 1:].mean(2).log(), (mean / root)[:, 0].log()]
        edges = pad(size[:, 0].mean(1), (1, 1, 1, 1))
        if finer is not None:
            found.append(_correlation(avg_pool2d(finer, 2), edges)[:, None])
        x, finer = avg_pool2d(x, 2), edges
    return torch.cat(found, 1)


def _correlation(a: Tensor, b: Tensor) -> Tensor:
    """Of two pictures each (B, H, W): (B,) in -1..1, 0 where nothing varies."""
    a, b = ((x - x.mean((1, 2), keepdim=True)).flatten(1) for x in (a, b))
    return (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + GREY**2)


def texture_distance(made: Tensor, real: Tensor) -> float:
    """Frechet distance between the textures of two sets of pictures (N, 3, H, W) and (M, 3, H, W): 0 when equal.

    Each feature is measured in standard deviations of the real pictures. Like FID in form, not in what it knows:
    compare values at equal N and M, and with what two sets of real pictures give. ValueError for fewer than 50.
    """
    ours, theirs = texture_features(made), texture_features(real)
    mean, std = theirs.mean(0), theirs.std(0)
    return frechet_distance((ours - mean) / std, (theirs - mean) / std)


def fool_rate(made: Tensor, real: Tensor, parts: int = 5) -> float:
    """How often a made picture (N, ...) seems more real than the real one (N, ...) of the same number: at best 0.5.

    The judge is a linear discriminant on features (N, D), which learns from four fifths of the pairs and judges the
    last fifth, in turn. It stands in for SR3's viewers, who choose the photograph of two pictures. ValueError for
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


def seam(made: Tensor, real: Tensor, mask: Tensor) -> float:
    """How much pictures (B, C, H, W) jump at the border of the hole, beside the real ones there: 1 is invisible.

    The mean absolute difference of neighbouring pixels of which one is kept (mask (B, 1, H, W) is 1) and the other
    is not, divided by the same of the real pictures. Above 1: an edge that was not there; below: the hole is smoother.
    ValueError for masks without a border.
    """
    jumps = torch.zeros(2, dtype=torch.float64)
    for axis in (2, 3):
        edge = mask.diff(dim=axis).abs()
        for k, pictures in enumerate((made, real)):
            jumps[k] += (pictures.diff(dim=axis).abs() * edge).sum().double().cpu()
    if not jumps[1]:
        raise ValueError("there is no border between kept and painted pixels, or nothing changes there in the real "
                         "pictures. Give masks with 1 where the picture is kept and 0 in the hole.")
    return (jumps[0] / jumps[1]).item()


def grid(pictures: Tensor, side: int) -> float:
    """Whether pictures (B, C, H, W) are made of squares of `side` pixels: 1 is no grid, above 1 the squares show.

    Mean absolute difference of neighbours in two squares, divided by that of neighbours in one.
    """
    between = within = 0.0
    for axis in (2, 3):
        step = pictures.diff(dim=axis).abs().double().mean([d for d in range(4) if d != axis])
        at_border = torch.arange(1, len(step) + 1, device=step.device) % side == 0
        between, within = between + step[at_border].mean().item(), within + step[~at_border].mean().item()
    return between / within


def spread(measure: Callable[[Tensor, Tensor], float], a: Tensor, b: Tensor, rounds: int = 4, seed: int = 0) -> float:
    """How far measure(a, b) moves from one draw of `a` (N, ...) to the next while `b` stays: its standard error.

    Each round cuts `a` at random into two halves, which are independent samples: half the squared difference of
    their values is the variance at N/2, half of that the variance at N. Nothing is drawn twice, for repeated rows
    would shift a measure with a bias in N. Good to about 1/sqrt(2 rounds) of itself; too large, by sqrt(2), when a
    and b have the same distribution, for there a squared distance settles like 1/N. Raises ValueError below 2 rows or 1
    round. Source: McCarthy 1969 (half-samples).
    """
    if len(a) < 2 or rounds < 1:
        raise ValueError(f"spread needs at least 2 rows to cut in halves and 1 round; got {len(a)} and {rounds}.")
    draws, half, squares = torch.Generator().manual_seed(seed), len(a) // 2, 0.0
    for _ in range(rounds):
        order = torch.randperm(len(a), generator=draws).to(a.device)
        squares += (measure(a[order[:half]], b) - measure(a[order[half : 2 * half]], b)) ** 2
    return float(squares / (4 * rounds)) ** 0.5


def _features(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Two tables of features in double precision, or a ValueError that says why they are none."""
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError("two sets of features must be tables (N, D) and (M, D) of the same width D; got "
                         f"{tuple(a.shape)} and {tuple(b.shape)}. Flatten pictures first.")
    for x in (a, b):
        if not bool(x.isfinite().all()):
            raise ValueError(f"features must be finite numbers; {int((~x.isfinite()).sum())} of {x.numel()} are NaN or "
                             "infinite. Look at the samples they were computed from.")
    return a.detach().cpu().double(), b.detach().cpu().double()


def _share_inside(points: Tensor, members: Tensor, k: int, rows: int = 500) -> float:
    """Share of `points` that some member is as close to as to its own k-th nearest fellow, `rows` at a time."""
    # The nearest of all is the member itself. cdist rounds: equal points may lie 1e-8 of their length apart
    radius = torch.cat([torch.cdist(part, members).kthvalue(k + 1).values for part in members.split(rows)])
    reach = radius + 1e-7 * members.norm(dim=1).max()
    inside = torch.cat([(torch.cdist(part, members) <= reach).any(1) for part in points.split(rows)])
    return float(inside.double().mean())
