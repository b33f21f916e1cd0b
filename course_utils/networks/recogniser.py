"""A classifier that names pictures, and whose inner features the course measures samples with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_utils.networks.weights import Network


class Recogniser(Network):
    """Pictures (B, channels, H, W) in [-1, 1] -> logits (B, classes); `features(pictures)` -> (B, 64).

    H and W must be multiples of 8. `names` are the classes' names in order. It has never seen noise: it judges
    finished pictures, and no generator of the course is trained or guided with it.
    """

    def __init__(self, names: list[str], channels: int = 1, width: int = 32, features: int = 64):
        super().__init__()
        self.names = list(names)
        w = width
        self.body = nn.Sequential(
            *layer(channels, w), *layer(w, w), nn.MaxPool2d(2),
            *layer(w, 2 * w), *layer(2 * w, 2 * w), nn.MaxPool2d(2),
            *layer(2 * w, 4 * w), *layer(4 * w, 4 * w), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(4 * w, features),
        )  # fmt: skip
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(features, len(names)))
        self.to(memory_format=torch.channels_last)

    def features(self, pictures: Tensor) -> Tensor:
        """What the last layer sees of each picture: (B, 64)."""
        return self.body(pictures.contiguous(memory_format=torch.channels_last))

    @torch.no_grad()
    def look(self, pictures: Tensor, at_once: int = 500) -> tuple[Tensor, Tensor]:
        """For measuring: features (B, 64) of any number of pictures, and how sure it is of each one's name (B,)."""
        features = torch.cat([self.features(part) for part in pictures.split(at_once)])
        return features, self.head(features).softmax(1).amax(1)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.head(self.features(pictures))


def layer(channels: int, out: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU()
