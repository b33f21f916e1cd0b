"""Images out of noise, without a condition (Ho et al. 2020, DDPM)."""

from __future__ import annotations

from torch import Tensor, nn

from course_utils.diffusion import Denoiser, NoiseSchedule, static_threshold
from course_utils.networks import load_network
from course_utils.runtime import device
from course_utils.systems.model import SCHEDULE, Model


class Unconditional:
    """A trained network with its schedule; `network` takes (xt, t)."""

    def __init__(self, network: nn.Module, schedule: NoiseSchedule = SCHEDULE):
        self.network, self.model = network, Model(network, schedule)

    def denoiser(self) -> Denoiser:
        """The network as a function (xt, t) -> Prediction, without a threshold."""
        return self.model.denoiser()

    def sample(self, n: int, steps: int = 20, seed: int = 0, size: int = 32, **options) -> Tensor:
        """`n` new images (n, channels, size, size); options as `Model.sample` takes them."""
        shape = (n, self.network.channels, size, size)
        return self.model.sample(static_threshold(self.denoiser()), shape, steps=steps, seed=seed, **options)


def load(name: str = "ddpm-garments") -> Unconditional:
    """The system with the weights that ship with the course, on this computer's fastest device."""
    return Unconditional(load_network(name).to(device()))
