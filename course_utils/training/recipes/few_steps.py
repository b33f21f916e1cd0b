"""Fewer steps for notebook 12: a student of the guided model, and flow matching beside the course's own training."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor, nn

from course_utils.networks import LatentUNet, LowRankUNet, load_network
from course_utils.runtime import seeded
from course_utils.systems import stable_diffusion
from course_utils.training.recipes.autoencoder import encoded
from course_utils.training.recipes.glide import SceneRecipe
from course_utils.training.recipes.stable_diffusion import SDBase


class FewSteps(SDBase):
    """Four steps without guidance that end where the base's twenty with guidance do, in additions of low rank.

    From real latents under noise, at one of the times of a sampler of four steps, the base goes five steps of `ddim`;
    the student is taught the output with which one step leads there. Source: Salimans and Ho 2022 (progressive
    distillation, here in one round), Meng et al. 2023 (with the guidance).
    """

    name, data = "sd-few-steps", SceneRecipe.data
    images, lr, weight_decay, ema, plain, p_uncond = 24_000, 1.5e-3, 0.0, 0.995, 0, 0.0
    steps, each, scale = 4, 5, 3.0
    schedule = stable_diffusion.SCHEDULE

    @cached_property
    def teacher(self) -> LatentUNet:
        return load_network("sd-base")

    def network(self) -> LowRankUNet:
        return LowRankUNet()

    @torch.no_grad()
    def examples(self, scenes, generator: torch.Generator) -> dict[str, Tensor]:
        times = torch.tensor(self.schedule.timesteps(self.steps), device=generator.device)
        t = times[torch.randint(self.steps, (len(scenes),), generator=generator, device=generator.device)]
        x0 = encoded(self.autoencoder.to(generator.device), scenes).to(generator.device)
        xt = self.schedule.jump(x0, t, torch.randn(x0.shape, generator=generator, device=generator.device))
        return {"xt": xt, "t": t}

    @torch.no_grad()
    def batch(self, n: int, generator: torch.Generator, images_seen: int = 0,
              split: str = "train") -> dict[str, Tensor]:
        batch = super().batch(n, generator, images_seen, split)
        system = self.system(self.teacher.to(generator.device))
        null = system.states([""]).expand_as(batch["text"])
        denoise = system.model.denoiser({"text": batch["text"]}, {"text": null}, self.scale)
        xs, s, length = batch["xt"], batch["t"], self.schedule.T // self.steps // self.each
        for _ in range(self.each):
            xs, s = denoise(xs, s).towards(self.schedule.at(s - length, xs)), s - length
        # A step of ddim turns (x, v) by the angle between two noise levels
        before, after = (torch.acos(self.schedule.at(times, xs).double().sqrt()) for times in (batch["t"], s))
        angle = (before - after).to(xs)
        return batch | {"v": (angle.cos() * batch["xt"] - xs) / angle.sin()}

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        return (network(batch["xt"], batch["t"], text=batch["text"]) - batch["v"]).square().flatten(1).mean(1)

    def draw(self, system: stable_diffusion.StableDiffusion, asked: list[str], seed: int) -> Tensor:
        return system.sample(asked, 1.0, self.steps, seed)


class Usual(SDBase):
    """The base's training, short: what flow matching is compared with."""

    name, data = "sd-usual", SceneRecipe.data
    images, plain = 32_000, 0

    def measures(self, network: LatentUNet) -> dict[str, float]:
        """The loss alone: tests/bench/stable_diffusion.py compares samples."""
        return SceneRecipe.measures(self, network)


class Flow(Usual):
    """Flow matching: xt = (1 - t) x0 + t eps, and the network is told 999 t and learns the velocity eps - x0.

    t is the sigmoid of a normal number, so that times in the middle come most often. Source: Lipman et al. 2023, Liu et
    al. 2023 (rectified flow), Esser et al. 2024 (Stable Diffusion 3), section 3.1.
    """

    name, predicts = "sd-flow", "velocity"

    def examples(self, scenes, generator: torch.Generator) -> dict[str, Tensor]:
        x0 = encoded(self.autoencoder.to(generator.device), scenes).to(generator.device)
        t = torch.randn(len(x0), generator=generator, device=x0.device).sigmoid()
        eps = torch.randn(x0.shape, generator=generator, device=x0.device)
        return {"xt": torch.lerp(x0, eps, t[:, None, None, None]), "t": 999 * t, "v": eps - x0}

    loss = FewSteps.loss

    def draw(self, system: stable_diffusion.StableDiffusion, asked: list[str], seed: int) -> Tensor:
        return flow_samples(system, asked, seed=seed)


@torch.no_grad()
def flow_samples(system: stable_diffusion.StableDiffusion, prompts: list[str], guidance_scale: float = 3.0,
                 steps: int = 25, seed: int = 0) -> Tensor:
    """As `system.sample`, for a network that `Flow` has trained, by Euler's method: (B, 3, 128, 128)."""
    given, null = system.condition(prompts)
    both = torch.cat([given["text"], null["text"]])
    x = torch.randn(len(prompts), system.network.channels, 16, 16, generator=seeded(seed)).to(both)
    for t in torch.arange(steps, 0, -1) / steps:
        told, free = system.network(x.repeat(2, 1, 1, 1), 999 * t, text=both).chunk(2)
        x = x - (free + guidance_scale * (told - free)) / steps
    return system.decode(x)
