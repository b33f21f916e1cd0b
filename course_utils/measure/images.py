"""Measures of images: closeness to a reference, texture, seams, grids."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, pad

from course_utils.measure.distances import frechet_distance

GREY = 1 / 127.5  # one step of grey: what is below it cannot be seen


def psnr(made: Tensor, real: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image in dB, (B,), for images (B, C, H, W) in [-1, 1]: higher is nearer.

    10 log10(4 / mean squared error): the range is 2. Infinite for equal ones. ValueError for unequal shapes.
    """
    return 10 * torch.log10(4 / _squared_gap(made, real))


def ssim(made: Tensor, real: Tensor) -> Tensor:
    """Structural similarity of each image, (B,), at most 1, for images (B, C, H, W) in [-1, 1].

    Windows of 11 x 11 with Gaussian weights of standard deviation 1.5, only those that lie inside; the mean over
    places and colours. ValueError for unequal shapes and for images smaller than a window. Source: Wang et al. 2004.
    """
    _squared_gap(made, real)
    if min(made.shape[2:]) < 11:
        raise ValueError(f"SSIM needs images of at least 11 x 11 pixels; got {tuple(made.shape)}.")
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
    """How far each large image (B, C, H, W), made small again, is from the small one it was made of, low: (B,).

    The mean squared difference with images as 0..1, as SR3 counts it (Saharia et al. 2022, table 1), though they are
    given in [-1, 1]. `shrink` is what made the small images. ValueError for unequal shapes.
    """
    return _squared_gap(shrink(made), low) / 4


def _squared_gap(a: Tensor, b: Tensor) -> Tensor:
    """The mean squared difference of each pair of images (B, C, H, W), (B,)."""
    if a.ndim != 4 or a.shape != b.shape:
        raise ValueError(f"images are compared in pairs (B, C, H, W) of equal shape; got {tuple(a.shape)} and "
                         f"{tuple(b.shape)}.")
    return (a.detach().float() - b.detach().to(a.device)).square().flatten(1).mean(1)


def texture_features(images: Tensor) -> Tensor:
    """Features of the texture of images (B, 3, H, W) in [-1, 1], (B, 49): colours, and edges at four scales.

    Of brightness and two colour differences: mean and spread. At each of four sizes, each half the one before: how
    strong the differences of neighbours are, those of brightness in four directions each, and how sparse, for an edge
    is a few large ones and noise is many small ones. Last, whether edges stand where the next size has them. It knows
    nothing of what is shown. After Portilla and Simoncelli 2000, with the plainest of filters. ValueError for other
    images, and below 32 x 32 pixels.
    """
    if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[2:]) < 32:
        raise ValueError(f"textures are measured on images (B, 3, H, W) of at least 32 x 32; got "
                         f"{tuple(images.shape)}.")
    red, green, blue = images.detach().cpu().float().unbind(1)
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
    """Of two images each (B, H, W): (B,) in -1..1, 0 where nothing varies."""
    a, b = ((x - x.mean((1, 2), keepdim=True)).flatten(1) for x in (a, b))
    return (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + GREY**2)


def texture_distance(made: Tensor, real: Tensor) -> float:
    """Frechet distance between the textures of two sets of images (N, 3, H, W) and (M, 3, H, W): 0 when equal.

    Each feature is measured in standard deviations of the real images. Like FID in form, not in what it knows:
    compare values at equal N and M, and with what two sets of real images give. ValueError for fewer than 50.
    """
    ours, theirs = texture_features(made), texture_features(real)
    mean, std = theirs.mean(0), theirs.std(0)
    return frechet_distance((ours - mean) / std, (theirs - mean) / std)


def seam(made: Tensor, real: Tensor, mask: Tensor) -> float:
    """How much images (B, C, H, W) jump at the border of the hole, relative to the real ones: 1 is invisible.

    The mean absolute difference of neighbouring pixels of which one is kept (mask (B, 1, H, W) is 1) and the other
    is not, divided by the same of the real images. Above 1: an edge that was not there; below: the hole is smoother.
    ValueError for masks without a border.
    """
    jumps = torch.zeros(2, dtype=torch.float64)
    for axis in (2, 3):
        edge = mask.diff(dim=axis).abs()
        for k, images in enumerate((made, real)):
            jumps[k] += (images.diff(dim=axis).abs() * edge).sum().double().cpu()
    if not jumps[1]:
        raise ValueError("there is no border between kept and painted pixels, or nothing changes there in the real "
                         "images. Give masks with 1 where the image is kept and 0 in the hole.")
    return (jumps[0] / jumps[1]).item()


def grid(images: Tensor, side: int) -> float:
    """Whether images (B, C, H, W) are made of squares of `side` pixels: 1 is no grid, above 1 the squares show.

    Mean absolute difference of neighbours in two squares, divided by that of neighbours in one.
    """
    between = within = 0.0
    for axis in (2, 3):
        step = images.diff(dim=axis).abs().double().mean([d for d in range(4) if d != axis])
        at_border = torch.arange(1, len(step) + 1, device=step.device) % side == 0
        between, within = between + step[at_border].mean().item(), within + step[~at_border].mean().item()
    return between / within
