"""A mixture of isotropic Gaussians: the one data set for which every question of the course has an exact answer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """K isotropic components in D dimensions: means (K, D), stds (K,) at least 0, weights (K,) (equal if left out).

    Raises ValueError when the shapes do not fit or a std is negative.
    """

    means: Tensor
    stds: Tensor
    weights: Tensor | None = None

    def __post_init__(self):
        means = torch.as_tensor(self.means)
        means = means if means.is_floating_point() else means.float()
        stds = torch.as_tensor(self.stds).to(means)
        weights = torch.ones(len(means)) if self.weights is None else torch.as_tensor(self.weights)
        if means.ndim != 2 or stds.shape != means.shape[:1] or weights.shape != means.shape[:1]:
            raise ValueError(
                "a mixture needs means (K, D), stds (K,) and weights (K,); got "
                f"{tuple(means.shape)}, {tuple(stds.shape)} and {tuple(weights.shape)}."
            )
        if bool((stds < 0).any()) or bool((weights <= 0).any()):
            raise ValueError("stds must be at least 0 and weights above 0.")
        weights = (weights / weights.sum()).to(means)
        fields = {"means": means, "stds": stds, "weights": weights, "_means64": means.double()}
        for name, value in {**fields, "_norms64": (means.double() ** 2).sum(1)}.items():
            object.__setattr__(self, name, value)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n points (n, D)."""
        k = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        noise = torch.randn(n, self.means.shape[1], generator=generator, dtype=self.means.dtype)
        return self.means[k] + self.stds[k, None] * noise

    def noised(self, abar) -> GaussianMixture:
        """The mixture after diffusion to `abar` in [0, 1]: means shrink, variances move towards 1."""
        abar = torch.as_tensor(abar).to(self.means)
        std = (abar * self.stds**2 + 1 - abar).sqrt()
        return GaussianMixture(abar.sqrt() * self.means, std, self.weights)

    def spread(self, variance: float) -> GaussianMixture:
        """The mixture after plain Brownian motion, no pull: each component's variance grows by `variance`."""
        return GaussianMixture(self.means, (self.stds**2 + variance).sqrt(), self.weights)

    def part(self, components) -> GaussianMixture:
        """Only these components (a list of their numbers, or a mask (K,)): a class of the mixture by itself."""
        return GaussianMixture(self.means[components], self.stds[components], self.weights[components])

    def given(self, known: dict[int, float]) -> GaussianMixture:
        """The mixture of the other coordinates where those in `known` (number: value) have these values. Exact."""
        seen, values = list(known), torch.tensor(list(known.values())).to(self.means)
        free = [d for d in range(self.means.shape[1]) if d not in known]
        # Isotropic components: a known coordinate says which component it is, and nothing else about the others
        share = GaussianMixture(self.means[:, seen], self.stds, self.weights)._log_parts(values[None], self.stds**2)
        return GaussianMixture(self.means[:, free], self.stds, share[0].softmax(0))

    def class_log_prob(self, x: Tensor, components) -> Tensor:
        """The log probability (B,) that x (B, D) came from one of these components, by Bayes' rule."""
        parts = self._log_parts(x, self.stds**2)
        return torch.logsumexp(parts[:, components], 1) - torch.logsumexp(parts, 1)

    def mirrored(self, width: float = 1.0, reach: int = 2) -> GaussianMixture:
        """The mixture seen in the walls of a box [0, width]^D: each component's mirror images, `reach` boxes far.

        Diffusing among the images without walls is the same as diffusing between reflecting walls (the method of
        images), so inside the box its `score` is exact and its `log_prob` is too, up to a constant.
        """
        shifts = 2 * width * torch.arange(-reach, reach + 1, dtype=self.means.dtype)
        means = self.means[:, None]
        for d in range(means.shape[-1]):
            column = means[..., d : d + 1]
            images = torch.cat([column + shifts, shifts - column], -1)
            means = means[:, :, None].expand(-1, -1, images.shape[-1], -1).clone()
            means[..., d] = images
            means = means.flatten(1, 2)
        each = means.shape[1]
        repeat = torch.Tensor.repeat_interleave
        return GaussianMixture(means.flatten(0, 1), repeat(self.stds, each), repeat(self.weights, each))

    def log_prob(self, x: Tensor) -> Tensor:
        """Log density at x (B, D) -> (B,). Needs every std above 0."""
        return torch.logsumexp(self._log_parts(x, self.stds**2), 1)

    def score(self, x: Tensor) -> Tensor:
        """The gradient of log_prob, x (B, D) -> (B, D): each component pulls, weighted by how likely x came from it."""
        share = torch.softmax(self._log_parts(x, self.stds**2), 1) / self.stds**2
        return share @ self.means - share.sum(1, keepdim=True) * x

    def posterior_mean(self, xt: Tensor, abar) -> Tensor:
        """E[x0 | xt] when xt = sqrt(abar) x0 + sqrt(1 - abar) eps; xt (B, D), abar a number or (B, 1) -> (B, D)."""
        abar = torch.as_tensor(abar).to(self.means)
        scaled = xt / abar.sqrt()
        var = self.stds**2 + (1 - abar) / abar
        share = torch.softmax(self._log_parts(scaled, var), 1)
        # Inside component k the mean moves from means[k] towards xt by the usual Gaussian shrinkage
        gain = self.stds**2 / var
        return (share * (1 - gain)) @ self.means + (share * gain).sum(1, keepdim=True) * scaled

    def _log_parts(self, x: Tensor, var: Tensor) -> Tensor:
        """Log of weight times density of each component at x (B, D); var (K,) or (B, K) -> (B, K)."""
        if x.ndim != 2 or x.shape[1] != self.means.shape[1]:
            raise ValueError(f"points must be (B, {self.means.shape[1]}) for this mixture; got {tuple(x.shape)}.")
        # In double precision: |x|^2 - 2 x.m + |m|^2 in single loses the digits that decide at low noise
        x64 = x.double()
        squared = (x64**2).sum(1, keepdim=True) - 2 * x64 @ self._means64.T + self._norms64
        squared = squared.clamp(min=0).to(self.means.dtype)
        return self.weights.log() - squared / (2 * var) - x.shape[1] / 2 * (2 * math.pi * var).log()
