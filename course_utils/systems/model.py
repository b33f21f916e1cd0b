"""The model under all systems: a network and a schedule, for tensors of any shape: images, latents, vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_utils.diffusion import Denoiser, NoiseSchedule, Prediction, ddim
from course_utils.diffusion.denoise import NetworkPrediction
from course_utils.diffusion.guidance import checked_scale
from course_utils.diffusion.losses import seeded_error
from course_utils.diffusion.samplers import SAMPLERS, Callback
from course_utils.kernels import q_sample
from course_utils.networks import device_of
from course_utils.runtime import autocast, seeded, whole

SCHEDULE = NoiseSchedule.cosine()
# What of a training batch is not a condition
NOISED = ("x0", "t", "abar", "seed", "xt")
Condition = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Model:
    """A network with its schedule: training batches, the loss, the denoiser, samples.

    `network(xt, t, **condition)` returns what `network.predicts` names, "eps", "x0" or "v", for xt (B, ...) and t (B,).
    With `network.noise_level` it takes sqrt(abar), a number in [0, 1], in place of t. A network that says neither
    predicts x0 and takes t. `weight` is that of the loss, a name in `diffusion.losses.WEIGHTS`.
    """

    network: nn.Module
    schedule: NoiseSchedule = SCHEDULE
    weight: str = "soft-v"

    @property
    def device(self) -> torch.device:
        """Where the network's parameters are."""
        return device_of(self.network)

    @property
    def predicts(self) -> str:
        """The name of the network's output."""
        return self._option("predicts", "x0")

    def batch(self, x0: Tensor, generator: torch.Generator, *, late: bool = False, **condition: Tensor) -> Condition:
        """`noised` by the model's schedule, at noise levels of the kind that its network takes."""
        return noised(x0, generator, self.schedule, late=late, between=self._option("noise_level"), **condition)

    def loss(self, batch: Condition) -> Tensor:
        """The weighted error of each example of a `batch`, (B,); all that is not from `noised` is the condition."""
        condition = {name: value for name, value in batch.items() if name not in NOISED}
        output = self._output(batch["xt"], batch["t"], batch["abar"], condition)
        return seeded_error(output, self.predicts, batch["x0"], batch["seed"], batch["abar"], self.weight)

    def denoiser(self, condition: Condition | None = None, null: Condition | None = None,
                 guidance_scale: float = 1.0) -> Denoiser:
        """The network under a condition, guided away from the null condition, for batches of their size.

        Both hold the same names, one row for each example. At scales 0 and 1 one of the two is enough, and only that is
        computed; at others both go through the network in one batch of twice the size. ValueError for a wrong scale.
        Source: Ho and Salimans 2022, equation 6.
        """
        checked_scale(guidance_scale)
        condition = condition or {}
        if guidance_scale == 1:
            return lambda xt, t: self._predict(xt, t, condition)[0]
        if null is None:
            raise ValueError(f"guidance at scale {guidance_scale:g} needs the null condition; without one leave "
                             "guidance_scale at 1.")
        if guidance_scale == 0:
            return lambda xt, t: self._predict(xt, t, null)[0]
        both = {name: torch.cat([condition[name], null[name]]) for name in condition}

        def denoise(xt: Tensor, t) -> Prediction:
            given, free = self._predict(xt, t, both, copies=2)
            return given.guided(free, guidance_scale)

        return denoise

    def sample(self, denoiser: Denoiser, shape: Sequence[int], *, steps: int = 20, seed: int = 0, stage: str = "",
               sampler=ddim, callback: Callback | None = None, **options) -> Tensor:
        """New examples of a shape (B, ...) on the network's device; equal seeds start from equal noise.

        `sampler` is one of `diffusion.samplers`, which the options go to. The later stages of a cascade have a name
        each, so that they may share the seed and not the noise.
        """
        shape = [whole(size, "each size of a shape", least=1) for size in shape]
        if not callable(sampler):
            names = ", ".join(each.__name__ for each in SAMPLERS.values())
            raise ValueError(f"sampler must be a function such as {names} of course_utils.diffusion; got {sampler!r}.")
        # In float32 whatever torch's default is
        xT = torch.randn(shape, generator=seeded(seed, purpose=stage), dtype=torch.float32).to(self.device)
        generator = seeded(seed, self.device, f"{stage} steps".strip())
        return sampler(denoiser, self.schedule, xT, steps, generator=generator, callback=callback, **options)

    def _predict(self, xt: Tensor, t, condition: Condition, copies: int = 1) -> list[NetworkPrediction]:
        """Predictions about xt (B, ...), one for each B rows of the condition (copies * B, ...)."""
        abar = self.schedule.at(t, xt)
        times, levels = (x.flatten().expand(len(xt)).repeat(copies)
                         for x in (torch.as_tensor(t, device=xt.device), abar))
        with autocast(xt.device):
            output = self._output(torch.cat([xt] * copies) if copies > 1 else xt, times, levels, condition)
        return [NetworkPrediction(xt, abar, part, self.predicts) for part in output.chunk(copies)]

    def _output(self, xt: Tensor, t: Tensor, abar: Tensor, condition: Condition) -> Tensor:
        return self.network(xt, abar.sqrt() if self._option("noise_level") else t, **condition)

    def _option(self, name: str, default=False):
        # Where several processes train, torch wraps the network
        return getattr(getattr(self.network, "module", self.network), name, default)


def noised(x0: Tensor, generator: torch.Generator, schedule: NoiseSchedule = SCHEDULE, *, late: bool = False,
           between: bool = False, **condition: Tensor) -> Condition:
    """A training batch from x0 (B, ...): random times t (B,), abar (B,) and seeds (B,) of the noise, xt, the condition.

    late: times of much noise come more often, each t in proportion to itself. between: abar lies anywhere between its
    values at t - 1 and t, for networks that take a noise level (Saharia et al. 2022, SR3, section 2.4).
    """
    def uniform() -> Tensor:
        return torch.rand(len(x0), generator=generator, device=x0.device)

    if late:
        t = (schedule.T * uniform().sqrt()).long().clamp(max=schedule.T - 1)
    else:
        t = torch.randint(schedule.T, (len(x0),), generator=generator, device=x0.device)
    abar = schedule.at(t, x0).flatten()
    if between:
        before = schedule.at(t - 1, x0).flatten()
        abar = before + (abar - before) * uniform()
    seed = torch.randint(2**62, (len(x0),), generator=generator, device=x0.device)
    return {"x0": x0, "t": t, "abar": abar, "seed": seed, "xt": q_sample(x0, abar, seed)} | condition
