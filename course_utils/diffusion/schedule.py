"""The noise schedule: how much of the image is left after t steps, and every closed form that follows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from course_utils.runtime import whole


@dataclass(frozen=True, eq=False)
class NoiseSchedule:
    """T small steps, each of which shrinks by sqrt(1 - beta_t) and adds noise of variance beta_t.

    `beta` (T,) float64 in (0, 1). Times are `t` in 0..T-1 as in `diffusers`: t = 0 has had one step of noise.
    Source: Ho et al. 2020 (DDPM), section 2.
    """

    beta: Tensor

    def __post_init__(self):
        beta = torch.as_tensor(self.beta, dtype=torch.float64)
        if beta.ndim != 1 or len(beta) == 0 or not bool(((beta > 0) & (beta < 1)).all()):
            raise ValueError("beta must be a list of numbers, each above 0 and below 1, one a step.")
        object.__setattr__(self, "beta", beta)
        from_start = torch.cat([torch.ones(1, dtype=torch.float64), torch.cumprod(1 - beta, 0)])
        object.__setattr__(self, "_abar_from_start", from_start)
        object.__setattr__(self, "abar", from_start[1:])

    @classmethod
    def linear(cls, T: int = 1000, start: float = 1e-4, end: float = 0.02) -> NoiseSchedule:
        """beta grows on a straight line; for T other than 1000 it is scaled by 1000/T (DDPM; Nichol and Dhariwal)."""
        return cls(torch.linspace(start, end, T, dtype=torch.float64).mul(1000 / T).clamp(max=0.999))

    @classmethod
    def cosine(cls, T: int = 1000, s: float = 0.008) -> NoiseSchedule:
        """abar follows a squared cosine; beta is cut at 0.999 (Nichol and Dhariwal 2021, equation 17)."""
        u = torch.arange(T + 1, dtype=torch.float64) / T
        abar = torch.cos((u + s) / (1 + s) * math.pi / 2) ** 2
        return cls((1 - abar[1:] / abar[:-1]).clamp(max=0.999))

    @classmethod
    def constant(cls, beta: float, T: int) -> NoiseSchedule:
        """Every step the same: the Ornstein-Uhlenbeck process of notebook 01."""
        return cls(torch.full((T,), beta, dtype=torch.float64))

    @property
    def T(self) -> int:
        """Number of steps."""
        return len(self.beta)

    @property
    def snr(self) -> Tensor:
        """Signal-to-noise ratio abar / (1 - abar), shape (T,)."""
        return self.abar / (1 - self.abar)

    def at(self, t, like: Tensor) -> Tensor:
        """abar at `t` (an int, or (B,) ints in -1..T-1), shaped to multiply `like` (B, ...). t = -1 means no noise yet.

        Raises ValueError for a t outside the schedule.
        """
        abar_t = self._exactly(t).to(like)
        return abar_t if abar_t.ndim == 0 else abar_t.view(-1, *[1] * (like.ndim - 1))

    def _exactly(self, t) -> Tensor:
        """abar at t in double precision, for 1 - abar keeps few digits where abar is close to 1."""
        t = torch.as_tensor(t, device=self.abar.device)
        if t.is_floating_point() or bool((t < -1).any()) or bool((t >= self.T).any()):
            raise ValueError(
                f"t must be integers in 0..{self.T - 1}; got {t.min().item()}..{t.max().item()}. "
                f"This schedule has {self.T} steps, counted from 0."
            )
        return self._abar_from_start[t + 1]

    def jump(self, x0: Tensor, t, eps: Tensor) -> Tensor:
        """Go from x0 to time t in one step: sqrt(abar_t) x0 + sqrt(1 - abar_t) eps (DDPM, equation 4).

        x0, eps (B, ...); t an int or (B,) in 0..T-1; returns xt like x0.
        """
        abar_t = self.at(t, x0)
        return abar_t.sqrt() * x0 + (1 - abar_t).sqrt() * eps

    def step(self, x: Tensor, t: int, noise: Tensor) -> Tensor:
        """One small step, from time t-1 to time t: sqrt(1 - beta_t) x + sqrt(beta_t) noise (DDPM, equation 2)."""
        alpha_t = self._exactly(t) / self._exactly(t - 1)
        return alpha_t.sqrt() * x + (1 - alpha_t).sqrt() * noise

    def posterior(self, x0: Tensor, xt: Tensor, t: int, s: int | None = None) -> tuple[Tensor, Tensor]:
        """Mean and variance of x at the earlier time s (default t-1), given both ends x0 and xt (DDPM, equation 7).

        s = -1 is x0 itself. Returns (mean like x0, variance a number).
        """
        abar_t, abar_s = self._exactly(t), self._exactly(t - 1 if s is None else s)
        alpha = abar_t / abar_s
        mean = (abar_s.sqrt() * (1 - alpha) * x0 + alpha.sqrt() * (1 - abar_s) * xt) / (1 - abar_t)
        return mean, (1 - alpha) * (1 - abar_s) / (1 - abar_t)

    def timesteps(self, steps: int) -> list[int]:
        """`steps` times from T-1 down to 0, evenly spread, for samplers that skip. ValueError outside 1..T."""
        steps = whole(steps, "steps")
        if not 1 <= steps <= self.T:
            raise ValueError(f"steps must lie in 1..{self.T}, the length of the schedule; got {steps}.")
        return torch.linspace(self.T - 1, 0, steps, dtype=torch.float64).round().long().tolist()
