"""DDPM: pictures out of noise, without a condition (Ho et al. 2020), with the course's network and schedule."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from course_utils.diffusion import Denoiser, NoiseSchedule, ddim, network_denoiser
from course_utils.diffusion.losses import seeded_error
from course_utils.kernels import q_sample
from course_utils.networks import load_network
from course_utils.runtime import device, seeded

SCHEDULE = NoiseSchedule.cosine()


class DDPM:
    """A trained network with its schedule: `denoiser()` for the samplers, `sample(...)` for pictures.

    `network` has the attributes `predicts`, `channels`, and takes (xt, t).
    """

    def __init__(self, network: nn.Module, schedule: NoiseSchedule = SCHEDULE):
        self.network, self.schedule = network, schedule

    def denoiser(self, clip: bool = True) -> Denoiser:
        """The network as a function (xt, t) -> Prediction; `clip` cuts the guessed picture to [-1, 1]."""
        return network_denoiser(self.network, self.schedule, self.network.predicts, clip)

    def sample(self, n: int, steps: int = 20, seed: int = 0, size: int = 32, sampler=ddim, **options) -> Tensor:
        """`n` new pictures (n, channels, size, size), on the network's device; equal seeds give equal pictures."""
        return sampled(self.denoiser(), self, n, steps, seed, size, sampler, **options)


def sampled(denoiser: Denoiser, system, n: int, steps: int, seed: int, size: int, sampler, **options) -> Tensor:
    """`n` pictures of a system with `network` and `schedule` by any denoiser, on the network's device."""
    where = next(system.network.parameters()).device
    xT = torch.randn(n, system.network.channels, size, size, generator=seeded(seed)).to(where)
    return sampler(denoiser, system.schedule, xT, steps, generator=seeded(seed + 1, where), **options)


def placed(pictures: Tensor, network: nn.Module) -> Tensor:
    """Given pictures (B, C, H, W) in [-1, 1], on the network's device. ValueError for others."""
    if pictures.ndim != 4 or not pictures.is_floating_point() or not bool((pictures.abs() <= 1.01).all()):
        raise ValueError(f"pictures must be floats (B, C, H, W) in [-1, 1]; got {tuple(pictures.shape)}, "
                         f"{pictures.dtype}. Use datasets.to_model_range() for pixels.")
    return pictures.to(next(network.parameters()).device)


def load(name: str = "ddpm-garments") -> DDPM:
    """The system with the weights that ship with the course, on this computer's fastest device."""
    return DDPM(load_network(name).to(device()))


def noised(x0: Tensor, generator: torch.Generator, schedule: NoiseSchedule = SCHEDULE,
           late: bool = False) -> dict[str, Tensor]:
    """A training batch from pictures x0 (B, C, H, W): random times t (B,), seeds (B,) of the noise, and xt.

    late: times of much noise come more often, each t in proportion to itself.
    """
    if late:
        share = torch.rand(len(x0), generator=generator, device=x0.device).sqrt()
        t = (schedule.T * share).long().clamp(max=schedule.T - 1)
    else:
        t = torch.randint(schedule.T, (len(x0),), generator=generator, device=x0.device)
    seed = torch.randint(2**62, (len(x0),), generator=generator, device=x0.device)
    return {"x0": x0, "t": t, "seed": seed, "xt": q_sample(x0, schedule.at(t, x0).flatten(), seed)}


def loss(network, batch: dict[str, Tensor], predicts: str, weight: str, schedule: NoiseSchedule = SCHEDULE,
         condition: Sequence[str] = ()) -> Tensor:
    """The error for each picture of a batch from `noised`, (B,); the network is given what `condition` names, too."""
    output = network(batch["xt"], batch["t"], **{name: batch[name] for name in condition})
    abar = schedule.at(batch["t"], batch["x0"]).flatten()
    return seeded_error(output, predicts, batch["x0"], batch["seed"], abar, weight)
